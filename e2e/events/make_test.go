package events

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"ferry/e2e/testbed"
)

const namespace = "shop"

// maker makes what is planned happen on the clusters, and keeps what the API servers have.
type maker struct {
	clusters []*testbed.Cluster
	began    time.Time

	mu      sync.Mutex
	made    map[string]time.Time // by the step's id: when the try began that was granted
	retried int                  // tries that were not
	mended  map[string]bool      // things that are well again
}

// run makes every step of the plan at its time, in the order of its lane. What an API server does not grant is tried
// again until it does, or ctx ends.
func (m *maker) run(ctx context.Context, p *plan) error {
	m.began = time.Now()
	errs := make(chan error, clusters*lanes)
	for c := range clusters {
		for l := range lanes {
			go func() { errs <- m.lane(ctx, p.lane(c, l)) }()
		}
	}
	var first error
	for range clusters * lanes {
		if err := <-errs; err != nil && first == nil {
			first = err
		}
	}
	return first
}

func (m *maker) lane(ctx context.Context, steps []step) error {
	for i := range steps {
		s := &steps[i]
		due := time.NewTimer(time.Until(m.began.Add(time.Duration(s.place) * time.Second / pace)))
		select {
		case <-due.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		if err := m.persist(ctx, s.id(), func(ctx context.Context, try time.Time) error { return m.make(ctx, s, try) }); err != nil {
			return err
		}
	}
	return nil
}

// persist tries until it is granted. What was asked for twice because an answer was lost is there once: by its name, or
// because it says what is and not what is to change.
func (m *maker) persist(ctx context.Context, id string, do func(ctx context.Context, try time.Time) error) error {
	for {
		try := time.Now()
		short, cancel := context.WithTimeout(ctx, 10*time.Second)
		err := do(short, try)
		cancel()
		m.mu.Lock()
		switch {
		case err == nil:
			m.made[id] = try
		default:
			m.retried++
		}
		m.mu.Unlock()
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return fmt.Errorf("make %s: %w", id, err)
		case apierrors.IsInvalid(err) || apierrors.IsBadRequest(err):
			return fmt.Errorf("make %s: %w", id, err)
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

func (m *maker) make(ctx context.Context, s *step, at time.Time) error {
	switch {
	case s.of.manner == ailing:
		return m.kill(ctx, s)
	case s.nth%2 == 0:
		return there(m.older(ctx, s, at))
	}
	return there(m.say(ctx, s, at, note(s)))
}

// there takes what is there already for made.
func there(err error) error {
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

func reason(s *step) string {
	if s.of.manner == counted {
		return "FailedMount"
	}
	return "Unhealthy"
}

func note(s *step) string { return "it happens: " + s.id() }

// say makes an Event as components do that speak events.k8s.io.
func (m *maker) say(ctx context.Context, s *step, at time.Time, text string) error {
	_, err := m.clusters[s.of.cluster].Typed.EventsV1().Events(namespace).Create(ctx, &eventsv1.Event{
		ObjectMeta: metav1.ObjectMeta{Name: s.id(), Namespace: namespace}, EventTime: metav1.NewMicroTime(at), Type: "Warning", Reason: reason(s), Note: text,
		ReportingController: "example.com/test", ReportingInstance: "test", Action: "Testing",
		Regarding: corev1.ObjectReference{Kind: "Pod", Namespace: namespace, Name: s.of.name},
	}, metav1.CreateOptions{})
	return err
}

// older makes one as kubelets do, whose times are whole seconds.
func (m *maker) older(ctx context.Context, s *step, at time.Time) error {
	when := metav1.NewTime(at)
	_, err := m.clusters[s.of.cluster].Typed.CoreV1().Events(namespace).Create(ctx, &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{Name: s.id(), Namespace: namespace}, Type: "Warning", Reason: reason(s), Message: note(s), Count: 1,
		FirstTimestamp: when, LastTimestamp: when, Source: corev1.EventSource{Component: "kubelet", Host: "node-1"},
		InvolvedObject: corev1.ObjectReference{Kind: "Pod", Namespace: namespace, Name: s.of.name},
	}, metav1.CreateOptions{})
	return err
}

// kill writes what a kubelet writes when a container was killed for its memory once more.
func (m *maker) kill(ctx context.Context, s *step) error {
	pods := m.clusters[s.of.cluster].Typed.CoreV1().Pods(namespace)
	if s.nth == 1 {
		_, err := pods.Create(ctx, &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: s.of.name, Namespace: namespace, Labels: map[string]string{"app.kubernetes.io/name": s.of.name}},
			Spec:       corev1.PodSpec{NodeName: "node-1", Containers: []corev1.Container{{Name: "app", Image: "example.com/app:1"}}},
		}, metav1.CreateOptions{})
		if err := there(err); err != nil {
			return err
		}
	}
	when := m.began.Add(time.Duration(s.place) * time.Second / pace).Truncate(time.Second)
	body, err := json.Marshal(map[string]any{"status": corev1.PodStatus{Phase: corev1.PodRunning, ContainerStatuses: []corev1.ContainerStatus{{
		Name: "app", Image: "example.com/app:1", RestartCount: int32(s.nth),
		State:                corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(when)}},
		LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: "OOMKilled", ExitCode: 137, FinishedAt: metav1.NewTime(when)}},
	}}}})
	if err != nil {
		return err
	}
	_, err = pods.Patch(ctx, s.of.name, types.MergePatchType, body, metav1.PatchOptions{}, "status")
	return err
}

// mend deletes the pod, which another one takes the place of.
func (m *maker) mend(ctx context.Context, t *thing) error {
	now := int64(0)
	err := m.persist(ctx, t.name+"-mended", func(ctx context.Context, _ time.Time) error {
		err := m.clusters[t.cluster].Typed.CoreV1().Pods(namespace).Delete(ctx, t.name, metav1.DeleteOptions{GracePeriodSeconds: &now})
		if apierrors.IsNotFound(err) {
			return nil
		}
		return err
	})
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mended[t.name] = err == nil
	return err
}

// mending mends each pod once somebody was told of the last time that it was killed, as people do. It returns when all
// are well.
func (m *maker) mending(ctx context.Context, p *plan, s *stand) error {
	return until(ctx, func() (bool, error) {
		told := map[string]int{}
		for _, a := range s.taken("incidents") {
			if name := named(&a.Notification); name != "" {
				told[name] = max(told[name], a.Count)
			}
		}
		all := true
		for _, t := range p.things {
			m.mu.Lock()
			well := m.mended[t.name] || t.manner != ailing
			m.mu.Unlock()
			if !well && told[t.name] >= t.times {
				if err := m.mend(ctx, t); err != nil {
					return false, err
				}
				well = true
			}
			all = all && well
		}
		return all, nil
	})
}

// until asks every 50 ms, until it is so or ctx ends.
func until(ctx context.Context, so func() (bool, error)) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if ok, err := so(); ok || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
