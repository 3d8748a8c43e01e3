package app

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ferry/internal/chat"
	"ferry/internal/config"
	"ferry/internal/deploy"
	"ferry/internal/event"
	"ferry/internal/fault"
	"ferry/internal/job"
	"ferry/plugins/api"
	"ferry/plugins/rows"
	"ferry/plugins/sink"
	"ferry/storage/bolt"
)

const alertConfig = `clusters: {prod: {file: KUBECONFIG}, dev: {file: KUBECONFIG}}
allow_shared_api_server: true
namespaces: [a]
repo: {owner: o, name: n}
plugins:
  repositories: {r: {index: /srv}}
  notifiers: {post: {plugin: r/post}}
  sources: {lines: {plugin: r/lines, clusters: ["*"]}, one: {plugin: r/lines, clusters: [dev]}, hook: {plugin: r/hook}}
alerts:
  route:
    receiver: ops
    routes: [{matchers: [cluster=prod, 'severity=~"error|critical"'], group_by: [node]}]
  receivers:
    ops:
      sinks:
        - stdout: true
          title: '{{.Event.Title}}'
        - {notifier: post, to: C1}
  inhibit_rules: [{source_matchers: [kind=Node], target_matchers: [kind=Pod], equal: [node]}]
  filters:
    - keep: 'event.kind != "Lease"'
      sources: [lin*]
`

func alertsOf(t *testing.T, text string) (*config.Config, error) {
	t.Helper()
	dir := t.TempDir()
	file, kubeconfig := filepath.Join(dir, "config.yaml"), filepath.Join(dir, "kubeconfig")
	text = strings.NewReplacer("KUBECONFIG", kubeconfig).Replace(text)
	for path, content := range map[string]string{file: text, kubeconfig: "{}"} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := config.Load(file, func(name string) string {
		return map[string]string{config.EnvBotToken: "xoxb-x", config.EnvAppToken: "xapp-x", config.EnvGitHub: "x"}[name]
	})
	if err != nil {
		t.Fatal(err)
	}
	return c, checkAlerts(c)
}

// TestAlertsAreCheckedBeforeAnythingStarts demands file and line of what only the
// pipeline understands.
func TestAlertsAreCheckedBeforeAnythingStarts(t *testing.T) {
	if _, err := alertsOf(t, alertConfig); err != nil {
		t.Fatal(err)
	}
	broken := strings.NewReplacer(
		"cluster=prod", "cluster==prod", "[kind=Node]", `['kind=~"("']`, `!= "Lease"`, `!= "Lease" &&`, "{{.Event.Title}}", "{{.Event",
	).Replace(alertConfig)
	_, err := alertsOf(t, broken)
	if err == nil {
		t.Fatal("nothing is wrong")
	}
	for _, want := range []string{
		"config.yaml:12: alerts.route.routes[0].matchers[0]: matchers `cluster==prod`", "config.yaml:19: alerts.inhibit_rules[0].source_matchers[0]: ",
		"config.yaml:21: filter: Syntax error", "config.yaml:17: template: ",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the errors lack %q:\n%v", want, err)
		}
	}
}

// TestRoutesThatLeadNowhereAreRefused: Alertmanager takes such routes, and whoever waits
// for what they should bring waits for ever.
func TestRoutesThatLeadNowhereAreRefused(t *testing.T) {
	t.Parallel()
	with := func(matchers string) string {
		return strings.Replace(alertConfig, "[cluster=prod, ", "["+matchers+", ", 1)
	}
	for text, want := range map[string]string{
		with("kind=Pod, kind=Node"): "config.yaml:12: alerts.route.routes[0].matchers: nothing has all of them: they demand two things of kind",
		with("source=switched-off"): "", // it may come back
		strings.Replace(alertConfig, "routes: [", "routes: [{group_wait: 1s}, ", 1):                                    "config.yaml:12: alerts.route.routes[0]: without matchers it takes everything",
		strings.Replace(alertConfig, "routes: [", "routes: [{group_wait: 1s, continue: true}, ", 1):                    "",
		strings.Replace(alertConfig, "group_by: [node]}", "group_by: [node]}, {group_wait: 1s}", 1):                    "",
		strings.Replace(alertConfig, "target_matchers: [kind=Pod]", "target_matchers: [kind=Pod, 'kind=~\"N.*\"']", 1): "alerts.inhibit_rules[0].target_matchers: nothing has all of them",
	} {
		_, err := alertsOf(t, text)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%v, want %q of\n%s", err, want, text)
		}
	}
}

