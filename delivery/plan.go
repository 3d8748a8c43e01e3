package delivery

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/pmezard/go-difflib/difflib"
	"sigs.k8s.io/yaml"

	"ferry/delivery/flux"
	"ferry/delivery/forge"
	"ferry/internal/deploy"
	"ferry/internal/fault"
)

// Plan makes a change concrete against the branch's head and proves it. Nothing
// is written. declared is what every configured cluster declares: one that is
// missing is one that is not protected.
//
// Its errors are Invalid for a version that cannot stand there, Ambiguous where
// more than one field could be meant, Refused for what cannot be proven, and
// Unavailable where GitHub could not be read.
func (d *Delivery) Plan(ctx context.Context, c deploy.Change, declared []deploy.Declared) (deploy.Plan, error) {
	p, _, err := d.planAt(ctx, c, declared)
	return p, err
}

// planAt is Plan, with the world that the plan was made on.
func (d *Delivery) planAt(ctx context.Context, c deploy.Change, declared []deploy.Declared) (deploy.Plan, *flux.World, error) {
	head, err := d.repo.Head(ctx)
	if err != nil {
		return deploy.Plan{}, nil, err
	}
	w, err := d.at(ctx, head, declared)
	if err != nil {
		return deploy.Plan{}, nil, err
	}
	p, _, err := d.plan(ctx, w, c, d.look(ctx, c, declared))
	p.Base, p.Source = head.SHA, d.source(c, declared)
	if err != nil {
		return p, w, err
	}
	return p, w, committable(w.Files().Tree, p.Files)
}

// at renders what the clusters want at a commit.
func (d *Delivery) at(ctx context.Context, head forge.Head, declared []deploy.Declared) (*flux.World, error) {
	files, err := d.files(ctx, head)
	if err != nil {
		return nil, err
	}
	return d.world(ctx, files, declared)
}

// source is where the target's Kustomization reads, as its cluster declares it.
func (d *Delivery) source(c deploy.Change, declared []deploy.Declared) deploy.Source {
	for _, decl := range declared {
		for _, k := range decl.Kustomizations {
			if decl.Cluster == c.Target.Cluster && k.Ref.Name == c.Owner.Kustomization.Name && k.Ref.Namespace == c.Owner.Kustomization.Namespace {
				return k.Source
			}
		}
	}
	return deploy.Source{URL: "https://" + d.repo.WebHost() + "/" + d.repo.Full(), Branch: d.repo.Branch()}
}

// plan makes a change concrete on the files of a world. Nothing is written.
func (e *engine) plan(ctx context.Context, w *flux.World, c deploy.Change, l *looked) (deploy.Plan, *flux.World, error) {
	return e.planWith(ctx, w, c, l, nil)
}

