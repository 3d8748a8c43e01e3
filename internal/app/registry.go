package app

import (
	"context"
	"fmt"
	"log/slog"

	"ferry/delivery/registry"
	"ferry/internal/config"
)

// newRegistry makes what looks versions up; nil where nothing is to.
func newRegistry(c *config.Config, log *slog.Logger) (*registry.Registry, error) {
	if c.Registries.Lookup == config.LookupOff {
		return nil, nil
	}
	r, err := registry.New(registry.Options{Mirrors: c.Registries.Mirrors, DockerConfig: c.Registries.DockerConfig, Log: log})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.At("registries.mirrors"), err)
	}
	return r, nil
}

// checkRegistry tries what is configured of registries. Only where look-ups are
// required can ferry not do without it.
func checkRegistry(ctx context.Context, c *config.Config, r *registry.Registry) []finding {
	var out []finding
	if r == nil {
		return nil
	}
	for _, f := range r.Check(ctx) {
		out = append(out, finding{"registries", f.What, f.OK, c.Registries.Lookup != config.LookupRequire, f.Detail, f.Help})
	}
	return out
}
