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
	Summary: "compare a cluster with another one, or with all others: only what differs",
	Details: []string{
		"Compared are version, chart, replicas and further images; and what exists on one side alone.",
		"Versions are ordered as semantic versions where both are; an arrow shows which side is newer.",
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
	t := &chat.Table{Columns: []string{"App", "What", string(left), "", "Other"}}
	mine, compared := selected(d.Fleet.Apps(left), match), 0
	for _, right := range others {
		theirs := selected(d.Fleet.Apps(right), match)
		compared += len(mine) + len(theirs)
		for _, row := range compare(mine, theirs) {
			t.Rows = append(t.Rows, []string{row.app, row.what, row.left, row.sign, string(right) + ": " + row.right})
		}
	}
	if len(others) == 1 {
		t.Columns[4] = string(others[0])
		for _, row := range t.Rows {
			row[4] = strings.TrimPrefix(row[4], string(others[0])+": ")
		}
	}
	against := make([]string, len(others))
	for i, o := range others {
		against[i] = string(o)
	}
	switch {
	case compared == 0:
		m.Title = fmt.Sprintf("No app%s on %s, %s", about(cmd.Args), left, strings.Join(against, ", "))
		return m, nil
	case len(t.Rows) == 0:
		m.Title = fmt.Sprintf("%s and %s run the same", left, strings.Join(against, ", "))
		return m, nil
	}
	m.Title = fmt.Sprintf("%s between %s and %s", count(len(t.Rows), "difference"), left, strings.Join(against, ", "))
	m.Table = t
	return m, nil
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

// difference is one line of a comparison.
type difference struct{ app, what, left, sign, right string }

// compare lists what differs between two sides, by app.
func compare(left, right []deploy.AppState) []difference {
	other := map[deploy.App]deploy.AppState{}
	for _, a := range right {
		other[a.App] = a
	}
	var out []difference
	for _, l := range left {
		r, ok := other[l.App]
		if !ok {
			out = append(out, difference{l.App.String(), "app", shownVersion(l), "", "absent"})
			continue
		}
		delete(other, l.App)
		out = append(out, differences(l, r)...)
	}
	for _, r := range right {
		if _, ok := other[r.App]; ok {
			out = append(out, difference{r.App.String(), "app", "absent", "", shownVersion(r)})
		}
	}
	slices.SortStableFunc(out, func(a, b difference) int { return strings.Compare(a.app, b.app) })
	return out
}

func differences(l, r deploy.AppState) []difference {
	app := l.App.String()
	var out []difference
	if l.Version != r.Version {
		out = append(out, difference{app, "version", shownVersion(l), order(l.Version, r.Version), shownVersion(r)})
	}
	if l.Chart != r.Chart {
		out = append(out, difference{app, "chart", orNone(l.Chart), "", orNone(r.Chart)})
	}
	if l.Desired != r.Desired {
		out = append(out, difference{app, "replicas", fmt.Sprint(l.Desired), "", fmt.Sprint(r.Desired)})
	}
	return append(out, imageDifferences(app, l, r)...)
}

// imageDifferences compares containers by name, leaving out the one whose
// version was compared already.
func imageDifferences(app string, l, r deploy.AppState) []difference {
	images := map[string][2]string{}
	var containers []string
	for side, a := range []deploy.AppState{l, r} {
		for _, i := range a.Images {
			pair, ok := images[i.Container]
			if !ok {
				containers = append(containers, i.Container)
			}
			pair[side] = imageText(i)
			images[i.Container] = pair
		}
	}
	slices.Sort(containers)
	var out []difference
	for _, c := range containers {
		pair := images[c]
		sameButVersion := l.Chart == "" && r.Chart == "" &&
			strings.TrimSuffix(pair[0], string(l.Version)) == strings.TrimSuffix(pair[1], string(r.Version))
		if pair[0] != pair[1] && !sameButVersion {
			out = append(out, difference{app, "image of " + c, orNone(pair[0]), "", orNone(pair[1])})
		}
	}
	return out
}

func imageText(i deploy.Image) string {
	s := i.Repository
	if i.Tag != "" {
		s += ":" + i.Tag
	}
	if i.Digest != "" {
		s += "@" + i.Digest
	}
	return s
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// order is an arrow from the older to the newer version, if both are semantic
// versions and differ in precedence.
func order(l, r deploy.Version) string {
	a, errA := semver.NewVersion(string(l))
	b, errB := semver.NewVersion(string(r))
	if errA != nil || errB != nil {
		return "≠"
	}
	switch a.Compare(b) {
	case -1:
		return "→"
	case 1:
		return "←"
	}
	return "≠"
}
