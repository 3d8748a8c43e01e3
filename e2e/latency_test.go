package e2e

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/watch"

	"ferry/e2e/testbed"
	"ferry/playground/github"
	"ferry/playground/slack"
)

var rounds = flag.Int("rounds", 12, "promotions that TestPromotionLatency measures, and as many without ferry")

// TestPromotionLatency measures one promotion of a kustomize app, and the floor beside it: the same app on the same
// cluster, changed by git, an annotation and a look. Rounds alternate, so that whatever else the machine does meets both.
// It measures and asserts nothing about time.
func TestPromotionLatency(t *testing.T) {
	w := newWorld(t, "prod", "stage")
	s, err := newScene(t, w, buildFerry(t), t.TempDir())
	must(t, err)
	t.Cleanup(s.end)
	must(t, s.environment(nil))
	must(t, s.startFerry(""))
	m := newMeasure(t, s)
	var floors, promotions []phases
	for round := range *rounds {
		// By turns, because Slack takes five messages in five seconds per channel, and ferry keeps to that.
		s.room.channel = []string{channel, "#random"}[round%2]
		floors = append(floors, m.floor(t, fmt.Sprintf("7.%d.0", round)))
		promotions = append(promotions, m.promotion(t, fmt.Sprintf("7.%d.1", round)))
	}
	fmt.Println(report(floors, promotions))
}

// phases are the moments of one change; those that a kind of change lacks are zero.
type phases struct {
	asked, acked, committed, pushed, annotated, applied, ready, told time.Time
}

// measure knows when things happened: each moment is taken where it happens, by whoever hears of it first.
type measure struct {
	*scene
	cluster *testbed.Cluster
	clone   string

	mu      sync.Mutex
	commits map[string]time.Time // when the branch moved to a commit
	ready   map[string]time.Time // when the Deployment was rolled out with an image
	applied map[string]time.Time // when the Kustomization had applied a commit
}

func newMeasure(t *testing.T, s *scene) *measure {
	m := &measure{
		scene: s, cluster: s.running()["prod"], clone: filepath.Join(t.TempDir(), "clone"),
		commits: map[string]time.Time{}, ready: map[string]time.Time{}, applied: map[string]time.Time{},
	}
	s.repo.OnPush(func(_ string, _, id github.OID) { m.note(m.commits, string(id)) })
	out, err := exec.CommandContext(t.Context(), "git", "clone", "-q", "http://x:"+githubToken+"@"+strings.TrimPrefix(s.repo.CloneURL(s.url), "http://"), m.clone).CombinedOutput()
	if err != nil {
		t.Fatalf("clone: %v\n%s", err, out)
	}
	deployments, err := m.cluster.Typed.AppsV1().Deployments("podinfo").Watch(t.Context(), metav1.ListOptions{FieldSelector: "metadata.name=podinfo"})
	must(t, err)
	m.follow(t, deployments, func(event watch.Event) {
		if d, ok := event.Object.(*appsv1.Deployment); ok && testbed.Complete(d) {
			m.note(m.ready, d.Spec.Template.Spec.Containers[0].Image)
		}
	})
	kustomizations, err := m.cluster.Watch(t.Context(), testbed.Kustomization, "flux-system", "podinfo")
	must(t, err)
	m.follow(t, kustomizations, func(event watch.Event) {
		if obj, ok := event.Object.(*unstructured.Unstructured); ok {
			revision, _, _ := unstructured.NestedString(obj.Object, "status", "lastAppliedRevision")
			m.note(m.applied, strings.TrimPrefix(revision, branch+"@sha1:"))
		}
	})
	return m
}

func (m *measure) follow(t *testing.T, events watch.Interface, take func(watch.Event)) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for event := range events.ResultChan() {
			take(event)
		}
	}()
	t.Cleanup(func() { events.Stop(); <-done })
}

// note keeps the first time.
func (m *measure) note(in map[string]time.Time, key string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, known := in[key]; !known {
		in[key] = time.Now()
	}
}

func (m *measure) at(in map[string]time.Time, key string) time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return in[key]
}

// wait returns when a key was noted.
func (m *measure) wait(t *testing.T, in map[string]time.Time, key string) time.Time {
	t.Helper()
	must(t, m.until(patience, func() error {
		if m.at(in, key).IsZero() {
			return fmt.Errorf("%s was not seen", key)
		}
		return nil
	}))
	return m.at(in, key)
}

const measured = "apps/prod/podinfo/kustomization.yaml"

