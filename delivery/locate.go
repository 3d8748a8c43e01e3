package delivery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"ferry/delivery/flux"
	"ferry/internal/deploy"
	"ferry/internal/fault"
)

// scene is a change in a world.
type scene struct {
	change deploy.Change
	world  *flux.World
	object flux.Placed // the target's object
	// fellows are the other targets of the change.
	fellows []fellow
	// ahead is what is known ahead of it, if anything.
	ahead *outlook
}

// site is a scalar that moves a field.
type site struct {
	candidate
	before, after string // the token
	line, column  int
	data          []byte // the file after the edit
	// value is the whole scalar that is rendered then, in world.
	value string
	world *flux.World
	// suspends is the automation that it suspends, for a site of that.
	suspends deploy.Ref
}

// maxProbes is how many candidates are tried before ferry gives up.
const maxProbes = 80

// locate finds the scalar that moves a field to a version; two where tag and
// digest are rendered as one reference and stand apart. The likely ones are
// tried first, and before all the one that did it last time: which is found
// depends on the rendering alone.
func (e *engine) locate(ctx context.Context, s *scene, f field, wanted string) ([]site, error) {
	all, blocked, err := e.collect(ctx, s, f, wanted)
	if err != nil {
		return nil, err
	}
	var near string
	var shape error
	for i, c := range all {
		if i >= maxProbes {
			return nil, fault.Newf(fault.Refused, "`%s` stands in too many places to find the one of %s", f.version, s.change.Target.App.Name).
				WithHelp("change it by hand once, to a version of its own").WithCode(NotInGit)
		}
		data, edit, err := c.edit()
		if err != nil {
			shape = errors.Join(shape, fmt.Errorf("%s: %w", c.file, err))
			continue
		}
		at := site{candidate: c, before: edit.Before, after: edit.After, line: edit.Line, column: edit.Column, data: data}
		if at.world, err = e.with(ctx, s, c, data); err != nil {
			return nil, err
		}
		at.value = show(at.world, s.change.Target.Cluster, f)
		if versionOf(f, at.value) == wanted {
			e.remember(hint{s.change.Target, f.path}, c.name())
			return []site{at}, nil
		}
		if rest := f.after(at.value, wanted); rest != nil {
			next := &scene{change: s.change, world: at.world, object: s.object, fellows: s.fellows}
			if more, err := e.locate(ctx, next, *rest, wanted); err == nil {
				return append([]site{at}, more...), nil
			}
		}
		if at.value != f.value && at.value != "" {
			near = fmt.Sprintf("%s:%d would make it `%s`", c.file, edit.Line, at.value)
		}
	}
	return nil, s.notFound(f, near, blocked, shape)
}

// collect lists the candidates of all files, the likely ones first, and what
// could not be looked into.
func (e *engine) collect(ctx context.Context, s *scene, f field, wanted string) (all []candidate, blocked []string, err error) {
	last := e.remembered(hint{s.change.Target, f.path})
	for _, file := range s.candidates(f) {
		before, err := read(ctx, s.world.Files(), file)
		if err != nil {
			return nil, nil, err
		}
		if !mayHold(before, f.version) && !holdsVariables(file, before) {
			continue
		}
		found, why := candidatesIn(file, before, f, wanted)
		if why != "" {
			blocked = append(blocked, fmt.Sprintf("`%s` %s", file, why))
			continue
		}
		for _, c := range found {
			if c.name() == last {
				c.score += 100
			}
			all = append(all, c)
		}
	}
	slices.SortStableFunc(all, func(a, b candidate) int { return b.score - a.score })
	return all, blocked, nil
}

