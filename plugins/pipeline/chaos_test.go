package pipeline_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"ferry/internal/event"
	"ferry/plugins/pipeline"
	"ferry/plugins/pipeline/pipelinetest"
	"ferry/plugins/rows/rowstest"
	"ferry/plugins/sink"
	"ferry/storage/bolt"
)

// childOf makes this test binary a pipeline on a state file, for a parent that kills
// it: "address start file", the start in nanoseconds.
const childOf = "PIPELINE_CHAOS_CHILD"

// What the child's source tells: so many events, in one go, of so many things on so
// many clusters.
const (
	chaosEvents   = 9000
	chaosThings   = 40
	chaosClusters = 3
	chaosStorm    = 5 // so many things have a message of their own
)

func chaosHistory() (out []pipelinetest.Timed) {
	for i := range chaosEvents {
		thing := i * 7 % chaosThings
		cluster := fmt.Sprint("c", thing%chaosClusters)
		out = append(out, pipelinetest.Timed{After: time.Millisecond / 2, Event: event.Event{
			ID: event.ID(fmt.Sprint(i)), Cluster: cluster, Kind: "Pod", Name: fmt.Sprint("p", thing), About: event.About(fmt.Sprint(cluster, "/p", thing)),
			Labels: map[string]string{"n": fmt.Sprint(i)}, Resolved: i >= chaosEvents-chaosThings, // at last all are well
		}})
	}
	return out
}

func runChild(ctx context.Context, args string) error {
	var address, file string
	var start int64
	if _, err := fmt.Sscan(args, &address, &start, &file); err != nil {
		return err
	}
	db, err := bolt.Open(file)
	if err != nil {
		return err
	}
	defer db.Close()
	p, err := pipeline.New(pipeline.Options{
		Store:   rowstest.Of{KV: db},
		Sources: []pipeline.Binding{{Name: "test", Source: &pipelinetest.Source{History: chaosHistory(), Again: 20, Began: time.Unix(0, start)}}},
		Route: pipeline.Route{
			Receiver: "chat", GroupBy: []string{"cluster"},
			Timing: pipeline.Timing{GroupWait: 50 * time.Millisecond, GroupInterval: time.Second, RepeatInterval: -1},
			Routes: []pipeline.Route{
				{Receiver: "every", GroupBy: []string{pipeline.Every}, Continue: true},
				{Receiver: "storm", GroupBy: []string{"about"}, Continue: true, Timing: pipeline.Timing{Storm: pipeline.Storm{MoreThan: chaosStorm, Within: time.Minute}}},
				{Receiver: "chat"},
			},
		},
		Receivers: []pipeline.Receiver{
			{Name: "chat", Sinks: []pipeline.Integration{{Name: "hook", Sink: poster(address + "/chat")}}},
			{Name: "every", Sinks: []pipeline.Integration{{Name: "hook", Sink: poster(address + "/every")}}},
			{Name: "storm", Sinks: []pipeline.Integration{{Name: "hook", Sink: poster(address + "/storm")}}},
		},
	})
	if err != nil {
		return err
	}
	return p.Run(ctx)
}

// wall is a server that knows deliveries by their IDs.
type wall struct {
	mu     sync.Mutex
	seen   map[string]bool
	twice  int
	last   map[string]int           // of each thing, the number of its last event
	final  map[string]sink.Delivery // of each cluster
	keys   map[string]map[string]bool
	storm  map[string]sink.Delivery // by message
	events int
	wrong  []string
}

