package delivery

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"ferry/delivery/flux"
	"ferry/internal/deploy"
	"ferry/internal/fault"
)

// choose picks the fields that a change means: those of one image (or the one
// chart) that move together, the app's own first. more are those that could be
// meant as well: then somebody has to say which.
func choose(w *flux.World, fields []field, c deploy.Change, o flux.Placed) (own, more []field, err error) {
	name := c.Target.App.Name
	var charts, images []field
	for _, f := range fields {
		if f.kind == deploy.FieldChart {
			charts = append(charts, f)
		} else {
			images = append(images, f)
		}
	}
	images, err = narrow(images, c, o)
	if err != nil {
		return nil, nil, err
	}
	switch {
	case c.Field == deploy.FieldChart && !isRelease(o.Object):
		return nil, nil, fault.Newf(fault.Refused, "%s has no chart: its Kustomization applies it directly", name).
			WithHelp("leave out `chart`, or write `image`").WithCode(NotInGit)
	case c.Field == deploy.FieldChart && len(charts) == 0:
		return nil, nil, fault.Newf(fault.Refused, "Git holds no chart version for %s", name).
			WithHelp("leave out `chart`, or write `image`").WithCode(NotInGit)
	case c.Field == deploy.FieldImage && len(images) == 0:
		return nil, nil, fault.Newf(fault.Refused, "Git holds no image tag for %s: its chart decides on the image", name).
			WithHelp("leave out `image`, or write `chart`").WithCode(NotInGit)
	case c.Field == deploy.FieldChart || len(images) == 0:
		return charts, nil, nil
	case c.Field == deploy.FieldImage || len(charts) == 0:
		own, more = together(images)
		return own, more, nil
	}
	own, more = together(images)
	if library(w, o) || (charts[0].ranged && len(more) == 0 && (mainImage(own[0]) || path.Base(own[0].repository) == name)) {
		return own, more, nil // the image is what tells apart the app's versions
	}
	return charts, images, nil
}

// library reports whether a release installs a chart that is made for any app:
// then the image is the app's version.
func library(w *flux.World, o flux.Placed) bool {
	data := o.Data()
	chart := text(at(data, "/spec/chart/spec/chart"))
	if from := chartSource(o, data); from.Kind == "OCIRepository" || from.Kind == "HelmChart" {
		if source := w.Lookup(o.Root.Cluster, sourceGroup, from); source.Object != nil {
			chart = cmp.Or(text(at(source.Data(), "/spec/chart")), path.Base(text(at(source.Data(), "/spec/url"))))
		}
	}
	if kind := text(at(data, "/spec/chart/spec/sourceRef/kind")); kind == "GitRepository" {
		return true
	}
	return slices.Contains([]string{"app-template", "common", "generic", "onechart", "stakater-application", "universal-chart", "raw"}, path.Base(chart))
}

// together splits images into those of the first one's repository and version,
// which are one thing in several places, and others.
func together(images []field) (own, more []field) {
	for _, f := range images {
		if f.version == images[0].version && f.repository == images[0].repository {
			own = append(own, f)
		} else {
			more = append(more, f)
		}
	}
	return own, more
}

// narrow leaves the images that are the app's own, where that is certain: of
// the container that was named or is called like the app, or of a repository
// called like the app.
func narrow(images []field, c deploy.Change, o flux.Placed) ([]field, error) {
	if len(images) < 2 {
		return images, nil
	}
	pick := func(test func(field) bool) []field {
		i := slices.IndexFunc(images, test)
		if i < 0 {
			return nil
		}
		// The same image in other places moves with it.
		out := []field{images[i]}
		for n, f := range images {
			if n != i && (test(f) || (f.repository == images[i].repository && f.version == images[i].version && f.repository != "")) {
				out = append(out, f)
			}
		}
		return out
	}
	name := c.Target.App.Name
	if c.Container != "" {
		if out := pick(func(f field) bool {
			return f.container == c.Container || slices.Contains(strings.Split(f.path, "/"), c.Container)
		}); out != nil {
			return out, nil
		}
		return nil, fault.Newf(fault.NotFound, "%s has no container called %s with a version in Git", o.Ref, c.Container).
			WithHelp("it has %s", strings.Join(containers(images), ", "))
	}
	tests := []func(field) bool{
		func(f field) bool {
			return strings.Contains(f.path, "/controllers/"+name+"/containers/") && mainImage(f)
		},
		func(f field) bool { return f.container == name && !strings.Contains(f.path, "/initContainers/") },
		func(f field) bool { return f.repository != "" && path.Base(f.repository) == name },
	}
	for _, test := range tests {
		if out := pick(test); out != nil {
			return out, nil
		}
	}
	main := slices.DeleteFunc(slices.Clone(images), field.runsBefore)
	if len(main) == 1 { // whatever runs before it is not the app
		return pick(func(f field) bool { return f.path == main[0].path && (f.from == nil || *f.from == *main[0].from) }), nil
	}
	if out := pick(mainImage); out != nil && len(slices.DeleteFunc(slices.Clone(images), func(f field) bool { return !mainImage(f) })) == 1 {
		return out, nil
	}
	return images, nil
}

// runsBefore reports whether a field is the image of an init container.
func (f field) runsBefore() bool {
	return strings.Contains(f.path, "/initContainers/") || f.from != nil && strings.Contains(f.from.inner, "/initContainers/")
}

// mainImage is for the values of a chart: what stands at the top is the app,
// what stands below a name is one of its parts. app-template's controllers call
// the app's own container "app" or "main".
func mainImage(f field) bool {
	p := strings.TrimPrefix(f.path, "/spec/values")
	if f.from != nil {
		p = f.from.inner
	}
	return strings.HasPrefix(p, "/image/") || p == "/image" ||
		(strings.HasPrefix(p, "/controllers/") && !strings.Contains(p, "/initContainers/") && slices.Contains([]string{"app", "main"}, f.container))
}

func containers(images []field) []string {
	var out []string
	for _, f := range images {
		if f.container != "" && !slices.Contains(out, f.container) {
			out = append(out, f.container)
		}
	}
	slices.Sort(out)
	return out
}