// candidates are the files that decide on a field: what is read to render its
// object, and what those read that declare the Kustomization which does it.
func (s *scene) candidates(f field) []string {
	files := map[string]bool{}
	add := func(file string) { files[file] = true }
	cluster := s.change.Target.Cluster
	done := map[deploy.Ref]bool{}
	var follow func(root *flux.Root, o *flux.Object)
	follow = func(root *flux.Root, o *flux.Object) {
		if root == nil || root.Rendering == nil {
			return
		}
		root.Rendering.ReadsFor(o, add)
		if done[root.Ref] {
			return
		}
		done[root.Ref] = true
		for _, dep := range s.world.Dependencies(root) {
			follow(dep.Root, dep.Object)
		}
	}
	if f.from != nil {
		follow(s.object.Root, s.object.Object)
	}
	target := s.world.Lookup(cluster, f.group, f.object)
	follow(s.world.Find(cluster, f.root), target.Object)
	out := make([]string, 0, len(files))
	for file := range files {
		out = append(out, file)
	}
	slices.Sort(out)
	return out
}

// after is the field once its tag, or its digest, is the wanted one and the other
// is still to be moved; nil if a value is not that.
func (f field) after(value, wanted string) *field {
	tag, digest := splitVersion(f.version)
	wantTag, wantDigest := splitVersion(wanted)
	nowTag, nowDigest := splitVersion(versionOf(f, value))
	if tag == "" || digest == "" || wantTag == "" || wantDigest == "" {
		return nil
	}
	if (nowTag != wantTag || nowDigest != digest) && (nowTag != tag || nowDigest != wantDigest) {
		return nil
	}
	f.version = versionOf(f, value)
	f.value = value
	return &f
}

// versionOf reads the version from the value of a field.
func versionOf(f field, value string) string {
	if f.value == f.version {
		return value
	}
	return parseReference(value).version()
}

// notFound says why no scalar moves a field.
func (s *scene) notFound(f field, near string, blocked []string, shape error) error {
	app := s.change.Target.App.Name
	root := s.world.Find(s.change.Target.Cluster, f.root)
	if name := flux.DependsOnUnknown(f.value); name != "" {
		return fault.Newf(fault.Refused, "the version of %s comes from the variable %s, which ferry cannot read", app, name).
			WithHelp("%s\nchange the variable by hand, or move it into a ConfigMap in Git", root.Unknown).WithCode(FromSecret)
	}
	switch {
	case len(blocked) > 0:
		return sealed(app, blocked)
	case near != "":
		return fault.Newf(fault.Refused, "Flux would read that version of %s differently", app).
			WithHelp("%s: quotes are lost in Flux's substitution. Change it by hand, or name the version another way", near).WithCode(Shaped).Because(shape)
	case shape != nil:
		return fault.Newf(fault.Refused, "the version of %s is written in a way that ferry cannot change safely", app).
			WithHelp("write it on one line in Git first").WithCode(Shaped).Because(shape)
	}
	if from := root.Secrets(); len(from) > 0 {
		return fault.Newf(fault.Refused, "the version of %s comes from a variable that is not in Git", app).
			WithHelp("`%s` may come from %s: change it there by hand, or move the variable into a ConfigMap in Git", f.version, strings.Join(from, " or ")).WithCode(FromSecret)
	}
	return fault.Newf(fault.Refused, "`%s`, the version of %s, does not stand in any file that ferry could change", f.version, app).
		WithHelp("change it by hand where it stands").WithCode(NotInGit)
}

// sealed refuses where the version stands in files that cannot be looked into, or
// not be changed.
func sealed(app string, blocked []string) error {
	places := strings.Join(blocked[:min(3, len(blocked))], "\n")
	if strings.Contains(blocked[0], "encrypted") {
		return fault.Newf(fault.Refused, "the version of %s seems to stand in an encrypted file", app).
			WithHelp("%s\nchange it with `sops`, or move the version into a file that is not encrypted", places).WithCode(Encrypted)
	}
	return fault.Newf(fault.Refused, "the version of %s may stand in a file that ferry cannot change", app).
		WithHelp("%s\nchange it by hand", places).WithCode(Unreadable)
}

// pretty is an object as people read it.
func pretty(o *flux.Object) string {
	if o == nil {
		return ""
	}
	data, err := json.Marshal(o.Data())
	if err != nil {
		return ""
	}
	return yamlOf(data)
}
