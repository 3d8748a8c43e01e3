package jobs

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"ferry/internal/chat"
	"ferry/internal/deploy"
)

// The signs of a table in which every cell is a version with its pods and age.
const (
	signDiffers = "≠"
	signStale   = "⚠️"
	signDigest  = "@"
)

// signOf is the sign of a health; healthy has none.
func signOf(h deploy.Health) string {
	switch h {
	case deploy.Healthy:
		return ""
	case deploy.Degraded:
		return "❌"
	case deploy.Progressing:
		return "⏳"
	case deploy.Suspended:
		return "⏸️"
	}
	return "❔"
}

// grid is a fleet in one table: a row per app, a column per cluster.
type grid struct {
	table  *chat.Table
	footer string
	// differ counts the apps whose versions are not the same everywhere.
	differ int
}

// sideBySide makes the grid of rows that are in order. The apps that differ come
// first, so that they are seen, also where the rest is cut. Being absent from a
// cluster is no difference: many apps are meant for some clusters alone.
func sideBySide(rows []row, states []deploy.ClusterState, called func(deploy.App) string, now time.Time) grid {
	g := grid{table: &chat.Table{Columns: []string{"App"}}}
	legend := legend{"version, ready pods, age"}
	for _, s := range states {
		name := string(s.Name)
		if s.Stale {
			name += " " + signStale
			legend.add(signStale, "last seen")
		}
		g.table.Columns = append(g.table.Columns, name)
	}
	var same [][]string
	for len(rows) > 0 {
		n := 1
		for n < len(rows) && rows[n].App == rows[0].App {
			n++
		}
		line, differs := gridRow(rows[:n], states, called(rows[0].App), now, &legend)
		if rows = rows[n:]; differs {
			g.table.Rows = append(g.table.Rows, line)
			g.differ++
		} else {
			same = append(same, line)
		}
	}
	if g.differ > 0 {
		legend = slices.Insert(legend, 0, signDiffers+" versions differ")
	}
	g.table.Rows = append(g.table.Rows, same...)
	all := count(len(g.table.Rows), "app")
	if cut := shorten(g.table, all, fmt.Sprintf("`list on %s` or `list pod*` shows others", states[0].Name)); cut != "" {
		legend = append(legend, cut)
	}
	g.footer = strings.Join(legend, " · ")
	return g
}

// gridRow is the row of one app, whose state on each cluster is among rows.
func gridRow(rows []row, states []deploy.ClusterState, name string, now time.Time, signs *legend) (line []string, differs bool) {
	line = make([]string, len(states)+1)
	var versions []deploy.Version
	charts := true
	for _, r := range rows {
		cell := plainVersion(r.AppState)
		if sum, ok := strings.CutPrefix(cell, "sha256:"); ok {
			cell = signDigest + sum
			signs.add(signDigest, "digest")
		}
		charts = charts && r.Field == deploy.FieldChart
		cell += fmt.Sprintf(" %d/%d %s", r.Ready, r.Desired, age(now.Sub(r.Since)))
		if sign := signOf(r.Health); sign != "" {
			cell += " " + sign
			signs.add(sign, string(r.Health))
		}
		at := 1 + slices.IndexFunc(states, func(s deploy.ClusterState) bool { return s.Name == r.Cluster })
		if line[at] != "" {
			cell = line[at] + ", " + cell
		}
		line[at] = cell
		if !slices.Contains(versions, r.Version) {
			versions = append(versions, r.Version)
		}
	}
	if charts {
		name += " (chart)"
	}
	if differs = len(versions) > 1; differs {
		name = signDiffers + " " + name
	}
	line[0] = name
	return line, differs
}

// age is span for a narrow place: whole units, without a space.
func age(d time.Duration) string {
	if d < time.Minute {
		d = d.Truncate(time.Second)
	}
	return strings.ReplaceAll(span(d), " ", "")
}

// legend explains each sign that is used, once.
type legend []string

func (l *legend) add(sign, means string) {
	if text := sign + " " + means; !slices.Contains(*l, text) {
		*l = append(*l, text)
	}
}

// naming tells how apps are called in all answers: by their name, or with the
// namespace where several on the clusters share it.
func naming(f Fleet) func(deploy.App) string {
	namespaces := map[string]string{}
	shared := map[string]bool{}
	for _, s := range f.Clusters() {
		for _, a := range f.Apps(s.Name) {
			if ns, ok := namespaces[a.App.Name]; ok && ns != a.App.Namespace {
				shared[a.App.Name] = true
			}
			namespaces[a.App.Name] = a.App.Namespace
		}
	}
	return func(a deploy.App) string {
		// What is not there any more may be called like something that is.
		if ns, ok := namespaces[a.Name]; shared[a.Name] || ok && ns != a.Namespace {
			return a.String()
		}
		return a.Name
	}
}
