package delivery

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
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
	head, err := d.repo.Head(ctx)
	if err != nil {
		return deploy.Plan{}, err
	}
	return d.planOn(ctx, head, c, declared)
}

func (d *Delivery) planOn(ctx context.Context, head forge.Head, c deploy.Change, declared []deploy.Declared) (deploy.Plan, error) {
	s, err := d.stage(ctx, head, c, declared)
	if err != nil {
		return deploy.Plan{}, err
	}
	fields, err := fieldsOf(s.object, c)
	if err != nil {
		return deploy.Plan{}, err
	}
	f, more, err := choose(fields, c)
	if err != nil {
		return deploy.Plan{}, err
	}
	if len(more) > 0 {
		return deploy.Plan{}, d.ambiguous(ctx, s, append([]field{f}, more...))
	}
	p := deploy.Plan{
		Change: c, Source: s.source(d), Base: head.SHA, From: deploy.Version(f.version),
		Site: deploy.Site{Field: f.kind, Object: f.object, Path: f.path, Value: f.value},
	}
	wanted := string(c.Version)
	if f.version == wanted {
		p.Already = true
		p.Hash = hash(p)
		return p, nil
	}
	if err := checkWanted(f.kind, c.Version); err != nil {
		return p, err
	}
	if err := checkSwap(f, wanted); err != nil {
		return p, err
	}
	at, err := d.locate(ctx, s, f, wanted)
	if err != nil {
		return p, err
	}
	if err := s.editable(at.file); err != nil {
		return p, err
	}
	all, err := d.prove(ctx, s, at)
	if err != nil {
		return p, err
	}
	return d.finish(ctx, s, p, at, all)
}

// finish fills in what a proven site means.
func (d *Delivery) finish(ctx context.Context, s *scene, p deploy.Plan, at site, all []moved) (deploy.Plan, error) {
	before, err := s.read(ctx, at.file)
	if err != nil {
		return p, err
	}
	p.Site.Value = at.value
	p.Edits = []deploy.Edit{{File: at.file, Line: at.edit.Line, Column: at.edit.Column, Before: at.edit.Before, After: at.edit.After}}
	p.Files = map[string][]byte{at.file: at.data}
	p.Diff = unified("a/"+at.file, "b/"+at.file, string(before), string(at.data))
	var rendered strings.Builder
	for _, m := range all {
		p.Affected = append(p.Affected, deploy.Affected{Cluster: m.cluster, Object: m.ref()})
		name := string(m.cluster) + ": " + m.ref().String()
		rendered.WriteString(unified(name, name, pretty(m.before), pretty(m.after)))
	}
	p.RenderedDiff = rendered.String()
	p.Hash = hash(p)
	return p, nil
}

// stage renders the head and finds the target in it.
func (d *Delivery) stage(ctx context.Context, head forge.Head, c deploy.Change, declared []deploy.Declared) (*scene, error) {
	if c.Owner.Kustomization == (deploy.Ref{}) {
		return nil, fault.Newf(fault.Refused, "%s on %s is not managed by Flux", c.Target.App, c.Target.Cluster).
			WithHelp("ferry changes what a Kustomization or HelmRelease of Flux applies")
	}
	files, err := d.files(ctx, head)
	if err != nil {
		return nil, err
	}
	if declared, err = d.resolve(ctx, files, declared); err != nil {
		return nil, err
	}
	s := &scene{change: c, files: files, declared: declared}
	if s.world, err = d.flux.World(ctx, files, d.ours, declared); err != nil {
		return nil, err
	}
	s.root = s.world.Find(c.Target.Cluster, c.Owner.Kustomization)
	switch {
	case s.root == nil:
		return nil, fault.Newf(fault.Refused, "%s does not declare %s, which applies %s", c.Target.Cluster, c.Owner.Kustomization, c.Target.App.Name)
	case s.root.Rendering == nil:
		return nil, fault.Newf(fault.Refused, "%s on %s is applied from %s", c.Target.App.Name, c.Target.Cluster, s.root.Elsewhere).
			WithHelp("ferry is configured to change %s, branch %s", d.repo.Full(), d.repo.Branch())
	case s.root.Rendering.Err != nil:
		return nil, fault.Newf(fault.Refused, "%s of %s cannot be rendered from Git", s.root.Ref, c.Target.Cluster).
			WithHelp("Flux must have the same trouble; mend it first: %s", firstLine(s.root.Rendering.Err)).Because(s.root.Rendering.Err)
	}
	s.object, err = s.find()
	return s, err
}

