package snapshot

import (
	"slices"
	"testing"
)

func TestWith(t *testing.T) {
	t.Parallel()
	old := NewTree("a", []Entry{
		{Path: "x/a.yaml", Mode: ModeExecutable, SHA: HashBlob([]byte("1")), Size: 1},
		{Path: "x/b.yaml", Mode: ModeFile, SHA: HashBlob([]byte("2")), Size: 1},
	})
	now := old.With("b", map[string][]byte{"x/a.yaml": []byte("11"), "y/c.yaml": []byte("3")})
	if e, _ := now.Entry("x/a.yaml"); e.SHA != HashBlob([]byte("11")) || e.Mode != ModeExecutable || e.Size != 2 {
		t.Errorf("a replaced file is %+v", e)
	}
	if e, ok := now.Entry("y/c.yaml"); !ok || e.Mode != ModeFile || !now.HasFolder("y") || now.Commit() != "b" || now.Len() != 3 {
		t.Errorf("an added file is %+v in a tree of %d", e, now.Len())
	}
	if e, _ := old.Entry("x/a.yaml"); e.SHA != HashBlob([]byte("1")) || old.HasFolder("y") {
		t.Error("the old tree changed")
	}
	if less := now.With("c", map[string][]byte{"x/a.yaml": nil, "y/c.yaml": nil, "z": nil}); less.Len() != 1 || less.HasFolder("y") {
		t.Errorf("a tree without two of its files has %d", less.Len())
	}
	changes := old.Changes(now)
	slices.SortFunc(changes, func(a, b Change) int { return len(b.Path) - len(a.Path) })
	if len(changes) != 2 || !slices.Contains(changes, Change{"x/a.yaml", false}) || !slices.Contains(changes, Change{"y/c.yaml", true}) {
		t.Errorf("changes %v", changes)
	}
}
