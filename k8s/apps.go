package k8s

import (
	"cmp"
	"slices"
	"time"

	helmv2 "github.com/fluxcd/helm-controller/api/v2"
	kustomizev1 "github.com/fluxcd/kustomize-controller/api/v1"

	"ferry/internal/deploy"
)

// gather makes the apps of a cluster out of its records: a release with all its
// workloads is one, every other workload is one.
func gather(s *store, cluster deploy.Cluster, within scope) []deploy.AppState {
	apps := make([]deploy.AppState, 0, len(s.workloads)+len(s.releases))
	released := map[key][]*workload{}
	for _, w := range s.workloads {
		if w.release != (key{}) {
			released[w.release] = append(released[w.release], w)
			continue
		}
		apps = append(apps, s.plainApp(cluster, w))
	}
	for name, workloads := range released {
		slices.SortFunc(workloads, func(a, b *workload) int {
			return cmp.Or(cmp.Compare(a.namespace, b.namespace), cmp.Compare(a.name, b.name))
		})
		apps = append(apps, s.releasedApp(cluster, name, workloads))
	}
	for name, r := range s.releases {
		if released[name] == nil && within.has(r.targetNamespace) {
			apps = append(apps, s.releasedApp(cluster, name, nil))
		}
	}
	slices.SortFunc(apps, func(a, b deploy.AppState) int {
		return cmp.Or(cmp.Compare(a.App.Namespace, b.App.Namespace), cmp.Compare(a.App.Name, b.App.Name),
			cmp.Compare(a.Owner.Release.String(), b.Owner.Release.String()))
	})
	return apps
}

func (s *store) plainApp(cluster deploy.Cluster, w *workload) deploy.AppState {
	a := deploy.AppState{
		Target:  deploy.Target{Cluster: cluster, App: deploy.App{Namespace: w.namespace, Name: w.name}},
		Version: appVersion(w.name, w.images), Field: deploy.FieldImage, Images: w.images, Ready: w.ready, Desired: w.desired,
		Since: time.Unix(w.created, 0).UTC(),
		Owner: deploy.Owner{Kustomization: kustomizationRef(w.kustomization), Workloads: []deploy.Ref{w.ref()}},
	}
	own := workloadHealth(w)
	a.Health, a.Reason = worst(own, s.kustomizationHealth(w.kustomization))
	a.Stands = own.health == deploy.Healthy
	return a
}

func (s *store) releasedApp(cluster deploy.Cluster, name key, workloads []*workload) deploy.AppState {
	r := s.releases[name]
	a := deploy.AppState{
		Target: deploy.Target{Cluster: cluster, App: deploy.App{Namespace: name.namespace, Name: name.name}},
		Owner:  deploy.Owner{Release: deploy.Ref{Kind: helmv2.HelmReleaseKind, Namespace: name.namespace, Name: name.name}},
	}
	own, by := []verdict{s.releaseHealth(name)}, verdict{}
	if r != nil {
		a.App.Namespace, a.Chart, a.ChartVersion = r.targetNamespace, r.chart, deploy.Version(r.version)
		a.Since = time.Unix(r.created, 0).UTC()
		a.Owner.Kustomization = kustomizationRef(r.kustomization)
		by = s.kustomizationHealth(r.kustomization)
	}
	oldest := int64(0)
	for n, w := range workloads {
		if n == 0 || w.created < oldest {
			oldest = w.created
			a.Since = time.Unix(oldest, 0).UTC()
		}
		a.Images = append(a.Images, w.images...)
		a.Ready, a.Desired = a.Ready+w.ready, a.Desired+w.desired
		a.Owner.Workloads = append(a.Owner.Workloads, w.ref())
		own = append(own, workloadHealth(w))
	}
	if r != nil {
		a.Version, a.Field = releaseVersion(r, a.Images)
	}
	// Where the workloads are is where the app is; a release that spreads over
	// namespaces is where it says, if it runs there at all.
	if n := len(workloads); n > 0 && !slices.ContainsFunc(workloads, func(w *workload) bool { return w.namespace == a.App.Namespace }) {
		a.App.Namespace = workloads[0].namespace
	}
	a.Health, a.Reason = worst(append(own, by)...)
	stands, _ := worst(own...)
	a.Stands = stands == deploy.Healthy
	return a
}

func kustomizationRef(k key) deploy.Ref {
	if k == (key{}) {
		return deploy.Ref{}
	}
	return deploy.Ref{Kind: kustomizev1.KustomizationKind, Namespace: k.namespace, Name: k.name}
}
