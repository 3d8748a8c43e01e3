package cluster

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/fluxcd/pkg/apis/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"ferry/plugins/flux/line"
)

// Object is one of Flux's, as far as it is asked about here. Its fields are those
// that all versions of all kinds share.
type Object struct {
	Kind line.Kind
	*unstructured.Unstructured
}

func objects(k line.Kind, list *unstructured.UnstructuredList) []Object {
	var out []Object
	for i := range list.Items {
		out = append(out, Object{Kind: k, Unstructured: &list.Items[i]})
	}
	return out
}

// String names an object: Kustomization flux-system/podinfo.
func (o Object) String() string { return o.Kind.Name + " " + o.GetNamespace() + "/" + o.GetName() }

// Text returns a text in it, "" if there is none.
func (o Object) Text(path ...string) string {
	text, _, _ := unstructured.NestedString(o.Object, path...)
	return text
}

// Suspended says whether Flux leaves it alone.
func (o Object) Suspended() bool {
	is, _, _ := unstructured.NestedBool(o.Object, "spec", "suspend")
	return is
}

// Static says whether Flux has nothing to do for it: a HelmRepository that is only
// an address.
func (o Object) Static() bool {
	return o.Kind.Name == "HelmRepository" && o.Text("spec", "type") == "oci"
}

// Elsewhere says whether what it makes is in another cluster.
func (o Object) Elsewhere() bool {
	_, is, _ := unstructured.NestedMap(o.Object, "spec", "kubeConfig")
	return is
}

// Parent is the Kustomization that applies the object, "" for none.
func (o Object) Parent() string {
	labels := o.GetLabels()
	if name := labels[line.Kustomize+"/name"]; name != "" {
		return labels[line.Kustomize+"/namespace"] + "/" + name
	}
	return ""
}

// Handled says whether Flux has looked at the object since it was asked with a
// token, or by somebody else after that.
func (o Object) Handled(token string) bool {
	handled := o.Text("status", "lastHandledReconcileAt")
	return handled != "" && (handled == token || handled == o.GetAnnotations()[meta.ReconcileRequestAnnotation])
}

// Condition is one of an object's.
type Condition struct {
	Status, Reason, Message string
	Generation              int64 // 0 if it does not say
}

// Condition returns the condition of that type; its status is "" if there is none.
// Types are written in any case.
func (o Object) Condition(kind string) Condition {
	all, _, _ := unstructured.NestedSlice(o.Object, "status", "conditions")
	for _, entry := range all {
		fields, _ := entry.(map[string]any)
		text := func(key string) string { s, _ := fields[key].(string); return s }
		if strings.EqualFold(text("type"), kind) {
			generation, _ := fields["observedGeneration"].(int64)
			return Condition{Status: text("status"), Reason: text("reason"), Message: oneLine(text("message")), Generation: generation}
		}
	}
	return Condition{}
}

// Settled says whether its Ready condition is about the object as it is, and Flux is
// not in the middle of it.
func (o Object) Settled() bool {
	ready, reconciling := o.Condition(meta.ReadyCondition), o.Condition(meta.ReconcilingCondition)
	current := ready.Generation == 0 || ready.Generation >= o.GetGeneration()
	busy := reconciling.Status == "True" && reconciling.Reason == meta.ProgressingReason
	return current && !busy && (ready.Status == "True" || ready.Status == "False")
}

// Ready says whether it is, in one word for tables.
func (o Object) Ready() string {
	if o.Static() {
		return "True"
	}
	if s := o.Condition(meta.ReadyCondition).Status; s != "" {
		return s
	}
	return "Unknown"
}

// Why is what it says of its readiness.
func (o Object) Why() string {
	ready := o.Condition(meta.ReadyCondition)
	switch {
	case o.Static():
		return "an address alone: Flux has nothing to fetch"
	case ready.Status == "":
		return "Flux has not looked at it yet"
	case ready.Status == "True" || ready.Reason == "":
		return ready.Message
	}
	return ready.Reason + ": " + ready.Message
}

// Revision is what it has brought into the cluster, fetched or found.
func (o Object) Revision() string {
	switch o.Kind.Name {
	case "HelmRelease":
		history, _, _ := unstructured.NestedSlice(o.Object, "status", "history")
		if len(history) > 0 {
			if latest, ok := history[0].(map[string]any); ok {
				return fmt.Sprintf("%v@%v", latest["chartName"], latest["chartVersion"])
			}
		}
		return o.Text("status", "lastAppliedRevision")
	case "Kustomization":
		return short(o.Text("status", "lastAppliedRevision"))
	case "ImageRepository":
		if n, ok, _ := unstructured.NestedInt64(o.Object, "status", "lastScanResult", "tagCount"); ok {
			return fmt.Sprintf("%d tags", n)
		}
		return ""
	case "ImagePolicy":
		if tag := o.Text("status", "latestRef", "tag"); tag != "" {
			return o.Text("status", "latestRef", "name") + ":" + tag
		}
		return o.Text("status", "latestImage")
	case "ImageUpdateAutomation":
		return short(o.Text("status", "lastPushCommit"))
	}
	return short(o.Text("status", "artifact", "revision"))
}

// short is a revision with the first eight digits of its sum, as Flux shows it.
func short(r string) string {
	head, sum, ok := strings.Cut(r, ":")
	if !ok {
		head, sum = "", r
	}
	if len(sum) < 40 || strings.Trim(sum, "0123456789abcdef") != "" {
		return r
	}
	if !ok {
		return sum[:8]
	}
	return head + ":" + sum[:8]
}

// oneLine makes one line of a message, of a sensible length and with short sums.
func oneLine(text string) string {
	sums := regexp.MustCompile(`\b([0-9a-f]{8})(?:[0-9a-f]{32}|[0-9a-f]{56})\b`)
	text = sums.ReplaceAllString(strings.Join(strings.Fields(text), " "), "$1")
	if runes := []rune(text); len(runes) > 300 {
		return string(runes[:299]) + "…"
	}
	return text
}
