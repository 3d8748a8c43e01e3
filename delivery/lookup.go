package delivery

import (
	"cmp"
	"context"
	"path"
	"strings"

	"ferry/delivery/flux"
	"ferry/delivery/registry"
	"ferry/internal/deploy"
	"ferry/internal/fault"
)

// Versions says which versions exist; see registry, which does it.
type Versions interface {
	Image(ctx context.Context, repository, version string) (registry.Found, error)
	Chart(ctx context.Context, repo registry.Chart, version string) (registry.Found, error)
}

// looked is what a registry said of the version that a change wants. It is asked
// before the change takes its turn, so that a slow registry holds up nobody else.
type looked struct {
	found registry.Found
	err   error
}

// look asks for the version that a change wants; nil where nobody can be asked.
// What is wrong with the change itself is the plan's to say.
func (d *Delivery) look(ctx context.Context, c deploy.Change, declared []deploy.Declared) *looked {
	if d.o.Versions == nil {
		return nil
	}
	w := d.latest()
	if w == nil {
		head, err := d.repo.Head(ctx)
		if err != nil {
			return nil
		}
		if w, err = d.at(ctx, head, declared); err != nil {
			return nil
		}
	}
	s, err := d.stage(ctx, w, c)
	if err != nil {
		return nil
	}
	own, more, err := d.pick(s)
	if err != nil || len(more) > 0 || checkWanted(own[0].kind, c.Version) != nil {
		return nil
	}
	f, l := own[0], &looked{}
	switch {
	case f.kind == deploy.FieldImage && f.repository != "":
		l.found, l.err = d.o.Versions.Image(ctx, f.repository, string(c.Version))
	case f.kind == deploy.FieldChart:
		chart, ok := chartOf(w, s.object, f)
		if !ok {
			return nil
		}
		l.found, l.err = d.o.Versions.Chart(ctx, chart, string(c.Version))
	default:
		return nil
	}
	return l
}

// latest is the world that was rendered last.
func (e *engine) latest() *flux.World {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.last == nil {
		return nil
	}
	return e.last.world
}

// chartOf tells where a release's chart is published.
func chartOf(w *flux.World, release flux.Placed, f field) (registry.Chart, bool) {
	if f.object.Kind == "OCIRepository" {
		return registry.Chart{URL: "oci://" + f.repository}, f.repository != ""
	}
	data := release.Data()
	spec := "/spec/chart/spec"
	if f.object.Kind == "HelmChart" {
		data, spec = objectIn(w, release.Root.Cluster, f.root, f.group, f.object), "/spec"
	}
	ref := deploy.Ref{
		Kind: "HelmRepository", Name: text(at(data, spec+"/sourceRef/name")),
		Namespace: cmp.Or(text(at(data, spec+"/sourceRef/namespace")), release.Ref.Namespace),
	}
	source := w.Lookup(release.Root.Cluster, sourceGroup, ref)
	if source.Object == nil {
		return registry.Chart{}, false
	}
	c := registry.Chart{URL: text(at(source.Data(), "/spec/url")), Name: text(at(data, spec+"/chart"))}
	return c, c.URL != "" && c.Name != ""
}

// judge says what a look-up means for a plan: a refusal, or a warning.
func (l *looked) judge(c deploy.Change, require bool) (warning string, err error) {
	switch {
	case l == nil:
		return "", nil
	case l.err != nil && require:
		return "", fault.Newf(fault.Refused, "it is not known whether `%s` of %s exists", c.Version, c.Target.App.Name).
			WithHelp("%s\nthe configuration wants versions looked up before they are promoted: try again when the registry answers", says(l.err)).
			WithCode(NoVersion).Because(l.err)
	case l.err != nil:
		return "Not looked up: " + says(l.err), nil //nolint:nilerr // the configuration wants a warning
	case l.found.Exists:
		return "", nil
	}
	e := fault.Newf(fault.NotFound, "%s", l.found.Says).WithCode(NoVersion)
	var choices []string
	for _, v := range l.found.Near[:min(3, len(l.found.Near))] {
		choices = append(choices, promoteText(c, v))
	}
	switch rest := l.found.Near[len(choices):]; {
	case len(rest) > 0:
		return "", e.WithHelp("there are also `%s`", strings.Join(rest, "`, `")).WithChoices(choices...)
	case len(choices) > 0:
		return "", e.WithChoices(choices...)
	}
	return "", e.WithHelp("look at what was published, and ask again")
}

// says is an error as people read it.
func says(err error) string {
	if f, ok := err.(*fault.Error); ok { //nolint:errorlint // the registry's own
		return f.Says
	}
	return "the registry did not answer"
}

// promoteText is the command for a change, to another version; empty if that is no word.
func promoteText(c deploy.Change, version string) string {
	if !c.Unpin && !deploy.Word(version) {
		return ""
	}
	out, to := "promote "+c.Target.App.Name+"@"+version, " to "
	if c.Unpin {
		out, to = "unpin "+c.Target.App.Name, " on "
	}
	if c.Field != deploy.FieldAny {
		out += " " + string(c.Field)
	}
	out += to + string(c.Target.Cluster)
	if len(c.With) > 0 {
		out += " with " + withText(c)
	}
	if c.Pin {
		out += " pin"
	}
	if c.TagOnly {
		out += " tag-only"
	}
	return out
}

// aim is a field and what it is to show.
type aim struct {
	field
	wanted string
}

// aims says what each field is to show for a version. Where a digest stands
// beside the tag, it is moved along: to the one that was given, or that the
// registry has for the tag.
func aims(own []field, wanted string, l *looked) []aim {
	tag, digest := splitVersion(wanted)
	if digest == "" && l != nil && l.err == nil {
		digest = l.found.Digest
	}
	var out []aim
	for _, f := range own {
		haveTag, haveDigest := splitVersion(f.version)
		switch {
		case f.pairedDigest != "" && tag != "" && digest != "":
			pair := f
			pair.path, pair.value, pair.version = path.Dir(f.path)+"/digest", f.pairedDigest, f.pairedDigest
			f.pairedDigest, pair.pairedDigest = "", ""
			out = append(out, aim{f, tag}, aim{pair, digest})
		case f.kind == deploy.FieldImage && haveTag != "" && haveDigest != "" && tag != "" && digest != "":
			out = append(out, aim{f, tag + "@" + digest})
		default:
			out = append(out, aim{f, wanted})
		}
	}
	return out
}