// TestCheckLooksForTheChannelsOfReceivers: each once.
func TestCheckLooksForTheChannelsOfReceivers(t *testing.T) {
	t.Parallel()
	c, err := alertsOf(t, strings.Replace(alertConfig, "to: C1}", "to: C1}\n        - {slack: {channel: C0OPS}}\n        - {name: again, slack: {channel: C0OPS}}", 1))
	if err != nil {
		t.Fatal(err)
	}
	if told := slackOptions(c, slog.New(slog.DiscardHandler)).Told; !slices.Equal(told, []chat.ChannelID{"C0OPS"}) {
		t.Errorf("%v", told)
	}
}

// outlines takes what is printed.
type outlines chan string

func (o outlines) Write(p []byte) (int, error) {
	o <- string(p)
	return len(p), nil
}

// TestWhatInhibitsCountsForAWhile: for as long as it is said, or two minutes.
func TestWhatInhibitsCountsForAWhile(t *testing.T) {
	for said, want := range map[string]time.Duration{"": 2 * time.Minute, ", keep_firing_for: 10s": 10 * time.Second} {
		c, err := alertsOf(t, strings.Replace(alertConfig, "equal: [node]", "equal: [node]"+said, 1))
		if err != nil {
			t.Fatal(err)
		}
		plan, err := planAlerts(c, slog.New(slog.DiscardHandler), nil)
		if err != nil || len(plan.inhibit) != 1 || plan.inhibit[0].KeepFiringFor != want {
			t.Errorf("%q: %+v, %v, want %s", said, plan.inhibit, err, want)
		}
	}
}

