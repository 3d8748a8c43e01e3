package events

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// rules send every event to Elasticsearch and to a webhook, and make incidents of some for Slack and another webhook.
const rules = `  sources:
    events:
      plugin: local/events
      clusters: ["*"]
      config: {resolve_after: 1s, recent: 1h, skip: [LatestTag, NoLabels]}
  notifiers:
    elastic: {plugin: local/elasticsearch, config: {url: "%[1]s/elastic", stream: logs-ferry-default}}
    every: {plugin: local/webhook, config: {url: "%[1]s/every"}}
    incidents: {plugin: local/webhook, config: {url: "%[1]s/incidents"}}
alerts:
  route:
    receiver: everything
    group_by: ["..."]
    routes:
      - {receiver: everything, continue: true}
      - {matchers: ['reason=~"OOMKilled|FailedMount"'], receiver: people, group_by: [cluster, about], group_wait: 1s, group_interval: 5s, storm: {off: true}}
  receivers:
    everything:
      sinks:
        - {notifier: elastic}
        - {notifier: every}
    people:
      sinks:
        - {slack: {channel: C0DEPLOYS}}
        - {notifier: incidents}
`

// asking is in what the test asks with, to know that what came before has been told.
const asking = "are you there"

// trial is one run of it all.
type trial struct {
	t     *testing.T
	plan  *plan
	maker *maker
	stand *stand
	house *house

	asked, rounds int
}

// TestNoneLostNoneTwice has FERRY_EVENTS (2,000) things happen at 500 a second on three clusters, while ferry is killed
// FERRY_EVENTS_KILLS (5) times and everything else fails, as FERRY_EVENTS_SEED (1) draws it.
func TestNoneLostNoneTwice(t *testing.T) {
	events, kills, seed := number(t, "FERRY_EVENTS", 2000), number(t, "FERRY_EVENTS_KILLS", 5), number(t, "FERRY_EVENTS_SEED", 1)
	chance := func(of uint64) *rand.Rand { return rand.New(rand.NewPCG(uint64(seed), of)) }
	on := startClusters(t, "c0", "c1", "c2")
	o := &trial{t: t, plan: draw(chance(0), events), stand: newStand(chance(1)), maker: &maker{clusters: on, made: map[string]time.Time{}, mended: map[string]bool{}}}
	sinks := httptest.NewServer(o.stand)
	t.Cleanup(sinks.Close)
	o.house = newHouse(t, on, func(h http.Handler) http.Handler { return h }, fmt.Sprintf(rules, sinks.URL))
	h := newHarm(o.house, on, chance(2), kills)
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	must(t, o.house.Start())
	o.answered(ctx, false)
	o.stand.harm(true)
	made, mended, harmed := make(chan error, 1), make(chan error, 1), make(chan error, 1)
	go func() { made <- o.maker.run(ctx, o.plan) }()
	go func() { mended <- o.maker.mending(ctx, o.plan, o.stand) }()
	go func() { harmed <- h.run(ctx) }()
	must(t, <-made)
	took := time.Since(o.maker.began)
	must(t, <-harmed)
	o.stand.harm(false)
	quiet := time.Now()
	v := o.settle(ctx)
	settled := time.Since(quiet)
	if v.missing() == 0 {
		must(t, <-mended)
		// Another start, and what comes after everything else has come: nothing is told again.
		must(t, h.kill(ctx, wave{}))
		o.answered(ctx, true)
	}
	must(t, o.house.End(syscall.SIGTERM))
	o.report(h, o.look(), took, settled)
}

func number(t *testing.T, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	must(t, err)
	return n
}

// answered asks each cluster's source, again and again, until the sinks of everything have heard of it, and Slack too.
func (o *trial) answered(ctx context.Context, slackToo bool) {
	o.t.Helper()
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	o.rounds++
	for c := range clusters {
		last := time.Time{}
		ask := fmt.Sprintf("%s, c%d, %d", asking, c, o.asked)
		err := until(ctx, func() (bool, error) {
			if err := o.house.Start(); err != nil { // it runs, or it ended by itself
				return false, err
			}
			if time.Since(last) > time.Second {
				last = time.Now()
				o.asked++
				s := step{of: &thing{manner: counted, name: fmt.Sprintf("asking-c%d-%d", c, o.rounds), cluster: c}, nth: o.asked}
				if err := o.maker.persist(ctx, s.id(), func(ctx context.Context, try time.Time) error { return there(o.maker.say(ctx, &s, try, ask)) }); err != nil {
					return false, err
				}
			}
			heard := func(a arrival) bool { return strings.Contains(a.Title, ask) }
			everywhere := slices.ContainsFunc(o.stand.taken("documents"), heard) && slices.ContainsFunc(o.stand.taken("every"), heard)
			for _, m := range o.house.told(o.t) {
				if slackToo && strings.Contains(m.Text, ask) {
					return everywhere, nil
				}
			}
			return everywhere && !slackToo, nil
		})
		if err != nil {
			o.t.Fatalf("nobody heard of c%d: %v", c, err)
		}
	}
}

