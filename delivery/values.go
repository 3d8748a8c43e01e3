package delivery

import (
	"cmp"
	"strings"

	"sigs.k8s.io/yaml"

	"ferry/delivery/flux"
	"ferry/internal/deploy"
)

// layer is one of the sources that a release's values are merged from; later
// ones win.
type layer struct {
	tree   any
	fields []layered
}

// layered is a field and where it stands in the merged values.
type layered struct {
	field
	valuePath string
}

// hidden reports whether a later layer replaces what stands at a path.
func hidden(later []layer, path string) bool {
	for _, l := range later {
		if at(l.tree, path) != nil {
			return true
		}
	}
	return false
}

// valueLayers lists the layers of a release's values: each entry of valuesFrom
// that Git declares, then its own. Secrets are not opened.
func valueLayers(w *flux.World, o flux.Placed, data map[string]any) []layer {
	var out []layer
	from, _ := at(data, "/spec/valuesFrom").([]any)
	for i, raw := range from {
		m, _ := raw.(map[string]any)
		if l, ok := fromLayer(w, o, m, i); ok {
			out = append(out, l)
		}
	}
	own := layer{tree: at(data, "/spec/values")}
	for _, f := range imageFields("", own.tree) {
		l := layered{f, f.path}
		l.path = "/spec/values" + f.path
		own.fields = append(own.fields, l)
	}
	return append(out, own)
}

// fromLayer reads one entry of valuesFrom.
func fromLayer(w *flux.World, o flux.Placed, entry map[string]any, index int) (layer, bool) {
	if text(entry["kind"]) != "ConfigMap" {
		return layer{}, false
	}
	source := w.Lookup(o.Root.Cluster, "", deploy.Ref{Kind: "ConfigMap", Namespace: o.Ref.Namespace, Name: text(entry["name"])})
	if source.Object == nil {
		return layer{}, false
	}
	key := cmp.Or(text(entry["valuesKey"]), "values.yaml")
	path := "/data/" + strings.ReplaceAll(strings.ReplaceAll(key, "~", "~0"), "/", "~1")
	value := text(at(source.Data(), path))
	place := func(f field, inner string) field {
		f.object, f.group, f.root, f.path = source.Ref, "", source.Root.Ref, path
		f.from = &valuesSource{release: o.Ref, index: index, inner: inner}
		return f
	}
	if target := text(entry["targetPath"]); target != "" {
		steps := strings.Split(target, ".")
		f, ok := imageField(map[string]any{steps[len(steps)-1]: value}, steps[len(steps)-1])
		if !ok {
			return layer{}, false
		}
		f.kind, f.container = deploy.FieldImage, ownerOf("/"+strings.Join(steps, "/"))
		return layer{fields: []layered{{place(f, ""), "/" + strings.Join(steps, "/")}}}, true
	}
	var tree any
	if err := yaml.Unmarshal([]byte(value), &tree); err != nil {
		return layer{}, false
	}
	l := layer{tree: tree}
	for _, f := range imageFields("", tree) {
		l.fields = append(l.fields, layered{place(f, f.path), f.path})
	}
	return l, true
}

// show reads what a field shows in a world: "" if it is not there.
func show(w *flux.World, c deploy.Cluster, f field) string {
	if f.from == nil {
		return text(at(objectIn(w, c, f.root, f.group, f.object), f.path))
	}
	ref, ok := sourceOf(w, c, f)
	if !ok {
		return ""
	}
	source := w.Lookup(c, "", ref)
	if source.Object == nil {
		return ""
	}
	value := text(at(source.Data(), f.path))
	if f.from.inner == "" {
		return value
	}
	return innerValue(value, f.from.inner)
}

// innerValue reads a scalar of YAML text.
func innerValue(value, pointer string) string {
	var tree any
	if err := yaml.Unmarshal([]byte(value), &tree); err != nil {
		return ""
	}
	return text(at(tree, pointer))
}

// sourceOf names the object that a release takes a field's value from.
func sourceOf(w *flux.World, c deploy.Cluster, f field) (deploy.Ref, bool) {
	release := w.Lookup(c, helmGroup, f.from.release)
	if release.Object == nil {
		return deploy.Ref{}, false
	}
	entries, _ := at(release.Data(), "/spec/valuesFrom").([]any)
	if f.from.index >= len(entries) {
		return deploy.Ref{}, false
	}
	entry, _ := entries[f.from.index].(map[string]any)
	return deploy.Ref{Kind: "ConfigMap", Namespace: release.Ref.Namespace, Name: text(entry["name"])}, true
}

// objectIn decodes an object that a Kustomization renders; nil if it does not.
func objectIn(w *flux.World, c deploy.Cluster, root deploy.Ref, group string, ref deploy.Ref) map[string]any {
	r := w.Find(c, root)
	if r == nil || r.Rendering == nil || r.Rendering.Err != nil {
		return nil
	}
	for _, o := range r.Rendering.Objects {
		if o.Group == group && o.Ref == ref {
			return o.Data()
		}
	}
	return nil
}
