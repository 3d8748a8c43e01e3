package events

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"ferry/e2e/testbed"
	"ferry/playground/slack"
)

const (
	podsOfANode = 300
	spaces      = 10 // that they are in
)

// outage is a node of a real cluster with 300 pods, each of a workload of its own.
type outage struct {
	*testbed.Cluster
	t *testing.T
}

// TestAnOutageOnRealClusters has a node stop answering and all its pods fail, under the configuration that docs/alerts.md
// and docs/sources.md recommend: the channel gets one message. What has nothing to do with it gets its own meanwhile.
func TestAnOutageOnRealClusters(t *testing.T) {
	o := &outage{startClusters(t, "prod")[0], t}
	_, alerts, _ := strings.Cut(documented(t, "alerts.md", "", "C012AB3CD", channel), "\nalerts:\n")
	h := newHouse(t, []*testbed.Cluster{o.Cluster}, func(h http.Handler) http.Handler { return h },
		"  sources:\n    events:\n      plugin: local/events\n      clusters: [\"*\"]\n      config:\n"+documented(t, "sources.md", "        ", "resolve_after: 1m", "resolve_after: 2s")+
			"  notifiers: {file: {plugin: local/log, config: {file: "+filepath.Join(t.TempDir(), "changes.jsonl")+"}}}\n"+
			"alerts:\n"+alerts)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	for _, name := range []string{"node-1", "node-2"} {
		_, err := o.Typed.CoreV1().Nodes().Create(ctx, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
		must(t, err)
		o.node(ctx, name, corev1.ConditionTrue)
	}
	for i := range spaces {
		must(t, makeNamespace(ctx, o.Cluster, fmt.Sprintf("team-%d", i)))
	}
	o.each(func(i int) { o.pod(ctx, fmt.Sprintf("team-%d", i%spaces), fmt.Sprintf("app-%d", i), "node-1") })
	o.pod(ctx, namespace, "invoices", "node-2")
	must(t, h.Start())
	must(t, until(ctx, func() (bool, error) { return len(h.pluginPIDs()) == 2, h.Start() }))

	began := time.Now()
	o.each(func(i int) {
		if i == 50 { // the first pods fail while the node still seems well
			o.node(ctx, "node-1", corev1.ConditionUnknown)
		}
		o.fail(ctx, i, 1)
	})
	o.await(ctx, h, 1, "node-1 is not ready")
	t.Logf("%d pods fail with their node; the channel is told after %.1f s", podsOfANode, posted(o.message(h, "node-1")).Sub(began).Seconds())

	other := time.Now()
	o.status(ctx, namespace, "invoices", crashing(3))
	o.each(func(i int) { o.fail(ctx, i, 2) }) // while it goes on
	o.await(ctx, h, 2, "invoices is in a crash loop")
	took := posted(o.message(h, "invoices")).Sub(other)
	t.Logf("what has nothing to do with it is told after %.1f s; the goal is less than 5 s", took.Seconds())

	o.each(func(i int) { o.replace(ctx, fmt.Sprintf("team-%d", i%spaces), fmt.Sprintf("app-%d", i)) })
	o.replace(ctx, namespace, "invoices")
	o.node(ctx, "node-1", corev1.ConditionTrue)
	o.await(ctx, h, 2, "node-1: NodeNotReady is over", "invoices: CrashLoopBackOff is over")
	must(t, h.End(syscall.SIGTERM))
	all := h.told(t)
	for _, m := range all[:min(len(all), 5)] {
		t.Logf("a message, edited %d times, which reads at last: %s", len(m.Edits), m.Text)
	}
	if n := len(all); n != 2 {
		t.Errorf("the channel got %d messages, want one of the outage and one of what has nothing to do with it", n)
	}
}

// documented is the first configuration that a page of the documentation shows, but for what is replaced.
func documented(t *testing.T, page, indent string, replace ...string) (out string) {
	t.Helper()
	text, err := os.ReadFile("../../docs/" + page)
	must(t, err)
	_, rest, ok := strings.Cut(string(text), "```yaml\n")
	block, _, ok2 := strings.Cut(rest, "```")
	if !ok || !ok2 {
		t.Fatalf("docs/%s shows no configuration", page)
	}
	for line := range strings.Lines(strings.NewReplacer(replace...).Replace(block)) {
		out += indent + line
	}
	return out
}

// each does something for every pod of the node, several at a time.
func (o *outage) each(do func(i int)) {
	var all sync.WaitGroup
	for part := range lanes {
		all.Go(func() {
			for i := part; i < podsOfANode; i += lanes {
				do(i)
			}
		})
	}
	all.Wait()
	if o.t.Failed() {
		o.t.FailNow()
	}
}

func (o *outage) check(err error) {
	if err != nil {
		o.t.Error(err) // it may be another goroutine than the test's
	}
}

func (o *outage) pod(ctx context.Context, space, name, node string) {
	owner := true
	_, err := o.Typed.CoreV1().Pods(space).Create(ctx, &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: name + "-6f5d9-abcde", Namespace: space, Labels: map[string]string{"app.kubernetes.io/name": name, "pod-template-hash": "6f5d9"},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: name + "-6f5d9", UID: "0", Controller: &owner}},
		},
		Spec: corev1.PodSpec{NodeName: node, Containers: []corev1.Container{{Name: "app", Image: "example.com/app:1"}}},
	}, metav1.CreateOptions{})
	o.check(err)
	o.status(ctx, space, name, corev1.PodStatus{Phase: corev1.PodRunning})
}

