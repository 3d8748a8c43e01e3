package jobs

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"ferry/internal/chat"
	"ferry/internal/deploy"
	"ferry/internal/fault"
)

var listSyntax = chat.Syntax{
	Verb:    "list",
	Form:    "[<glob>] [on <cluster>] [in <namespace>]",
	Summary: "show what runs where: version, ready pods, health and age",
	Details: []string{
		"The pattern knows `*`, `?` and `[a-z]` and is matched against the app's name, or against `namespace/name` if it has a slash.",
		"A cluster that does not answer is shown as it was last seen, and for how long that has been.",
	},
	Examples: []string{"list", "list pod* on prod", "list on stage in backend"},
}

// list shows apps over clusters.
type list struct{ Options }

// Answer implements Query.
func (l list) Answer(_ context.Context, cmd chat.Command) (chat.Message, error) {
	match, err := matcher(string(cmd.Args.Glob))
	if err != nil {
		return chat.Message{}, err
	}
	var states []deploy.ClusterState
	for _, s := range l.Fleet.Clusters() {
		if cmd.Args.Cluster == "" || s.Name == deploy.Cluster(cmd.Args.Cluster) {
			states = append(states, s)
		}
	}
	now := l.Now()
	m := chat.Message{Tone: chat.Info, Table: &chat.Table{Columns: []string{"App", "Cluster", "Version", "Ready", "Health", "Age"}}}
	var rows []row
	for _, s := range states {
		m.Lines = append(m.Lines, staleness(s, now)...)
		for _, a := range l.Fleet.Apps(s.Name) {
			if match(a.App) && (cmd.Args.Namespace == "" || a.App.Namespace == string(cmd.Args.Namespace)) {
				rows = append(rows, row{a, s.Stale})
			}
		}
	}
	m.Title = fmt.Sprintf("%s on %s", count(apps(rows), "app"), where(states))
	if len(rows) == 0 {
		m.Table = nil
		m.Title = fmt.Sprintf("No app%s on %s", about(cmd.Args), where(states))
		return m, nil
	}
	m.Table.Rows = cells(rows, now)
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

// cells orders rows by app, then by cluster as configured.
func cells(rows []row, now time.Time) [][]string {
	twice := map[string]map[string]bool{}
	for _, r := range rows {
		if twice[r.App.Name] == nil {
			twice[r.App.Name] = map[string]bool{}
		}
		twice[r.App.Name][r.App.Namespace] = true
	}
	slices.SortStableFunc(rows, func(a, b row) int {
		return strings.Compare(a.App.Name+"\x00"+a.App.Namespace, b.App.Name+"\x00"+b.App.Namespace)
	})
	out := make([][]string, len(rows))
	for i, r := range rows {
		name := r.App.Name
		if len(twice[name]) > 1 {
			name = r.App.String()
		}
		out[i] = []string{
			name, string(r.Cluster), shownVersion(r.AppState), fmt.Sprintf("%d/%d", r.Ready, r.Desired), shownHealth(r), span(now.Sub(r.Since)),
		}
	}
	return out
}

// shownVersion is the version as a table shows it.
func shownVersion(a deploy.AppState) string {
	v := string(a.Version)
	if sum, ok := strings.CutPrefix(v, "sha256:"); ok {
		v = "sha256:" + sum[:min(12, len(sum))]
	}
	switch {
	case v == "":
		return "none"
	case a.Chart != "":
		return v + " (chart)"
	}
	return v
}

func shownHealth(r row) string {
	if r.stale {
		return "stale"
	}
	if r.Reason == "" || r.Health == deploy.Healthy {
		return string(r.Health)
	}
	return string(r.Health) + ": " + clip(r.Reason)
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

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
