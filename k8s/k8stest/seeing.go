package k8stest

import (
	"slices"
	"strings"

	"ferry/internal/deploy"
	"ferry/k8s"
)

func healthy(a deploy.AppState) bool { return a.Health == deploy.Healthy }

func listsApps(b *bench) {
	ns := b.namespace("a")
	digest := "sha256:" + strings.Repeat("ab", 32)
	for name, image := range map[string]string{
		"plain": "example.com/team/plain:1.2.3", "port": "localhost:5000/team/web:17.0.0", "both": "example.com/both:2.0@" + digest,
		"digest": "localhost:5000/digest@" + digest, "bare": "localhost:5000/bare",
	} {
		b.create(deployments, ns, name, workload(name, image, nil))
	}
	two := workload("two", "example.com/two:2.0", nil)
	pod := two["spec"].(object)["template"].(object)["spec"].(object)
	pod["containers"] = append(list{object{"name": "sidecar", "image": "example.com/proxy:9.9"}}, pod["containers"].(list)...)
	b.create(deployments, ns, "two", two)

	fleet := b.synced(k8s.Options{Namespaces: []string{ns}})
	if v := fleet.Clusters()[0].Version; !strings.HasPrefix(v, "v") {
		b.Errorf("the API server's version is %q", v)
	}
	var got []string
	for _, a := range fleet.Apps(one) {
		if a.Cluster != one || a.App.Namespace != ns || len(a.Owner.Workloads) != 1 {
			b.Errorf("app %+v", a)
		}
		got = append(got, a.App.Name+" "+string(a.Version))
	}
	want := []string{"bare ", "both 2.0", "digest " + digest, "plain 1.2.3", "port 17.0.0", "two 2.0"}
	if !slices.Equal(got, want) {
		b.Errorf("apps are %q, want %q", got, want)
	}
	port := fleet.Find(one, ns+"/port")
	if len(port) != 1 || port[0].Images[0] != (deploy.Image{Container: "port", Repository: "localhost:5000/team/web", Tag: "17.0.0"}) {
		b.Errorf("port is %+v", port)
	}
	if both := fleet.Find(one, "both"); len(both) != 1 || both[0].Images[0].Digest != digest || both[0].Images[0].Tag != "2.0" {
		b.Errorf("both is %+v", both)
	}
	if len(fleet.Find(one, "por")) != 0 || len(fleet.Find("other", "port")) != 0 {
		b.Error("found what is not there")
	}
}

func seesChanges(b *bench) {
	ns := b.namespace("a")
	fleet := b.synced(k8s.Options{Namespaces: []string{ns}})
	b.create(deployments, ns, "web", workload("web", "example.com/web:1.0", nil))
	before := b.app(fleet, "web", func(a deploy.AppState) bool { return a.Version == "1.0" })
	if before.Since.IsZero() {
		b.Error("nobody knows since when the app is there")
	}
	b.patch(deployments, ns, "web", "", imagePatch("web", "example.com/web:1.1"))
	b.app(fleet, "web", func(a deploy.AppState) bool { return a.Version == "1.1" })
	if before.Version != "1.0" {
		b.Error("a row that was handed out has changed")
	}
	b.remove(deployments, ns, "web")
	b.eventually("the app is gone", func() (bool, any) { all := fleet.Apps(one); return len(all) == 0, all })
}

func looksWhereTold(b *bench) {
	here, there := b.namespace("here"), b.namespace("there")
	b.create(deployments, there, "other", workload("other", "example.com/other:1.0", nil))
	b.create(deployments, here, "web", workload("web", "example.com/web:1.0", nil))
	fleet := b.synced(k8s.Options{Namespaces: []string{here}})
	if all := fleet.Apps(one); len(all) != 1 || all[0].App.Name != "web" {
		b.Errorf("apps are %+v", all)
	}
	everywhere := b.synced(k8s.Options{})
	for _, name := range []string{here + "/web", there + "/other"} {
		if len(everywhere.Find(one, name)) != 1 {
			b.Errorf("%s is not found everywhere", name)
		}
	}
}

func judgesHealth(b *bench) {
	ns := b.namespace("a")
	b.gitRepository(ns, "fleet", object{"branch": "main"})
	b.kustomization(ns, "apps", "fleet", nil)
	b.create(deployments, ns, "web", workload("web", "example.com/web:1.0", appliedBy(ns, "apps")))
	fleet := b.synced(k8s.Options{Namespaces: []string{ns}})

	b.app(fleet, "web", func(a deploy.AppState) bool { return a.Health == deploy.Unknown && a.Ready == 1 }) // Flux said nothing
	b.report(kustomizations, ns, "apps", "True", "ReconciliationSucceeded", "applied", nil)
	a := b.app(fleet, "web", healthy)
	if a.Desired != 1 || a.Reason != "" || a.Owner.Kustomization != (deploy.Ref{Kind: "Kustomization", Namespace: ns, Name: "apps"}) {
		b.Errorf("healthy app is %+v", a)
	}
	b.report(kustomizations, ns, "apps", "False", "BuildFailed", "no such file", nil)
	b.app(fleet, "web", func(a deploy.AppState) bool {
		return a.Health == deploy.Degraded && strings.Contains(a.Reason, "no such file")
	})
	b.patch(kustomizations, ns, "apps", "", object{"spec": object{"suspend": true}})
	b.app(fleet, "web", func(a deploy.AppState) bool { return a.Health == deploy.Suspended })
	b.patch(kustomizations, ns, "apps", "", object{"spec": object{"suspend": false}})
	b.report(kustomizations, ns, "apps", "True", "ReconciliationSucceeded", "applied", nil)
	b.app(fleet, "web", healthy)

	b.patch(deployments, ns, "web", "", imagePatch("web", "example.com/web:broken"))
	b.app(fleet, "web", func(a deploy.AppState) bool {
		return a.Health == deploy.Progressing && a.Reason != "" && a.Version == "broken"
	})
	b.patch(deployments, ns, "web", "", imagePatch("web", "example.com/web:1.2"))
	b.app(fleet, "web", func(a deploy.AppState) bool { return healthy(a) && a.Version == "1.2" })
}