// find returns the object of the target among what its Kustomization renders.
func (s *scene) find() (*flux.Object, error) {
	c := s.change
	want := []deploy.Ref{c.Owner.Release}
	if c.Owner.Release == (deploy.Ref{}) {
		want = append([]deploy.Ref{{Kind: "Deployment", Namespace: c.Target.App.Namespace, Name: c.Target.App.Name}}, c.Owner.Workloads...)
	}
	for _, ref := range want {
		for _, o := range s.root.Rendering.Objects {
			if o.Ref == ref || (o.Ref.Namespace == "" && o.Ref.Kind == ref.Kind && o.Ref.Name == ref.Name) {
				return o, nil
			}
		}
	}
	return nil, fault.Newf(fault.Refused, "Git does not declare %s: %s of %s renders nothing of that name", want[0], s.root.Ref, c.Target.Cluster).
		WithHelp("it may have been removed or renamed in Git")
}

func (s *scene) source(d *Delivery) deploy.Source {
	for _, decl := range s.declared {
		for _, k := range decl.Kustomizations {
			if decl.Cluster == s.root.Cluster && k.Ref.Name == s.root.Ref.Name && k.Ref.Namespace == s.root.Ref.Namespace {
				return k.Source
			}
		}
	}
	return deploy.Source{URL: "https://" + d.repo.WebHost() + "/" + d.repo.Full(), Branch: d.repo.Branch()}
}

// ambiguous names every field that could be meant, with the place in Git where
// that is found.
func (d *Delivery) ambiguous(ctx context.Context, s *scene, fields []field) error {
	var places, choices []string
	count := map[deploy.FieldKind]int{}
	for _, f := range fields {
		what := "chart"
		if f.kind == deploy.FieldImage {
			what = "image " + strings.TrimPrefix(f.path, "/spec/")
		}
		place := fmt.Sprintf("%s `%s`", what, f.version)
		if at, err := d.locate(ctx, s, f, probeVersion(f)); err == nil {
			place += fmt.Sprintf(" (%s:%d)", at.file, at.edit.Line)
		}
		places = append(places, place)
		if count[f.kind]++; count[f.kind] == 1 {
			t := s.change.Target
			choices = append(choices, fmt.Sprintf("promote %s@%s %s to %s", t.App.Name, s.change.Version, f.kind, t.Cluster))
		}
	}
	e := fault.Newf(fault.Ambiguous, "%s has more than one version in Git: %s", s.change.Target.App.Name, strings.Join(places, ", "))
	if len(choices) > 1 {
		return e.WithHelp("say which one is meant").WithChoices(choices...)
	}
	return e.WithHelp("ferry cannot tell which image is the app's; change it by hand")
}

// probeVersion is a version other than the present one, for finding its place.
func probeVersion(f field) string {
	if f.kind == deploy.FieldChart {
		return "0.0.0-ferry"
	}
	if isDigest(f.version) {
		return "sha256:" + strings.Repeat("0", 64)
	}
	return "ferry-probe"
}

// hash covers intent, values and blast radius: not the base, not the lines.
func hash(p deploy.Plan) string {
	type edit struct{ File, Before, After string }
	var edits []edit
	for _, e := range p.Edits {
		edits = append(edits, edit{e.File, e.Before, e.After})
	}
	data, err := json.Marshal([]any{p.Change.Target, p.Change.Version, p.From, p.Already, p.Site, edits, p.Affected})
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
