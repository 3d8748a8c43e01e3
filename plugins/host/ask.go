package host

import (
	"context"
	"time"

	"ferry/internal/fault"
	"ferry/plugins/api"
)

// Ask hands a running plugin to ask something that only its dialect has words for,
// with what its stream is opened with; bounded as a delivery is.
func (h *Host) Ask(ctx context.Context, kind, name string, ask func(context.Context, Peer, api.StreamRequest) error) error {
	k, err := h.keeper(kind, name)
	if err != nil {
		return err
	}
	clusters, err := k.clusters(ctx)
	if err != nil {
		return err
	}
	r := api.StreamRequest{Binding: k.Name, Config: k.Config}
	if len(clusters) > 0 {
		r.Cluster, r.Kubeconfig = clusters[0].Name, clusters[0].Kubeconfig
	}
	return k.call(ctx, 30*time.Second, fault.Unavailable, func(ctx context.Context, p Peer) error { return ask(ctx, p, r) })
}
