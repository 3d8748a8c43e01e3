package k8s

import (
	"context"
	"net/url"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"ferry/internal/deploy"
)

func denied(err error) bool { return apierrors.IsForbidden(err) || apierrors.IsNotFound(err) }

// podWatch watches the pods and ReplicaSets of a workload that is not rolled
// out. Its maps are guarded by the observer's mu.
type podWatch struct {
	stop   context.CancelFunc
	pods   map[key]*pod
	hashes map[string]string // template hash by revision
}

// watchPods begins watches on the pods of workloads that are not rolled out,
// and ends those that are not needed any more.
func (o *observer) watchPods(workloads []*workload) {
	needed := map[deploy.Ref]bool{}
	for _, w := range workloads {
		if w.rolledOut() || w.selector == "" {
			continue
		}
		needed[w.ref()] = true
		if o.podWatches[w.ref()] == nil {
			o.podWatches[w.ref()] = o.watchPodsOf(w)
		}
	}
	for ref, p := range o.podWatches {
		if !needed[ref] {
			p.stop()
			delete(o.podWatches, ref)
		}
	}
}

func (o *observer) watchPodsOf(w *workload) *podWatch {
	ctx, cancel := context.WithCancel(o.ctx)
	p := &podWatch{stop: cancel, pods: map[key]*pod{}, hashes: map[string]string{}}
	query := url.Values{"labelSelector": {w.selector}}
	put := func(one *pod) { o.update(func() { p.pods[one.Metadata.key()] = one }) }
	name := w.ref().String()
	podFeed := feed[pod, *pod]{
		client: o.client, resource: pods(), namespace: w.namespace, query: query, heard: func() {},
		put:  put,
		drop: func(k key) { o.update(func() { delete(p.pods, k) }) },
		replace: func(all []*pod) {
			o.update(func() {
				clear(p.pods)
				for _, one := range all {
					p.pods[one.Metadata.key()] = one
				}
				o.answered(name)
			})
		},
	}
	o.follow(ctx, name, podFeed.run)
	if w.kind != "Deployment" {
		return p
	}
	setFeed := feed[replicaSet, *replicaSet]{
		client: o.client, resource: replicaSets(), namespace: w.namespace, query: query, heard: func() {},
		put:  func(s *replicaSet) { o.update(func() { p.learn(s) }) },
		drop: func(key) {},
		replace: func(all []*replicaSet) {
			o.update(func() {
				for _, s := range all {
					p.learn(s)
				}
				o.answered(name + " sets")
			})
		},
	}
	o.follow(ctx, name+" sets", setFeed.run)
	return p
}

// learn notes a ReplicaSet's revision; going back to an older template gives its
// ReplicaSet a new one.
func (p *podWatch) learn(s *replicaSet) {
	revision, hash := s.Metadata.Annotations[annotationRevision], s.Metadata.Labels[labelTemplateHash]
	if revision != "" && hash != "" {
		p.hashes[revision] = hash
	}
}

func (p *podWatch) problems(w *workload) []deploy.Problem {
	var all []deploy.Problem
	for _, one := range p.pods {
		all = append(all, problems(one, isCurrent(one, w, p.hashes))...)
	}
	return all
}