// planWith is plan with what is known ahead of the change.
func (e *engine) planWith(ctx context.Context, w *flux.World, c deploy.Change, l *looked, ahead *outlook) (deploy.Plan, *flux.World, error) {
	p := deploy.Plan{Change: c}
	s, err := e.stage(ctx, w, c)
	if err != nil {
		return p, nil, err
	}
	s.ahead = ahead
	own, more, err := e.pick(s)
	if err != nil {
		return p, nil, err
	}
	if len(more) > 0 {
		return p, nil, e.ambiguous(ctx, s, append(own, more...))
	}
	f := own[0]
	p.From = deploy.Version(f.version)
	p.Site = deploy.Site{Field: f.kind, Object: f.object, Path: f.path, Value: f.value}
	if f.from != nil {
		p.Site.Inner = f.from.inner
	}
	if c.Unpin {
		return e.unpin(ctx, s, p, own)
	}
	goal := aims(own, string(c.Version), l)
	if c.TagOnly {
		goal = aims(own, string(c.Version), nil)
	}
	if s.fellows, err = e.fellows(ctx, w, c, f.kind); err != nil {
		return p, nil, err
	}
	if !slices.ContainsFunc(goal, func(a aim) bool { return a.version != a.wanted || c.TagOnly && a.pairedDigest != "" }) {
		p.Already = true
		if p.Parts, err = e.arrive(ctx, s, w, goal[0].wanted); err != nil {
			return p, nil, err
		}
		p.Hash = hash(p)
		return p, w, nil
	}
	if err := checkWanted(f.kind, c.Version); err != nil {
		return p, nil, err
	}
	warning, err := l.judge(c, e.require)
	if err != nil {
		return p, nil, err
	}
	if warning != "" {
		p.Warnings = append(p.Warnings, warning)
	}
	p.Change.Version = deploy.Version(goal[0].wanted)
	sites, err := e.moveAll(ctx, s, goal, &p)
	if err != nil {
		return p, nil, err
	}
	if c.Pin {
		if sites, err = e.pinned(ctx, s, goal, sites); err != nil {
			return p, nil, err
		}
	}
	after := sites[len(sites)-1].world
	p.Site.Value = show(after, c.Target.Cluster, f)
	if f.from != nil {
		p.Site.Object, _ = sourceOf(after, c.Target.Cluster, f)
		if p.Site.Object == f.object && !e.detect {
			return p, nil, fault.Newf(fault.Refused, "Flux would not notice the new version of %s at once", c.Target.App.Name).
				WithHelp("it stands in %s, which keeps its name: the release looks into it at its next interval, and nothing would tell old from new\nmake it with a configMapGenerator, or change it by hand", f.object).
				WithCode(Shaped)
		}
	}
	all, err := e.prove(ctx, s, f, after, filesOf(sites))
	if err == nil && c.TagOnly {
		err = digestsGone(s, after, goal)
	}
	if err != nil {
		return p, nil, err
	}
	if p.Parts, err = e.arrive(ctx, s, after, goal[0].wanted); err != nil {
		return p, nil, err
	}
	if len(all.others) > 0 {
		p.Sharing = e.sharing(ctx, s, f, goal[0].wanted, all)
		return p, nil, e.refuseShared(ctx, s, goal, sites, all.others)
	}
	return e.settle(ctx, s, f, p, sites, all)
}

// pick finds the fields that a change means.
func (e *engine) pick(s *scene) (own, more []field, err error) {
	fields := fieldsOf(s.world, s.object)
	if len(fields) == 0 {
		return nil, nil, noField(s.world, s.object)
	}
	c := s.change
	if c.Field == deploy.FieldAny && e.fields != nil {
		if want := e.fields(c.Target.App); slices.ContainsFunc(fields, func(f field) bool { return f.kind == want }) {
			c.Field = want
		}
	}
	return choose(s.world, fields, c, s.object)
}

// move finds the sites of fields that move together, each in the world that the
// one before it made.
func (e *engine) move(ctx context.Context, s *scene, goal []aim) ([]site, error) {
	var sites []site
	now := *s
	for _, a := range goal {
		if value := show(now.world, s.change.Target.Cluster, a.field); versionOf(a.field, value) == a.wanted {
			continue // an earlier edit moved it too
		}
		if err := checkSwap(a.field, a.wanted, s.change); err != nil {
			return nil, offerPin(s.change, a.field, err)
		}
		found, err := e.locate(ctx, &now, a.field, a.wanted)
		if err != nil {
			return nil, err
		}
		sites = append(sites, found...)
		now.world = found[len(found)-1].world
	}
	return sites, nil
}

// pinned replaces sites that others share by overrides.
func (e *engine) pinned(ctx context.Context, s *scene, goal []aim, sites []site) ([]site, error) {
	all, err := e.prove(ctx, s, goal[0].field, sites[len(sites)-1].world, filesOf(sites))
	if err == nil && len(all.others) == 0 {
		return sites, nil // it is the app's alone already
	}
	return e.pin(ctx, s, goal)
}

func filesOf(sites []site) []string {
	var out []string
	for _, s := range sites {
		if !slices.Contains(out, s.file) {
			out = append(out, s.file)
		}
	}
	return out
}

