package jobs

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"ferry/internal/chat"
	"ferry/internal/deploy"
	"ferry/internal/job"
)

var driftSyntax = chat.Syntax{
	Verb:    "drift",
	Form:    "[<cluster>]",
	Summary: "show where Git, the clusters and what ferry promoted last differ",
	Details: []string{
		"Of three that should be the same it names the odd one, and what would help.",
		"An app that ferry never promoted is compared between Git and its cluster.",
	},
	Examples: []string{"drift", "drift prod"},
}

// drift compares what is wanted with what is and what was intended.
type drift struct{ Options }

// Answer implements Query.
func (d drift) Answer(ctx context.Context, cmd chat.Command) (chat.Message, error) {
	m := chat.Message{Tone: chat.Info}
	var names []string
	synced := map[deploy.Cluster]bool{}
	for _, s := range d.Fleet.Clusters() {
		if c := deploy.Cluster(cmd.Args.Cluster); c != "" && c != s.Name {
			continue
		}
		m.Lines = append(m.Lines, staleness(s, d.Now())...)
		synced[s.Name] = s.Synced
		names = append(names, string(s.Name))
	}
	wanted, err := d.Git.Wanted(ctx, d.Fleet.Declared())
	if err != nil {
		return chat.Message{}, err
	}
	busy, err := d.underWay(ctx)
	if err != nil {
		return chat.Message{}, err
	}
	sides, unknown, err := d.sides(ctx, wanted, synced)
	if err != nil {
		return chat.Message{}, err
	}
	of := "the clusters"
	if len(names) == 1 {
		of = names[0]
	}
	called := naming(d.Fleet)
	t := &chat.Table{Columns: []string{"App", "Git wants", "Cluster runs", "ferry promoted", "Odd one, and what helps"}}
	for _, s := range sides {
		odd := s.odd(busy[s.target.String()])
		if odd == "" {
			continue
		}
		t.Rows = append(t.Rows, []string{
			called(s.target.App) + " on " + string(s.target.Cluster), orNone(shortVersion(s.git)), s.shown, orNone(shortVersion(s.promoted)), odd,
		})
	}
	var notes []string
	if unknown > 0 {
		notes = append(notes, fmt.Sprintf("of %s Git does not tell a version", count(unknown, "further app")))
	}
	if len(t.Rows) == 0 {
		m.Title = fmt.Sprintf("Git, %s and what ferry promoted agree on %s", of, count(len(sides), "app"))
		m.Footer = strings.Join(notes, " · ")
		return m, nil
	}
	verb := "differ"
	if len(t.Rows) == 1 {
		verb = "differs"
	}
	m.Title = fmt.Sprintf("%s %s between Git, %s and what ferry promoted", count(len(t.Rows), "app"), verb, of)
	if cut := shorten(t, count(len(t.Rows), "app"), "`drift prod` names those of one cluster"); cut != "" {
		notes = append(notes, cut)
	}
	m.Table, m.Footer = t, strings.Join(notes, " · ")
	return m, nil
}

// underWay are the jobs that are on a target, by its name.
func (d drift) underWay(ctx context.Context) (map[string]job.ID, error) {
	all, err := d.Rows.Unfinished(ctx)
	busy := map[string]job.ID{}
	for _, j := range all {
		for _, q := range j.Queues {
			if busy[q] == "" {
				busy[q] = j.ID
			}
		}
	}
	return busy, err
}

// sides pairs what Git wants with what runs and what was promoted, of the apps on
// clusters that were seen. unknown counts those of which Git does not tell.
func (d drift) sides(ctx context.Context, wanted []deploy.Wanted, synced map[deploy.Cluster]bool) (out []side, unknown int, err error) {
	there, namespaces := map[deploy.Target]deploy.AppState{}, map[string]bool{}
	for _, s := range d.Fleet.Clusters() {
		for _, a := range d.Fleet.Apps(s.Name) {
			namespaces[a.App.Namespace] = true
			if synced[s.Name] && a.Owner.Kustomization != (deploy.Ref{}) {
				there[a.Target] = a
			}
		}
	}
	for _, w := range wanted {
		app, runs := there[w.Target]
		delete(there, w.Target)
		// An app that is not there counts where one like it would be seen.
		missing := synced[w.Target.Cluster] && namespaces[w.Target.App.Namespace] && slices.Contains([]string{"HelmRelease", "Deployment"}, w.Object.Kind)
		switch {
		case !runs && !missing:
			continue
		case len(w.Versions) == 0:
			unknown++
			continue
		}
		s := compared(w, app, runs)
		if s.last, err = d.promoted(ctx, w.Target); err != nil {
			return nil, 0, err
		}
		if r := s.last; r.Field == deploy.FieldAny || r.Field == s.field {
			s.promoted = r.Version
		}
		out = append(out, s)
	}
	slices.SortStableFunc(out, func(a, b side) int { return byName(a.target.App, b.target.App) })
	return out, unknown + len(there), nil
}

// promoted is the newest change of a target; zero if ferry made none.
func (d drift) promoted(ctx context.Context, t deploy.Target) (last deploy.Record, err error) {
	err = d.History.Of(ctx, t, func(r deploy.Record) bool {
		if r.Command == seen {
			return true
		}
		last = r
		return false
	})
	return last, err
}

// side is the three versions of an app; git and promoted may be empty.
type side struct {
	target        deploy.Target
	field         deploy.FieldKind
	git, promoted deploy.Version
	app           deploy.AppState
	there, ranged bool
	shown         string // what runs
	last          deploy.Record
}

// compared takes of the versions in Git the one that the cluster shows.
func compared(w deploy.Wanted, app deploy.AppState, there bool) side {
	v := w.Versions[0]
	if i := slices.IndexFunc(w.Versions, func(v deploy.WantedVersion) bool { return there && v.Field == app.Field }); i >= 0 {
		v = w.Versions[i]
	}
	s := side{target: w.Target, field: v.Field, git: v.Version, app: app, there: there, ranged: v.Ranged, shown: absent}
	switch {
	case there && v.Field == app.Field:
		s.shown = plainVersion(app)
	case there && v.Field == deploy.FieldChart:
		s.shown = orNone(string(app.ChartVersion))
	case there && len(app.Images) > 0:
		s.shown = orNone(shortVersion(app.Images[0].Version()))
	}
	return s
}

// odd names the one of three that differs from the others, and what would help;
// "" if they agree, as far as that can be told.
func (s side) odd(busy job.ID) string {
	git := s.there && runs(s.app, s.field, s.git) || s.ranged && s.there
	same := s.promoted == "" || s.promoted == s.git || s.ranged
	now := s.there && s.promoted != "" && runs(s.app, s.field, s.promoted)
	switch {
	case git && same:
		return ""
	case busy != "":
		return fmt.Sprintf("job %s is on it", busy)
	case git:
		return "ferry: Git was changed past it, and that arrived; nothing has to be done"
	case now:
		return fmt.Sprintf("Git: it was changed past ferry and has not arrived: %s; promote %s@%s to %s brings Git back", s.why(), s.target.App.Name, s.promoted, s.target.Cluster)
	case same:
		return "cluster: " + s.why()
	}
	return "all three: " + s.why()
}

// why says what keeps Git from being what runs.
func (s side) why() string {
	switch {
	case !s.there:
		return "Flux has not made it; look at its Kustomization there"
	case s.app.Health != deploy.Healthy && s.app.Reason != "":
		return "it is " + string(s.app.Health) + ", " + clipTo(s.app.Reason, 80)
	}
	return "Flux has not applied it, or somebody changed the cluster by hand"
}
