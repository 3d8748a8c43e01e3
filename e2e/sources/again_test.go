package sources

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ferry/plugins/host"
)

// recent is for how long what happened once is a problem here.
const recent = 4 * time.Second

// killed makes a pod that was killed for its memory just now.
func (w world) killed(name string) (at time.Time) {
	w.t.Helper()
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "shop", Labels: map[string]string{"app": name}},
		Spec:       corev1.PodSpec{NodeName: "elsewhere", Containers: []corev1.Container{{Name: "app", Image: "example.com/x:1"}}},
	}
	p, err := w.Typed.CoreV1().Pods("shop").Create(w.t.Context(), p, metav1.CreateOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	now := metav1.Now()
	p.Status.Phase = corev1.PodRunning
	p.Status.ContainerStatuses = []corev1.ContainerStatus{{
		Name: "app", RestartCount: 1, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: now}},
		LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: "OOMKilled", ExitCode: 137, FinishedAt: now}},
	}}
	if _, err := w.Typed.CoreV1().Pods("shop").UpdateStatus(w.t.Context(), p, metav1.UpdateOptions{}); err != nil {
		w.t.Fatal(err)
	}
	return now.Time
}

// rotate has the API server take another token of the sources' from its next start on,
// which the kubeconfig holds at once.
func (w world) rotate(kubeconfig, token string) {
	w.t.Helper()
	must := func(text []byte, err error) []byte {
		w.t.Helper()
		if err != nil {
			w.t.Fatal(err)
		}
		return text
	}
	file := filepath.Join(w.Dir(), "tokens.csv")
	tokens := must(os.ReadFile(file))
	admin, _, _ := bytes.Cut(tokens, []byte(","))
	rows := []string{}
	for row := range strings.Lines(string(tokens)) {
		if !strings.Contains(row, ",sources,") {
			rows = append(rows, row)
		}
	}
	rows = append(rows, token+",sources,sources,system:masters\n")
	must(nil, os.WriteFile(file, []byte(strings.Join(rows, "")), 0o600))
	way := must(os.ReadFile(w.Kubeconfig()))
	must(nil, os.WriteFile(kubeconfig, bytes.ReplaceAll(way, admin, []byte(token)), 0o600))
}

// refused waits until every source was refused by the API server and let in again: how
// soon one asks again that had lost its server is its own matter.
func (w world) refused(f *ferry) {
	w.t.Helper()
	again := func(s host.State) bool {
		return strings.Contains(s.Err, "no longer takes the credentials") && s.Why == "" && s.Restarts == 1
	}
	for end := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		missing := slices.DeleteFunc(f.host.States(), again)
		if len(missing) == 0 {
			return
		}
		if time.Now().After(end) {
			w.t.Fatalf("not refused and let in again: %+v", missing)
		}
	}
}
