package botkube

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ferry/internal/chat"
	"ferry/playground/cluster"
	"ferry/playground/cluster/apiserver"
	"ferry/plugins/api"
	"ferry/plugins/host"
)

// unmodified is a binding of one of Botkube's own plugins of version 1.14, as they were
// built: from the folder FERRY_BOTKUBE_PLUGINS, in which they are called <type>_<name>.
func unmodified(t *testing.T, name, kind string, change ...func(*host.Binding, *Dialect)) host.Binding {
	t.Helper()
	dir := os.Getenv("FERRY_BOTKUBE_PLUGINS")
	if dir == "" {
		t.Skip("`make test-botkube` builds Botkube's own plugins for it")
	}
	b := bound(name, kind, change...)
	b.Find = func(context.Context) (host.File, error) {
		return host.File{Path: filepath.Join(dir, kind+"_"+name)}, nil
	}
	return b
}

// simulated is a cluster that notes as whom it is asked.
type simulated struct {
	*cluster.Cluster
	mu sync.Mutex
	as map[string]bool
}

func simulate(t *testing.T) *simulated {
	t.Helper()
	s := &simulated{as: map[string]bool{}}
	c, err := cluster.New(cluster.Options{Name: "prod", Namespaces: []string{"team-a"}, Around: func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s.mu.Lock()
			s.as[r.Header.Get("Impersonate-User")+" "+strings.Join(r.Header.Values("Impersonate-Group"), ",")] = true
			s.mu.Unlock()
			next.ServeHTTP(w, r)
		})
	}})
	if err != nil {
		t.Fatal(err)
	}
	s.Cluster = c
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = c.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
	return s
}

// only fails if somebody else asked than who is named.
func (s *simulated) only(t *testing.T, who string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.as) != 1 || !s.as[who] {
		t.Errorf("the cluster was asked as %v, not as %q alone", s.as, who)
	}
}

func (s *simulated) configMap(t *testing.T, name string) {
	t.Helper()
	_, err := apiserver.In[corev1.ConfigMap](s.Store(), "", "configmaps").Create(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "default"}})
	if err != nil {
		t.Fatal(err)
	}
}

func TestUnmodifiedEcho(t *testing.T) {
	h := run(t, host.Options{Bindings: []host.Binding{unmodified(t, "echo", api.KindExecutor)}})
	if _, out, err := execute(t, h, line("echo", "hello"), nil); err != nil || !strings.Contains(out, "echo hello") {
		t.Errorf("echo: %q, %v", out, err)
	}
	if r, _, err := execute(t, h, line("echo", "help"), nil); err != nil || r.Title != "`echo` has no help" {
		t.Errorf("echo help: %+v, %v", r, err)
	}
}

// TestUnmodifiedKubectl asks a cluster, and builds a command step by step on one message:
// what was picked before is known to the plugin by the state alone.
func TestUnmodifiedKubectl(t *testing.T) {
	unmodified(t, "kubectl", api.KindExecutor)
	world := simulate(t)
	world.configMap(t, "cm-1")
	b := unmodified(t, "kubectl", api.KindExecutor, in("prod", world.Kubeconfig()), func(b *host.Binding, d *Dialect) {
		b.Name, b.Config = "kc", []byte("defaultNamespace: default\ninteractiveBuilder: {allowed: {verbs: [get, describe], resources: [pods, namespaces]}}\n")
		d.RBAC = &RBAC{User: Subject{Type: Static, Values: []string{"jane"}}}
	})
	h := run(t, host.Options{Bindings: []host.Binding{b}})
	if _, out, err := execute(t, h, line("kc", "help"), nil); err != nil || !strings.Contains(out, "Supported Commands:") {
		t.Errorf("help: %q, %v", out, err)
	}
	if _, out, err := execute(t, h, line("kc", "get configmaps"), nil); err != nil || !strings.Contains(out, "cm-1") {
		t.Errorf("get: %q, %v", out, err)
	}
	if _, _, err := execute(t, h, line("kc", "get nothings"), nil); err == nil || !strings.Contains(err.Error(), "nothings") {
		t.Errorf("what is not there: %v", err)
	}

	b2 := building{t: t, h: h, held: map[string]chat.Filled{}}
	b2.next("")
	b2.pick("Select command", "get")
	b2.pick("Select resource", "namespaces")
	b2.pick("Select resource name", "team-a")
	b2.write("Filter output", `team "a`)
	run := b2.now.Buttons
	if len(run) != 1 || run[0].Command != `kc get namespaces team-a --filter="team \"a"` || run[0].Confirm != "" {
		t.Fatalf("built %+v", b2.now)
	}
	b2.next("get namespaces team-a")
	world.only(t, "jane ")
}

// building is a message on which somebody builds a command, as Slack keeps it.
type building struct {
	t    *testing.T
	h    *host.Host
	held map[string]chat.Filled // by label
	now  chat.Message
}

