package delivery

import (
	"strings"
	"testing"

	"ferry/delivery/snapshot"
	"ferry/internal/fault"
)

// TestNothingTakesTheLinksPlace has files that a commit would put where a link or
// a submodule stands.
func TestNothingTakesTheLinksPlace(t *testing.T) {
	t.Parallel()
	tree := snapshot.NewTree("c", []snapshot.Entry{
		{Path: "a/plain.yaml", Mode: snapshot.ModeFile},
		{Path: "a/run.yaml", Mode: snapshot.ModeExecutable},
		{Path: "a/link.yaml", Mode: snapshot.ModeLink},
		{Path: "b", Mode: snapshot.ModeLink},
		{Path: "c", Mode: snapshot.ModeSubmodule},
	})
	for file, at := range map[string]string{
		"a/plain.yaml": "", "a/run.yaml": "", "a/new.yaml": "", "d/e/f.yaml": "",
		"a/link.yaml": "a/link.yaml", "b/x.yaml": "b", "c/deep/x.yaml": "c",
	} {
		err := committable(tree, map[string][]byte{file: nil})
		if at == "" && err != nil || at != "" && (!fault.Is(err, fault.Refused) || !strings.HasPrefix(err.Error(), "`"+at+"` is a link")) {
			t.Errorf("%s: %v", file, err)
		}
	}
	if modes := modesOf(tree, map[string][]byte{"a/plain.yaml": nil, "a/new.yaml": nil}); modes != nil {
		t.Errorf("%v", modes)
	}
}
