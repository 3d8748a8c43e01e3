package apiserver

import (
	"cmp"
	"net/http"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// discovery answers /api, /apis and what is between them and the resources. The
// aggregated form is not offered: clients fall back to asking group by group.
func (s *Server) discovery(w http.ResponseWriter, r *http.Request) bool {
	path := strings.Trim(r.URL.Path, "/")
	parts := strings.Split(path, "/")
	switch {
	case path == "api":
		writeJSON(w, http.StatusOK, metav1.APIVersions{
			TypeMeta:                   metav1.TypeMeta{Kind: "APIVersions"},
			Versions:                   []string{"v1"},
			ServerAddressByClientCIDRs: []metav1.ServerAddressByClientCIDR{{ClientCIDR: "0.0.0.0/0", ServerAddress: r.Host}},
		})
	case path == "apis":
		writeJSON(w, http.StatusOK, metav1.APIGroupList{
			TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "APIGroupList"}, Groups: s.groups(),
		})
	case parts[0] == "apis" && len(parts) == 2:
		for _, g := range s.groups() {
			if g.Name == parts[1] {
				g.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "APIGroup"}
				writeJSON(w, http.StatusOK, g)
				return true
			}
		}
		return false
	case parts[0] == "api" && len(parts) == 2:
		return s.resourceList(w, schema.GroupVersion{Version: parts[1]})
	case parts[0] == "apis" && len(parts) == 3:
		return s.resourceList(w, schema.GroupVersion{Group: parts[1], Version: parts[2]})
	default:
		return false
	}
	return true
}

func (s *Server) groups() []metav1.APIGroup {
	versions := map[string]string{"authorization.k8s.io": "v1", "authentication.k8s.io": "v1"}
	for _, r := range s.store.Resources() {
		if r.Group != "" {
			versions[r.Group] = r.Version
		}
	}
	groups := make([]metav1.APIGroup, 0, len(versions))
	for group, version := range versions {
		gv := metav1.GroupVersionForDiscovery{GroupVersion: group + "/" + version, Version: version}
		groups = append(groups, metav1.APIGroup{Name: group, Versions: []metav1.GroupVersionForDiscovery{gv}, PreferredVersion: gv})
	}
	slices.SortFunc(groups, func(a, b metav1.APIGroup) int { return cmp.Compare(a.Name, b.Name) })
	return groups
}

func (s *Server) resourceList(w http.ResponseWriter, gv schema.GroupVersion) bool {
	list := metav1.APIResourceList{
		TypeMeta:     metav1.TypeMeta{APIVersion: "v1", Kind: "APIResourceList"},
		GroupVersion: gv.String(), APIResources: []metav1.APIResource{},
	}
	for _, r := range s.store.Resources() {
		if r.GroupVersion() != gv {
			continue
		}
		list.APIResources = append(list.APIResources, metav1.APIResource{
			Name: r.Name, SingularName: r.Singular,
			Namespaced: r.Namespaced, Kind: r.Kind, Verbs: allVerbs(), ShortNames: r.Short,
		})
		if r.Status {
			list.APIResources = append(list.APIResources, metav1.APIResource{
				Name:       r.Name + "/status",
				Namespaced: r.Namespaced, Kind: r.Kind, Verbs: metav1.Verbs{"get", "patch", "update"},
			})
		}
	}
	create := func(name, kind string) metav1.APIResource {
		return metav1.APIResource{Name: name, SingularName: strings.ToLower(kind), Kind: kind, Verbs: metav1.Verbs{"create"}}
	}
	switch gv.String() {
	case "authorization.k8s.io/v1":
		list.APIResources = append(list.APIResources, create("selfsubjectaccessreviews", "SelfSubjectAccessReview"),
			create("selfsubjectrulesreviews", "SelfSubjectRulesReview"))
	case "authentication.k8s.io/v1":
		list.APIResources = append(list.APIResources, create("selfsubjectreviews", "SelfSubjectReview"))
	}
	if len(list.APIResources) == 0 {
		return false
	}
	slices.SortFunc(list.APIResources, func(a, b metav1.APIResource) int { return cmp.Compare(a.Name, b.Name) })
	writeJSON(w, http.StatusOK, list)
	return true
}
