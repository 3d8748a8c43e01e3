package jobs

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"

	"ferry/internal/chat"
	"ferry/internal/deploy"
	"ferry/internal/fault"
)

var diffSyntax = chat.Syntax{
	Verb:    "diff",
	Form:    "<cluster> [<other>] [<glob>]",
	Summary: "show what differs between a cluster and another one, or all others",
	Details: []string{
		"Compared are version, chart, replicas and further images; and what exists on one side alone.",
		"Versions are ordered as semantic versions where both are.",
	},
	Examples: []string{"diff stage", "diff stage prod", "diff stage prod pod*"},
}

// diff compares clusters.
type diff struct{ Options }

// Answer implements Query.
func (d diff) Answer(_ context.Context, cmd chat.Command) (chat.Message, error) {
	match, err := matcher(string(cmd.Args.Glob))
	if err != nil {
		return chat.Message{}, err
	}
	left := deploy.Cluster(cmd.Args.Cluster)
	others, lines, err := d.sides(left, deploy.Cluster(cmd.Args.Other))
	if err != nil {
		return chat.Message{}, err
	}
	m := chat.Message{Tone: chat.Info, Lines: lines}
	mine, found := selected(d.Fleet.Apps(left), match), 0
	theirs := make([][]deploy.AppState, len(others))
	names := make([]string, len(others))
	for i, o := range others {
		theirs[i], names[i] = selected(d.Fleet.Apps(o), match), string(o)
		found += len(theirs[i])
	}
	if len(mine)+found == 0 {
		m.Title = fmt.Sprintf("No app%s on %s", about(cmd.Args), spoken(append([]string{string(left)}, names...)))
		return m, nil
	}
	rows := compare(mine, theirs)
	if len(rows) == 0 {
		m.Title = fmt.Sprintf("%s and %s run the same", left, spoken(names))
		return m, nil
	}
	apps, called, signs := map[deploy.App]bool{}, naming(d.Fleet), map[string]bool{}
	m.Table = &chat.Table{Columns: append([]string{"App", "What", string(left)}, names...)}
	for _, row := range rows {
		apps[row.app] = true
		m.Table.Rows = append(m.Table.Rows, append([]string{called(row.app), row.what, row.left}, row.right...))
		for _, cell := range row.right {
			sign, _, _ := strings.Cut(cell, " ")
			signs[sign] = true
		}
	}
	verb := "differs"
	if len(apps) != 1 {
		verb = "differ"
	}
	m.Title = fmt.Sprintf("%s %s between %s", count(len(apps), "app"), verb, spoken(append([]string{string(left)}, names...)))
	m.Footer = explained(signs, left, shorten(m.Table, count(len(rows), "difference"), fmt.Sprintf("`diff %s %s pod*` names fewer", left, others[0])))
	return m, nil
}

// explained is the legend of the signs that a comparison uses, and what else
// there is to say below it.
func explained(signs map[string]bool, left deploy.Cluster, more string) string {
	var out []string
	for _, s := range []struct{ sign, means string }{
		{signNewer, "newer"}, {signOlder, "older"}, {signDiffers, "another"}, {signSame, "the same"},
	} {
		if signs[s.sign] {
			out = append(out, s.sign+" "+s.means)
		}
	}
	if len(out) > 0 {
		out = []string{"Seen from " + string(left) + ": " + strings.Join(out, ", ")}
	}
	if more != "" {
		out = append(out, more)
	}
	return strings.Join(out, " · ")
}

// sides names the clusters to compare with and warns of stale ones. A side that
// was never seen cannot be compared.
func (d diff) sides(left, right deploy.Cluster) (others []deploy.Cluster, lines []string, err error) {
	if left == right {
		return nil, nil, fault.Newf(fault.Invalid, "%s is compared with itself", left).WithHelp("name two clusters, or one to compare it with all others")
	}
	now := d.Now()
	for _, s := range d.Fleet.Clusters() {
		asked := s.Name == left || s.Name == right
		switch {
		case right != "" && !asked:
			continue
		case !s.Synced && asked:
			return nil, nil, fault.Newf(fault.Stale, "%s has not answered since ferry started: %s", s.Name, s.Reason).
				WithHelp("there is nothing to compare with until it does")
		}
		lines = append(lines, staleness(s, now)...)
		if s.Name != left && s.Synced {
			others = append(others, s.Name)
		}
	}
	if len(others) == 0 {
		return nil, nil, fault.Newf(fault.Refused, "there is no other cluster to compare %s with", left).WithHelp("only one cluster is configured, or no other one answers")
	}
	return others, lines, nil
}

func selected(apps []deploy.AppState, match func(deploy.App) bool) []deploy.AppState {
	return slices.DeleteFunc(slices.Clone(apps), func(a deploy.AppState) bool { return !match(a.App) })
}

