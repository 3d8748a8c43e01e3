package k8s

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"slices"

	"ferry/internal/deploy"
)

// records are what an observation rests on. Two that hold the same records are
// of the same state of the cluster.
type records struct {
	state         deploy.ClusterState
	kustomization *declaration
	source        *source
	release       *release
	workloads     []*workload
	changes       uint64 // of what the observer's own feeds brought
}

func (r records) same(other records) bool {
	return r.state == other.state && r.kustomization == other.kustomization && r.source == other.source &&
		r.release == other.release && r.changes == other.changes && slices.Equal(r.workloads, other.workloads)
}

// records collects what the cache and the observer's feeds hold now.
func (o *observer) records() records {
	o.mu.Lock()
	defer o.mu.Unlock()
	r := records{state: o.now(), changes: o.changes}
	st := o.store
	st.mu.RLock()
	defer st.mu.RUnlock()
	r.release = st.releases[key{o.owner.Release.Namespace, o.owner.Release.Name}]
	if r.kustomization = st.kustomizations[key{o.owner.Kustomization.Namespace, o.owner.Kustomization.Name}]; r.kustomization != nil {
		r.source = st.sources[key{r.kustomization.source.Namespace, r.kustomization.source.Name}]
	}
	if o.owner.Release.Name != "" {
		owner := key{o.owner.Release.Namespace, o.owner.Release.Name}
		for _, w := range st.workloads {
			if w.release == owner {
				r.workloads = append(r.workloads, w)
			}
		}
		for _, w := range o.sets {
			r.workloads = append(r.workloads, w)
		}
		sortWorkloads(r.workloads)
		return r
	}
	for _, ref := range o.owner.Workloads {
		w := st.workloads[key{ref.Namespace, ref.Name}]
		if w == nil {
			// What is gone is not rolled out.
			w = o.gone(ref)
		}
		r.workloads = append(r.workloads, w)
	}
	return r
}

// gone is the record of a workload that is not there: nothing observed. There
// is one per name, so that records compare.
func (o *observer) gone(ref deploy.Ref) *workload {
	if o.sets[ref] == nil {
		o.sets[ref] = &workload{kind: ref.Kind, key: key{ref.Namespace, ref.Name}, generation: 1}
	}
	return o.sets[ref]
}

func sortWorkloads(all []*workload) {
	slices.SortFunc(all, func(a, b *workload) int {
		return cmp.Or(cmp.Compare(a.namespace, b.namespace), cmp.Compare(a.name, b.name), cmp.Compare(a.kind, b.kind))
	})
}

func allRolledOut(all []*workload) bool {
	return !slices.ContainsFunc(all, func(w *workload) bool { return !w.rolledOut() })
}

// state is the record in the words of the seam.
func (w *workload) state() deploy.WorkloadState {
	return deploy.WorkloadState{
		Ref: w.ref(), Images: w.images, Observed: w.observed > 0 && w.observed >= w.generation, Paused: w.paused,
		Desired: w.desired, Updated: w.updated, Ready: w.ready, Available: w.available, Total: w.total, Stuck: w.stuck,
	}
}

// owned selects what a release owns.
func (o *observer) owned() url.Values {
	return url.Values{"labelSelector": {labelRelease + "=" + o.owner.Release.Name + "," + labelReleaseNamespace + "=" + o.owner.Release.Namespace}}
}

// setFeed watches the release's workloads of a kind that the cache has not.
func (o *observer) setFeed(ctx context.Context, r resource) error {
	f := feed[deployment, *deployment]{
		client: o.client, resource: r, namespace: o.target.App.Namespace, query: o.owned(), heard: func() {},
		put: func(d *deployment) {
			w := o.words.workload(r.kind, d)
			o.update(func() { o.sets[w.ref()] = w })
		},
		drop: func(k key) {
			o.update(func() { delete(o.sets, deploy.Ref{Kind: r.kind, Namespace: k.namespace, Name: k.name}) })
		},
		replace: func(all []*deployment) {
			o.update(func() {
				for ref := range o.sets {
					if ref.Kind == r.kind {
						delete(o.sets, ref)
					}
				}
				for _, d := range all {
					w := o.words.workload(r.kind, d)
					o.sets[w.ref()] = w
				}
				o.answered(r.plural)
			})
		},
	}
	return f.run(ctx)
}

// confirm reads a release's workloads from the API server: what was read after
// the release was seen cannot be older than it. The answer holds as long as the
// records do.
func (o *observer) confirm(ctx context.Context, seen records) ([]*workload, error) {
	if o.confirmedLive != nil && seen.same(o.confirmed) {
		return o.confirmedLive, nil
	}
	namespaces := []string{o.target.App.Namespace}
	for _, w := range seen.workloads {
		if !slices.Contains(namespaces, w.namespace) {
			namespaces = append(namespaces, w.namespace)
		}
	}
	all := []*workload{}
	for _, namespace := range namespaces {
		for _, r := range []resource{deployments(), statefulSets(), daemonSets()} {
			var list struct {
				Items []deployment `json:"items"`
			}
			err := o.client.once(ctx, r.path(namespace, ""), o.owned(), &list)
			if err != nil && (r.kind == "Deployment" || !denied(err)) {
				return nil, fmt.Errorf("read %s in %s: %w", r.plural, namespace, err)
			}
			for i := range list.Items {
				all = append(all, o.words.workload(r.kind, &list.Items[i]))
			}
		}
	}
	sortWorkloads(all)
	o.confirmed, o.confirmedLive = seen, all
	return all, nil
}
