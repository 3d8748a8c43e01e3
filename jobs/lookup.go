package jobs

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"ferry/internal/deploy"
	"ferry/internal/fault"
	"ferry/internal/near"
)

// find returns the one app on a cluster that a name or namespace/name means.
func find(f Fleet, c deploy.Cluster, name string) (deploy.AppState, error) {
	apps := f.Apps(c)
	var found []deploy.AppState
	for _, a := range apps {
		if a.App.Name == name || a.App.String() == name {
			found = append(found, a)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return deploy.AppState{}, unknownApp(f, c, name, apps)
	}
	choices := make([]string, len(found))
	for i, a := range found {
		choices[i] = a.App.String()
	}
	return deploy.AppState{}, fault.Newf(fault.Ambiguous, "there are %d apps called %s on %s", len(found), name, c).
		WithHelp("name the namespace as well").WithChoices(choices...)
}

// unknownApp says where the app is, or which names are near.
func unknownApp(f Fleet, c deploy.Cluster, name string, apps []deploy.AppState) error {
	e := fault.Newf(fault.NotFound, "there is no app %s on %s", name, c)
	for _, a := range apps {
		for _, w := range a.Owner.Workloads {
			if w.Name == name || w.Namespace+"/"+w.Name == name {
				return e.WithHelp("the %s of that name belongs to the app %s", w.Kind, a.App.Name).WithChoices(shortest(f, a.Target))
			}
		}
	}
	if similar := near.Names(name, names(apps, strings.Contains(name, "/")), 3); len(similar) > 0 {
		return e.WithHelp("`list on %s` shows what is there", c).WithChoices(similar...)
	}
	var elsewhere []string
	for _, s := range f.Clusters() {
		if s.Name != c && slices.ContainsFunc(f.Apps(s.Name), func(a deploy.AppState) bool { return a.App.Name == name || a.App.String() == name }) {
			elsewhere = append(elsewhere, string(s.Name))
		}
	}
	if len(elsewhere) > 0 {
		return e.WithHelp("it runs on %s\n`list on %s` shows what is there", spoken(elsewhere), c)
	}
	return e.WithHelp("`list on %s` shows what is there", c)
}

func names(apps []deploy.AppState, whole bool) []string {
	out := make([]string, 0, len(apps))
	for _, a := range apps {
		switch {
		case !deploy.Word(a.App.Namespace) || !deploy.Word(a.App.Name):
		case whole:
			out = append(out, a.App.String())
		default:
			out = append(out, a.App.Name)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// shortest is how an app has to be written on its cluster: by its name, or with
// its namespace where that is needed.
func shortest(f Fleet, t deploy.Target) string {
	if app, err := find(f, t.Cluster, t.App.Name); err == nil && app.App == t.App {
		return t.App.Name
	}
	return t.App.String()
}

// fresh refuses a cluster whose state is not known for certain.
func fresh(f Fleet, c deploy.Cluster) error {
	for _, s := range f.Clusters() {
		if s.Name != c {
			continue
		}
		if s.Stale {
			return fault.Newf(fault.Stale, "%s does not answer: %s", c, s.Reason).
				WithHelp("nothing was changed\nferry goes on trying; `list on %s` tells when it is back", c)
		}
		return nil
	}
	return fault.Newf(fault.NotFound, "there is no cluster %s", c)
}

// commands turns the apps that may have been meant into what to write instead.
func commands(err error, write func(app string) string) error {
	e, ok := errors.AsType[*fault.Error](err)
	if !ok || len(e.Choices) == 0 {
		return err
	}
	choices := make([]string, len(e.Choices))
	for i, c := range e.Choices {
		choices[i] = write(c)
	}
	return e.WithChoices(choices...)
}

// runs reports whether an app runs a version in the field of that kind.
func runs(a deploy.AppState, f deploy.FieldKind, v deploy.Version) bool {
	if f == deploy.FieldChart {
		return a.Chart != "" && chartVersion(string(a.ChartVersion)) == chartVersion(string(v))
	}
	return slices.ContainsFunc(a.Images, func(i deploy.Image) bool { return imageHas(i, v) })
}

// imageHas reports whether an image is of a version: a tag, a digest, or both
// joined by "@".
func imageHas(i deploy.Image, v deploy.Version) bool {
	switch string(v) {
	case "":
		return false
	case i.Tag, i.Digest:
		return true
	}
	return i.Tag != "" && i.Digest != "" && string(v) == i.Tag+"@"+i.Digest
}

// spoken lists names for a sentence: a, b and c.
func spoken(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " and " + names[last]
}

// quoted lists names to choose from for a sentence: `a`, `b` or `c`.
func quoted(names []string) string {
	switch len(names) {
	case 0:
		return ""
	case 1:
		return "`" + names[0] + "`"
	}
	last := len(names) - 1
	return fmt.Sprintf("`%s` or `%s`", strings.Join(names[:last], "`, `"), names[last])
}
