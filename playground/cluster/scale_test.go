package cluster_test

import (
	"fmt"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"

	"ferry/playground/cluster"
	"ferry/playground/cluster/apiserver"
)

// BenchmarkFleet tells what clusters full of Deployments cost: how long they take
// to roll out from nothing, the heap, the CPU at rest with informers watching,
// and the list of one cluster's Deployments.
func BenchmarkFleet(b *testing.B) {
	const clusters, deployments = 10, 500
	for b.Loop() {
		began := time.Now()
		fleet := make([]*cluster.Cluster, clusters)
		for i := range fleet {
			fleet[i] = start(b, cluster.Options{Name: fmt.Sprintf("c%d", i), PodStart: time.Second, History: 200})
			table := apiserver.In[appsv1.Deployment](fleet[i].Store(), "apps", "deployments")
			for j := range deployments {
				if _, err := table.Create(deployment("default", fmt.Sprintf("app-%d", j), "web:1", 1)); err != nil {
					b.Fatal(err)
				}
			}
		}
		for _, c := range fleet {
			until(b, client(b, c), "default", fmt.Sprintf("app-%d", deployments-1), rolledOut("web:1"))
		}
		b.ReportMetric(time.Since(began).Seconds(), "s/rollout")
		runtime.GC()
		var memory runtime.MemStats
		runtime.ReadMemStats(&memory)
		b.ReportMetric(float64(memory.HeapAlloc)/(1<<20), "MB/heap")
		for _, c := range fleet {
			factory := informers.NewSharedInformerFactory(client(b, c), 0)
			factory.Apps().V1().Deployments().Informer()
			factory.Start(b.Context().Done())
			factory.WaitForCacheSync(b.Context().Done())
		}
		rest := 5 * time.Second
		before := cpu()
		time.Sleep(rest) // what is measured is the rest itself
		b.ReportMetric(100*(cpu()-before).Seconds()/rest.Seconds(), "%cpu/rest")
		listed := time.Now()
		if l, err := client(b, fleet[0]).AppsV1().Deployments("").List(b.Context(), metav1.ListOptions{}); err != nil || len(l.Items) != deployments {
			b.Fatalf("%v", err)
		}
		b.ReportMetric(float64(time.Since(listed).Microseconds())/1000, "ms/list")
	}
}

func cpu() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// BenchmarkPush tells how long a push takes until the new image is rolled out in
// a cluster whose pods start at once, and in the largest that a test can bear.
func BenchmarkPush(b *testing.B) {
	for _, apps := range []int{10, 500} {
		b.Run(fmt.Sprintf("%d apps", apps), func(b *testing.B) {
			files := map[string]string{"clusters/one/kustomization.yaml": "resources: [../../apps]\n"}
			var list strings.Builder
			for i := range apps {
				name := fmt.Sprintf("app-%d", i)
				fmt.Fprintf(&list, "- %s\n", name)
				files["apps/"+name+"/kustomization.yaml"] = "resources: [app.yaml]\nimages: [{name: web, newTag: v0}]\n"
				files["apps/"+name+"/app.yaml"] = fmt.Sprintf(`{apiVersion: apps/v1, kind: Deployment, metadata: {name: %s, namespace: default},
  spec: {selector: {matchLabels: {app: %s}}, template: {metadata: {labels: {app: %s}}, spec: {containers: [{name: web, image: web}]}}}}`, name, name, name)
			}
			files["apps/kustomization.yaml"] = "resources:\n" + list.String()
			r := newRepository(b, files)
			c := fluxed(b, r, "one")
			k := client(b, c)
			until(b, k, "default", "app-1", rolledOut("web:v0"))
			for i := 1; b.Loop(); i++ {
				b.StopTimer()
				r.commit(map[string]string{"apps/app-1/kustomization.yaml": fmt.Sprintf("resources: [app.yaml]\nimages: [{name: web, newTag: v%d}]\n", i)})
				b.StartTimer()
				c.Pushed()
				until(b, k, "default", "app-1", rolledOut(fmt.Sprintf("web:v%d", i)))
			}
		})
	}
}
