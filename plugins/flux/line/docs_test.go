package line_test

import (
	"os"
	"strings"
	"testing"

	"ferry/plugins/flux/line"
	"ferry/plugins/kubectl/rules"
)

// TestDocs reads what the paper shows: its configuration is one, and its lines are
// read as it says.
func TestDocs(t *testing.T) {
	text, err := os.ReadFile("../../../docs/flux.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), "in `/etc/ferry/flux.yaml`:\n\n```yaml\n")
	block, _, ok := strings.Cut(after, "```")
	cfg, err := line.ReadConfig([]byte(block))
	if !ok || err != nil {
		t.Fatalf("the configuration: %v", err)
	}
	lines := 0
	for row := range strings.Lines(string(text)) {
		said, ok := strings.CutPrefix(strings.TrimSpace(row), "@ferry flux ")
		if !ok {
			continue
		}
		lines++
		c, err := line.Parse(said)
		if err == nil {
			_, err = line.Decide(c, cfg, rules.Person{ID: "U1", Roles: []string{"operators"}}, []string{"prod", "stage"})
		}
		if err != nil {
			t.Errorf("%s: %v", said, err)
		}
	}
	if lines < 6 {
		t.Errorf("only %d lines were found", lines)
	}
	developer := rules.Person{ID: "U2", Roles: []string{"developers"}}
	for said, want := range map[string]bool{
		"get all -A on *": true, "tree ks podinfo on prod": true, "reconcile ks podinfo -n apps on stage": true,
		"reconcile ks podinfo -n apps on prod": false, "suspend ks podinfo -n apps on stage": false, "reconcile source bucket x -n apps on stage": false,
	} {
		c, err := line.Parse(said)
		if err == nil {
			_, err = line.Decide(c, cfg, developer, []string{"prod", "stage"})
		}
		if (err == nil) != want {
			t.Errorf("a developer's %s: %v", said, err)
		}
	}
}
