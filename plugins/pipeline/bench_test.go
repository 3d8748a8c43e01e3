package pipeline_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"ferry/internal/event"
	"ferry/plugins/pipeline"
	"ferry/plugins/rows/rowstest"
	"ferry/plugins/sink"
	"ferry/storage/bolt"
)

// receiverFor makes this test binary a server in a process of its own, so that what
// it costs is not counted: it writes when each delivery came.
const receiverFor = "PIPELINE_BENCH_RECEIVER"

func TestMain(m *testing.M) {
	if mode := os.Getenv(receiverFor); mode != "" {
		if err := receive(mode == "batch"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	if args := os.Getenv(childOf); args != "" {
		if err := runChild(context.Background(), args); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// receive prints its address, takes deliveries until its input ends, and prints how
// late each was, in microseconds.
func receive(batch bool) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	type arrived struct {
		ID string    `json:"id"`
		At time.Time `json:"at"`
	}
	came := make(chan arrived, 1<<20)
	server := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		one := make([]arrived, 1)
		var err error
		if batch {
			err = json.Unmarshal(body, &one)
		} else {
			err = json.Unmarshal(body, &one[0])
		}
		now := time.Now()
		for _, a := range one {
			if err == nil {
				came <- arrived{a.ID, time.Time{}.Add(now.Sub(a.At))}
			}
		}
	})
	go func() {
		if err := http.Serve(l, server); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}()
	fmt.Println("http://" + l.Addr().String())
	want, seen := 0, map[string]bool{}
	if _, err := fmt.Scan(&want); err != nil {
		return err
	}
	late := make([]string, 0, want)
	for len(seen) < want {
		a := <-came
		if !seen[a.ID] {
			seen[a.ID] = true
			late = append(late, strconv.FormatInt(a.At.Sub(time.Time{}).Microseconds(), 10))
		}
	}
	fmt.Println(strings.Join(late, " "))
	return nil
}

// steady emits events at a rate (0 for as fast as they are taken), then waits.
type steady struct {
	n, perSecond int
	ended        chan struct{}
}

func (s *steady) Stream(ctx context.Context, _ string, emit func(event.Event) error) error {
	object := json.RawMessage(`{"apiVersion":"v1","kind":"Event","metadata":{"name":"web-7d9f8b6c5-x2x4z.17f","namespace":"shop","uid":"0a1b2c3d","resourceVersion":"123456"},"involvedObject":{"kind":"Pod","namespace":"shop","name":"web-7d9f8b6c5-x2x4z","uid":"0a1b2c3d","fieldPath":"spec.containers{web}"},"reason":"BackOff","message":"Back-off restarting failed container web in pod web-7d9f8b6c5-x2x4z","source":{"component":"kubelet","host":"node-1"},"firstTimestamp":"2026-01-01T00:00:00Z","lastTimestamp":"2026-01-01T00:10:00Z","count":3,"type":"Warning"}`)
	began := time.Now()
	for i := range s.n {
		if s.perSecond > 0 {
			if wait := time.Until(began.Add(time.Duration(i) * time.Second / time.Duration(s.perSecond))); wait > 0 {
				time.Sleep(wait)
			}
		}
		name := fmt.Sprintf("web-7d9f8b6c5-%05d", i)
		err := emit(event.Event{
			ID: event.ID(strconv.Itoa(i)), Cursor: strconv.Itoa(i), At: time.Now(), Cluster: "prod", Kind: "Pod", Namespace: "shop", Name: name,
			Reason: "BackOff", Severity: event.Warning, Title: "Back-off restarting failed container", Text: "Back-off restarting failed container web in pod " + name, Object: object,
		})
		if err != nil {
			return err
		}
	}
	close(s.ended)
	<-ctx.Done()
	return ctx.Err()
}

// poster posts each delivery to an address.
type poster string

func (p poster) post(ctx context.Context, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, string(p), bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	if _, err = io.Copy(io.Discard, resp.Body); err == nil && resp.StatusCode != http.StatusOK {
		err = errors.New(resp.Status)
	}
	return errors.Join(err, resp.Body.Close())
}

func (p poster) Deliver(ctx context.Context, d sink.Delivery) (sink.Receipt, error) {
	return sink.Receipt{}, p.post(ctx, d)
}

// together posts many at once.
type together struct{ poster }

func (t together) DeliverAll(ctx context.Context, ds []sink.Delivery) []sink.Result {
	err, out := t.post(ctx, ds), make([]sink.Result, len(ds))
	for i := range out {
		out[i].Err = err
	}
	return out
}

// BenchmarkWebhook is a source in this process to a webhook on loopback, durable in a
// bbolt file. It tells events/s, events per second of processor time of this process,
// and how late events come.
func BenchmarkWebhook(b *testing.B) {
	for _, c := range []struct {
		name         string
		n, perSecond int
		batch        int
	}{{"most", 20_000, 0, 0}, {"500 a second", 3_000, 500, 0}, {"most in batches", 50_000, 0, 64}, {"500 a second in batches", 3_000, 500, 64}} {
		b.Run(c.name, func(b *testing.B) {
			for range b.N {
				measure(b, c.n, c.perSecond, c.batch)
			}
		})
	}
}

func measure(b *testing.B, n, perSecond, batch int) {
	b.Helper()
	mode := "single"
	if batch > 1 {
		mode = "batch"
	}
	cmd := exec.CommandContext(b.Context(), os.Args[0])
	cmd.Env, cmd.Stderr = append(os.Environ(), receiverFor+"="+mode), os.Stderr
	in, err := cmd.StdinPipe()
	out, oerr := cmd.StdoutPipe()
	if err := errors.Join(err, oerr, cmd.Start()); err != nil {
		b.Fatal(err)
	}
	var address string
	if _, err := fmt.Fscan(out, &address); err != nil {
		b.Fatal(err)
	}
	fmt.Fprintln(in, n)
	db, err := bolt.Open(filepath.Join(b.TempDir(), "state"))
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	hook := sink.Sink(poster(address))
	if batch > 1 {
		hook = together{poster(address)}
	}
	source := &steady{n: n, perSecond: perSecond, ended: make(chan struct{})}
	p, err := pipeline.New(pipeline.Options{
		Store: rowstest.Of{KV: db}, Sources: []pipeline.Binding{{Name: "bench", Source: source}},
		Route:     pipeline.Route{Receiver: "hook", GroupBy: []string{pipeline.Every}},
		Receivers: []pipeline.Receiver{{Name: "hook", Sinks: []pipeline.Integration{{Name: "webhook", Sink: hook}}}},
	})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	before, began := cpu(b), time.Now()
	go func() { done <- p.Run(ctx) }()
	<-source.ended
	late := make([]int, n)
	for i := range late {
		if _, err := fmt.Fscan(out, &late[i]); err != nil {
			b.Fatal(err)
		}
	}
	took, used := time.Since(began), cpu(b)-before
	cancel()
	if err := errors.Join(<-done, cmd.Wait()); err != nil {
		b.Fatal(err)
	}
	slices.Sort(late)
	b.ReportMetric(float64(n)/took.Seconds(), "events/s")
	b.ReportMetric(float64(n)/used.Seconds(), "events/cpu-s")
	b.ReportMetric(float64(late[n/2])/1000, "p50-ms")
	b.ReportMetric(float64(late[n*99/100])/1000, "p99-ms")
	b.ReportMetric(0, "ns/op")
}

// cpu is the processor time of this process.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
