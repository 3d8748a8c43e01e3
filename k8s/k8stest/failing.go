package k8stest

import (
	"strings"
	"time"

	"ferry/internal/deploy"
	"ferry/internal/fault"
	"ferry/k8s"
)

// prompt is what a slow machine may take for what takes a moment; of itself a connection
// that is silent ends after 30 s at the earliest (the ping of HTTP/2).
const prompt = 20 * time.Second

// stale waits until the cluster is stale and returns how long that took.
func (b *bench) stale(fleet *k8s.Fleet, since time.Time) time.Duration {
	b.Helper()
	b.eventually("the cluster is stale", func() (bool, any) {
		s := fleet.Clusters()[0]
		return s.Stale && s.Reason != "" && !s.Since.IsZero(), s
	})
	return time.Since(since)
}

func (b *bench) may(do func() error) {
	b.Helper()
	if do == nil {
		b.Skip("this cluster cannot be made unreachable")
	}
	if err := do(); err != nil {
		b.Fatal(err)
	}
}

func goesStale(b *bench) {
	if b.cluster.Down == nil {
		b.Skip("this cluster cannot be made unreachable")
	}
	ns := b.namespace("a")
	b.create(deployments, ns, "web", workload("web", "example.com/web:1.0", nil))
	options := k8s.Options{Namespaces: []string{ns}, Clusters: []k8s.Member{{Name: one, Kubeconfig: b.cluster.Kubeconfig}}}
	fleet := b.synced(options)
	a := b.app(fleet, "web", func(a deploy.AppState) bool { return a.Ready == 1 })
	w := b.observe(fleet, a.Target, a.Owner, deploy.Site{})

	b.may(b.cluster.Down)
	down := true
	b.Cleanup(func() {
		if down {
			b.may(b.cluster.Up)
		}
	})
	if took := b.stale(fleet, time.Now()); took > prompt {
		b.Errorf("a cut connection showed after %s", took)
	}
	if len(fleet.Find(one, "web")) != 1 || !fleet.Clusters()[0].Synced {
		b.Error("what was known is forgotten")
	}
	b.sees(w, "staleness", func(o deploy.Observation) bool { return o.State.Stale })
	late := b.fleet(options) // down at the start
	if s := late.Clusters()[0]; !s.Stale || s.Synced {
		b.Errorf("a cluster that was never reached is %+v", s)
	}

	b.may(b.cluster.Up)
	down = false
	begin := time.Now()
	b.fresh(fleet)
	b.fresh(late)
	b.Logf("fresh %s after the return", time.Since(begin).Round(time.Millisecond))
	b.app(late, "web", func(a deploy.AppState) bool { return a.Ready == 1 })
	b.patch(deployments, ns, "web", "", imagePatch("web", "example.com/web:1.1"))
	b.app(fleet, "web", func(a deploy.AppState) bool { return a.Version == "1.1" })
	b.sees(w, "the return", func(o deploy.Observation) bool {
		return !o.State.Stale && len(o.Workloads) == 1 && o.Workloads[0].Images[0].Tag == "1.1"
	})
}

func noticesSilence(b *bench) {
	if b.cluster.Hang == nil {
		b.Skip("this cluster cannot fall silent")
	}
	ns := b.namespace("a")
	fleet := b.synced(k8s.Options{Namespaces: []string{ns}, Answer: time.Second})
	b.may(b.cluster.Hang)
	took := b.stale(fleet, time.Now())
	b.may(b.cluster.Up)
	// Probe and Answer are 0.5 s and 1 s here; by default 5 s and 3 s.
	if took > prompt {
		b.Errorf("silence showed after %s", took)
	}
	b.fresh(fleet)
}

func oneServerTwice(b *bench) {
	twice := []k8s.Member{{Name: one, Kubeconfig: b.cluster.Kubeconfig}, {Name: "two", Kubeconfig: b.cluster.Kubeconfig}}
	ns := []string{b.namespace("a")}
	fleet := b.fleet(k8s.Options{Clusters: twice, Namespaces: ns})
	if err := fleet.CheckDistinct(b.Context()); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "two") {
		b.Errorf("CheckDistinct: %v", err)
	}
	b.eventually("both are stale", func() (bool, any) {
		all := fleet.Clusters()
		return all[0].Stale && all[1].Stale && strings.Contains(all[0].Reason, "two") && strings.Contains(all[1].Reason, "one"), all
	})
	meant := b.synced(k8s.Options{Clusters: twice, Namespaces: ns, AllowSame: true})
	if err := meant.CheckDistinct(b.Context()); err != nil {
		b.Errorf("CheckDistinct, when it is meant: %v", err)
	}
}

