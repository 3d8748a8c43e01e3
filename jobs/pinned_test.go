package jobs

import (
	"testing"

	"ferry/internal/deploy"
)

// TestWhatSuspendsIsNoPin has plans that write where nothing stood.
func TestWhatSuspendsIsNoPin(t *testing.T) {
	version := deploy.Edit{After: "6.5.4"}
	suspends := deploy.Edit{After: "suspend: true", Suspends: deploy.Ref{Kind: "ImageUpdateAutomation", Name: "updates"}}
	moved := deploy.Edit{Before: "6.5.3", After: "6.5.4"}
	for _, c := range []struct {
		name  string
		edits []deploy.Edit
		pin   bool
		want  bool
	}{
		{"an override", []deploy.Edit{version}, true, true},
		{"an override that nobody asked for", []deploy.Edit{version}, false, false},
		{"an automation beside a version that moves", []deploy.Edit{moved, suspends}, true, false},
		{"an automation beside an override", []deploy.Edit{version, suspends}, true, true},
	} {
		if got := pinned(deploy.Plan{Change: deploy.Change{Pin: c.pin}, Edits: c.edits}); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}
