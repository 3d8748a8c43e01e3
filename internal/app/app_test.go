package app

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"

	"ferry/internal/deploy"
	"ferry/internal/job"
)

// diary notes what happens in which order.
type diary struct {
	mu    sync.Mutex
	lines []string
}

func (d *diary) write(line string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, line)
}

func (d *diary) String() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return strings.Join(d.lines, " ")
}

func (d *diary) service(name string, started chan<- struct{}) service {
	ready := make(chan struct{})
	return service{
		name: name,
		run: func(ctx context.Context) error {
			d.write("+" + name)
			close(ready)
			if started != nil {
				close(started)
			}
			<-ctx.Done()
			d.write("-" + name)
			return ctx.Err()
		},
		settled: func(context.Context) error { <-ready; return nil },
	}
}

func TestServicesStartInOrderAndStopInReverse(t *testing.T) {
	t.Parallel()
	d := &diary{}
	ctx, cancel := context.WithCancel(t.Context())
	up := make(chan struct{})
	done := make(chan error)
	go func() {
		done <- serve(ctx, slog.New(slog.DiscardHandler), []service{d.service("a", nil), d.service("b", nil), d.service("c", up)})
	}()
	<-up
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if got := d.String(); got != "+a +b +c -c -b -a" {
		t.Errorf("order was %s", got)
	}
}

func TestAFailedStartStopsWhatWasStarted(t *testing.T) {
	t.Parallel()
	d := &diary{}
	bad := d.service("bad", nil)
	bad.settled = func(context.Context) error { return errors.New("port is taken") }
	err := serve(t.Context(), slog.New(slog.DiscardHandler), []service{d.service("a", nil), bad, d.service("never", nil)})
	if err == nil || !strings.Contains(err.Error(), "start bad: port is taken") {
		t.Errorf("serve: %v", err)
	}
	if got := d.String(); !strings.HasSuffix(got, "-a") || strings.Contains(got, "never") {
		t.Errorf("order was %s", got)
	}
}

func TestAServiceThatEndsByItselfEndsAll(t *testing.T) {
	t.Parallel()
	d := &diary{}
	err := serve(t.Context(), slog.New(slog.DiscardHandler), []service{
		d.service("a", nil),
		{name: "brittle", run: func(context.Context) error { return errors.New("broke") }},
	})
	if err == nil || !strings.Contains(err.Error(), "brittle ended: broke") || strings.Count(err.Error(), "broke") != 1 {
		t.Errorf("serve: %v", err)
	}
	if got := d.String(); got != "+a -a" {
		t.Errorf("order was %s", got)
	}
}

func TestWeb(t *testing.T) {
	t.Parallel()
	clusters := func() []deploy.ClusterState {
		return []deploy.ClusterState{{Name: "prod"}, {Name: "stage", Stale: true, Reason: "no answer"}}
	}
	m := newMetrics(clusters)
	m.ended(&job.Job{Verb: "promote", Outcome: job.Done})
	var mu sync.Mutex
	slack := errors.New("not connected")
	w, err := listen(t.Context(), "127.0.0.1:0", m, []probe{{"slack", func() error { mu.Lock(); defer mu.Unlock(); return slack }}}, clusters, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- w.run(ctx) }()
	base := "http://" + w.listener.Addr().String()

	if code, _ := fetch(t, base+"/healthz"); code != http.StatusOK {
		t.Errorf("/healthz: %d", code)
	}
	code, body := fetch(t, base+"/readyz")
	var r report
	if err := json.Unmarshal(body, &r); err != nil || code != http.StatusServiceUnavailable || r.Failing["slack"] != "not connected" {
		t.Errorf("/readyz: %d %s %v", code, body, err)
	}
	mu.Lock()
	slack = nil
	mu.Unlock()
	code, body = fetch(t, base+"/readyz")
	if code != http.StatusOK || !strings.Contains(string(body), `"stage":"stale: no answer"`) {
		t.Errorf("/readyz: %d %s", code, body)
	}
	_, body = fetch(t, base+"/metrics")
	for _, want := range []string{`ferry_cluster_stale{cluster="stage"} 1`, `ferry_cluster_stale{cluster="prod"} 0`, `ferry_jobs_ended_total{command="promote",outcome="done"} 1`} {
		if !strings.Contains(string(body), want) {
			t.Errorf("/metrics misses %s", want)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestCheckTableFoldsWhatIsWell(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	failed, spared := table(&out, []finding{
		{where: "prod", what: "answers", ok: true, detail: "v1.34.3"},
		{where: "prod", what: "list pods in a", ok: true},
		{where: "prod", what: "list pods in b", ok: true},
		{where: "stage", what: "list pods in a", ok: true},
		{where: "stage", what: "list pods in b", help: "bind the role"},
		{where: "stage", what: "patch", spare: true, detail: "Flux looks by itself"},
	})
	want := `    WHERE  WHAT                       FOUND
ok  prod   answers                    v1.34.3
ok  prod   list pods in 2 namespaces
ok  stage  list pods in a
NO  stage  list pods in b
                                      bind the role
--  stage  patch                      Flux looks by itself
`
	lines := strings.Split(out.String(), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	if got := strings.Join(lines, "\n"); failed != 1 || spared != 1 || got != want {
		t.Errorf("%d failed and %d are spared, want 1 of each:\n%s", failed, spared, got)
	}
	for want, of := range map[string][3]int{
		"all 6 work": {6, 0, 0}, "4 of 6 work; ferry can do without the others (--)": {6, 0, 2}, "1 of 6 do not work": {6, 1, 2},
	} {
		if got := summed(of[0], of[1], of[2]); got != want {
			t.Errorf("%v: %q, want %q", of, got, want)
		}
	}
}

func fetch(t *testing.T, url string) (int, []byte) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, body
}