// TestEventsReachTheirSink goes from the host of the plugins to ferry\'s output.
func TestEventsReachTheirSink(t *testing.T) {
	c, err := alertsOf(t, strings.Replace(alertConfig, "    receiver: ops\n", "    receiver: ops\n    group_by: [\"...\"]\n", 1))
	if err != nil {
		t.Fatal(err)
	}
	db, err := bolt.Open(filepath.Join(t.TempDir(), "state"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	c.Alerts.Receivers[0].Sinks = c.Alerts.Receivers[0].Sinks[:1]
	out := make(outlines, 10)
	a, err := newAlerts(t.Context(), c, alertNeeds{kv: db, out: out, log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.services()[0].run(ctx) }()
	taking := a.events()
	for binding, e := range map[string]api.Event{
		"lines/prod": {ID: "1", Cursor: "c1", Kind: "Pod", Name: "x", Reason: "R", Title: "kept", Severity: "CRITICAL"},
		"one":        {ID: "1", Cursor: "c2", Kind: "Pod", Name: "x", Reason: "R", Title: "of dev"},
		"lines/dev":  {ID: "2", Cursor: "c3", Kind: "Lease", Name: "x", Reason: "R", Title: "left out"},
		"hook":       {ID: "3", Cursor: "c4", Kind: "Lease", Name: "x", Reason: "R", Title: "of no cluster"},
	} {
		if err := taking.take(ctx, binding, e); err != nil {
			t.Fatal(err)
		}
		if cursor, err := taking.cursor(ctx, binding); err != nil || cursor != e.Cursor {
			t.Errorf("%s goes on at %q, %v", binding, cursor, err)
		}
	}
	if err := taking.take(ctx, "strange", api.Event{}); err == nil {
		t.Error("an event of a binding that there is not is taken")
	}
	clusters := map[string]string{}
	for range 3 {
		var n api.Notification
		if err := json.Unmarshal([]byte(<-out), &n); err != nil {
			t.Fatalf("%+v, %v", n, err)
		}
		clusters[n.Title] = n.Labels["cluster"]
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if len(out) != 0 || clusters["kept"] != "prod" || clusters["of dev"] != "dev" || clusters["of no cluster"] != "" {
		t.Errorf("printed: %v and %d more", clusters, len(out))
	}
}

type shown struct{ got []string }

func (s *shown) Deliver(_ context.Context, d sink.Delivery) (sink.Receipt, error) {
	s.got = append(s.got, d.ID)
	return sink.Receipt{}, nil
}

// TestAChannelThatIsOff keeps what it was shown up to date, over a restart.
func TestAChannelThatIsOff(t *testing.T) {
	db, err := bolt.Open(filepath.Join(t.TempDir(), "state"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	to, ctx := &shown{}, t.Context()
	start := func() (*channels, sink.Sink) {
		c, err := loadChannels(ctx, alertRows{kv: db})
		if err != nil {
			t.Fatal(err)
		}
		return c, c.guard("C1", to)
	}
	c, s := start()
	deliver := func(id, ref string) sink.Receipt {
		r, err := s.Deliver(ctx, sink.Delivery{ID: id, Ref: ref})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	r := deliver("a/1", "")
	if _, err := c.Switch(ctx, "C2", false); !fault.Is(err, fault.NotFound) {
		t.Errorf("another channel: %v", err)
	}
	if was, err := c.Switch(ctx, "C1", false); err != nil || !was {
		t.Fatal(was, err)
	}
	c, s = start()
	if off := c.Off(); len(off) != 1 || off[0] != "C1" {
		t.Errorf("off after a restart: %v", off)
	}
	if hidden := deliver("b/1", ""); hidden.Ref != "" {
		t.Error("what was not shown counts as shown")
	}
	deliver("a/2", r.Ref)
	if was, err := c.Switch(ctx, chat.ChannelID("C1"), true); err != nil || was {
		t.Fatal(was, err)
	}
	_, s = start()
	deliver("b/2", "")
	if got := strings.Join(to.got, " "); got != "a/1 a/2 b/2" {
		t.Errorf("the channel got %s", got)
	}
}

// TestWhatIsKnownOfAnEvent names the app and the change that came before.
func TestWhatIsKnownOfAnEvent(t *testing.T) {
	now := time.Date(2026, 1, 2, 15, 0, 0, 0, time.UTC)
	target := deploy.Target{Cluster: "prod", App: deploy.App{Namespace: "web", Name: "podinfo"}}
	var records []deploy.Record
	var open []*job.Job
	s := &surroundings{
		apps: func(c deploy.Cluster) []deploy.AppState {
			if c != "prod" {
				return nil
			}
			return []deploy.AppState{{Target: target, Owner: deploy.Owner{Workloads: []deploy.Ref{{Kind: "Deployment", Namespace: "web", Name: "podinfo-main"}}, Release: deploy.Ref{Kind: "HelmRelease", Namespace: "flux", Name: "podinfo"}}}}
		},
		records: func(_ context.Context, of deploy.Target, fn func(deploy.Record) bool) error {
			for _, r := range records {
				if of != target || !fn(r) {
					break
				}
			}
			return nil
		},
		jobs: func(context.Context) ([]*job.Job, error) { return open, nil }, within: 30 * time.Minute,
		now: func() time.Time { return now }, log: slog.New(slog.DiscardHandler),
	}
	ask := func(kind, ns, name string, cluster string) string {
		l := s.Labels(t.Context(), &event.Event{Cluster: cluster, Kind: kind, Namespace: ns, Name: name, At: now})
		return strings.TrimSpace(l["owner"] + "|" + l["app"] + "|" + l["promotion"] + "|" + l["commit"])
	}
	pod := "podinfo-main-7d9f8b6c5-x2x4z"
	for _, c := range []struct{ what, got, want string }{
		{"a pod", ask("Pod", "web", pod, "prod"), "podinfo-main|podinfo||"},
		{"a workload", ask("Deployment", "web", "podinfo-main", "prod"), "|podinfo||"},
		{"a release", ask("HelmRelease", "flux", "podinfo", "prod"), "|podinfo||"},
		{"another namespace", ask("Pod", "other", pod, "prod"), "podinfo-main|||"},
		{"another cluster", ask("Pod", "web", pod, "dev"), "podinfo-main|||"},
		{"no cluster", ask("Pod", "web", pod, ""), "|||"},
	} {
		if c.got != c.want {
			t.Errorf("%s: %s, want %s", c.what, c.got, c.want)
		}
	}
	change := func(at time.Duration) deploy.Record {
		return deploy.Record{Target: target, Job: "j1", Command: "promote", From: "6.5.3", Version: "6.5.4", URL: "https://example.com/c/1", At: now.Add(-at)}
	}
	records = []deploy.Record{{Command: "seen", At: now}, change(10 * time.Minute)}
	if got := ask("Pod", "web", pod, "prod"); !strings.HasSuffix(got, "|podinfo||") {
		t.Errorf("what was read a moment ago is read again: %s", got)
	}
	now = now.Add(fresh)
	records[1].At = now.Add(-10 * time.Minute)
	if got := ask("Pod", "web", pod, "prod"); !strings.HasSuffix(got, "|podinfo|6.5.3 → 6.5.4 by job j1 at 14:50 UTC|https://example.com/c/1") {
		t.Errorf("after a change: %s", got)
	}
	now, records = now.Add(fresh), []deploy.Record{change(0)}
	records[0].At = now.Add(-31 * time.Minute)
	if got := ask("Pod", "web", pod, "prod"); !strings.HasSuffix(got, "|podinfo||") {
		t.Errorf("long after a change: %s", got)
	}
	now = now.Add(fresh)
	data, err := json.Marshal(map[string]any{"change": deploy.Change{Target: target, Version: "6.6.0"}, "plan": deploy.Plan{From: "6.5.4"}, "commit": deploy.Commit{SHA: "abc", URL: "https://example.com/c/2", At: now.Add(-time.Minute)}})
	if err != nil {
		t.Fatal(err)
	}
	open = []*job.Job{{ID: "j2", Data: data}}
	if got := ask("Pod", "web", pod, "prod"); !strings.HasSuffix(got, "|podinfo|6.5.4 → 6.6.0 by job j2 at 14:59 UTC|https://example.com/c/2") {
		t.Errorf("while a change rolls out: %s", got)
	}
}

// TestAlertRowsHonourTheStore is about the one word that the pipeline and the house
// spell differently.
func TestAlertRowsHonourTheStore(t *testing.T) {
	db, err := bolt.Open(filepath.Join(t.TempDir(), "state"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	s, ctx := alertRows{kv: db}, t.Context()
	put := rows.Txn{If: []rows.Compare{{Key: "event/a"}}, Put: []rows.Row{{Key: "event/a", Value: []byte("1")}, {Key: "event/b", Value: []byte("2")}}}
	if err := s.Commit(ctx, put); err != nil {
		t.Fatal(err)
	}
	if err := s.Commit(ctx, put); !errors.Is(err, rows.ErrConflict) {
		t.Errorf("a compare that does not hold: %v", err)
	}
	got, err := s.Scan(ctx, "event/", "event/a", 10)
	if err != nil || len(got) != 1 || got[0].Key != "event/b" || string(got[0].Value) != "2" || got[0].Revision == 0 {
		t.Errorf("%+v, %v", got, err)
	}
	if err := s.Commit(ctx, rows.Txn{If: []rows.Compare{{Key: "event/b", Revision: got[0].Revision}}, Delete: []string{"event/b"}}); err != nil {
		t.Error(err)
	}
	if _, ok, err := s.Get(ctx, "event/b"); ok || err != nil {
		t.Error("it is still there", err)
	}
}
