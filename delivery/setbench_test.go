package delivery_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
)

// crowded is a repository of clusters whose apps all have their versions in the images
// of one kustomization.yaml.
func crowded(apps int, clusters ...string) fstest.MapFS {
	files := fstest.MapFS{}
	var resources strings.Builder
	for i := range apps {
		name := fmt.Sprintf("app%02d", i)
		fmt.Fprintf(&resources, "- %s.yaml\n", name)
		files["base/"+name+".yaml"] = &fstest.MapFile{Data: []byte(fmt.Sprintf(
			"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: %s, namespace: x}\nspec:\n  template:\n    spec:\n      containers:\n      - name: %s\n        image: %s\n", name, name, name))}
	}
	files["base/kustomization.yaml"] = &fstest.MapFile{Data: []byte("resources:\n" + resources.String())}
	for _, c := range clusters {
		var images strings.Builder
		for i := range apps {
			fmt.Fprintf(&images, "- name: app%02d\n  newTag: 1.0.0\n", i)
		}
		files["clusters/"+c+"/apps.yaml"] = &fstest.MapFile{Data: []byte(flux("apps", "path: apps/"+c))}
		files["apps/"+c+"/kustomization.yaml"] = &fstest.MapFile{Data: []byte("resources: [../../base]\nimages:\n" + images.String())}
	}
	return files
}

// BenchmarkPlanSet plans a set where each app has a folder of its own on each cluster,
// and where all of a cluster's versions stand in one file.
func BenchmarkPlanSet(b *testing.B) {
	clusters := []string{"prod-ca", "prod-eu", "prod-us"}
	for _, apps := range []int{10, 40} {
		for name, files := range map[string]fstest.MapFS{"folders": armada(apps, clusters...), "onefile": crowded(apps, clusters...)} {
			b.Run(fmt.Sprintf("%s/changes=%d", name, apps*len(clusters)), func(b *testing.B) {
				r, n := newRig(b, files), 0
				for b.Loop() {
					n++
					tried, err := r.PlanSet(b.Context(), setOf(apps, fmt.Sprintf("2.0.%d", n), clusters...), unseen("prod-ca", "prod-eu", "prod-us"))
					if err != nil || len(tried) != apps*len(clusters) {
						b.Fatal(explain(err))
					}
					for _, one := range tried {
						if one.Err != nil {
							b.Fatal(explain(one.Err))
						}
					}
				}
			})
		}
	}
}
