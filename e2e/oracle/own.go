package oracle

// Truth is what the oracle alone finds of an app on a cluster: the rule's field, its places, and what an edit of the
// best of them moves.
type Truth struct {
	App
	Field     Field
	Mechanism string
	Status    string
	Sites     []Site
	Cut       int // occurrences not tried
}

// best is the site to edit: one that moves nothing else, else the first.
func (t Truth) best() *Site {
	for i := range t.Sites {
		if len(t.Sites[i].Others) == 0 {
			return &t.Sites[i]
		}
	}
	if len(t.Sites) == 0 {
		return nil
	}
	return &t.Sites[0]
}

// Truth finds where an app's version stands, without a claim.
func (repo *Repo) Truth(app App) Truth {
	t := Truth{App: app, Mechanism: "none", Status: None}
	f, ok := repo.choose(app)
	if !ok || repo.elsewhere(Claim{Pair: app.Pair}, &app) {
		return t
	}
	t.Field = f
	t.Sites, t.Cut = repo.sites(app, f, true)
	site := t.best()
	if site == nil {
		if t.Cut > 0 {
			t.Status = Unresolved
		}
		return t
	}
	t.Mechanism = repo.mechanism(app, f, site.Occurrence)
	t.Status = Isolated
	if len(site.Others) > 0 {
		t.Status = Shared
	}
	return t
}

// Truths are those of all pairs.
func (repo *Repo) Truths() []Truth {
	var out []Truth
	for _, app := range repo.Apps() {
		out = append(out, repo.Truth(app))
	}
	return out
}

// Findings are the truths as verdicts, for tables without a ferry to judge: what has a place is a right site or a right
// refusal, what was given up is unresolved.
func (repo *Repo) Findings() []Verdict {
	var out []Verdict
	for _, t := range repo.Truths() {
		v := Verdict{Pair: t.Pair, Mechanism: t.Mechanism, Status: t.Status, Word: Right, Shared: t.Status == Shared}
		if site := t.best(); site != nil {
			v.Place = site.String()
		}
		if t.Status == Unresolved {
			v.Word, v.Reason = Unresolved, "too many occurrences"
		}
		out = append(out, v)
	}
	return out
}
