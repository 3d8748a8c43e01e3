package cluster_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"ferry/plugins/flux/cluster"
	"ferry/plugins/flux/fluxtest"
	"ferry/plugins/flux/line"
	"ferry/plugins/kubectl/rules"
)

func TestNoWayIn(t *testing.T) {
	if _, err := cluster.Connect(nil, rules.Grant{}); err == nil || err.Error() != "ferry cannot read its kubeconfig, and its log says why" {
		t.Errorf("without a kubeconfig: %v", err)
	}
}

// TestTheWallAlone takes the lines away: what asks for more than was granted does not
// reach the cluster.
func TestTheWallAlone(t *testing.T) {
	s := fluxtest.New(t)
	paths := []string{}
	for _, at := range []string{"apps/podinfo", "apps/other", "kube-system/podinfo"} {
		namespace, name, _ := strings.Cut(at, "/")
		path := fluxtest.Path("kustomize.toolkit.fluxcd.io/v1", namespace, "kustomizations", name)
		s.Put(path, "{spec: {}}")
		paths = append(paths, path)
	}
	ks, _ := line.Named("Kustomization", line.Kustomize)
	git, _ := line.Named("GitRepository", line.Source)
	c, err := cluster.Connect(s.Kubeconfig(), rules.Grant{
		Scopes: []rules.Scope{{Resources: []string{"kustomizations"}, Namespaces: []string{"apps"}}}, As: rules.Identity{User: "ferry:U1", Groups: []string{"a", "b"}},
		Writes: []rules.Write{{Method: "PATCH", Resource: ks.String(), Namespace: "apps", Name: "podinfo"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	podinfo, err := c.Get(t.Context(), ks, "apps", "podinfo")
	if err != nil {
		t.Fatal(err)
	}
	other, err := c.Get(t.Context(), ks, "apps", "other")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Patch(t.Context(), podinfo, map[string]any{"spec": map[string]any{"suspend": true}}); err != nil {
		t.Error(err)
	}
	s.Asked()
	hidden := podinfo
	hidden.Unstructured = podinfo.DeepCopy()
	hidden.SetNamespace("kube-system")
	for what, try := range map[string]func() error{
		"another namespace":          func() error { _, err := c.Get(t.Context(), ks, "kube-system", "podinfo"); return err },
		"all namespaces":             func() error { _, err := c.List(t.Context(), ks, "", ""); return err },
		"another kind":               func() error { _, err := c.List(t.Context(), git, "apps", ""); return err },
		"a change of another one":    func() error { _, err := c.Patch(t.Context(), other, map[string]any{}); return err },
		"a change somewhere else":    func() error { _, err := c.Patch(t.Context(), hidden, map[string]any{}); return err },
		"a name that is a path":      func() error { _, err := c.Get(t.Context(), ks, "apps", "x/status"); return err },
		"a namespace that is a path": func() error { _, err := c.Get(t.Context(), ks, "apps/../kube-system", "podinfo"); return err },
	} {
		if err := try(); err == nil || len(s.Asked()) > 0 {
			t.Errorf("%s is let through: %v", what, err)
		}
	}
	if o := s.Object(paths[1]); o["spec"].(fluxtest.Object)["suspend"] != nil {
		t.Error("the other one was changed")
	}
}

func TestNobodyIsImpersonated(t *testing.T) {
	s := fluxtest.New(t)
	ks, _ := line.Named("Kustomization", line.Kustomize)
	c, err := cluster.Connect(s.Kubeconfig(), rules.Grant{Scopes: []rules.Scope{{Resources: []string{"*"}, Namespaces: []string{"*"}}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.List(t.Context(), ks, "", "app=web"); err != nil {
		t.Error(err)
	}
	if asked, want := s.Asked(), []string{"GET /apis/kustomize.toolkit.fluxcd.io/v1/kustomizations as "}; !slices.Equal(asked, want) {
		t.Errorf("asked %q, want %q", asked, want)
	}
}

func TestListsOfManyPages(t *testing.T) {
	s := fluxtest.New(t)
	for i := range 1100 {
		s.Put(fluxtest.Path("kustomize.toolkit.fluxcd.io/v1", "apps", "kustomizations", fmt.Sprintf("k%d", i)), "{spec: {}}")
	}
	ks, _ := line.Named("Kustomization", line.Kustomize)
	c, err := cluster.Connect(s.Kubeconfig(), rules.Grant{Scopes: []rules.Scope{{Resources: []string{"*"}, Namespaces: []string{"*"}}}})
	if err != nil {
		t.Fatal(err)
	}
	all, err := c.List(t.Context(), ks, "apps", "")
	names := map[string]bool{}
	for _, o := range all {
		names[o.GetName()] = true
	}
	if err != nil || len(all) != 1100 || len(names) != 1100 {
		t.Errorf("%d objects, %d names, %v", len(all), len(names), err)
	}
}

// TestSettled checks when what an object says of itself is about it as it is.
func TestSettled(t *testing.T) {
	for status, want := range map[string]bool{
		`{conditions: [{type: Ready, status: "True", observedGeneration: 2}]}`:                                                                     true,
		`{conditions: [{type: Ready, status: "False", observedGeneration: 2}, {type: Reconciling, status: "True", reason: ProgressingWithRetry}]}`: true,
		`{conditions: [{type: Ready, status: "True"}]}`:                                                                                            true, // of old versions
		`{conditions: [{type: Ready, status: "True", observedGeneration: 1}]}`:                                                                     false,
		`{conditions: [{type: Ready, status: "Unknown", observedGeneration: 2}]}`:                                                                  false,
		`{conditions: [{type: Ready, status: "False", observedGeneration: 2}, {type: Reconciling, status: "True", reason: Progressing}]}`:          false,
		`{}`: false,
	} {
		var o map[string]any
		if err := yaml.Unmarshal([]byte("{metadata: {name: x, generation: 2}, status: "+status+"}"), &o); err != nil {
			t.Fatal(err)
		}
		metadata, _ := o["metadata"].(map[string]any)
		metadata["generation"] = int64(2)
		for _, entry := range asList(o["status"]) {
			if g, ok := entry["observedGeneration"].(float64); ok {
				entry["observedGeneration"] = int64(g) // as client-go reads it
			}
		}
		if got := (cluster.Object{Unstructured: &unstructured.Unstructured{Object: o}}).Settled(); got != want {
			t.Errorf("%s: %v", status, got)
		}
	}
}

func asList(status any) (out []map[string]any) {
	fields, _ := status.(map[string]any)
	list, _ := fields["conditions"].([]any)
	for _, entry := range list {
		if c, ok := entry.(map[string]any); ok {
			out = append(out, c)
		}
	}
	return out
}
