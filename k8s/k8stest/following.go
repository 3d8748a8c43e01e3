package k8stest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"ferry/internal/deploy"
	"ferry/k8s"
)

// watching is an observation in the background.
type watching struct {
	mu   sync.Mutex
	last deploy.Observation
	all  []deploy.Observation
	busy atomic.Bool
}

// observe runs Observe until the case ends.
func (b *bench) observe(fleet *k8s.Fleet, target deploy.Target, owner deploy.Owner, site deploy.Site) *watching {
	w := &watching{}
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- fleet.Observe(ctx, target, owner, site, func(o deploy.Observation) bool {
			if w.busy.Swap(true) {
				b.Error("fn was called while it was running")
			}
			defer w.busy.Store(false)
			w.mu.Lock()
			defer w.mu.Unlock()
			w.last, w.all = o, append(w.all, o)
			return true
		})
	}()
	b.Cleanup(func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			b.Errorf("Observe ended with %v", err)
		}
	})
	return w
}

// sees waits until the newest observation is as wanted.
func (b *bench) sees(w *watching, what string, wanted func(deploy.Observation) bool) deploy.Observation {
	b.Helper()
	var last deploy.Observation
	b.eventually(what, func() (bool, any) {
		w.mu.Lock()
		defer w.mu.Unlock()
		last = w.last
		return len(w.all) > 0 && wanted(last), last
	})
	return last
}

// done is when every workload is rolled out.
func done(o deploy.Observation) bool {
	return len(o.Workloads) > 0 && !slices.ContainsFunc(o.Workloads, func(w deploy.WorkloadState) bool {
		return !w.Observed || w.Updated != w.Desired || w.Total != w.Desired || w.Ready != w.Desired || w.Available != w.Desired
	})
}

func followsRollout(b *bench) {
	ns := b.namespace("a")
	b.gitRepository(ns, "fleet", object{"branch": "main"})
	b.kustomization(ns, "apps", "fleet", nil)
	b.create(deployments, ns, "web", workload("web", "localhost:5000/web:1.0", appliedBy(ns, "apps")))
	fleet := b.synced(k8s.Options{Namespaces: []string{ns}})
	a := b.app(fleet, "web", func(a deploy.AppState) bool { return a.Ready == 1 })
	site := deploy.Site{
		Field: deploy.FieldImage, Object: deploy.Ref{Kind: "Deployment", Namespace: ns, Name: "web"},
		Path: "/spec/template/spec/containers/0/image", Value: "localhost:5000/web:broken",
	}
	w := b.observe(fleet, a.Target, a.Owner, site)
	b.sees(w, "the state now", func(o deploy.Observation) bool {
		return done(o) && o.SiteFound && o.SiteValue == "localhost:5000/web:1.0" && !o.State.Stale && !o.At.IsZero()
	})

	b.report(gitRepositories, ns, "fleet", "True", "Succeeded", "stored", object{"artifact": object{
		"path": "a", "url": "http://x/a",
		"revision": "main@sha1:aaa", "digest": "sha256:" + strings.Repeat("0", 64), "lastUpdateTime": "2026-01-01T00:00:00Z",
	}})
	b.report(kustomizations, ns, "apps", "False", "HealthCheckFailed", "web is not ready", object{
		"lastAppliedRevision": "main@sha1:old", "lastAttemptedRevision": "main@sha1:aaa",
	})
	b.sees(w, "revisions", func(o deploy.Observation) bool {
		return o.Fetched == "main@sha1:aaa" && o.SourceReady.Status == "True" && o.SourceReady.Observed &&
			o.Applied == "main@sha1:old" && o.Attempted == "main@sha1:aaa" && o.Kustomization.Status == "False" && o.Kustomization.Observed
	})

	b.patch(deployments, ns, "web", "", imagePatch("web", "localhost:5000/web:broken"))
	seen := b.sees(w, "why it does not start", func(o deploy.Observation) bool {
		return o.SiteValue == site.Value && !done(o) && o.Workloads[0].Total == 2 && slices.ContainsFunc(o.Problems, func(p deploy.Problem) bool {
			return p.Current && p.Container == "web" && strings.Contains(p.Image, "broken") && strings.Contains(p.Reason, "ImagePull") && p.Pod != ""
		})
	})
	if len(seen.Workloads) != 1 || seen.Workloads[0].Images[0].Tag != "broken" {
		b.Errorf("workloads are %+v", seen.Workloads)
	}
	b.patch(deployments, ns, "web", "", imagePatch("web", "localhost:5000/web:1.1"))
	b.sees(w, "the rollout's end", func(o deploy.Observation) bool {
		return done(o) && o.SiteValue == "localhost:5000/web:1.1" && len(o.Problems) == 0
	})
	b.remove(deployments, ns, "web")
	b.sees(w, "what is gone", func(o deploy.Observation) bool { return !o.SiteFound && !done(o) })

	calls := 0
	err := fleet.Observe(b.Context(), a.Target, a.Owner, site, func(deploy.Observation) bool { calls++; return false })
	if err != nil || calls != 1 {
		b.Errorf("fn wanted no more: %v after %d calls", err, calls)
	}
}