// floor is a promotion by hand: edit, commit, push, annotate, wait.
func (m *measure) floor(t *testing.T, tag string) phases {
	m.git(t, "pull", "-q")
	text, err := os.ReadFile(filepath.Join(m.clone, measured))
	must(t, err)
	p := phases{asked: time.Now()}
	head, _, _ := strings.Cut(string(text), "newTag:")
	must(t, os.WriteFile(filepath.Join(m.clone, measured), []byte(head+"newTag: "+tag+"\n"), 0o600))
	m.git(t, "-c", "user.name=Somebody", "-c", "user.email=somebody@example.com", "commit", "-q", "-am", tag)
	m.git(t, "push", "-q")
	p.pushed = time.Now()
	must(t, m.cluster.Reconcile(t.Context(), testbed.GitRepository, "flux-system", "flux-system"))
	p.annotated = time.Now()
	m.finish(t, &p, tag)
	return p
}

// promotion is the same asked of ferry.
func (m *measure) promotion(t *testing.T, tag string) phases {
	p := phases{asked: time.Now()}
	must(t, m.room.say("@ferry promote podinfo@"+tag+" to prod"))
	p.acked = m.acked(t)
	must(t, m.saw(false, []string{"podinfo " + strings.ReplaceAll(tag, ".", `\.`) + " is healthy on prod"}))
	messages, err := m.room.heard()
	must(t, err)
	p.told = stamp(t, messages[len(messages)-1])
	m.finish(t, &p, tag)
	t.Logf("%s: acked %v, commit %v, ready %v, applied %v, told %v", tag, p.acked.Sub(p.asked), p.committed.Sub(p.asked),
		p.ready.Sub(p.asked), p.applied.Sub(p.asked), p.told.Sub(p.asked))
	return p
}

func (m *measure) finish(t *testing.T, p *phases, tag string) {
	p.ready = m.wait(t, m.ready, podinfo+tag)
	head, err := m.repo.Head(branch)
	must(t, err)
	p.committed = m.at(m.commits, string(head))
	p.applied = m.wait(t, m.applied, string(head))
	must(t, m.cluster.WaitRevision(t.Context(), string(head))) // the next round starts at rest
}

// acked is when the local Slack had the acknowledgement of the last envelope, to a millisecond.
func (m *measure) acked(t *testing.T) time.Time {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		if all := m.room.server.Envelopes(); len(all) > 0 && all[len(all)-1].Acked {
			return time.Now()
		}
		select {
		case <-ctx.Done():
			t.Fatal(errors.New("the envelope was not acknowledged"))
		case <-tick.C:
		}
	}
}

// stamp is when a message was posted: its timestamp is the local Slack's clock, which is this machine's.
func stamp(t *testing.T, m slack.Message) time.Time {
	var seconds, micros int64
	_, err := fmt.Sscanf(m.TS, "%d.%d", &seconds, &micros)
	must(t, err)
	return time.UnixMicro(seconds*1e6 + micros)
}

func (m *measure) git(t *testing.T, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", args...)
	cmd.Dir = m.clone
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("git %s: %v\n%s", args[0], err, out)
	}
}

// report is a table of medians and 90th percentiles, in milliseconds.
func report(floors, promotions []phases) string {
	var text strings.Builder
	out := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(out, "\tmedian\tp90\tmin\tmax\t\n")
	line := func(what string, all []phases, of func(phases) time.Duration) {
		var took []time.Duration
		for _, p := range all {
			took = append(took, of(p))
		}
		slices.Sort(took)
		last := len(took) - 1
		fmt.Fprintf(out, "%s\t", what)
		for _, d := range []time.Duration{took[last/2], took[last*9/10], took[0], took[last]} {
			fmt.Fprintf(out, "%.0f ms\t", float64(d.Microseconds())/1000)
		}
		fmt.Fprintln(out)
	}
	line("floor: commit and push", floors, func(p phases) time.Duration { return p.pushed.Sub(p.asked) })
	line("floor: annotate", floors, func(p phases) time.Duration { return p.annotated.Sub(p.pushed) })
	line("floor: until the workload is ready", floors, func(p phases) time.Duration { return p.ready.Sub(p.annotated) })
	line("floor: all", floors, func(p phases) time.Duration { return p.ready.Sub(p.asked) })
	line("ferry: event to acknowledged", promotions, func(p phases) time.Duration { return p.acked.Sub(p.asked) })
	line("ferry: event to commit on the branch", promotions, func(p phases) time.Duration { return p.committed.Sub(p.asked) })
	line("ferry: commit to workload ready", promotions, func(p phases) time.Duration { return p.ready.Sub(p.committed) })
	line("ferry: workload ready to final message", promotions, func(p phases) time.Duration { return p.told.Sub(p.ready) })
	line("of it until Flux says applied", promotions, func(p phases) time.Duration { return max(0, p.applied.Sub(p.ready)) })
	line("ferry: all", promotions, func(p phases) time.Duration { return p.told.Sub(p.asked) })
	line("ferry's own share", promotions, phases.share)
	_ = out.Flush() // into memory
	return fmt.Sprintf("one promotion, %d rounds, alternating\n%s", len(promotions), text.String())
}

// share is what ferry adds: everything before its commit and everything after the workload is ready.
func (p phases) share() time.Duration { return p.committed.Sub(p.asked) + p.told.Sub(p.ready) }
