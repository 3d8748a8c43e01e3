package flux

import (
	"encoding/json"
	"testing"
)

// TestState: what is under way, waits or is suspended decides nothing.
func TestState(t *testing.T) {
	for _, c := range []struct {
		ready, reason  string
		suspend        bool
		failed         string // before
		want           string
		revision, then string
	}{
		{"False", "BuildFailed", false, "", "BuildFailed", "r", "r"},
		{"False", "DependencyNotReady", false, "", "", "r", "r"},
		{"False", "DependencyNotReady", false, "BuildFailed", "BuildFailed", "", "old"},
		{"Unknown", "Progressing", false, "BuildFailed", "BuildFailed", "r", "r"},
		{"True", "Succeeded", true, "BuildFailed", "BuildFailed", "r", "r"},
		{"True", "Succeeded", false, "BuildFailed", "", "r", "r"},
	} {
		var o object
		if err := json.Unmarshal([]byte(kustomization(c.suspend, c.ready, c.reason, c.revision)), &o); err != nil {
			t.Fatal(err)
		}
		if got := o.state(state{Failed: c.failed, Revision: "old"}); got.Failed != c.want || got.Revision != c.then || got.Suspended != c.suspend {
			t.Errorf("%+v: %+v", c, got)
		}
	}
}
