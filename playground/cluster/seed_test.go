package cluster_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	helmv2 "github.com/fluxcd/helm-controller/api/v2"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ferry/playground/seed"
)

// TestSeed brings up every cluster of the demo and looks at what runs there.
func TestSeed(t *testing.T) {
	want := map[string]string{
		"dev":   "podinfo:6.6.2 redis:7.2.4 http-https-echo:34 ledger:2.4.0 notifier:1.11 gateway:0.9.0 gateway:0.9.1 backend:1.4.2",
		"stage": "podinfo:6.5.4 redis:7.2.3 http-https-echo:33 ledger:2.3.1 notifier:1.10 gateway:0.8.2 gateway:0.9.0 backend:1.4.2",
		"prod":  "podinfo:6.5.3 redis:7.2.1 http-https-echo:31 ledger:2.3.0 notifier:1.9 gateway:0.8.2 gateway:0.8.2 backend:1.4.2",
	}
	r := seeded(t)
	revision := "main@sha1:" + r.git("rev-parse", "HEAD")
	for name, images := range want {
		c := fluxed(t, r, name)
		for _, ks := range []string{"flux-system", "infrastructure", "apps", "payments"} {
			untilFlux(t, c, kind("kustomize", "v1", "kustomizations"), "flux-system", ks, applied(revision))
		}
		for _, hr := range []string{"cache/redis", "echo/echo"} {
			namespace, name, _ := strings.Cut(hr, "/")
			untilFlux(t, c, kind("helm", "v2", "helmreleases"), namespace, name, func(k *helmv2.HelmRelease) bool {
				return meta.IsStatusConditionTrue(k.Status.Conditions, "Ready")
			})
		}
		list, err := client(t, c).AppsV1().Deployments("").List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, d := range list.Items {
			image := d.Spec.Template.Spec.Containers[0].Image
			got = append(got, image[strings.LastIndexByte(image, '/')+1:])
			if !slices.Contains(seed.Namespaces(), d.Namespace) {
				t.Errorf("%s is in namespace %s, which ferry is not told of", d.Name, d.Namespace)
			}
		}
		slices.Sort(got)
		got = slices.DeleteFunc(got, func(s string) bool { return strings.HasPrefix(s, "imgproxy@sha256:") })
		expected := strings.Fields(images)
		slices.Sort(expected)
		if fmt.Sprint(got) != fmt.Sprint(expected) {
			t.Errorf("%s runs %v, not %v", name, got, expected)
		}
	}
}
