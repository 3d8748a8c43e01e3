package delivery

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"sigs.k8s.io/yaml"

	"ferry/delivery/flux"
	"ferry/delivery/yamledit"
	"ferry/internal/deploy"
)

// The order of places for spec.suspend: where something stands already that
// decides, then where it would be written by hand.
const (
	suspendInText   = 5 // an inline patch that sets it
	suspendInPatch  = 4 // a patch that sets it
	suspendThere    = 3 // the automation itself, where it sets it
	suspendNew      = 2 // the automation itself
	suspendAdded    = 1 // a patch of it that is there
	suspendNewPatch = 0 // a new patch in a kustomization, where others share the automation
)

const suspendPath = "/spec/suspend"

// candidates are the places where an automation could be suspended, the likely ones
// first; why says what was not looked into.
func (w *suspending) candidates(ctx context.Context, a deploy.Automation) (out []candidate, why string, err error) {
	o := w.object(a)
	files := []string{a.At.File}
	if o.Object != nil {
		files = files[:0]
		o.Root.Rendering.ReadsFor(o.Object, func(file string) { files = append(files, file) })
		slices.Sort(files)
	}
	for _, file := range slices.Compact(files) {
		if file == "" || !manifest(file) {
			continue
		}
		data, err := read(ctx, w.world.Files(), file)
		if err != nil {
			return nil, "", err
		}
		y, err := yamledit.Parse(data)
		switch {
		case err != nil:
			continue // what renders can be parsed
		case y.Encrypted() && bytes.Contains(data, []byte(imageAutomation)):
			why = fmt.Sprintf("`%s` %s", file, sealedFile)
			continue
		case y.Encrypted():
			continue
		}
		out = append(out, suspensionsIn(file, y, a, o)...)
	}
	slices.SortStableFunc(out, func(x, y candidate) int { return y.score - x.score })
	return out, why, nil
}

// object is the automation as it is rendered; none if no known cluster applies it.
func (w *suspending) object(a deploy.Automation) flux.Placed {
	if a.Cluster == "" {
		return flux.Placed{}
	}
	o := w.world.Lookup(a.Cluster, imageGroup, a.Ref)
	if o.Object == nil { // whoever applies it gives it its namespace
		o = w.world.Lookup(a.Cluster, imageGroup, deploy.Ref{Kind: a.Ref.Kind, Name: a.Ref.Name})
	}
	return o
}

// suspensionsIn lists the places of one file.
func suspensionsIn(file string, y *yamledit.File, a deploy.Automation, o flux.Placed) []candidate {
	var out []candidate
	add := func(score, doc int, where string, edit func() ([]byte, yamledit.Edit, error)) {
		out = append(out, candidate{file: file, doc: strconv.Itoa(doc), docIndex: doc, path: where, score: score, edit: edit})
	}
	for doc := range y.Docs() {
		d := describe(y, doc)
		if names(d, a) {
			_, own := y.Lookup(doc, "/spec/sourceRef")
			s, set := suspendIn(y, doc)
			switch {
			case set && own:
				add(suspendThere, doc, suspendPath, func() ([]byte, yamledit.Edit, error) { return y.Turn(s, true) })
			case set:
				add(suspendInPatch, doc, suspendPath, func() ([]byte, yamledit.Edit, error) { return y.Turn(s, true) })
			case own:
				add(suspendNew, doc, suspendPath, func() ([]byte, yamledit.Edit, error) { return y.Set(doc, suspendPath, yamledit.Bool(true)) })
			default:
				add(suspendAdded, doc, suspendPath, func() ([]byte, yamledit.Edit, error) { return y.Set(doc, suspendPath, yamledit.Bool(true)) })
			}
			continue
		}
		if o.Object == nil || !isKustomizationFile(file) || d.kind != "" && d.kind != "Kustomization" && d.kind != "Component" {
			continue
		}
		for _, outer := range y.Scalars() {
			if outer.Doc != doc || !strings.HasPrefix(outer.Path, "/patches") || !holdsYAML(outer.Value) {
				continue
			}
			if sub, s, ok := suspendInside(y, outer, a); ok {
				add(suspendInText, doc, outer.Path, func() ([]byte, yamledit.Edit, error) { return y.TurnInside(outer, sub, s, true) })
			}
		}
		add(suspendNewPatch, doc, "/patches", func() ([]byte, yamledit.Edit, error) { return y.Append(doc, "/patches", suspendPatch(a, o)) })
	}
	return out
}

