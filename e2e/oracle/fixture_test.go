package oracle

import (
	"strings"
	"testing"
)

const layouts = "../../delivery/testdata/layouts"

// TestFixtures holds the oracle against answers written by hand: each is right as a claim, and is what the oracle finds
// when nobody claims anything.
func TestFixtures(t *testing.T) {
	fixtures, err := Fixtures(layouts)
	if err != nil {
		t.Fatal(err)
	}
	if len(fixtures) < 40 {
		t.Fatalf("%d fixtures, want at least 40", len(fixtures))
	}
	for _, f := range fixtures {
		t.Run(f.Name, func(t *testing.T) {
			repo := open(t, f)
			for _, v := range repo.Judge(f.complete(repo)) {
				if v.Word != Right {
					t.Errorf("%s: %s %s", v.Pair, v.Word, v.Reason)
				}
				if v.Choice != "" {
					t.Errorf("%s: the rule chooses %s", v.Pair, v.Choice)
				}
			}
			for _, truth := range repo.Truths() {
				f.holds(t, truth)
			}
		})
	}
}

func open(t *testing.T, f Fixture) *Repo {
	t.Helper()
	repo, err := Open(f.Tree, f.Roots, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(repo.Close)
	return repo
}

// complete fills in object and path, which the answers leave to who finds the field; columns are the text's.
func (f Fixture) complete(repo *Repo) Inventory {
	inv := f.Expected
	inv.Apps = append([]Claim(nil), inv.Apps...)
	for i, claim := range inv.Apps {
		app, _ := repo.app(claim)
		if app == nil || claim.Object != "" || claim.Field == "" {
			continue
		}
		c := repo.cluster(claim.Cluster)
		for _, field := range c.fields(*app) {
			if field.Kind == claim.Field && (strings.Contains(field.Version, claim.Version) || sameNumber(field.Version, claim.Version)) {
				inv.Apps[i].Object, inv.Apps[i].Path = c.objects[field.Object].ref(), field.Path
				break
			}
		}
	}
	return inv
}

// holds says where the truth is not the answer.
func (f Fixture) holds(t *testing.T, truth Truth) {
	t.Helper()
	for _, claim := range f.Expected.Apps {
		if claim.Pair != truth.plain() || claim.Kind != truth.Kind || (claim.Declared != "" && claim.Declared != truth.obj.ref()) {
			continue
		}
		if claim.Status == Ambiguous { // the oracle takes one of them, a claim must not
			return
		}
		if truth.Status != claim.Status || truth.Mechanism != claim.Mechanism || (claim.Status != None && truth.Field.Kind != claim.Field) {
			t.Errorf("%s: found %s, %s, %q; the answer is %s, %s, %q", truth.Pair, truth.Status, truth.Mechanism, truth.Field.Kind, claim.Status, claim.Mechanism, claim.Field)
		}
		if site := truth.best(); site != nil {
			if site.File != claim.File || site.Line != claim.Line {
				t.Errorf("%s: found at %s, the answer is %s:%d", truth.Pair, site, claim.File, claim.Line)
			}
			if missing, extra := compare(site.Others, claim.SharedWith); len(missing)+len(extra) > 0 {
				t.Errorf("%s: moves also %v, the answer is %v", truth.Pair, site.Others, claim.SharedWith)
			}
		}
		return
	}
	t.Errorf("%s: %s is not in the answer", truth.Pair, truth.Kind)
}