func unknownOwners(b *bench) {
	ns := b.namespace("a")
	b.create(deployments, ns, "web", workload("web", "example.com/web:1.0", appliedBy(ns, "nowhere")))
	b.create(deployments, ns, "api", workload("api", "example.com/api:1.0", releasedBy(ns, "gone")))
	fleet := b.synced(k8s.Options{Namespaces: []string{ns}})
	b.app(fleet, "web", func(a deploy.AppState) bool {
		return a.Ready == 1 && a.Health == deploy.Unknown && strings.Contains(a.Reason, "nowhere")
	})
	b.app(fleet, "gone", func(a deploy.AppState) bool {
		return a.Ready == 1 && a.Health == deploy.Unknown && a.Owner.Release.Name == "gone"
	})
}

func releaseIsOneApp(b *bench) {
	flux, target := b.namespace("flux"), b.namespace("target")
	b.gitRepository(flux, "fleet", object{"branch": "main"})
	b.kustomization(flux, "apps", "fleet", nil)
	b.report(kustomizations, flux, "apps", "True", "ReconciliationSucceeded", "applied", nil)
	b.helmRelease(flux, "shop", target, ">=1.0.0", "1.0")
	for _, name := range []string{"shop-web", "shop-api"} {
		b.create(deployments, target, name, workload(name, "example.com/"+name+":1.0", releasedBy(flux, "shop")))
	}
	// The release lives where nobody was told to look; its workloads do not.
	fleet := b.synced(k8s.Options{Namespaces: []string{target}})
	b.app(fleet, "shop", func(a deploy.AppState) bool { return a.Ready == 2 && a.Health == deploy.Unknown })
	b.report(helmReleases, flux, "shop", "True", "UpgradeSucceeded", "ok", object{"history": list{
		snapshot(2, "1.3.0+0123abcd", "sha256:b", "deployed"), snapshot(1, "1.2.0", "sha256:a", "superseded"),
	}})
	a := b.app(fleet, "shop", healthy)
	want := deploy.Owner{
		Release:       deploy.Ref{Kind: "HelmRelease", Namespace: flux, Name: "shop"},
		Kustomization: deploy.Ref{Kind: "Kustomization", Namespace: flux, Name: "apps"},
	}
	if a.App.Namespace != target || a.Version != "1.3.0" || a.Chart != "web-chart" || a.Desired != 2 || len(a.Images) != 2 {
		b.Errorf("app is %+v", a)
	}
	if a.Owner.Release != want.Release || a.Owner.Kustomization != want.Kustomization || len(a.Owner.Workloads) != 2 || a.Owner.Workloads[0].Name != "shop-api" {
		b.Errorf("owner is %+v", a.Owner)
	}
	if len(fleet.Apps(one)) != 1 {
		b.Errorf("apps are %+v", fleet.Apps(one))
	}
	b.report(helmReleases, flux, "shop", "False", "UpgradeFailed", "timed out", nil)
	b.app(fleet, "shop", func(a deploy.AppState) bool {
		return a.Health == deploy.Degraded && strings.Contains(a.Reason, "timed out")
	})
}

func releaseWithoutWorkloads(b *bench) {
	flux, target := b.namespace("flux"), b.namespace("target")
	b.helmRelease(flux, "seen", target, "1.0.0", "1.0")
	b.helmRelease(flux, "unseen", "", "1.0.0", "1.0")
	fleet := b.synced(k8s.Options{Namespaces: []string{target}})
	all := fleet.Apps(one)
	if len(all) != 1 || all[0].App != (deploy.App{Namespace: target, Name: "seen"}) || all[0].Version != "1.0.0" || all[0].Health != deploy.Unknown {
		b.Errorf("apps are %+v", all)
	}
}

func nameTwice(b *bench) {
	first, second := b.namespace("first"), b.namespace("second")
	for _, ns := range []string{first, second} {
		b.create(deployments, ns, "worker", workload("worker", "example.com/worker:1.0", nil))
	}
	fleet := b.synced(k8s.Options{Namespaces: []string{second, first}})
	both := fleet.Find(one, "worker")
	if len(both) != 2 || both[0].App.Namespace != first || both[1].App.Namespace != second {
		b.Errorf("worker is %+v", both)
	}
	if qualified := fleet.Find(one, second+"/worker"); len(qualified) != 1 || qualified[0].App.Namespace != second {
		b.Errorf("%s/worker is %+v", second, qualified)
	}
}