// finish fills in what proven sites mean.
func (e *engine) finish(ctx context.Context, s *scene, p deploy.Plan, sites []site, all proof) (deploy.Plan, *flux.World, error) {
	p.Files = map[string][]byte{}
	var diff, rendered strings.Builder
	for _, at := range sites {
		p.Edits = append(p.Edits, deploy.Edit{File: at.file, Line: at.line, Column: at.column, Before: at.before, After: at.after, Suspends: at.suspends})
		p.Files[at.file] = at.data
	}
	for _, file := range filesOf(sites) {
		before, err := read(ctx, s.world.Files(), file)
		from := "a/" + file
		if _, missing := err.(errNoFile); missing { //nolint:errorlint // made by read itself
			from, err = "/dev/null", nil
		}
		if err != nil {
			return p, nil, err
		}
		to := "b/" + file
		if p.Files[file] == nil {
			to = "/dev/null"
		}
		diff.WriteString(unified(from, to, string(before), string(p.Files[file])))
	}
	p.Diff = diff.String()
	for _, m := range all.all {
		p.Affected = append(p.Affected, deploy.Affected{Cluster: m.cluster, Object: m.ref()})
		name := string(m.cluster) + ": " + m.ref().String()
		rendered.WriteString(unified(name, name, pretty(m.before), pretty(m.after)))
	}
	p.RenderedDiff = rendered.String()
	p.Warnings = append(p.Warnings, gapsTouched(s, all.after, sites)...)
	p.Hash = hash(p)
	return p, all.after, nil
}

// stage finds the target of a change in a world.
func (e *engine) stage(ctx context.Context, w *flux.World, c deploy.Change) (*scene, error) {
	if c.Owner.Kustomization == (deploy.Ref{}) {
		return nil, fault.Newf(fault.Refused, "%s on %s is not managed by Flux", c.Target.App.Name, c.Target.Cluster).
			WithHelp("somebody put it there past Git, and ferry changes nothing but Git\ndeclare it in the repository, so that Flux applies it; then ask again").WithCode(NotInGit)
	}
	root := w.Find(c.Target.Cluster, c.Owner.Kustomization)
	switch {
	case root == nil:
		return nil, fault.Newf(fault.Refused, "%s does not declare %s, which applies %s", c.Target.Cluster, c.Owner.Kustomization, c.Target.App.Name).WithCode(NotInGit)
	case root.Rendering == nil:
		return nil, fault.Newf(fault.Refused, "%s on %s is applied from %s", c.Target.App.Name, c.Target.Cluster, root.Elsewhere).
			WithHelp("ferry is configured to change another repository or branch").WithCode(Elsewhere)
	case root.Rendering.Err != nil:
		return nil, unbuildable(ctx, w, c.Target, root)
	}
	o, err := find(root, c)
	if err == nil && o.Gap != "" {
		return nil, fault.Newf(fault.Refused, "what %s is on %s is not all in this repository", c.Target.App.Name, c.Target.Cluster).
			WithHelp("%s. Change it by hand, or bring what is missing into the repository", o.Gap).WithCode(Elsewhere)
	}
	return &scene{change: c, world: w, object: o}, err
}