func (w *wall) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	var d sink.Delivery
	err := json.NewDecoder(r.Body).Decode(&d)
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case err != nil:
		w.wrong = append(w.wrong, err.Error())
	case w.seen[r.URL.Path+d.ID]:
		w.twice++
	case r.URL.Path == "/every":
		w.events++
		n, thing := 0, d.Labels["name"]
		if _, err := fmt.Sscan(d.Labels["n"], &n); err != nil || n < w.last[thing] {
			w.wrong = append(w.wrong, fmt.Sprintf("event %d of %s came after %d", n, thing, w.last[thing]))
		}
		w.last[thing] = n
	case r.URL.Path == "/storm":
		if d.Revision <= w.storm[d.Key].Revision {
			w.wrong = append(w.wrong, fmt.Sprintf("revision %d of %s came after %d", d.Revision, d.Title, w.storm[d.Key].Revision))
		}
		w.storm[d.Key] = d
	default:
		c := d.Labels["cluster"]
		if d.Revision <= w.final[c].Revision {
			w.wrong = append(w.wrong, fmt.Sprintf("revision %d of %s came after %d", d.Revision, c, w.final[c].Revision))
		}
		if w.keys[c] == nil {
			w.keys[c] = map[string]bool{}
		}
		w.final[c], w.keys[c][d.Key] = d, true
	}
	w.seen[r.URL.Path+d.ID] = true
}

// done reports whether all that is to come has come.
func (w *wall) done() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	resolved := 0
	for _, d := range w.final {
		if d.State == string(event.Resolved) && d.Count > 0 {
			resolved++
		}
	}
	things := 0
	for _, d := range w.storm {
		if d.State == string(event.Resolved) {
			things += d.Things
		}
	}
	return w.events >= chaosEvents && resolved == chaosClusters && things == chaosThings
}

// judgeStorm: all things, a few by themselves and the others in one digest.
func (w *wall) judgeStorm(t *testing.T) {
	t.Helper()
	own, digests, things, count := 0, 0, 0, 0
	for _, d := range w.storm {
		things, count = things+d.Things, count+d.Count
		if d.Things > 1 {
			digests++
		} else {
			own++
		}
		if d.State != string(event.Resolved) {
			t.Errorf("%q ends as %s", d.Title, d.State)
		}
	}
	if most := chaosStorm + (chaosStorm+1)/2; things != chaosThings || digests != 1 || own < chaosStorm || own > most || count != chaosEvents-chaosThings {
		t.Errorf("%d messages and %d digests tell of %d things and %d events", own, digests, things, count)
	}
}

// TestChaos kills a real process with a real state file, again and again.
func TestChaos(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	t.Parallel()
	w := &wall{seen: map[string]bool{}, last: map[string]int{}, final: map[string]sink.Delivery{}, keys: map[string]map[string]bool{}, storm: map[string]sink.Delivery{}}
	server := httptest.NewServer(w)
	defer server.Close()
	file := filepath.Join(t.TempDir(), "state")
	kills, start := 0, time.Now()
	for deadline := time.Now().Add(90 * time.Second); !w.done() && time.Now().Before(deadline); kills++ {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env, cmd.Stderr = append(os.Environ(), fmt.Sprintf("%s=%s %d %s", childOf, server.URL, start.UnixNano(), file)), os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		most := 150*time.Millisecond + rand.N(500*time.Millisecond)
		if kills >= 20 {
			most = 60 * time.Second
		}
		for until := time.Now().Add(most); time.Now().Before(until) && !w.done(); {
			time.Sleep(10 * time.Millisecond)
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err == nil {
			t.Fatal("the child ended by itself")
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	firing := map[string]int{}
	for _, one := range chaosHistory() {
		if !one.Event.Resolved {
			firing[one.Event.Cluster]++
		}
	}
	for c, want := range firing {
		if d := w.final[c]; d.State != string(event.Resolved) || d.Count != want || len(w.keys[c]) != 1 {
			t.Errorf("%s ends as %s with count %d, want resolved with %d; messages: %d", c, d.State, d.Count, want, len(w.keys[c]))
		}
	}
	w.judgeStorm(t)
	if w.events != chaosEvents || len(w.wrong) > 0 {
		t.Errorf("%d of %d events; wrong: %v", w.events, chaosEvents, w.wrong[:min(len(w.wrong), 5)])
	}
	t.Logf("%d events, killed %d times; %d deliveries came again, with the IDs they had", w.events, kills, w.twice)
}
