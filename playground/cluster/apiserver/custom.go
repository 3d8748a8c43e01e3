package apiserver

import (
	"k8s.io/apimachinery/pkg/runtime/schema"
)

const definitions = "customresourcedefinitions"

// serveCustom has the kind of a CustomResourceDefinition served, as soon as it
// was created: the version that is stored, and no other. The lock is held.
func (s *Store) serveCustom(content map[string]any) {
	r, ok := custom(content)
	if !ok || s.tables[r.GroupResource()] != nil {
		return
	}
	s.tables[r.GroupResource()] = s.newTable(r)
	names := child(child(content, "spec"), "names")
	condition := func(kind, reason string) any {
		return map[string]any{"type": kind, "status": "True", "reason": reason, "message": "", "lastTransitionTime": now()}
	}
	status := child(content, "status")
	status["acceptedNames"], status["storedVersions"] = names, []any{r.Version}
	status["conditions"] = []any{condition("NamesAccepted", "NoConflicts"), condition("Established", "InitialNamesAccepted")}
}

// dropCustom ends the serving of a deleted definition's kind; its watches are
// cut. The lock is held.
func (s *Store) dropCustom(o *Object) {
	content, err := o.Content()
	if err != nil {
		return
	}
	r, ok := custom(content)
	t := s.tables[r.GroupResource()]
	if !ok || t == nil {
		return
	}
	for _, object := range s.list(t, "") {
		s.collect(object)
	}
	for w := range t.watchers {
		w.end()
	}
	delete(s.tables, r.GroupResource())
}

// custom is the resource that a definition defines.
func custom(definition map[string]any) (*Resource, bool) {
	spec := child(definition, "spec")
	names := child(spec, "names")
	group, _ := spec["group"].(string)
	kind, _ := names["kind"].(string)
	r := &Resource{GroupVersionKind: schema.GroupVersionKind{Group: group, Kind: kind}}
	r.Name, _ = names["plural"].(string)
	r.Singular, _ = names["singular"].(string)
	r.Namespaced = spec["scope"] == "Namespaced"
	short, _ := names["shortNames"].([]any)
	for _, name := range short {
		if name, ok := name.(string); ok {
			r.Short = append(r.Short, name)
		}
	}
	versions, _ := spec["versions"].([]any)
	for _, v := range versions {
		v, ok := v.(map[string]any)
		if !ok || v["storage"] != true {
			continue
		}
		r.Version, _ = v["name"].(string)
		sub, _ := v["subresources"].(map[string]any)
		r.Status = sub["status"] != nil
	}
	return r, group != "" && kind != "" && r.Name != "" && r.Version != ""
}
