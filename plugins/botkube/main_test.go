package botkube

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"ferry/plugins/api"
	"ferry/plugins/botkube/botkubetest"
	"ferry/plugins/host"
)

func TestMain(m *testing.M) {
	if botkubetest.Behave() {
		return
	}
	_ = os.Setenv("SECRET_OF_FERRY", "x") // which no plugin sees
	os.Exit(m.Run())
}

// itself is this binary with its checksum, as a plugin.
var itself = sync.OnceValues(func() (host.File, error) {
	path, err := os.Executable()
	if err != nil {
		return host.File{}, err
	}
	text, err := os.ReadFile(path)
	sum := sha256.Sum256(text)
	return host.File{Path: path, Checksum: hex.EncodeToString(sum[:])}, err
})

// bound is a binding of one of the suite's plugins.
func bound(name, kind string, change ...func(*host.Binding, *Dialect)) host.Binding {
	f, err := itself()
	d := Dialect{Plugin: name}
	b := host.Binding{
		Name: name, Kind: kind, Plugin: "botkube/" + name, Env: map[string]string{botkubetest.Env: name},
		Find: func(context.Context) (host.File, error) { return f, err },
	}
	for _, c := range change {
		c(&b, &d)
	}
	b.Dialect = d
	return b
}

// taken collects what sources emit.
type taken struct {
	mu     sync.Mutex
	events []api.Event
	more   chan struct{}
}

func newTaken() *taken { return &taken{more: make(chan struct{}, 10000)} }

func (k *taken) take(_ context.Context, _ string, e api.Event) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.events = append(k.events, e)
	k.more <- struct{}{}
	return nil
}

// all are the events there are.
func (k *taken) all() []api.Event {
	k.mu.Lock()
	defer k.mu.Unlock()
	return append([]api.Event(nil), k.events...)
}

// within waits for one more event, but not for long.
func (k *taken) within(d time.Duration) {
	select {
	case <-k.more:
	case <-time.After(d):
	}
}

// wait returns the events once there are n.
func (k *taken) wait(t *testing.T, n int) []api.Event {
	t.Helper()
	soon := time.After(time.Minute)
	for {
		k.mu.Lock()
		events := append([]api.Event(nil), k.events...)
		k.mu.Unlock()
		if len(events) >= n {
			return events
		}
		select {
		case <-k.more:
		case <-soon:
			t.Fatalf("%d events came, not %d: %+v", len(events), n, events)
		}
	}
}

// run runs a host for as long as the test.
func run(t *testing.T, o host.Options) *host.Host {
	t.Helper()
	dir, err := os.MkdirTemp("", "bk") // sockets have short paths
	if err != nil {
		t.Fatal(err)
	}
	o.Dir = dir
	o.Pause, o.Look, o.Grace = 100*time.Millisecond, 200*time.Millisecond, 200*time.Millisecond
	o.Handshake = time.Minute // how fast this machine starts a process is not what is tested
	h, err := host.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = h.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		running.Wait()
		_ = os.RemoveAll(dir)
	})
	return h
}

// execute runs a line and returns all that is shown of it.
func execute(t *testing.T, h *host.Host, r api.ExecuteRequest, talk *Talk) (result api.Result, out string, err error) {
	t.Helper()
	var b bytes.Buffer
	if talk == nil {
		talk = &Talk{}
	}
	name, line := r.Binding, r.Line
	result, err = h.Execute(Begin(t.Context(), talk), name, api.ExecuteRequest{Line: line, User: r.User}, &b)
	return result, b.String(), err
}

func line(name, format string, a ...any) api.ExecuteRequest {
	return api.ExecuteRequest{Binding: name, Line: fmt.Sprintf(format, a...)}
}
