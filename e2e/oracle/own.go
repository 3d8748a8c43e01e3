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
	if !ok {
		return t
	}
	t.Field = f
	t.Sites, t.Cut = repo.sites(app, f)
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
