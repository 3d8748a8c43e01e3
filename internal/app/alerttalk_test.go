package app

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ferry/internal/deploy"
	"ferry/internal/fault"
	"ferry/internal/job"
	"ferry/jobs"
	"ferry/plugins/api"
	"ferry/plugins/host"
	"ferry/storage"
	"ferry/storage/bolt"
)

// TestWhatASilenceIsAbout: what is not demanded by a value is open, and needs a role
// for all of it.
func TestWhatASilenceIsAbout(t *testing.T) {
	at := func(cluster deploy.Cluster, ns, app string) deploy.Target {
		return deploy.Target{Cluster: cluster, App: deploy.App{Namespace: ns, Name: app}}
	}
	for text, want := range map[string]deploy.Target{
		"cluster=prod":                            at("prod", "", ""),
		`cluster="prod" namespace=a app=b`:        at("prod", "a", "b"),
		"app=b":                                   at(deploy.Everywhere, "", "b"),
		`cluster=~"prod"`:                         at(deploy.Everywhere, "", ""),
		`cluster=~"prod" cluster!=dev app=~"b"`:   at(deploy.Everywhere, "", ""),
		`cluster="" reason=x`:                     at(deploy.Everywhere, "", ""),
		`clusters=prod`:                           at(deploy.Everywhere, "", ""),
		`cluster=prod namespace!=a app!=b node=c`: at("prod", "", ""),
	} {
		if got, err := (spoken{}).Scope(text); err != nil || got != want {
			t.Errorf("%s: %v, %v, want %v", text, got, err, want)
		}
	}
	if _, err := (spoken{}).Scope("cluster"); !fault.Is(err, fault.Invalid) {
		t.Errorf("no matcher: %v", err)
	}
}

// door is a notifier that refuses until it is open.
type door struct {
	open atomic.Bool
	got  chan string
}

func (g *door) Deliver(_ context.Context, _ string, ns []api.Notification, known func(int, api.Outcome)) error {
	for i, n := range ns {
		if !g.open.Load() {
			known(i, api.Outcome{Err: api.Fail(errors.New("400 Bad Request"))})
			continue
		}
		g.got <- n.ID
		known(i, api.Outcome{})
	}
	return nil
}

func (*door) States() []host.State { return nil }

// totals are the numbers by their names, whatever their labels.
func totals(t *testing.T, of *metrics) map[string]float64 {
	t.Helper()
	families, err := of.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			seen[f.GetName()] += m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return seen
}

// TestWhatIsGivenUpIsSentAgain has a notifier refuse an event, and take it later.
func TestWhatIsGivenUpIsSentAgain(t *testing.T) {
	door := &door{got: make(chan string, 10)}
	text := strings.NewReplacer("        - stdout: true\n          title: '{{.Event.Title}}'\n", "", "receiver: ops\n", "receiver: ops\n    group_wait: 1ms\n").Replace(alertConfig)
	c, err := alertsOf(t, text)
	if err != nil {
		t.Fatal(err)
	}
	db, err := bolt.Open(filepath.Join(t.TempDir(), "state"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	a, err := newAlerts(t.Context(), c, alertNeeds{kv: db, trail: storage.NewTrail(db, time.Now), log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	var o jobs.Options
	a.talk(&o)
	numbers := newMetrics(func() []deploy.ClusterState { return nil })
	a.hosted(door, numbers)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.services()[0].run(ctx) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	if err := a.events().take(ctx, "one", api.Event{ID: "1", Kind: "Pod", Name: "x", Reason: "R", Title: "lost"}); err != nil {
		t.Fatal(err)
	}
	var lost []jobs.Letter
	for end := time.Now().Add(time.Minute); len(lost) == 0 && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if lost, err = o.Letters.Undelivered(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if len(lost) != 1 || lost[0].Sink != "ops:post" || lost[0].Title != "lost on dev" || !strings.Contains(lost[0].Why, "400") {
		t.Fatalf("given up: %+v", lost)
	}
	if open, err := o.Alerts.Incidents("cluster=dev kind=Pod"); err != nil || len(open) != 1 {
		t.Errorf("incidents of dev: %v, %v", open, err)
	}
	if none, err := o.Alerts.Incidents("cluster=prod"); err != nil || len(none) != 0 {
		t.Errorf("incidents of prod: %v, %v", none, err)
	}
	seen := totals(t, numbers)
	for end := time.Now().Add(time.Minute); seen["ferry_dead_letters_total"] == 0 && time.Now().Before(end); time.Sleep(time.Millisecond) {
		seen = totals(t, numbers) // what is given up is counted after it is kept
	}
	if seen["ferry_events_total"] != 1 || seen["ferry_incidents"] != 1 || seen["ferry_dead_letters_total"] != 1 || seen["ferry_deliveries_total"] != 0 {
		t.Errorf("the numbers are %v", seen)
	}
	door.open.Store(true)
	resent := func(one jobs.Letter) job.Entry { return job.Entry{Key: "deed/k", Says: one.Title} }
	if _, err := o.Letters.Resend(ctx, "00000000", resent); !fault.Is(err, fault.NotFound) {
		t.Errorf("another letter: %v", err)
	}
	if _, err := o.Letters.Resend(ctx, lost[0].ID, resent); err != nil {
		t.Fatal(err)
	}
	if id := <-door.got; id == "" {
		t.Error("it has no ID")
	}
	if lost, err = o.Letters.Undelivered(ctx); err != nil || len(lost) != 0 {
		t.Errorf("still given up: %v, %v", lost, err)
	}
}