// The signs of a comparison; signDiffers is the other one.
const (
	signNewer = "→"
	signOlder = "←"
	signSame  = "="
	absent    = "absent"
)

// difference is one line of a comparison: what the left side has and, in their
// order, the others.
type difference struct {
	app        deploy.App
	what, left string
	right      []string
}

// compare lists what differs between one side and the others, by app. An app
// that only one side has differs in its version.
func compare(left []deploy.AppState, others [][]deploy.AppState) []difference {
	sides := make([]map[deploy.App]deploy.AppState, 0, len(others)+1)
	var apps []deploy.App
	for _, side := range append([][]deploy.AppState{left}, others...) {
		known := map[deploy.App]deploy.AppState{}
		for _, a := range side {
			known[a.App] = a
			apps = append(apps, a.App)
		}
		sides = append(sides, known)
	}
	slices.SortFunc(apps, byName)
	var out []difference
	for _, app := range slices.Compact(apps) {
		l, here := sides[0][app]
		values := facts(l, here)
		theirs := make([][]fact, len(others))
		for i := range others {
			r, there := sides[i+1][app]
			theirs[i] = facts(r, there)
		}
		out = append(out, differing(app, values, theirs)...)
	}
	return out
}

// fact is one thing to compare of an app, as it is shown.
type fact struct {
	what, shown string
	version     deploy.Version // gives an order; may be empty
	// repository is an image's; own is true where the image is the one whose
	// version is the app's.
	repository string
	own        bool
}

// equal reports whether two facts say the same. Versions that differ are not
// told again of the image from which they are.
func (f fact) equal(g fact) bool {
	if f.own && g.own && f.version != g.version {
		return f.repository == g.repository
	}
	return f.shown == g.shown
}

// brief shows images of one repository by their versions alone. They must
// differ in these, or else nothing would be seen.
func brief(facts []fact) []fact {
	out := slices.Clone(facts)
	for i, f := range facts {
		if f.repository == "" || f.repository != facts[0].repository || i > 0 && f.version == facts[0].version && f.shown != facts[0].shown {
			return facts
		}
		out[i].shown = shortVersion(f.version)
	}
	return out
}

// facts are what is compared of an app.
func facts(a deploy.AppState, here bool) []fact {
	if !here {
		return []fact{{what: "version", shown: absent}}
	}
	out := []fact{
		{what: "version", shown: shownVersion(a), version: a.Version},
		{what: "chart", shown: orNone(a.Chart)},
		{what: "replicas", shown: fmt.Sprint(a.Desired)},
	}
	if a.Field == deploy.FieldImage && a.Chart != "" {
		out[1].shown += " " + string(a.ChartVersion)
	}
	for _, i := range a.Images {
		out = append(out, fact{
			what: "image of " + i.Container, shown: i.String(), version: i.Version(), repository: i.Repository,
			own: a.Field != deploy.FieldChart && i.Version() == a.Version,
		})
	}
	return out
}

// differing compares facts by what they are about. Of what is absent nothing
// else is compared.
func differing(app deploy.App, left []fact, others [][]fact) []difference {
	var whats []string
	for _, side := range append([][]fact{left}, others...) {
		for _, f := range side {
			if !slices.Contains(whats, f.what) {
				whats = append(whats, f.what)
			}
		}
	}
	var out []difference
	for _, what := range whats {
		if row, same := differingIn(what, left, others); !same {
			row.app = app
			out = append(out, row)
		}
	}
	return out
}

// differingIn is the line about one thing; same is true if there is no need of
// one.
func differingIn(what string, left []fact, others [][]fact) (row difference, same bool) {
	facts := []fact{among(left, what)}
	for _, side := range others {
		facts = append(facts, among(side, what))
	}
	told := brief(facts)
	row, same = difference{what: what, left: told[0].shown}, true
	for i, side := range others {
		l, r := facts[0], facts[i+1]
		cell := told[i+1].shown
		switch {
		case what != "version" && (side[0].shown == absent || left[0].shown == absent):
			row.right = append(row.right, "")
			continue
		case l.equal(r):
			row.right = append(row.right, signSame)
			continue
		case l.version != "" && r.version != "" && l.repository == r.repository && l.version != r.version:
			cell = order(l.version, r.version) + " " + cell
		}
		row.right, same = append(row.right, cell), false
	}
	return row, same
}

// among finds the fact about something.
func among(facts []fact, what string) fact {
	for _, f := range facts {
		if f.what == what {
			return f
		}
	}
	return fact{what: what, shown: "none"}
}

// order is an arrow from the older to the newer version, if both are semantic
// versions and differ in precedence.
func order(l, r deploy.Version) string {
	a, errA := semver.NewVersion(string(l))
	b, errB := semver.NewVersion(string(r))
	if errA != nil || errB != nil {
		return signDiffers
	}
	switch a.Compare(b) {
	case -1:
		return signNewer
	case 1:
		return signOlder
	}
	return signDiffers
}
