package jobs

import (
	"cmp"
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"ferry/internal/chat"
	"ferry/internal/deploy"
	"ferry/internal/fault"
	"ferry/internal/near"
)

var listSyntax = chat.Syntax{
	Verb:    "list",
	Form:    "[<glob>] [on <cluster>] [in <namespace>]",
	Summary: "show which versions run where, or all about one cluster or app",
	Details: []string{
		"The pattern knows `*`, `?` and `[a-z]` and is matched against the app's name, or against `namespace/name` if it has a slash.",
		"Apps whose versions differ between clusters come first and are marked.",
		"The version of a Helm release is its chart's, unless the chart is a mere library or lies in Git: then it is the image's.",
		"A cluster that does not answer is shown as it was last seen, and for how long that has been.",
	},
	Examples: []string{"list", "list podinfo", "list pod* on prod", "list on stage in backend"},
}

// list shows apps over clusters: one app or one cluster in full, else a version
// per app and cluster.
type list struct{ Options }

// Answer implements Query.
func (l list) Answer(_ context.Context, cmd chat.Command) (chat.Message, error) {
	match, err := matcher(string(cmd.Args.Glob))
	if err != nil {
		return chat.Message{}, err
	}
	now, m := l.Now(), chat.Message{Tone: chat.Info}
	var states []deploy.ClusterState
	var rows []row
	for _, s := range l.Fleet.Clusters() {
		if cmd.Args.Cluster != "" && s.Name != deploy.Cluster(cmd.Args.Cluster) {
			continue
		}
		states = append(states, s)
		m.Lines = append(m.Lines, staleness(s, now)...)
		for _, a := range l.Fleet.Apps(s.Name) {
			if match(a.App) && (cmd.Args.Namespace == "" || a.App.Namespace == string(cmd.Args.Namespace)) {
				rows = append(rows, row{a, s.Stale})
			}
		}
	}
	called := naming(l.Fleet)
	slices.SortStableFunc(rows, func(a, b row) int { return byName(a.App, b.App) })
	switch n := apps(rows); {
	case n == 0:
		m.Title = fmt.Sprintf("No app%s on %s", about(cmd.Args), where(states))
		m.Lines = append(m.Lines, instead(cmd.Args, l.Fleet)...)
	case len(states) == 1:
		m.Title = fmt.Sprintf("%s on %s", count(n, "app"), where(states))
		m.Table, m.Footer = detailed(rows, "App", called, now)
	case n == 1:
		m.Title = fmt.Sprintf("%s on %s", called(rows[0].App), where(states))
		m.Table, m.Footer = detailed(rows, "Cluster", nil, now)
	default:
		m.Title = fmt.Sprintf("%s on %s", count(n, "app"), where(states))
		g := sideBySide(rows, states, called, now)
		if g.differ > 0 {
			m.Title += fmt.Sprintf(", %d with different versions", g.differ)
		}
		m.Table, m.Footer = g.table, g.footer
	}
	return m, nil
}

// row is an app and whether its cluster is stale.
type row struct {
	deploy.AppState
	stale bool
}

// apps counts the different apps in rows.
func apps(rows []row) int {
	seen := map[deploy.App]bool{}
	for _, r := range rows {
		seen[r.App] = true
	}
	return len(seen)
}

// detailed tells all about each row. The first column is the app as it is
// called, or the cluster.
func detailed(rows []row, first string, called func(deploy.App) string, now time.Time) (t *chat.Table, footer string) {
	t = &chat.Table{Columns: []string{first, "Version", "Ready", "Health", "Age"}}
	for _, r := range rows {
		name := string(r.Cluster)
		if called != nil {
			name = called(r.App)
		}
		t.Rows = append(t.Rows, []string{
			name, shownVersion(r.AppState), fmt.Sprintf("%d/%d", r.Ready, r.Desired), shownHealth(r), span(now.Sub(r.Since)),
		})
	}
	return t, shorten(t, count(len(rows), "app"), "`list pod*` or `list in <namespace>` names fewer")
}