// next writes a line and shows what it becomes: a message for one person, in the place of
// the one before.
func (b *building) next(line string) {
	b.t.Helper()
	talk := &Talk{User: "U1", Thread: "1.2", Channel: "C1"}
	for _, f := range b.held {
		talk.Filled = append(talk.Filled, f)
	}
	_, out, err := execute(b.t, b.h, api.ExecuteRequest{Binding: "kc", Line: line}, talk)
	switch {
	case err != nil:
		b.t.Fatalf("%s: %v", line, err)
	case len(talk.Shown) == 0:
		if !strings.Contains(out, "team-a") {
			b.t.Errorf("%s: %q", line, out)
		}
		return
	case len(talk.Shown) != 1 || talk.Shown[0].For != "U1" || talk.Shown[0].Replace != (b.now.Controls != nil):
		b.t.Fatalf("%s: shown %+v", line, talk.Shown)
	}
	b.now = talk.Shown[0].Message
	b.held = map[string]chat.Filled{}
	for _, c := range b.now.Controls { // what is chosen already counts as picked
		for _, o := range c.Options {
			if slices.Contains(c.Chosen, o.Value) {
				b.held[c.Label] = chat.Filled{Kind: c.Kind, ID: c.ID, Command: c.Command, Options: []chat.Option{o}}
			}
		}
	}
}

func (b *building) control(label string) chat.Control {
	b.t.Helper()
	for _, c := range b.now.Controls {
		if c.Label == label {
			return c
		}
	}
	b.t.Fatalf("there is no %s in %+v", label, b.now)
	return chat.Control{}
}

func (b *building) pick(label, value string) {
	b.t.Helper()
	c := b.control(label)
	i := slices.IndexFunc(c.Options, func(o chat.Option) bool { return o.Value == value })
	if i < 0 {
		b.t.Fatalf("%s has no %s: %+v", label, value, c.Options)
	}
	b.held[label] = chat.Filled{Kind: c.Kind, ID: c.ID, Command: c.Command, Options: c.Options[i : i+1]}
	b.next(strings.TrimPrefix(c.Command+value, "kc "))
}

func (b *building) write(label, text string) {
	b.t.Helper()
	c := b.control(label)
	b.held[label] = chat.Filled{Kind: c.Kind, Command: c.Command, Options: []chat.Option{{Value: text}}}
	b.next(strings.TrimPrefix(c.Command+fmt.Sprintf("%q", text), "kc "))
}

// TestUnmodifiedSources: what happens in a cluster becomes events, of cm-watcher and of
// the source that people have: kubernetes.
func TestUnmodifiedSources(t *testing.T) {
	readers := func(b *host.Binding, d *Dialect) {
		d.RBAC = &RBAC{Group: Subject{Type: Static, Values: []string{"readers"}}}
	}
	unmodified(t, "kubernetes", api.KindSource)
	world := simulate(t)
	to := newTaken()
	run(t, host.Options{Events: to.take, Bindings: []host.Binding{
		unmodified(t, "cm-watcher", api.KindSource, in("prod", world.Kubeconfig()), readers, func(b *host.Binding, _ *Dialect) {
			b.Config = []byte("configMap: {name: cm-1, namespace: default, event: ADDED}\n")
		}),
		unmodified(t, "kubernetes", api.KindSource, in("prod", world.Kubeconfig()), readers, func(b *host.Binding, _ *Dialect) {
			b.Config = []byte(kubernetesConfig)
		}),
	}})
	world.configMap(t, "cm-1")
	events := apiserver.In[corev1.Event](world.Store(), "", "events")
	var about []api.Event
	for i := 0; len(about) == 0; i++ { // what happens before it watches is nothing to it
		if i == 40 {
			t.Fatalf("no event of the kubernetes source came; there are %+v", to.all())
		}
		now := metav1.NewTime(time.Now().Add(time.Second))
		if _, err := events.Create(&corev1.Event{
			ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("podinfo-1.%d", i), Namespace: "team-a"}, Type: "Warning", Reason: "BackOff", Message: "Back-off restarting failed container", Count: 3,
			InvolvedObject: corev1.ObjectReference{Kind: "Pod", APIVersion: "v1", Name: "podinfo-1", Namespace: "team-a"}, FirstTimestamp: now, LastTimestamp: now,
		}); err != nil {
			t.Fatal(err)
		}
		to.within(500 * time.Millisecond)
		about = slices.DeleteFunc(to.all(), func(e api.Event) bool { return e.Name != "podinfo-1" })
	}
	e := about[0]
	if e.Kind != "Pod" || e.Namespace != "team-a" || e.Cluster != "prod" || e.Reason != "BackOff" || e.Severity != api.SeverityWarning || e.Count != 3 || len(e.Object) == 0 {
		t.Errorf("%+v", e)
	}
	for _, want := range []string{"Back-off restarting failed container", "describe: `@ferry kubectl describe pods podinfo-1 --namespace team-a`", "Logs: `@ferry kubectl logs podinfo-1`"} {
		if !strings.Contains(e.Text, want) {
			t.Errorf("its text has no %q: %s", want, e.Text)
		}
	}
	if !slices.ContainsFunc(to.all(), func(e api.Event) bool { return strings.Contains(e.Title, "cm-1") }) {
		t.Errorf("no event of cm-watcher came; there are %+v", to.all())
	}
	world.only(t, nobody+" readers")
}

// kubernetesConfig is what Botkube's chart gives the source, for pods.
const kubernetesConfig = `
log: {level: error}
informerResyncPeriod: 30m
namespaces: {include: [".*"]}
event: {types: [error]}
resources: [{type: v1/pods}]
commands: {verbs: [api-resources, describe, logs], resources: [pods]}
extraButtons:
- enabled: true
  trigger: {type: [error]}
  button: {displayName: Logs, commandTpl: "kubectl logs {{ .Name }}"}
`