func (o *outage) status(ctx context.Context, space, name string, s corev1.PodStatus) {
	body, err := json.Marshal(map[string]any{"status": s})
	o.check(err)
	_, err = o.Typed.CoreV1().Pods(space).Patch(ctx, name+"-6f5d9-abcde", types.MergePatchType, body, metav1.PatchOptions{}, "status")
	o.check(err)
}

// replace deletes a pod, as whoever makes another one elsewhere does.
func (o *outage) replace(ctx context.Context, space, name string) {
	now := int64(0)
	o.check(o.Typed.CoreV1().Pods(space).Delete(ctx, name+"-6f5d9-abcde", metav1.DeleteOptions{GracePeriodSeconds: &now}))
}

// node writes what a node controller does of a node that answers, or no more.
func (o *outage) node(ctx context.Context, name string, ready corev1.ConditionStatus) {
	c := corev1.NodeCondition{Type: corev1.NodeReady, Status: ready, Reason: "KubeletReady", LastTransitionTime: metav1.Now()}
	if ready != corev1.ConditionTrue {
		c.Reason, c.Message = "NodeStatusUnknown", "Kubelet stopped posting node status."
	}
	body, err := json.Marshal(map[string]any{"status": corev1.NodeStatus{Conditions: []corev1.NodeCondition{c}}})
	o.check(err)
	_, err = o.Typed.CoreV1().Nodes().Patch(ctx, name, types.MergePatchType, body, metav1.PatchOptions{}, "status")
	o.check(err)
}

func crashing(times int32) corev1.PodStatus {
	return corev1.PodStatus{Phase: corev1.PodRunning, ContainerStatuses: []corev1.ContainerStatus{{
		Name: "app", Image: "example.com/app:1", RestartCount: times,
		State:                corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff", Message: "back-off restarting failed container"}},
		LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: "Error", ExitCode: 1, FinishedAt: metav1.Now()}},
	}}}
}

// fail has a pod fail for the nth time, in one of three ways, and says it as an Event too.
func (o *outage) fail(ctx context.Context, i int, nth int32) {
	space, name := fmt.Sprintf("team-%d", i%spaces), fmt.Sprintf("app-%d", i)
	s := crashing(nth)
	switch i % 3 {
	case 1:
		s = corev1.PodStatus{Phase: corev1.PodFailed, Reason: "Evicted", Message: "The node was low on resource: memory."}
	case 2:
		t := s.ContainerStatuses[0].LastTerminationState.Terminated
		t.Reason, t.ExitCode = "OOMKilled", 137
	}
	o.status(ctx, space, name, s)
	_, err := o.Typed.CoreV1().Events(space).Create(ctx, &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{GenerateName: name, Namespace: space}, Type: "Warning", Reason: "Unhealthy", Message: "Readiness probe failed: connection refused", Count: 1,
		FirstTimestamp: metav1.Now(), LastTimestamp: metav1.Now(), Source: corev1.EventSource{Component: "kubelet", Host: "node-1"},
		InvolvedObject: corev1.ObjectReference{Kind: "Pod", Namespace: space, Name: name + "-6f5d9-abcde"},
	}, metav1.CreateOptions{})
	o.check(err)
}

// await waits until the channel has so many messages at least, and one with each of the words.
func (o *outage) await(ctx context.Context, h *house, least int, words ...string) {
	o.t.Helper()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	err := until(ctx, func() (bool, error) {
		for _, w := range words {
			if o.message(h, w).TS == "" {
				return false, nil
			}
		}
		return len(h.told(o.t)) >= least, nil
	})
	if err != nil {
		all := h.told(o.t)
		for _, m := range all[:min(len(all), 5)] {
			o.t.Logf("the channel reads: %s", m.Text)
		}
		o.t.Fatalf("of %d messages none says %q: %v", len(all), words, err)
	}
}

func (o *outage) message(h *house, words string) (found slack.Message) {
	for _, m := range h.told(o.t) {
		if strings.Contains(m.Text, words) {
			return m
		}
	}
	return found
}
