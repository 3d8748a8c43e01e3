package k8stest

import (
	"errors"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ferry/internal/deploy"
	"ferry/internal/fault"
	"ferry/k8s"
)

const suspendedBy = "ferry/suspended-by"

// suspendsAutomation needs the kind ImageUpdateAutomation as v1, among whatever
// other versions of it.
func suspendsAutomation(b *bench) {
	ns := b.namespace("a")
	spec := object{"interval": "1h", "sourceRef": object{"kind": "GitRepository", "name": "fleet"}, "update": object{"path": "./apps", "strategy": "Setters"}}
	b.create(automations, ns, "updates", object{"metadata": object{"annotations": object{"kept": "yes"}}, "spec": spec})
	fleet := b.fleet(k8s.Options{Namespaces: []string{ns}}) // nothing need be seen for it
	ref := deploy.Ref{Kind: "ImageUpdateAutomation", Namespace: ns, Name: "updates"}
	generation := b.get(automations, ns, "updates").GetGeneration()
	for _, job := range []string{"j1", "j2", "j2"} { // twice is no harm
		if err := fleet.SuspendAutomation(b.Context(), one, ref, job); err != nil {
			b.Fatal(err)
		}
		now := b.get(automations, ns, "updates")
		got, _ := now.Object["spec"].(object)
		update, _ := got["update"].(object)
		if got["suspend"] != true || got["interval"] != "1h" || update["path"] != "./apps" || len(got) != len(spec)+1 {
			b.Errorf("spec is %+v", got)
		}
		if a := now.GetAnnotations(); a[suspendedBy] != job || a["kept"] != "yes" || now.GetGeneration() != generation+1 {
			b.Errorf("annotations %v, generation %d after %d", a, now.GetGeneration(), generation)
		}
	}
	b.doesNotSuspend(fleet, one, deploy.Ref{Kind: ref.Kind, Namespace: ns, Name: "none"}, fault.NotFound, ref.Kind+" "+ns+"/none is not on one")
	b.doesNotSuspend(fleet, "two", ref, fault.NotFound, "no cluster two")
	r, _, _ := b.resource(automations, ns)
	if _, err := r.Get(b.Context(), "none", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		b.Errorf("what is not there was made: %v", err)
	}
	if err := fleet.SuspendAutomation(b.Context(), one, deploy.Ref{Kind: "GitRepository", Namespace: ns, Name: "updates"}, "j3"); err == nil {
		b.Error("another kind was taken for an automation")
	}
	if b.cluster.Limited == "" {
		return
	}
	limited := b.fleet(k8s.Options{Namespaces: []string{ns}, Clusters: b.limited()})
	b.doesNotSuspend(limited, one, ref, fault.Denied, "ferry may not suspend "+ref.String()+" on one", "patch on imageupdateautomations of image.toolkit.fluxcd.io")
}

// doesNotSuspend expects a fault with all of some words.
func (b *bench) doesNotSuspend(fleet *k8s.Fleet, c deploy.Cluster, ref deploy.Ref, kind fault.Kind, words ...string) {
	b.Helper()
	err := fleet.SuspendAutomation(b.Context(), c, ref, "j3")
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || f.Kind != kind {
		b.Errorf("%s on %s: %v", ref, c, err)
		return
	}
	for _, w := range words {
		if !strings.Contains(f.Says+"\n"+f.Help, w) {
			b.Errorf("%s on %s: it does not say %q: %s\n%s", ref, c, w, f.Says, f.Help)
		}
	}
}
