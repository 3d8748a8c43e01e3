package k8s_test

import (
	"context"
	"fmt"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"ferry/internal/deploy"
	"ferry/k8s"
)

const (
	clusters = 10
	perEach  = 500
	releases = 100 // of the perEach
)

func (s *simulated) put(t testing.TB, group, plural string, o map[string]any) {
	if _, err := s.store.Create(s.store.Resource(schema.GroupResource{Group: group, Resource: plural}), o); err != nil {
		t.Fatal(err)
	}
}

type object = map[string]any

// populate makes Deployments of ordinary size, a fifth of them by Helm, the
// rest by twenty Kustomizations.
func (s *simulated) populate(t testing.TB) {
	ready := func(reason string) []any {
		return []any{object{"type": "Ready", "status": "True", "reason": reason, "message": "Applied revision: main@sha1:0123456789abcdef", "observedGeneration": 1, "lastTransitionTime": "2026-01-01T00:00:00Z"}}
	}
	for i := range 20 {
		s.put(t, "", "namespaces", object{"metadata": object{"name": fmt.Sprintf("team-%d", i)}})
	}
	s.put(t, "", "namespaces", object{"metadata": object{"name": "flux-system"}})
	s.put(t, "source.toolkit.fluxcd.io", "gitrepositories", object{
		"metadata": object{"name": "fleet", "namespace": "flux-system"},
		"spec":     object{"url": "https://example.com/fleet.git", "interval": "1m", "ref": object{"branch": "main"}},
	})
	for i := range 20 {
		s.put(t, "kustomize.toolkit.fluxcd.io", "kustomizations", object{
			"metadata": object{"name": fmt.Sprintf("apps-%d", i), "namespace": "flux-system"},
			"spec":     object{"path": fmt.Sprintf("./apps/%d", i), "interval": "10m", "prune": true, "sourceRef": object{"kind": "GitRepository", "name": "fleet"}},
			"status":   object{"conditions": ready("ReconciliationSucceeded"), "lastAppliedRevision": "main@sha1:0123456789abcdef"},
		})
	}
	for i := range perEach {
		name, namespace := fmt.Sprintf("service-%03d", i), fmt.Sprintf("team-%d", i%20)
		labels := object{"app.kubernetes.io/name": name, "kustomize.toolkit.fluxcd.io/name": fmt.Sprintf("apps-%d", i%20), "kustomize.toolkit.fluxcd.io/namespace": "flux-system"}
		if i < releases {
			s.put(t, "helm.toolkit.fluxcd.io", "helmreleases", object{
				"metadata": object{"name": name, "namespace": namespace, "labels": labels},
				"spec":     object{"interval": "10m", "chart": object{"spec": object{"chart": "service", "version": "1.2.3", "sourceRef": object{"kind": "HelmRepository", "name": "charts"}}}},
				"status": object{"conditions": ready("UpgradeSucceeded"), "history": []any{object{
					"version": 1, "chartName": "service", "chartVersion": "1.2.3",
					"status": "deployed", "configDigest": "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
				}}},
			})
			labels = object{"app.kubernetes.io/name": name, "helm.toolkit.fluxcd.io/name": name, "helm.toolkit.fluxcd.io/namespace": namespace}
		}
		s.put(t, "apps", "deployments", deployment(namespace, name, labels))
	}
}

func deployment(namespace, name string, labels object) object {
	env := []any{}
	for i := range 12 {
		env = append(env, object{"name": "SETTING_" + strconv.Itoa(i), "value": "a value of ordinary length"})
	}
	return object{
		"metadata": object{"name": name, "namespace": namespace, "labels": labels, "annotations": object{"deployment.kubernetes.io/revision": "7"}},
		"spec": object{
			"replicas": 2, "selector": object{"matchLabels": object{"app.kubernetes.io/name": name}},
			"template": object{"metadata": object{"labels": labels}, "spec": object{"containers": []any{
				object{
					"name": name, "image": "registry.example.com/team/" + name + ":1.2.3", "env": env, "ports": []any{object{"containerPort": 8080}},
					"resources": object{"requests": object{"cpu": "100m", "memory": "128Mi"}},
				},
				object{"name": "proxy", "image": "registry.example.com/mesh/proxy:2.0.1", "env": env},
			}}},
		},
		"status": object{"observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2, "availableReplicas": 2, "conditions": []any{
			object{"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"}, object{"type": "Available", "status": "True"},
		}},
	}
}

