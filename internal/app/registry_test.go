package app

import (
	"log/slog"
	"testing"

	"ferry/internal/config"
)

// TestRegistries makes what the configuration says, and knows whether ferry can
// do without it.
func TestRegistries(t *testing.T) {
	t.Parallel()
	for lookup, spare := range map[string]bool{config.LookupWarn: true, config.LookupRequire: false} {
		c := &config.Config{Registries: config.Registries{Lookup: lookup, DockerConfig: "/not/there"}}
		r, err := newRegistry(c, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		rows := checkRegistry(t.Context(), c, r)
		if len(rows) != 1 || rows[0].ok || rows[0].spare != spare || rows[0].what != "credentials in /not/there" {
			t.Errorf("%s: %+v", lookup, rows)
		}
	}
	off := &config.Config{Registries: config.Registries{Lookup: config.LookupOff, DockerConfig: "/not/there"}}
	if r, err := newRegistry(off, nil); err != nil || r != nil || checkRegistry(t.Context(), off, r) != nil {
		t.Errorf("off: %v %v", r, err)
	}
	wrong := &config.Config{Registries: config.Registries{Lookup: config.LookupWarn, Mirrors: map[string]string{"ghcr.io": "nowhere"}}}
	if _, err := newRegistry(wrong, nil); err == nil {
		t.Error("a mirror that is no address is taken")
	}
}