func followsRelease(b *bench) {
	ns := b.namespace("a")
	b.gitRepository(ns, "fleet", object{"branch": "main"})
	b.kustomization(ns, "apps", "fleet", nil)
	b.helmRelease(ns, "shop", "", "1.0.0", "1.0")
	b.create(deployments, ns, "shop-web", workload("shop-web", "example.com/web:1.0", releasedBy(ns, "shop")))
	b.statefulSet(ns, "shop-db", "example.com/db:1.0", "shop", 1)
	deployed := func(chart, config string) object {
		return object{
			"history": list{snapshot(1, chart, config, "deployed")}, "lastAttemptedConfigDigest": config,
			"lastAttemptedRevision": chart, "lastAttemptedGeneration": b.get(helmReleases, ns, "shop").GetGeneration(),
		}
	}
	b.report(helmReleases, ns, "shop", "True", "InstallSucceeded", "ok", deployed("1.0.0", "sha256:a"))
	fleet := b.synced(k8s.Options{Namespaces: []string{ns}})
	a := b.app(fleet, "shop", func(a deploy.AppState) bool { return a.Ready == 1 })
	site := deploy.Site{Field: deploy.FieldImage, Object: a.Owner.Release, Path: "/spec/values/image/tag", Value: "1.1"}
	w := b.observe(fleet, a.Target, a.Owner, site)
	seen := b.sees(w, "the state now", func(o deploy.Observation) bool { return done(o) && len(o.Workloads) == 2 })
	if seen.SiteValue != "1.0" || seen.Release == nil || !seen.Release.Attempted || !seen.Release.Ready.Observed || seen.Release.Ready.Status != "True" {
		b.Errorf("observed %+v, release %+v", seen, seen.Release)
	}
	if seen.Release.History[0] != (deploy.ReleaseRecord{ChartVersion: "1.0.0", ConfigDigest: "sha256:a", Status: "deployed"}) {
		b.Errorf("history is %+v", seen.Release.History)
	}

	b.patch(helmReleases, ns, "shop", "", object{"spec": object{"values": object{"image": object{"tag": "1.1"}}}})
	b.sees(w, "the new value, not yet attempted", func(o deploy.Observation) bool { return o.SiteValue == "1.1" && !o.Release.Attempted })
	w.mu.Lock()
	for _, o := range w.all {
		if o.SiteValue == "1.1" && (o.Release.Attempted || o.Release.Ready.Observed) {
			b.Errorf("the new value beside the old status: %+v", o.Release)
		}
	}
	w.mu.Unlock()
	generation := b.get(helmReleases, ns, "shop").GetGeneration()
	remediated := deployed("1.0.0", "sha256:b")
	remediated["conditions"] = list{readyCondition(generation, "False", "UpgradeFailed", "no"), object{
		"type": "Remediated", "status": "True",
		"reason": "RollbackSucceeded", "message": "back to v1", "observedGeneration": generation, "lastTransitionTime": "2026-01-01T00:00:00Z",
	}}
	b.patch(helmReleases, ns, "shop", "status", object{"status": remediated})
	b.sees(w, "Helm's own remediation", func(o deploy.Observation) bool {
		return strings.Contains(o.Release.Remediated, "back to v1") && o.Release.Attempted
	})
	b.patch(helmReleases, ns, "shop", "", object{"spec": object{"values": object{"image": object{"tag": "1.2"}}}})
	b.sees(w, "that a newer spec has not been remediated", func(o deploy.Observation) bool {
		return o.SiteValue == "1.2" && o.Release.Remediated == ""
	})
	b.remove(statefulSets, ns, "shop-db")
	b.statefulSet(ns, "shop-db", "example.com/db:broken", "shop", 0)
	b.sees(w, "the StatefulSet's trouble", func(o deploy.Observation) bool {
		return !done(o) && len(o.Workloads) == 2 && o.Workloads[0].Ref.Kind == "StatefulSet" && o.Workloads[0].Images[0].Tag == "broken"
	})
}

func followsAnyKind(b *bench) {
	ns := b.namespace("a")
	b.create(deployments, ns, "web", workload("web", "example.com/web:1.0", nil))
	b.create(ociRepositories, ns, "chart", object{"spec": object{"interval": "1h", "url": "oci://example.com/chart", "ref": object{"tag": "1.0.0"}}})
	fleet := b.synced(k8s.Options{Namespaces: []string{ns}})
	a := b.app(fleet, "web", func(a deploy.AppState) bool { return a.Ready == 1 })
	w := b.observe(fleet, a.Target, a.Owner, deploy.Site{Object: deploy.Ref{Kind: "OCIRepository", Namespace: ns, Name: "chart"}, Path: "/spec/ref/tag"})
	b.sees(w, "the tag", func(o deploy.Observation) bool { return o.SiteFound && o.SiteValue == "1.0.0" })
	b.patch(ociRepositories, ns, "chart", "", object{"spec": object{"ref": object{"tag": "1.1.0"}}})
	b.sees(w, "the new tag", func(o deploy.Observation) bool { return o.SiteValue == "1.1.0" })

	init := b.observe(fleet, a.Target, a.Owner, deploy.Site{Object: a.Owner.Workloads[0], Path: "/spec/replicas"})
	b.sees(init, "a number", func(o deploy.Observation) bool { return o.SiteFound && o.SiteValue == "1" && done(o) })
	absent := b.observe(fleet, a.Target, a.Owner, deploy.Site{Object: deploy.Ref{Kind: "Nothing", Namespace: ns, Name: "web"}, Path: "/spec"})
	b.sees(absent, "that there is no such kind", func(o deploy.Observation) bool { return !o.SiteFound && done(o) })
}