func (b *bench) limited() []k8s.Member {
	if b.cluster.Limited == "" {
		b.Skip("there is no user with few permissions")
	}
	return []k8s.Member{{Name: one, Kubeconfig: b.cluster.Limited}}
}

func fewPermissions(b *bench) {
	members := b.limited()
	ns := b.namespace("a")
	b.gitRepository(ns, "fleet", object{"branch": "main"})
	b.kustomization(ns, "apps", "fleet", nil)
	b.report(kustomizations, ns, "apps", "True", "ReconciliationSucceeded", "ok", nil)
	b.create(deployments, ns, "web", workload("web", "example.com/web:1.0", appliedBy(ns, "apps")))
	b.create(deployments, ns, "free", workload("free", "example.com/free:broken", nil))
	fleet := b.synced(k8s.Options{Namespaces: []string{ns}, Clusters: members})
	if s := fleet.Clusters()[0]; !strings.Contains(s.Reason, "kustomizations") {
		b.Errorf("nobody says what may not be seen: %+v", s)
	}
	if d := fleet.Declared()[0]; d.Known || len(d.Kustomizations) != 0 {
		b.Errorf("declared is %+v", d)
	}
	b.app(fleet, "web", func(a deploy.AppState) bool {
		return a.Ready == 1 && a.Health == deploy.Unknown && strings.Contains(a.Reason, "may not")
	})
	free := b.app(fleet, "free", func(a deploy.AppState) bool { return a.Desired == 1 && a.Health == deploy.Progressing })
	w := b.observe(fleet, free.Target, free.Owner, deploy.Site{Object: free.Owner.Workloads[0], Path: "/spec/template/spec/containers/0/image"})
	b.sees(w, "what may be seen", func(o deploy.Observation) bool {
		return o.SiteValue == "example.com/free:broken" && len(o.Workloads) == 1 && o.Workloads[0].Ready == 0
	})

	// Somebody who knows the owner from elsewhere asks in vain.
	full := b.synced(k8s.Options{Namespaces: []string{ns}})
	owner := b.app(full, "web", healthy).Owner
	if err := fleet.Reconcile(b.Context(), one, owner, time.Now()); !fault.Is(err, fault.Refused) && !fault.Is(err, fault.Denied) {
		b.Errorf("Reconcile: %v", err)
	}
}

func checksNeeds(b *bench) {
	ns := b.namespace("a")
	fleet := b.fleet(k8s.Options{Namespaces: []string{ns}})
	rows := fleet.Check(b.Context())
	if len(rows) < 10 {
		b.Errorf("rows are %+v", rows)
	}
	for _, r := range rows {
		if !r.OK || r.Help != "" || r.Cluster != one || r.What == "" {
			b.Errorf("with every permission: %+v", r)
		}
	}
	limited := b.fleet(k8s.Options{Namespaces: []string{ns}, Clusters: b.limited()})
	byWhat := map[string]k8s.Row{}
	for _, r := range limited.Check(b.Context()) {
		byWhat[r.What] = r
	}
	if r := byWhat["list and watch deployments in "+ns]; !r.OK {
		b.Errorf("what is allowed: %+v", r)
	}
	if r := byWhat["list and watch kustomizations"]; r.OK || !r.Needed || r.Help == "" || r.Detail == "" {
		b.Errorf("what is not: %+v", r)
	}
	if r := byWhat["patch gitrepositories"]; r.OK || r.Needed || r.Help == "" {
		b.Errorf("what is not, and can be done without: %+v", r)
	}
	if r := byWhat["patch imageupdateautomations"]; r.OK || r.Needed || r.Help == "" {
		b.Errorf("image automation may be left to Git: %+v", r)
	}
}
