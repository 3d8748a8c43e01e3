package host

import (
	"context"

	"ferry/internal/fault"
	"ferry/plugins/api"
)

// Ready returns when the executor of that name runs: at once if it does, and after a
// while if it is only starting. Its error is the one that Execute would end with, before
// the plugin has seen anything of a line.
func (h *Host) Ready(ctx context.Context, name string) error {
	k, err := h.keeper(api.KindExecutor, name)
	if err != nil {
		return err
	}
	_, err = k.running(ctx, fault.Failed)
	return err
}
