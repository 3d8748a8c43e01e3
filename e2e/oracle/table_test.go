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

// TestVerdict is the gate: what is wrong fails, and too few pins do.
func TestVerdict(t *testing.T) {
	shared := func(proven, not int) (out []Verdict) {
		for i := range proven + not {
			v := Verdict{Mechanism: "m", Status: Shared, Word: Right, Shared: true, Pinned: true}
			if i >= proven {
				v.Pin = "none offered"
			}
			out = append(out, v)
		}
		return out
	}
	for _, c := range []struct {
		name     string
		verdicts []Verdict
		fails    bool
	}{
		{"nothing", nil, false},
		{"right", []Verdict{{Word: Right, Status: Isolated}}, false},
		{"not known", []Verdict{{Word: Unresolved, Status: Isolated}}, false},
		{"wrong", append(shared(100, 0), Verdict{Word: Wrong, Status: Isolated}), true},
		{"nine in ten", shared(9, 1), false},
		{"fewer", shared(17, 2), true},
	} {
		var tables Tables
		tables.Add("r", "r", c.verdicts)
		if err := tables.Verdict(); (err != nil) != c.fails {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// TestExcused: a fixture that says that there is no pin is not held against ferry, but a wrong one is.
func TestExcused(t *testing.T) {
	p := Pair{"c", "n", "a", ""}
	f := Fixture{Expected: Inventory{Apps: []Claim{{Pair: p, Kind: "X", Pin: &Pin{}}}}}
	for pin, counts := range map[string]bool{noPin + "why": false, "it also moves b": true, "": true} {
		v := f.Excuse([]Verdict{{Pair: p, Pinned: true, Pin: pin}})[0]
		if v.Pinned != counts || counts && v.Pin != pin {
			t.Errorf("%q: %+v", pin, v)
		}
	}
	if v := (Fixture{}).Excuse([]Verdict{{Pair: p, Pinned: true, Pin: noPin}})[0]; !v.Pinned {
		t.Error("nothing says that there is none")
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