// Bounds of a table that a person can read, and that a message holds.
const (
	mostRows = 60
	mostSize = 7500 // bytes over all cells
)

// shorten cuts a table to what is readable and says what was cut of how many,
// and how to see the rest.
func shorten(t *chat.Table, of, rest string) string {
	size := 0
	for i, row := range t.Rows {
		for _, cell := range row {
			size += max(len(cell), len("–"))
		}
		if i == mostRows || size > mostSize {
			t.Rows = t.Rows[:i]
			return fmt.Sprintf("the first %d of %s; %s", i, of, rest)
		}
	}
	return ""
}

// shownVersion is the version as a table shows it.
func shownVersion(a deploy.AppState) string {
	if a.Field == deploy.FieldChart && a.Version != "" {
		return plainVersion(a) + " (chart)"
	}
	return plainVersion(a)
}

// plainVersion is the version alone, a digest shortened.
func plainVersion(a deploy.AppState) string {
	return orNone(shortVersion(a.Version))
}

func shortVersion(v deploy.Version) string {
	if sum, ok := strings.CutPrefix(string(v), "sha256:"); ok {
		return "sha256:" + sum[:min(7, len(sum))] // as commits are shortened
	}
	return string(v)
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// byName orders apps as all tables do.
func byName(a, b deploy.App) int {
	return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Namespace, b.Namespace))
}

func shownHealth(r row) string {
	if r.stale {
		return "stale"
	}
	if r.Reason == "" || r.Health == deploy.Healthy {
		return string(r.Health)
	}
	return string(r.Health) + ": " + clipTo(r.Reason, 100)
}

// staleness warns of a cluster that does not answer.
func staleness(s deploy.ClusterState, now time.Time) []string {
	switch {
	case !s.Stale:
		return nil
	case !s.Synced:
		return []string{fmt.Sprintf("*%s* has not answered since ferry started, %s ago: %s.", s.Name, span(now.Sub(s.Since)), clip(s.Reason))}
	default:
		return []string{fmt.Sprintf("*%s* has not answered for %s: %s. What is shown of it is what was last seen.", s.Name, span(now.Sub(s.Since)), clip(s.Reason))}
	}
}

// matcher compiles a pattern over app names.
func matcher(glob string) (func(deploy.App) bool, error) {
	if glob == "" {
		return func(deploy.App) bool { return true }, nil
	}
	if _, err := path.Match(glob, ""); err != nil {
		return nil, fault.Newf(fault.Invalid, "`%s` is not a pattern", glob).WithHelp("`*`, `?` and `[a-z]` may stand in it").Because(err)
	}
	return func(a deploy.App) bool {
		name := a.Name
		if strings.Contains(glob, "/") {
			name = a.String()
		}
		ok, err := path.Match(glob, name)
		return err == nil && ok
	}, nil
}

func where(states []deploy.ClusterState) string {
	if len(states) == 1 {
		return string(states[0].Name)
	}
	return count(len(states), "cluster")
}

func about(a chat.Args) string {
	s := ""
	if a.Glob != "" {
		s += fmt.Sprintf(" matches `%s`", a.Glob)
	}
	if a.Namespace != "" {
		s += fmt.Sprintf(" in %s", a.Namespace)
	}
	return s
}

// instead is what somebody may have meant who found nothing.
func instead(a chat.Args, f Fleet) []string {
	glob := string(a.Glob)
	if slices.ContainsFunc(f.Clusters(), func(s deploy.ClusterState) bool { return string(s.Name) == glob }) {
		return []string{fmt.Sprintf("There is a cluster of that name: `list on %s`.", glob)}
	}
	if glob == "" || strings.ContainsAny(glob, "*?[/") {
		return nil
	}
	var known []deploy.AppState
	for _, s := range f.Clusters() {
		known = append(known, f.Apps(s.Name)...)
	}
	similar := near.Names(glob, names(known, false), 3)
	for i, name := range similar {
		similar[i] = "list " + name
	}
	if len(similar) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("Did you mean %s?", quoted(similar))}
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