// bigFleet follows ten clusters until all are fresh and returns how long that took.
func bigFleet(b *testing.B, members []k8s.Member) (*k8s.Fleet, time.Duration) {
	begin := time.Now()
	fleet, err := k8s.New(k8s.Options{Clusters: members})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- fleet.Run(ctx) }()
	b.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			b.Error(err)
		}
	})
	for _, m := range members {
		for fresh := false; !fresh; {
			for _, s := range fleet.Clusters() {
				fresh = fresh || s.Name == m.Name && !s.Stale
			}
			time.Sleep(time.Millisecond)
		}
	}
	return fleet, time.Since(begin)
}

func bigClusters(b *testing.B) ([]k8s.Member, []*simulated) {
	var members []k8s.Member
	var all []*simulated
	for i := range clusters {
		s := newServer(b, "uid-"+strconv.Itoa(i))
		s.populate(b)
		members = append(members, k8s.Member{Name: deploy.Cluster("c" + strconv.Itoa(i)), Kubeconfig: s.kubeconfig(b, "admin")})
		all = append(all, s)
	}
	return members, all
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func cpu() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkFleet tells what 10 clusters of 500 Deployments cost: time until all
// are fresh, memory per app without and with a snapshot (connections included,
// those of the servers too), and processor time at rest, for client and servers
// together.
func BenchmarkFleet(b *testing.B) {
	members, _ := bigClusters(b)
	for b.Loop() {
		before := heap()
		fleet, took := bigFleet(b, members)
		synced := heap()
		for _, m := range members {
			if n := len(fleet.Apps(m.Name)); n != perEach {
				b.Fatalf("%d apps", n)
			}
		}
		asked := heap()
		apps := float64(clusters * perEach)
		b.ReportMetric(float64(took.Milliseconds()), "ms-to-fresh")
		b.ReportMetric(float64(synced-before)/apps, "B/app-synced")
		b.ReportMetric(float64(asked-before)/apps, "B/app-asked")
		used := cpu()
		const rest = 10 * time.Second
		time.Sleep(rest)
		b.ReportMetric(100*float64(cpu()-used)/float64(rest), "%cpu-at-rest")
		runtime.KeepAlive(fleet)
	}
}

func BenchmarkReads(b *testing.B) {
	members, servers := bigClusters(b)
	fleet, _ := bigFleet(b, members)
	b.Run("Apps", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if len(fleet.Apps("c3")) != perEach {
				b.Fatal("apps are missing")
			}
		}
	})
	b.Run("Find", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if len(fleet.Find("c3", "service-321")) != 1 {
				b.Fatal("the app is missing")
			}
		}
	})
	b.Run("Clusters", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			fleet.Clusters()
		}
	})
	b.Run("Declared", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			fleet.Declared()
		}
	})
	// From a write at the API server until Apps shows it, the new snapshot
	// included.
	b.Run("ChangeToApps", func(b *testing.B) {
		r := servers[3].store.Resource(schema.GroupResource{Group: "apps", Resource: "deployments"})
		n := 0
		for b.Loop() {
			n++
			name := fmt.Sprintf("extra-%d", n)
			if _, err := servers[3].store.Create(r, deployment("team-0", name, object{"app": name})); err != nil {
				b.Fatal(err)
			}
			for len(fleet.Find("c3", name)) == 0 {
				runtime.Gosched()
			}
		}
	})
}
