package repo

import (
	"slices"
	"testing"
)

// TestOneNameTwoKinds: a source and an executor that share a name are two plugins.
func TestOneNameTwoKinds(t *testing.T) {
	s := newShop(t)
	source, executor := s.put("flux", []byte("a source")), s.put("flux-executor", []byte("an executor"))
	s.put("index.yaml", []byte("entries:\n"+entry("source", "flux", "v1", "flux", sum(source))+entry("executor", "flux", "v1", "flux-executor", sum(executor))+
		entry("executor", "other", "v1", "flux", sum(source))))
	store := s.store(t, false)
	kinds, err := store.Kinds(t.Context(), Ref{"r", "flux", ""})
	if err != nil || !slices.Equal(kinds, []string{"source", "executor"}) {
		t.Fatalf("%q, %v", kinds, err)
	}
	for kind, want := range map[string]string{"source": "a source", "executor": "an executor"} {
		for range 2 {
			got, err := store.InstallKind(t.Context(), kind, Ref{"r", "flux", ""})
			if err != nil || got.Kind != kind || content(t, got) != want {
				t.Errorf("%s: %+v, %v", kind, got, err)
			}
		}
	}
}
