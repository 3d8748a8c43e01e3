package cluster

import (
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"ferry/plugins/flux/line"
)

// Ref names an object that another one names.
type Ref struct{ Group, Kind, Namespace, Name string }

// String is as Flux's own tree writes it.
func (r Ref) String() string {
	if r.Namespace == "" {
		return r.Kind + "/" + r.Name
	}
	return r.Kind + "/" + r.Namespace + "/" + r.Name
}

// Flux returns the kind if it is one of Flux's.
func (r Ref) Flux() (line.Kind, bool) {
	if !strings.HasSuffix(r.Group, ".toolkit.fluxcd.io") {
		return line.Kind{}, false
	}
	return line.Named(r.Kind, r.Group)
}

// Sources are what a Kustomization or HelmRelease is made of, in the order in which
// they are to be asked.
func (o Object) Sources() []Ref {
	ref := func(path ...string) (Ref, bool) {
		at, ok, _ := unstructured.NestedMap(o.Object, path...)
		text := func(key string) string { s, _ := at[key].(string); return s }
		r := Ref{Group: line.Source, Kind: text("kind"), Namespace: text("namespace"), Name: text("name")}
		if r.Namespace == "" {
			r.Namespace = o.GetNamespace()
		}
		return r, ok
	}
	if r, ok := ref("spec", "sourceRef"); ok {
		return []Ref{r}
	}
	if r, ok := ref("spec", "chartRef"); ok {
		return []Ref{r}
	}
	r, ok := ref("spec", "chart", "spec", "sourceRef")
	if !ok {
		return nil
	}
	out := []Ref{r}
	if namespace, name, ok := strings.Cut(o.Text("status", "helmChart"), "/"); ok {
		out = append(out, Ref{Group: line.Source, Kind: "HelmChart", Namespace: namespace, Name: name})
	}
	return out
}

// Inventory is what a Kustomization or HelmRelease has made, as its status says.
func (o Object) Inventory() []Ref {
	entries, _, _ := unstructured.NestedSlice(o.Object, "status", "inventory", "entries")
	var out []Ref
	for _, entry := range entries {
		fields, _ := entry.(map[string]any)
		id, _ := fields["id"].(string)
		if r, ok := readID(id); ok {
			out = append(out, r)
		}
	}
	return out
}

// readID reads <namespace>_<name>_<group>_<kind>, in which the name has __ for a
// colon (https://fluxcd.io/flux/components/kustomize/kustomizations/#inventory).
func readID(id string) (Ref, bool) {
	namespace, rest, ok := strings.Cut(id, "_")
	kind := strings.LastIndex(rest, "_")
	if !ok || kind < 0 {
		return Ref{}, false
	}
	group := strings.LastIndex(rest[:kind], "_")
	if group < 0 {
		return Ref{}, false
	}
	name := strings.ReplaceAll(rest[:group], "__", ":")
	return Ref{Group: rest[group+1 : kind], Kind: rest[kind+1:], Namespace: namespace, Name: name}, name != ""
}