func (o *trial) look() *verdict {
	o.maker.mu.Lock()
	made := maps.Clone(o.maker.made)
	o.maker.mu.Unlock()
	return judge(o.plan, made, &seen{
		documents: o.stand.taken("documents"), every: o.stand.taken("every"), incidents: o.stand.taken("incidents"), messages: o.house.told(o.t),
	})
}

// patience is for how long nothing more may arrive while something is missing.
const patience = 100 * time.Second

// settle waits until nothing is missing, or nothing more comes.
func (o *trial) settle(ctx context.Context) (v *verdict) {
	least, since := 1<<30, time.Now()
	next := time.Time{}
	_ = until(ctx, func() (bool, error) { // the verdict says what it was
		if time.Now().Before(next) {
			return false, nil
		}
		v, next = o.look(), time.Now().Add(500*time.Millisecond)
		if v.missing() < least {
			least, since = v.missing(), time.Now()
		}
		return v.missing() == 0 || time.Since(since) > patience, nil
	})
	return v
}

func (o *trial) report(h *harm, v *verdict, took, settled time.Duration) {
	t := o.t
	count := func(name string) (n, again int) {
		for _, a := range o.stand.taken(name) {
			n, again = n+1, again+a.again
		}
		return n, again
	}
	documents, kept := count("documents")
	every, repeated := count("every")
	_, incidentsRepeated := count("incidents")
	messages := o.house.told(t)
	edits := 0
	for _, m := range messages {
		edits += len(m.Edits)
	}
	t.Logf("%d events made in %.1f s (%d tries were not granted): %d incidents that are mended, %d that stay, %d things nobody wants to hear of",
		len(o.plan.steps), took.Seconds(), o.maker.retried, o.plan.count(ailing), o.plan.count(counted), o.plan.count(noise))
	for _, what := range slices.Sorted(maps.Keys(h.done)) {
		t.Logf("%4d times %s", h.done[what], what)
	}
	for _, method := range []string{"chat.postMessage", "chat.update", "conversations.history"} {
		calls := o.house.slack.Calls()[method]
		t.Logf("%4d times Slack answered 429 to %s, %d times its answer was lost", calls.Errors["ratelimited"], method, calls.Errors["lost"])
	}
	t.Logf("requests to the other sinks that failed: %v", o.stand.failed)
	t.Logf("elasticsearch has %d documents (%d offered again, refused by ID); webhook saw %d events (%d again, with the IDs they had) and %d states of incidents (%d again); Slack has %d messages, edited %d times",
		documents, kept, every, repeated, len(o.stand.taken("incidents")), incidentsRepeated, len(messages), edits)
	t.Logf("of those %d were of the source itself, or asked by the test", v.Other)
	for _, where := range slices.Sorted(maps.Keys(v.late)) {
		t.Logf("late at %s: p50 %.2f s, p99 %.2f s", where, percentile(v.late[where], 50).Seconds(), percentile(v.late[where], 99).Seconds())
	}
	t.Logf("settled %.1f s after the last harm; lost %d, doubled %d, out of order %d, wrong at the end %d", settled.Seconds(), len(v.Lost), len(v.Doubled), len(v.Disordered), len(v.Wrong))
	for i, p := range v.all() {
		if t.Errorf("%s", p); i == 30 {
			t.Errorf("… and %d more", len(v.all())-i-1)
			break
		}
	}
	for _, w := range o.stand.wrong {
		t.Errorf("a request that no sink may send: %s", w)
	}
	if n := o.house.slack.Calls()["chat.postMessage"].Errors["lost"]; n == 0 {
		t.Error("no message was posted whose answer was lost")
	}
	if h.done["ferry killed"] == 0 || h.done["API server killed"] < clusters || h.done["plugin killed"] == 0 {
		t.Errorf("too little harm was done: %v", h.done)
	}
}