// names reports whether a document may be an automation, or a patch of it: its name
// may get a prefix, its namespace may be given later, and rendering decides. Where
// nothing is rendered it must be that one by its names.
func names(d document, a deploy.Automation) bool {
	if d.kind != imageAutomation || d.group != imageGroup || d.name == "" {
		return false
	}
	if a.Cluster == "" {
		return d.name == a.Ref.Name && (d.namespace == "" || d.namespace == a.Ref.Namespace)
	}
	return strings.Contains(a.Ref.Name, d.name)
}

func suspendIn(y *yamledit.File, doc int) (yamledit.Scalar, bool) {
	s := scalarAt(y, doc, suspendPath)
	return s, s.Path != ""
}

// suspendInside finds spec.suspend of an automation in the text of a patch.
func suspendInside(y *yamledit.File, outer yamledit.Scalar, a deploy.Automation) (*yamledit.File, yamledit.Scalar, bool) {
	sub, err := y.Inside(outer)
	if err != nil {
		return nil, yamledit.Scalar{}, false
	}
	for doc := range sub.Docs() {
		if s, ok := suspendIn(sub, doc); ok && names(describe(sub, doc), a) {
			return sub, s, true
		}
	}
	return nil, yamledit.Scalar{}, false
}

// suspendPatch is an entry of a kustomization's patches.
func suspendPatch(a deploy.Automation, o flux.Placed) yamledit.Node {
	text, err := yaml.Marshal(map[string]any{
		"apiVersion": at(o.Data(), "/apiVersion"), "kind": imageAutomation,
		"metadata": map[string]any{"name": a.Ref.Name}, "spec": map[string]any{"suspend": true},
	})
	if err != nil {
		return yamledit.Map() // strings only: it can be written
	}
	return yamledit.Map(
		yamledit.Pair{Key: "patch", Value: yamledit.Literal(string(text))},
		yamledit.Pair{Key: "target", Value: yamledit.Map(
			yamledit.Pair{Key: "kind", Value: yamledit.Str(imageAutomation)},
			yamledit.Pair{Key: "name", Value: yamledit.Str(a.Ref.Name)},
		)},
	)
}

// equalData compares decoded objects.
func equalData(a, b map[string]any) bool {
	x, errX := json.Marshal(a) // keys come sorted
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

// others lists the marked fields, in files that clusters read, which an automation
// writes besides those of a plan.
func (a *automations) others(ctx context.Context, one deploy.Automation, own []deploy.Automation) ([]string, error) {
	data, err := a.dataOf(ctx, one)
	if err != nil || data == nil {
		return nil, err
	}
	f := a.world.Files()
	var files, shas, out []string
	for file := range a.world.ReadBy() {
		if entry, ok := f.Tree.Entry(file); ok && manifest(file) {
			files, shas = append(files, file), append(shas, entry.SHA)
		}
	}
	if err := f.Blobs.Prefetch(ctx, shas); err != nil {
		return nil, err
	}
	slices.Sort(files)
	for _, file := range files {
		text, err := read(ctx, f, file)
		if err != nil {
			return nil, err
		}
		if !bytes.Contains(text, []byte(imagePolicyField)) {
			continue
		}
		y, err := yamledit.Parse(text)
		if err != nil {
			continue // Flux cannot read it either
		}
		for _, s := range y.Scalars() {
			policy, marked := markedFor(s.Marker())
			mine := slices.ContainsFunc(own, func(o deploy.Automation) bool { return o.Field == deploy.Place{File: file, Line: s.Line} })
			if !marked || mine {
				continue
			}
			if found, ok := a.covers(one.Cluster, data, policy, file); ok && found.Branch == "" {
				out = append(out, fmt.Sprintf("`%s:%d`", file, s.Line))
			}
		}
	}
	return out, nil
}

// dataOf is an automation as it was before a plan.
func (a *automations) dataOf(ctx context.Context, one deploy.Automation) (map[string]any, error) {
	for _, o := range a.running() {
		if o.Root.Cluster == one.Cluster && o.Ref.Name == one.Ref.Name && (o.Ref.Namespace == "" || o.Ref.Namespace == one.Ref.Namespace) {
			return o.Data(), nil
		}
	}
	lying, err := a.lying(ctx)
	if err != nil {
		return nil, err
	}
	for _, d := range lying {
		ns := text(at(d.data, "/metadata/namespace"))
		if d.at.File == one.At.File && text(d.data["kind"]) == imageAutomation && text(at(d.data, "/metadata/name")) == one.Ref.Name && (ns == "" || ns == one.Ref.Namespace) {
			return d.data, nil
		}
	}
	return nil, nil
}
