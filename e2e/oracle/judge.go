package oracle

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// What the oracle says of a claim.
const (
	Right      = "right"
	Wrong      = "wrong"
	Unresolved = "unresolved" // the oracle does not know
)

// Verdict is the oracle's word on one pair.
type Verdict struct {
	Pair
	Mechanism string // as claimed, else as found
	Status    string // as claimed
	Word      string // Right, Wrong or Unresolved
	Reason    string // for Wrong and Unresolved
	Place     string // the claimed place
	Choice    string // "" where the field is the rule's choice or there is none; else what the rule says
	Pin       string // for claims with a pin: "" proven, else why not
	Pinned    bool   // there is a pin to judge, right or wrong
	Shared    bool   // the pair is shared, in truth
}

// Judge compares an inventory with what brute force finds: one verdict for each pair of either side.
func (repo *Repo) Judge(inv Inventory) []Verdict {
	var out []Verdict
	claimed := map[string]bool{}
	for _, claim := range inv.Apps {
		app, why := repo.app(claim)
		if repo.elsewhere(claim, app) {
			v := Verdict{Pair: claim.Pair, Mechanism: claim.Mechanism, Status: claim.Status, Place: claim.place(), Word: Right}
			if claim.Status != None {
				v.Word, v.Reason = Wrong, "what stands elsewhere has a part in it"
			}
			if out = append(out, v); app != nil {
				claimed[app.Cluster+" "+app.key] = true
			}
			continue
		}
		if app == nil && claim.Status == None && repo.cluster(claim.Cluster) != nil {
			out = append(out, Verdict{Pair: claim.Pair, Mechanism: claim.Mechanism, Status: None, Word: Unresolved, Reason: "not rendered, and refused: " + claim.Why})
			continue
		}
		if app == nil {
			out = append(out, Verdict{Pair: claim.Pair, Mechanism: claim.Mechanism, Status: claim.Status, Word: Wrong, Reason: why})
			continue
		}
		claimed[app.Cluster+" "+app.key] = true
		out = append(out, repo.verdict(*app, claim))
	}
	for _, app := range repo.Apps() {
		if !claimed[app.Cluster+" "+app.key] {
			out = append(out, Verdict{Pair: app.Pair, Mechanism: "missing", Word: Wrong, Reason: app.Kind + " is not in the inventory"})
		}
	}
	return out
}

// app is the app that a claim means.
func (repo *Repo) app(claim Claim) (*App, string) {
	c := repo.cluster(claim.Cluster)
	if c == nil {
		return nil, "no cluster of that name"
	}
	var same []App
	for _, app := range c.Apps() {
		if claim.Declared != "" && app.plain() == claim.Pair && app.Kind == claim.Kind && app.obj.ref() == claim.Declared {
			return &app, ""
		}
	}
	for _, app := range c.Apps() {
		if app.Name == claim.Name && app.Kind == claim.Kind {
			if app.Namespace == claim.Namespace {
				return &app, ""
			}
			same = append(same, app)
		}
	}
	if len(same) == 1 && (claim.Namespace == "" || same[0].obj.str("metadata", "namespace") == "") {
		return &same[0], ""
	}
	return nil, fmt.Sprintf("no %s of that name is rendered there", claim.Kind)
}

func (repo *Repo) verdict(app App, claim Claim) Verdict {
	v := Verdict{Pair: app.Pair, Mechanism: claim.Mechanism, Status: claim.Status, Place: claim.place()}
	v.Word, v.Reason = Wrong, "unknown status "+strconv.Quote(claim.Status)
	switch claim.Status {
	case None:
		v.Word, v.Reason = repo.judgeNone(app, claim)
	case Ambiguous:
		v.Word, v.Reason = repo.judgeAmbiguous(app, claim)
	case Isolated, Shared:
		var moved *Moved
		moved, v.Word, v.Reason = repo.judgeSite(app, claim)
		if found := repo.automated(claim); v.Word == Right && found != variable.ReplaceAllString(claim.Automated, "") {
			v.Word, v.Reason = Wrong, fmt.Sprintf("automated: said %q, found %q", claim.Automated, found)
		}
		v.Shared = moved != nil && len(moved.others(app.Pair)) > 0
		if claim.Pin != nil && v.Shared {
			v.Pinned, v.Pin = true, repo.judgePin(app, claim)
		}
	}
	if claim.Field != "" {
		v.Choice = repo.judgeChoice(app, claim)
	}
	return v
}

func (c Claim) place() string {
	if c.File == "" {
		return ""
	}
	return fmt.Sprintf("%s:%d:%d", c.File, c.Line, c.Column)
}

// field is the claimed field in what is rendered, or what is wrong with it.
func (repo *Repo) field(app App, claim Claim) (Field, string) {
	c := repo.cluster(app.Cluster)
	target, _, _ := strings.Cut(app.key, "|")
	var key string
	for k, o := range c.objects {
		if (o.ref() == claim.Object || o.bare() == claim.Object) && (key == "" || strings.HasPrefix(k, target+"|")) {
			key = k
		}
	}
	if key == "" {
		return Field{}, fmt.Sprintf("%q is not rendered there", claim.Object)
	}
	value, _ := at(map[string]any(c.objects[key]), claim.Path)
	shown := text(value)
	if !strings.Contains(shown, claim.Version) && !sameNumber(shown, claim.Version) || claim.Version == "" {
		return Field{}, fmt.Sprintf("%s %s shows %.60q, not %q", claim.Object, claim.Path, shown, claim.Version)
	}
	return Field{Kind: claim.Field, Object: key, Path: claim.Path, Version: claim.Version}, ""
}

