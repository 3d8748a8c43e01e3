package e2e

import (
	"context"
	"os"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"ferry/e2e/testbed"
	"ferry/internal/deploy"
	"ferry/k8s"
)

const imageAutomations testbed.Resource = "image.toolkit.fluxcd.io/v1/imageupdateautomations"

// serveImageAutomation makes a cluster serve ImageUpdateAutomations.
func serveImageAutomation(ctx context.Context, cluster *testbed.Cluster) error {
	crd, err := os.ReadFile("testdata/image-automation.yaml")
	if err != nil {
		return err
	}
	if err := cluster.Apply(ctx, string(crd)); err != nil {
		return err
	}
	return cluster.WaitFor(ctx, "ImageUpdateAutomations to be served", func(context.Context) (bool, string, error) {
		served, err := cluster.Typed.Discovery().ServerResourcesForGroupVersion("image.toolkit.fluxcd.io/v1")
		if err != nil {
			return false, err.Error(), nil //nolint:nilerr // not yet
		}
		return len(served.APIResources) > 0, "no resources", nil
	})
}

// suspensionEnds shows how an automation is resumed that ferry suspended on its cluster and then in Git, which is
// applied here as Flux does it.
func suspensionEnds(t *testing.T, cluster *testbed.Cluster) {
	apply := func(line string) {
		t.Helper()
		must(t, cluster.Apply(t.Context(), "apiVersion: image.toolkit.fluxcd.io/v1\nkind: ImageUpdateAutomation\nmetadata: {name: ends, namespace: default}\nspec:\n  interval: 1h\n"+line))
	}
	suspended := func() any {
		t.Helper()
		o, err := cluster.Get(t.Context(), imageAutomations, "default", "ends")
		must(t, err)
		v, _, err := unstructured.NestedFieldNoCopy(o.Object, "spec", "suspend")
		must(t, err)
		return v
	}
	fleet, err := k8s.New(k8s.Options{Clusters: []k8s.Member{{Name: "one", Kubeconfig: cluster.Kubeconfig()}}})
	must(t, err)
	apply("")
	must(t, fleet.SuspendAutomation(t.Context(), "one", deploy.Ref{Kind: "ImageUpdateAutomation", Namespace: "default", Name: "ends"}, "j1"))
	for _, step := range []struct {
		git  string
		want any
	}{
		{"", true}, // the commit before is applied once more
		{"  suspend: true\n", true},
		{"", true}, // the line was taken away: ferry's field is left
		{"  suspend: false\n", false},
		{"", nil},
	} {
		apply(step.git)
		if got := suspended(); got != step.want {
			t.Errorf("with %q in Git it is %v, want %v", strings.TrimSpace(step.git), got, step.want)
		}
	}
}
