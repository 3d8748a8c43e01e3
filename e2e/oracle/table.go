package oracle

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"
)

// Tally counts verdicts.
type Tally struct {
	Pairs, Site, Refusal, Wrong, Unresolved int // right site, right refusal, …
	Choice                                  int // a field that the rule does not choose
	Shared, Pins, Proven                    int // shared pairs with right claims, pins offered for them, pins proven
}

// add counts one verdict.
func (t *Tally) add(v Verdict) {
	t.Pairs++
	switch {
	case v.Word == Wrong:
		t.Wrong++
	case v.Word == Unresolved:
		t.Unresolved++
	case v.Status == Isolated:
		t.Site++
	default:
		t.Refusal++
	}
	if v.Choice != "" {
		t.Choice++
	}
	if v.Shared {
		t.Shared++
	}
	if v.Pinned {
		t.Pins++
		if v.Pin == "" {
			t.Proven++
		}
	}
}

// share is n of m in percent.
func share(n, m int) string {
	if m == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f%%", 100*float64(n)/float64(m))
}

// Tables gathers the verdicts of several repositories.
type Tables struct {
	repos      []string
	byRepo     map[string]*Tally
	byMech     map[string]*Tally
	total      Tally
	Complaints []string // not yet told: each wrong or unresolved claim, other choice and unproven pin, with its reason
}

// Add counts the verdicts of a repository in a row; complaints say name.
func (t *Tables) Add(repo, name string, verdicts []Verdict) {
	if t.byRepo == nil {
		t.byRepo, t.byMech = map[string]*Tally{}, map[string]*Tally{}
	}
	if t.byRepo[repo] == nil {
		t.byRepo[repo] = &Tally{}
		t.repos = append(t.repos, repo)
	}
	for _, v := range verdicts {
		if t.byMech[v.Mechanism] == nil {
			t.byMech[v.Mechanism] = &Tally{}
		}
		for _, into := range []*Tally{t.byRepo[repo], t.byMech[v.Mechanism], &t.total} {
			into.add(v)
		}
		if v.Word != Right {
			t.Complaints = append(t.Complaints, fmt.Sprintf("%-10s %s: %s [%s, %s, %s] %s", v.Word, name, v.Pair, v.Status, v.Mechanism, v.Place, v.Reason))
		}
		if v.Choice != "" {
			t.Complaints = append(t.Complaints, fmt.Sprintf("%-10s %s: %s [%s] the rule chooses %s", "choice", name, v.Pair, v.Place, v.Choice))
		}
		if v.Pin != "" {
			t.Complaints = append(t.Complaints, fmt.Sprintf("%-10s %s: %s %s", "pin", name, v.Pair, v.Pin))
		}
	}
}

// enough is the share of pins offered for shared pairs that must be proven.
const enough = 0.9

// Verdict is nil if ferry is good enough: no claim is wrong, and a pin is proven for nine in ten of the shared pairs.
func (t *Tables) Verdict() error {
	if t.total.Wrong > 0 {
		return fmt.Errorf("%d of %d pairs are wrong", t.total.Wrong, t.total.Pairs)
	}
	if float64(t.total.Proven) < enough*float64(t.total.Pins) {
		return fmt.Errorf("pins are proven for %d of %d shared pairs, fewer than nine in ten", t.total.Proven, t.total.Pins)
	}
	return nil
}

// Write prints the tables, per repository and per mechanism.
func (t *Tables) Write(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 2, 0, 2, ' ', tabwriter.AlignRight)
	head := "\tpairs\tright site\tright refusal\twrong\tunresolved\tresolved\tother field\tshared\tpin proven\tpins\t\n"
	row := func(name string, c Tally) {
		fmt.Fprintf(tw, "%s\t%d\t%d\t%d\t%d\t%d\t%s\t%d\t%d\t%d\t%s\t\n", name, c.Pairs, c.Site, c.Refusal, c.Wrong, c.Unresolved,
			share(c.Site+c.Refusal, c.Pairs-c.Unresolved), c.Choice, c.Shared, c.Proven, share(c.Proven, c.Pins))
	}
	fmt.Fprint(tw, "repository", head)
	for _, repo := range t.repos {
		row(repo, *t.byRepo[repo])
	}
	row("all", t.total)
	fmt.Fprint(tw, "\t\t\t\t\t\t\t\t\t\t\t\nmechanism", head)
	for _, m := range slices.SortedFunc(maps.Keys(t.byMech), func(a, b string) int { return cmp.Compare(t.byMech[b].Pairs, t.byMech[a].Pairs) }) {
		row(m, *t.byMech[m])
	}
	return tw.Flush()
}
