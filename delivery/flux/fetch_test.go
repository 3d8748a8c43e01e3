package flux

import (
	"context"
	"errors"
	"maps"
	"testing"

	"ferry/delivery/snapshot"
)

// failing is a source of contents of which some cannot be had for now.
type failing struct {
	memory
	lost map[string]bool
}

var errLost = errors.New("no answer")

func (f failing) Blobs(ctx context.Context, shas []string) (map[string][]byte, error) {
	for _, sha := range shas {
		if f.lost[sha] {
			return nil, errLost
		}
	}
	return f.memory.Blobs(ctx, shas)
}

// TestWhatCouldNotBeFetchedIsNotKept: a list of which an entry could not be read is
// built again once it can be, and is not taken for an empty one.
func TestWhatCouldNotBeFetchedIsNotKept(t *testing.T) {
	t.Parallel()
	files := map[string]string{
		"list/kustomization.yaml":          "resources: [a, b]\n",
		"list/a/kustomization.yaml":        "resources: [one.yaml]\n",
		"list/a/one.yaml":                  "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\n",
		"list/b/kustomization.yaml":        "resources: [deep, deeper]\n",
		"list/b/deep/kustomization.yaml":   "resources: [two.yaml]\n",
		"list/b/deep/two.yaml":             "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: two}\n",
		"list/b/deeper/three.yaml":         "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: three}\n",
		"list/b/deeper/kustomization.yaml": "resources: [three.yaml]\n",
	}
	spec := Spec{Path: "list"}
	want := rendered(t, NewRenderer(), filesOf(files), spec)
	if len(want) != 3 {
		t.Fatalf("the list renders %v", want)
	}
	for lost, data := range files {
		f, from := filesOf(files), failing{memory{}, map[string]bool{snapshot.HashBlob([]byte(data)): true}}
		for _, text := range files {
			from.memory[snapshot.HashBlob([]byte(text))] = []byte(text)
		}
		f.Blobs = snapshot.NewBlobs(from, 0)
		r := NewRenderer()
		if _, err := r.Render(t.Context(), f, Kustomization{Spec: spec}); !errors.Is(err, errLost) {
			t.Fatalf("without %s: %v", lost, err)
		}
		clear(from.lost)
		if got := rendered(t, r, f, spec); !maps.Equal(got, want) {
			t.Errorf("after %s was not to be had: %v", lost, got)
		}
	}
}