func sameNumber(a, b string) bool {
	x, err := strconv.ParseFloat(a, 64)
	y, err2 := strconv.ParseFloat(b, 64)
	return err == nil && err2 == nil && x == y
}

// claimed is the occurrence at the claimed place: of those on the line, the one at or next to the column.
func (repo *Repo) claimed(claim Claim) (Occurrence, bool) {
	for _, text := range spellings(claim.Version) {
		var best Occurrence
		for _, o := range find(claim.File, repo.Tree[claim.File], text) {
			if o.Line == claim.Line && (best.Line == 0 || abs(o.Column-claim.Column) < abs(best.Column-claim.Column)) {
				best = o
			}
		}
		if best.Line != 0 {
			return best, true
		}
	}
	return Occurrence{}, false
}

func abs(n int) int {
	if n < 0 {
		return -n
	}
	return n
}

// judgeSite judges a claim of a place: it is one, and what it moves is what was said.
func (repo *Repo) judgeSite(app App, claim Claim) (*Moved, string, string) {
	f, why := repo.field(app, claim)
	if why != "" {
		return nil, Wrong, why
	}
	o, ok := repo.claimed(claim)
	if !ok {
		return nil, Wrong, fmt.Sprintf("%q does not stand at %s", claim.Version, claim.place())
	}
	m := repo.probe(o)
	switch {
	case sealed.Match(repo.Tree[o.File]):
		return m, Wrong, o.File + " is encrypted: an edit breaks its seal"
	case m.broken != "":
		return nil, Unresolved, "the probe does not build: " + brief(m.broken)
	case !m.at(app.Cluster, f.Object, f.Path):
		return m, Wrong, fmt.Sprintf("an edit at %s does not move %s %s", o, claim.Object, claim.Path)
	}
	others := m.others(app.Pair)
	if claim.Status == Isolated {
		if len(others) > 0 {
			return m, Wrong, fmt.Sprintf("an edit at %s also moves %s", o, some(others))
		}
		return m, Right, ""
	}
	if len(others) == 0 {
		return m, Wrong, fmt.Sprintf("an edit at %s moves nothing else", o)
	}
	if missing, extra := compare(others, claim.SharedWith); len(missing)+len(extra) > 0 {
		return m, Wrong, fmt.Sprintf("shared: not said %s; said for nothing %s", some(missing), some(extra))
	}
	sites, _ := repo.sites(app, f, false)
	for _, s := range sites {
		if len(s.Others) == 0 {
			return m, Wrong, fmt.Sprintf("%s is isolated", s)
		}
	}
	return m, Right, ""
}

// judgeNone judges a claim that there is no place.
func (repo *Repo) judgeNone(app App, claim Claim) (string, string) {
	for _, f := range repo.cluster(app.Cluster).main(app) {
		if claim.Field != "" && claim.Field != f.Kind {
			continue
		}
		if sites, _ := repo.sites(app, f, true); len(sites) > 0 {
			return Wrong, fmt.Sprintf("%s %s is moved by an edit at %s (claimed: %s)", f.Kind, f.Version, sites[0].Occurrence, claim.Why)
		}
	}
	return Right, ""
}

// judgeAmbiguous judges a claim that there are several places: of one field, or of images of which none is the app's own
// by its name.
func (repo *Repo) judgeAmbiguous(app App, claim Claim) (string, string) {
	c := repo.cluster(app.Cluster)
	if chosen, ok := repo.choose(app); ok && chosen.Kind == "image" && c.undecided(app) {
		return Right, ""
	}
	var first string
	for _, f := range c.main(app) {
		if claim.Field != "" && claim.Field != f.Kind {
			continue
		}
		sites, _ := repo.sites(app, f, false)
		if len(sites) > 1 {
			return Right, ""
		}
		if first == "" && len(sites) == 1 {
			first = fmt.Sprintf("%s %s stands at %s alone", f.Kind, f.Version, sites[0].Occurrence)
		}
	}
	if first == "" {
		first = "there is no place at all"
	}
	return Wrong, first + " (claimed: " + claim.Why + ")"
}

// compare says which of the wanted pairs are not there, and which are there for nothing.
func compare(want, got []Pair) (missing, extra []Pair) {
	in := func(list []Pair, p Pair) bool {
		return slices.ContainsFunc(list, func(q Pair) bool { return q.plain() == p.plain() })
	}
	for _, p := range want {
		if !in(got, p) {
			missing = append(missing, p)
		}
	}
	for _, p := range got {
		if !in(want, p) {
			extra = append(extra, p)
		}
	}
	return missing, extra
}

// some names up to three pairs.
func some(pairs []Pair) string {
	if len(pairs) == 0 {
		return "nothing"
	}
	var names []string
	for _, p := range pairs[:min(3, len(pairs))] {
		names = append(names, p.String())
	}
	if more := len(pairs) - len(names); more > 0 {
		names = append(names, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(names, ", ")
}

func brief(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	return s[:min(160, len(s))]
}