// find returns the object of the target among what its Kustomization renders.
func find(root *flux.Root, c deploy.Change) (flux.Placed, error) {
	want := []deploy.Ref{c.Owner.Release}
	if c.Owner.Release == (deploy.Ref{}) {
		want = append([]deploy.Ref{{Kind: "Deployment", Namespace: c.Target.App.Namespace, Name: c.Target.App.Name}}, c.Owner.Workloads...)
	}
	for _, ref := range want {
		for _, o := range root.Rendering.Objects {
			if o.Ref == ref || (o.Ref.Namespace == "" && o.Ref.Kind == ref.Kind && o.Ref.Name == ref.Name) {
				return flux.Placed{Object: o, Root: root}, nil
			}
		}
	}
	if gaps := root.Rendering.Gaps(); len(gaps) > 0 {
		return flux.Placed{}, fault.Newf(fault.Refused, "%s is not in this repository: %s of %s also takes in what stands elsewhere", want[0], root.Ref, c.Target.Cluster).
			WithHelp("it may come from %s: change the version in that address by hand", strings.Join(gaps[:min(3, len(gaps))], ", or ")).WithCode(Elsewhere)
	}
	return flux.Placed{}, fault.Newf(fault.Refused, "Git does not declare %s: %s of %s renders nothing of that name", want[0], root.Ref, c.Target.Cluster).
		WithHelp("it may have been removed or renamed in Git").WithCode(NotInGit)
}

// ambiguous names every field that could be meant, with the place in Git where
// that is found.
func (e *engine) ambiguous(ctx context.Context, s *scene, fields []field) error {
	var places, choices []string
	count := map[deploy.FieldKind]int{}
	for _, f := range fields {
		what := "chart"
		if f.kind == deploy.FieldImage {
			what = "image " + strings.TrimPrefix(f.path, "/spec/")
		}
		place := fmt.Sprintf("%s `%s`", what, f.version)
		if at, err := e.locate(ctx, s, f, probeVersion(f)); err == nil {
			place += fmt.Sprintf(" (%s:%d)", at[0].file, at[0].line)
		}
		places = append(places, place)
		if count[f.kind]++; count[f.kind] == 1 {
			c := s.change
			c.Field = f.kind
			choices = append(choices, promoteText(c, string(c.Version)))
		}
	}
	err := fault.Newf(fault.Ambiguous, "%s has more than one version in Git: %s", s.change.Target.App.Name, strings.Join(places, ", ")).WithCode(Ambiguous)
	if len(choices) > 1 {
		return err.WithHelp("say which one is meant").WithChoices(choices...)
	}
	return err.WithHelp("ferry cannot tell which image is the app's; change it by hand")
}

// probeVersion is a version other than the present one, for finding its place.
func probeVersion(f field) string {
	tag, digest := splitVersion(f.version)
	if digest != "" {
		digest = "sha256:" + strings.Repeat("0", 64)
	}
	core, _, _ := strings.Cut(tag, "+")
	switch { // what stands before the version stays, as a variable may be joined with it
	case f.kind == deploy.FieldChart && digest == "" && f.ranged:
		return "0.0.0-ferry"
	case f.kind == deploy.FieldChart && digest == "" && strings.Contains(core, "-"):
		return core + ".ferry"
	case tag == "":
		return digest
	case digest == "":
		return core + "-ferry"
	}
	return core + "-ferry@" + digest
}

// hash covers intent, values and blast radius: not the base, not the lines.
func hash(p deploy.Plan) string {
	type edit struct{ File, Before, After string }
	var edits []edit
	for _, e := range p.Edits {
		if e.Suspends == (deploy.Ref{}) {
			edits = append(edits, edit{e.File, e.Before, e.After})
		}
	}
	affected, stopped := outOfService(p)
	all := []any{p.Change.Target, p.Change.Version, p.From, p.Already, p.Site, edits, affected}
	if len(stopped) > 0 {
		all = append(all, stopped)
	}
	if len(p.Parts) > 0 {
		all = append(all, p.Parts)
	}
	data, err := json.Marshal(all)
	if err != nil {
		return "" // strings only: it can be written
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:16])
}

func unified(from, to, before, after string) string {
	out, err := difflib.GetUnifiedDiffString(difflib.UnifiedDiff{
		A: difflib.SplitLines(before), B: difflib.SplitLines(after), FromFile: from, ToFile: to, Context: 3,
	})
	if err != nil {
		return ""
	}
	return out
}

func yamlOf(data []byte) string {
	out, err := yaml.JSONToYAML(data)
	if err != nil {
		return string(data)
	}
	return string(out)
}
