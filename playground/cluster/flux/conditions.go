package flux

import (
	"crypto/sha256"
	"encoding/hex"

	apimeta "github.com/fluxcd/pkg/apis/meta"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ferry/playground/cluster/apiserver"
)

func key(o metav1.Object) apiserver.Key {
	return apiserver.Key{Namespace: o.GetNamespace(), Name: o.GetName()}
}

// conditions edits the conditions of an object at a generation.
type conditions struct {
	list       *[]metav1.Condition
	generation int64
}

func (c conditions) set(kind string, is metav1.ConditionStatus, reason, message string) {
	meta.SetStatusCondition(c.list, metav1.Condition{
		Type: kind, Status: is, Reason: reason, Message: message,
		ObservedGeneration: c.generation, LastTransitionTime: metav1.Now().Rfc3339Copy(),
	})
}

func (c conditions) remove(kinds ...string) {
	for _, kind := range kinds {
		meta.RemoveStatusCondition(c.list, kind)
	}
}

// ready ends a reconciliation well.
func (c conditions) ready(reason, message string) {
	c.set(apimeta.ReadyCondition, metav1.ConditionTrue, reason, message)
	c.remove(apimeta.ReconcilingCondition, apimeta.StalledCondition)
}

// failed ends an attempt badly; there will be another.
func (c conditions) failed(reason, message string) {
	c.set(apimeta.ReadyCondition, metav1.ConditionFalse, reason, message)
	c.set(apimeta.ReconcilingCondition, metav1.ConditionTrue, apimeta.ProgressingWithRetryReason, message)
}

func (c conditions) progressing(message string) {
	c.set(apimeta.ReadyCondition, metav1.ConditionUnknown, apimeta.ProgressingReason, "Reconciliation in progress")
	c.set(apimeta.ReconcilingCondition, metav1.ConditionTrue, apimeta.ProgressingReason, message)
}

func isReady(list []metav1.Condition) bool {
	return meta.IsStatusConditionTrue(list, apimeta.ReadyCondition)
}

// requested is the value of the annotation that asks for a reconciliation.
func requested(o metav1.Object) string { return o.GetAnnotations()[apimeta.ReconcileRequestAnnotation] }

func digest(raw []byte) string {
	sum := sha256.Sum256(raw)
	return "sha256:" + hex.EncodeToString(sum[:])
}
