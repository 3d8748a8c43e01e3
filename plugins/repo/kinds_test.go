package repo

import (
	"errors"
	"os"
	"slices"
	"testing"

	"ferry/internal/fault"
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
	_, err = store.Find(t.Context(), "notifier", Ref{"r", "flux", ""})
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || f.Help != "what has that name is of another kind: source, executor" {
		t.Errorf("a notifier of that name: %v, help %+v", err, f)
	}
}

// TestNothingToIndex: a folder in which nothing may be executed gets no index.
func TestNothingToIndex(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/echo", []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	n, err := Write(dir, nil)
	if _, missing := os.Stat(dir + "/index.yaml"); n != 0 || !fault.Is(err, fault.NotFound) || !os.IsNotExist(missing) {
		t.Errorf("%d, %v; the index: %v", n, err, missing)
	}
}
