package delivery_test

import (
	"fmt"
	"strings"
	"testing"

	"ferry/internal/deploy"
)

// large is a repository of clusters with apps each in a base and an overlay per
// cluster; clusters × (apps + 2) + 2 × apps files.
func large(clusters, apps int) map[string]string {
	files := map[string]string{}
	for a := range apps {
		name := fmt.Sprintf("app%d", a)
		files["base/"+name+"/kustomization.yaml"] = "resources: [deployment.yaml]\n"
		files["base/"+name+"/deployment.yaml"] = workload(name, "reg/"+name+":1.0.0")
	}
	for c := range clusters {
		cluster := fmt.Sprintf("c%d", c)
		var resources strings.Builder
		for a := range apps {
			fmt.Fprintf(&resources, "- app%d\n", a)
			files[fmt.Sprintf("apps/%s/app%d/kustomization.yaml", cluster, a)] = fmt.Sprintf("resources: [../../../base/app%d]\nimages:\n- name: reg/app%d\n  newTag: 1.%d.0\n", a, a, c)
		}
		files["apps/"+cluster+"/kustomization.yaml"] = "resources:\n" + resources.String()
		files["clusters/"+cluster+"/apps.yaml"] = flux("apps", "path: apps/"+cluster)
	}
	return files
}

func BenchmarkPlan(b *testing.B) {
	for _, size := range []struct{ clusters, apps int }{{3, 20}, {10, 165}} {
		files := repo(large(size.clusters, size.apps))
		var names []deploy.Cluster
		for c := range size.clusters {
			names = append(names, deploy.Cluster(fmt.Sprintf("c%d", c)))
		}
		change := want("x/app7", "2.0.0", "c1", "apps", false)
		r := newRig(b, files)
		b.Run(fmt.Sprintf("cold/files=%d", len(files)), func(b *testing.B) {
			for b.Loop() {
				fresh := sibling(b, r)
				fresh.flux = nil
				fresh = connect(b, fresh)
				if _, err := fresh.Plan(b.Context(), change, unseen(names...)); err != nil {
					b.Fatal(explain(err))
				}
				b.ReportMetric(float64(fresh.requests.Load()), "requests")
			}
		})
		if _, err := r.Plan(b.Context(), change, unseen(names...)); err != nil {
			b.Fatal(explain(err))
		}
		b.Run(fmt.Sprintf("warm/files=%d", len(files)), func(b *testing.B) {
			n := 0
			for b.Loop() {
				n++
				change.Version = deploy.Version(fmt.Sprintf("3.0.%d", n))
				if _, err := r.Plan(b.Context(), change, unseen(names...)); err != nil {
					b.Fatal(explain(err))
				}
			}
		})
		b.Run(fmt.Sprintf("pushed/files=%d", len(files)), func(b *testing.B) {
			n := 0
			for b.Loop() {
				b.StopTimer()
				n++
				if _, err := r.repo.Commit("main", "push", map[string]string{fmt.Sprintf("apps/c1/app%d/kustomization.yaml", n%7): string(files[fmt.Sprintf("apps/c1/app%d/kustomization.yaml", n%7)].Data) + fmt.Sprintf("# %d\n", n)}); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
				if _, err := r.Plan(b.Context(), change, unseen(names...)); err != nil {
					b.Fatal(explain(err))
				}
			}
		})
	}
}
