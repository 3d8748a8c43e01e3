package k8stest

import (
	"encoding/json"
	"reflect"
	"time"

	"ferry/internal/deploy"
	"ferry/internal/fault"
	"ferry/k8s"
)

// declaration finds a Kustomization among what the cluster declares.
func declaration(fleet *k8s.Fleet, namespace, name string) (deploy.Kustomization, bool) {
	for _, d := range fleet.Declared() {
		for _, k := range d.Kustomizations {
			if k.Ref.Namespace == namespace && k.Ref.Name == name {
				return k, d.Known
			}
		}
	}
	return deploy.Kustomization{}, false
}

func tellsDeclared(b *bench) {
	ns := b.namespace("a")
	b.gitRepository(ns, "fleet", object{"branch": "live"})
	b.gitRepository(ns, "pinned", object{"tag": "v1"})
	b.create(configMaps, ns, "vars", object{"data": object{"TAG": "1.0", "REGION": "north"}})
	b.create(secrets, ns, "more", object{"stringData": object{}, "data": object{"TAG": "Mi4w"}})
	from := list{
		object{"kind": "ConfigMap", "name": "vars"},
		object{"kind": "Secret", "name": "more"},
		object{"kind": "ConfigMap", "name": "maybe", "optional": true},
	}
	b.kustomization(ns, "apps", "fleet", object{"postBuild": object{"substituteFrom": from}})
	b.kustomization(ns, "fixed", "pinned", object{"postBuild": object{"substituteFrom": list{object{"kind": "ConfigMap", "name": "absent"}}}})

	fleet := b.synced(k8s.Options{Namespaces: []string{ns}})
	apps, known := declaration(fleet, ns, "apps")
	if !known {
		b.Fatalf("declared is %+v", fleet.Declared())
	}
	if apps.Cluster != one || apps.Path != "./apps/apps" || apps.Source != (deploy.Source{URL: "https://example.com/acme/fleet.git", Branch: "live"}) ||
		apps.SourceIgnore != "/docs/" || apps.SourceRef != (deploy.Ref{Kind: "GitRepository", Namespace: ns, Name: "fleet"}) {
		b.Errorf("apps is %+v", apps)
	}
	wanted := []deploy.Substitute{
		{Ref: deploy.Ref{Kind: "ConfigMap", Namespace: ns, Name: "vars"}, Values: map[string]string{"TAG": "1.0", "REGION": "north"}},
		{Ref: deploy.Ref{Kind: "Secret", Namespace: ns, Name: "more"}, Values: map[string]string{"TAG": "2.0"}},
		{Ref: deploy.Ref{Kind: "ConfigMap", Namespace: ns, Name: "maybe"}, Missing: true},
	}
	if !reflect.DeepEqual(apps.Substitutes, wanted) {
		b.Errorf("substitutes are %+v, want %+v", apps.Substitutes, wanted)
	}
	var o struct {
		APIVersion, Kind string
		Metadata         struct{ Name, Namespace string }
		Spec             struct {
			Prune bool
			Path  string
		}
	}
	if err := json.Unmarshal(apps.Object, &o); err != nil || o.Kind != "Kustomization" || o.Metadata.Name != "apps" || !o.Spec.Prune || o.Spec.Path != "./apps/apps" {
		b.Errorf("object is %s (%v)", apps.Object, err)
	}
	fixed, _ := declaration(fleet, ns, "fixed")
	if fixed.Source.Branch != "" || fixed.Source.Pinned != "tag v1" || len(fixed.Substitutes) != 1 || !fixed.Substitutes[0].Missing {
		b.Errorf("fixed is %+v", fixed)
	}
	b.patch(configMaps, ns, "vars", "", object{"data": object{"REGION": "south"}})
	b.create(configMaps, ns, "absent", object{"data": object{"A": "b"}})
	b.eventually("substitutes follow", func() (bool, any) {
		apps, _ := declaration(fleet, ns, "apps")
		fixed, _ := declaration(fleet, ns, "fixed")
		return apps.Substitutes[0].Values["REGION"] == "south" && fixed.Substitutes[0].Values["A"] == "b", []any{apps.Substitutes, fixed.Substitutes}
	})
	b.remove(kustomizations, ns, "fixed")
	b.eventually("what is withdrawn is not declared", func() (bool, any) {
		_, there := declaration(fleet, ns, "fixed")
		return !there, nil
	})
}

func asksToReconcile(b *bench) {
	ns := b.namespace("a")
	b.gitRepository(ns, "fleet", object{"branch": "main"})
	b.kustomization(ns, "apps", "fleet", nil)
	b.create(helmRepos, ns, "charts", object{"spec": object{"interval": "1h", "url": "https://example.com/charts"}})
	b.helmRelease(ns, "web", "", "1.0.0", "1.0")
	fleet := b.synced(k8s.Options{Namespaces: []string{ns}})
	owner := deploy.Owner{Release: deploy.Ref{Kind: "HelmRelease", Namespace: ns, Name: "web"}, Kustomization: deploy.Ref{Kind: "Kustomization", Namespace: ns, Name: "apps"}}
	at := time.Now()
	for range 2 { // twice is no harm
		if err := fleet.Reconcile(b.Context(), one, owner, at); err != nil {
			b.Fatal(err)
		}
	}
	for kind, name := range map[string]string{gitRepositories: "fleet", helmRepos: "charts"} {
		if got := b.get(kind, ns, name).GetAnnotations()["reconcile.fluxcd.io/requestedAt"]; got != at.UTC().Format(time.RFC3339Nano) {
			b.Errorf("%s was asked at %q", name, got)
		}
	}
	if err := fleet.Reconcile(b.Context(), one, deploy.Owner{}, at); !fault.Is(err, fault.Refused) {
		b.Errorf("an app that Flux does not own: %v", err)
	}
	if err := fleet.Reconcile(b.Context(), "two", owner, at); !fault.Is(err, fault.NotFound) {
		b.Errorf("a cluster that is not there: %v", err)
	}
}
