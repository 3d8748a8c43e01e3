package oracle

import (
	"strings"
	"testing"
)

func TestTables(t *testing.T) {
	var tables Tables
	p := Pair{"c", "n", "a", ""}
	tables.Add("r", "r", []Verdict{
		{Pair: p, Mechanism: "m", Status: Isolated, Word: Right},
		{Pair: p, Mechanism: "m", Status: Shared, Word: Right, Shared: true, Pinned: true},
		{Pair: p, Mechanism: "m", Status: Shared, Word: Right, Shared: true, Pinned: true, Pin: "it also moves b"},
		{Pair: p, Mechanism: "n", Status: None, Word: Right},
		{Pair: p, Mechanism: "n", Status: Isolated, Word: Wrong, Reason: "not there"},
		{Pair: p, Mechanism: "n", Status: Isolated, Word: Unresolved, Reason: "no build"},
		{Pair: p, Mechanism: "n", Status: Isolated, Word: Right, Choice: "chart 1"},
	})
	var out strings.Builder
	if err := tables.Write(&out); err != nil {
		t.Fatal(err)
	}
	row := strings.Fields(strings.Split(out.String(), "\n")[1])
	want := "r 7 2 3 1 1 83.3% 1 2 1 50.0%"
	if got := strings.Join(row, " "); got != want {
		t.Errorf("row %q, want %q\n%s", got, want, out.String())
	}
	if len(tables.Complaints) != 4 {
		t.Errorf("complaints: %q", tables.Complaints)
	}
}

func TestFindCheckouts(t *testing.T) {
	found, missing := FindCheckouts(t.TempDir())
	if len(found) > 0 || len(missing) != len(checkouts()) {
		t.Errorf("%d found, %d missing in an empty folder", len(found), len(missing))
	}
	seen := map[string]bool{}
	for _, c := range checkouts() {
		if len(c.Roots) == 0 || !strings.Contains(c.Repo, "/") || seen[c.Repo] {
			t.Errorf("%+v", c)
		}
		seen[c.Repo] = true
	}
}
