package host

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"ferry/internal/fault"
	"ferry/plugins/api"
)

// itself is this binary with its checksum, as an animal of the zoo.
var itself = sync.OnceValues(func() (File, error) {
	path, err := os.Executable()
	if err != nil {
		return File{}, err
	}
	text, err := os.ReadFile(path)
	sum := sha256.Sum256(text)
	return File{Path: path, Checksum: hex.EncodeToString(sum[:])}, err
})

func animal(name, kind string, change ...func(*Binding, *File)) Binding {
	f, err := itself()
	b := Binding{Name: name, Kind: kind, Plugin: "zoo/" + name, Env: map[string]string{"ZOO": name}}
	for _, c := range change {
		c(&b, &f)
	}
	b.Find = func(context.Context) (File, error) { return f, err }
	return b
}

// run runs a host for as long as the test, and sees to it that nothing is left of
// what it started.
func run(t *testing.T, o Options) *Host {
	t.Helper()
	dir, err := os.MkdirTemp("", "zoo")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	o.Dir = dir
	for _, d := range []*time.Duration{&o.Pause, &o.Look, &o.Grace} {
		if *d == 0 {
			*d = 200 * time.Millisecond
		}
	}
	if o.Handshake == 0 { // how fast this machine starts a process is not what is tested
		o.Handshake = time.Minute
	}
	h, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(time.Minute):
			t.Error("the host does not end")
		}
		if left := within(dir); len(left) > 0 {
			t.Errorf("processes are left: %v", left)
		}
		if left, _ := filepath.Glob(dir + "/run/*"); len(left) > 0 {
			t.Errorf("folders are left: %v", left)
		}
	})
	return h
}

// within returns the processes that were started in a folder.
func within(dir string) []string {
	var out []string
	files, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, file := range files {
		if env, err := os.ReadFile(file); err == nil && bytes.Contains(env, []byte("HOME="+dir)) {
			out = append(out, file)
		}
	}
	return out
}

// wait returns the state of a binding when it is as wanted.
func wait(t *testing.T, h *Host, name, what string, wanted func(State) bool) State {
	t.Helper()
	for _, k := range h.keepers {
		if k.Name == name {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			s := k.await(ctx, wanted)
			if !wanted(s) {
				t.Fatalf("%s is not %s: %+v", name, what, s)
			}
			return s
		}
	}
	t.Fatalf("there is no %s", name)
	return State{}
}

func is(status Status) func(State) bool { return func(s State) bool { return s.Status == status } }

func execute(t *testing.T, h *Host, name, line string) (string, api.Result, error) {
	t.Helper()
	var out bytes.Buffer
	r, err := h.Execute(t.Context(), name, api.ExecuteRequest{Line: line, User: api.User{ID: "U1", Groups: []string{"S1"}}}, &out)
	return out.String(), r, err
}

// TestZoo shows what each animal costs, which is nothing: the one beside it
// answers, nothing of it is left (see run), and its state says what is wrong.
func TestZoo(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		animal string
		change func(*Binding, *File)
		status Status
		err    string
	}{
		{"crash", nil, Waiting, "it ended: exit status 2, panic: no luck today"},
		{"mute", nil, Waiting, ", without a handshake: is it a plugin?"},
		{"echo", func(b *Binding, f *File) { b.Name, f.Path, f.Checksum = "text", "zoo_test.go", "" }, Refused, "it is no program for this machine ("},
		{"hang", nil, Waiting, "it was not ready within 2s"},
		{"garbage", nil, Refused, `it wrote "<html><html>`},
		{"future", nil, Refused, "it speaks version 99 of the protocol, ferry speaks 1"},
		{"naked", nil, Refused, "it does not use the certificates that it was given"},
		{"knocker", nil, Refused, "it wants to be called at unix /var/run/docker.sock, which is not its own"},
		{"liar", func(_ *Binding, f *File) { f.Name = "echo" }, Refused, `it calls itself "kubectl", not "echo"`},
		{"echo", func(b *Binding, f *File) { b.Name, f.Version = "older", "1.2.2" }, Refused, `it calls itself version "1.2.3", not "1.2.2"`},
		{"echo", func(b *Binding, f *File) { b.Name, f.Checksum = "changed", strings.Repeat("0", 64) }, Refused, "its checksum is "},
		{"echo", func(b *Binding, _ *File) { b.Name, b.Kind = "other", api.KindNotifier }, Refused, "it is not of the kind notifier but executor"},
		{"strict", func(b *Binding, _ *File) { b.Config = []byte("size: large") }, Refused, "its configuration does not fit: size: got string, want integer"},
		{"strict", func(b *Binding, f *File) { b.Name, f.Schema = "early", []byte(`{"required":["token"]}`) }, Refused, "its configuration does not fit: missing property 'token'"},
		{"curious", nil, Refused, "its schema is none"},
		{"echo", func(b *Binding, f *File) { b.Name, f.Path = "absent", "/does/not/exist" }, Waiting, "no such file or directory"},
		{"hog", func(b *Binding, _ *File) { b.Memory = 128 << 20 }, Waiting, "memory"}, // taken away, or not given
		{"frozen", nil, Waiting, "it does not answer any more"},
		{"fat", func(b *Binding, _ *File) { b.Kind = api.KindSource }, Running, "received message larger than max"},
	} {
		b := animal(c.animal, api.KindExecutor, func(b *Binding, f *File) {
			if c.change != nil {
				c.change(b, f)
			}
		})
		t.Run(b.Name, func(t *testing.T) {
			t.Parallel()
			o := Options{
				Bindings: []Binding{b, animal("echo", api.KindExecutor)},
				Events:   func(context.Context, string, api.Event) error { return nil },
			}
			if c.animal == "hang" {
				o.Handshake = 2 * time.Second
			}
			h := run(t, o)
			s := wait(t, h, b.Name, "as wanted", func(s State) bool { return s.Status == c.status && s.Err != "" })
			said := strings.Replace(s.Err, "ThreadSanitizer failed to allocate", "out of memory", 1) // as the race detector says it
			if !strings.Contains(said, c.err) {
				t.Errorf("err = %q, want %q", s.Err, c.err)
			}
			wait(t, h, "echo", "running", is(Running)) // it has no more time for a start than the other
			if out, _, err := execute(t, h, "echo", "hello"); err != nil || !strings.Contains(out, "hello") {
				t.Errorf("the one beside it says %q, %v", out, err)
			}
			if c.status == Waiting && c.animal != "hog" {
				wait(t, h, b.Name, "started again", func(s State) bool { return s.Restarts > 0 })
			}
		})
	}
}

// TestNoPlace has a folder that cannot be made: ferry goes on, and says so.
func TestNoPlace(t *testing.T) {
	t.Parallel()
	file := t.TempDir() + "/file"
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	h, err := New(Options{Dir: file, Bindings: []Binding{animal("echo", api.KindExecutor)}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx) }()
	s := wait(t, h, "echo", "waiting", is(Waiting))
	cancel()
	if err := <-ended; err != nil || !strings.Contains(s.Why, "not a directory") {
		t.Errorf("%v, %+v", err, s)
	}
}

// TestLivingZoo has animals that run, and are a burden.
func TestLivingZoo(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"loud", "parent", "runaway", "stubborn"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := run(t, Options{Bindings: []Binding{animal(name, api.KindExecutor), animal("echo", api.KindExecutor)}})
			wait(t, h, name, "running", is(Running))
			for _, name := range []string{name, "echo"} {
				if out, _, err := execute(t, h, name, "hello"); err != nil || !strings.Contains(out, "hello") {
					t.Errorf("%s says %q, %v", name, out, err)
				}
			}
		})
	}
}

var variable = regexp.MustCompile(`^[A-Z_]{1,40}$`)

func TestExecutor(t *testing.T) {
	t.Parallel()
	b := animal("echo", api.KindExecutor, func(b *Binding, _ *File) {
		b.Config = []byte("a: 1")
		b.Clusters = func(context.Context) ([]api.Cluster, error) {
			return []api.Cluster{{Name: "prod", Kubeconfig: []byte("k")}}, nil
		}
	})
	hasty := animal("echo", api.KindExecutor, func(b *Binding, _ *File) { b.Name, b.Timeout = "hasty", 200*time.Millisecond })
	h := run(t, Options{Bindings: []Binding{b, hasty}})
	out, r, err := execute(t, h, "echo", "hello  \"you\"")
	if want := `echo hello  "you" a: 1 [S1] prod=k`; out != want || r.Title != "said" || err != nil {
		t.Errorf("out = %q, %+v, %v, want %q", out, r, err, want)
	}
	if _, r, err := execute(t, h, "echo", "ask me"); r.Confirm != "Really?" || err != nil {
		t.Errorf("it does not ask: %+v, %v", r, err)
	}
	var failure api.Failure
	if _, _, err := execute(t, h, "echo", "fail not today"); !errors.As(err, &failure) || err.Error() != "not today" {
		t.Errorf("err = %v, want the plugin's own", err)
	}
	env, _, _ := execute(t, h, "echo", "env")
	for line := range strings.Lines(env) {
		name, _, _ := strings.Cut(line, "=")
		switch {
		case strings.HasPrefix(name, "PLUGIN_"), strings.HasPrefix(name, "FERRY_PLUGIN"), name == "PATH", name == "HOME", name == "TMPDIR", name == "GOMEMLIMIT", name == "ZOO":
		case name == "PWD", !variable.MatchString(name): // and lines of the certificate
		default:
			t.Errorf("it sees %s of ferry's environment", name)
		}
	}
	if _, _, err := execute(t, h, "hasty", "hang"); !fault.Is(err, fault.Expired) {
		t.Errorf("a call that hangs: %v", err)
	}
	if _, _, err := execute(t, h, "echo", "much"); !fault.Is(err, fault.Refused) {
		t.Errorf("a call that writes for ever: %v", err)
	}
	if _, _, err := execute(t, h, "none", "x"); !fault.Is(err, fault.NotFound) {
		t.Errorf("an executor that is not there: %v", err)
	}
	if _, _, err = execute(t, h, "echo", "panic oh no"); !fault.Is(err, fault.Failed) || !strings.Contains(err.Error(), "the executor `echo` failed in the middle: ") {
		t.Errorf("err = %v", err)
	}
	if s := wait(t, h, "echo", "running again", func(s State) bool { return s.Status == Running && s.Restarts == 1 }); s.Err != "it ended: exit status 2, panic: oh no" {
		t.Errorf("it ended because of %q", s.Err)
	}
}

// TestSource has a source that ends its stream, then dies: nothing is lost, and
// nothing comes that was stored before.
func TestSource(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var got []string
	cursor := ""
	failed := false
	h := run(t, Options{
		Bindings: []Binding{animal("counter", api.KindSource)},
		Events: func(_ context.Context, binding string, e api.Event) error {
			mu.Lock()
			defer mu.Unlock()
			if e.ID == "15" && !failed {
				failed = true
				return errors.New("the disk is full")
			}
			got, cursor = append(got, e.ID), e.Cursor
			if e.Title != "counted \uFFFD" || binding != "counter" {
				t.Errorf("event = %+v", e)
			}
			return nil
		},
		Cursor: func(context.Context, string) (string, error) {
			mu.Lock()
			defer mu.Unlock()
			return cursor, nil
		},
	})
	wait(t, h, "counter", "started again", func(s State) bool { return s.Events >= 40 && s.Err == "it ended: exit status 2, panic: counted enough" })
	mu.Lock()
	defer mu.Unlock()
	for i, id := range got {
		if id != strconv.Itoa(i+1) {
			t.Fatalf("events = %v", got)
		}
	}
}

// TestFlood has a source that never stops: it is held to its pace, and blocks in
// emit while nobody takes what it sends.
func TestFlood(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	n, began := 0, time.Now() // before it can have sent anything
	h := run(t, Options{
		Bindings: []Binding{animal("flood", api.KindSource), animal("echo", api.KindExecutor)},
		Rate:     100,
		Events: func(context.Context, string, api.Event) error {
			mu.Lock()
			defer mu.Unlock()
			n++
			return nil
		},
	})
	wait(t, h, "flood", "running", is(Running))
	for range 10 {
		if _, _, err := execute(t, h, "echo", "hello"); err != nil {
			t.Fatal(err)
		}
	}
	wait(t, h, "flood", "over its burst", func(s State) bool { return s.Events > 250 })
	mu.Lock()
	defer mu.Unlock()
	if most := 200 + 100*int(time.Since(began)/time.Second+3); n > most {
		t.Errorf("%d events came, %d are the most", n, most)
	}
}

func TestNotifier(t *testing.T) {
	t.Parallel()
	h := run(t, Options{Bindings: []Binding{animal("pager", api.KindNotifier)}})
	deliver := func(ns ...api.Notification) []api.Outcome {
		t.Helper()
		out := make([]api.Outcome, len(ns))
		if err := h.Deliver(t.Context(), "pager", ns, func(i int, o api.Outcome) { out[i] = o }); err != nil {
			t.Fatal(err)
		}
		return out
	}
	n := api.Notification{ID: "n1", State: api.Updated, Previous: api.Receipt{Ref: "m0"}, Title: "x", Order: "a"}
	busy, never, known := n, n, n
	busy.Title, busy.Order = "busy", "b"
	never.Title = "never"
	known.ID, known.Order = "known", "d"
	if out := deliver(n, known); out[0].Receipt.Ref != "n1/updated/m0" || out[0].Err != nil || out[1].Receipt.Ref != "known" || out[1].Err != nil {
		t.Errorf("receipts = %+v", out)
	}
	if after, again := api.Retry(deliver(busy)[0].Err); !again || after != 7*time.Second {
		t.Errorf("again = %v after %s", again, after)
	}
	out := deliver(never, n)
	if _, own := errors.AsType[api.Failure](out[0].Err); !own {
		t.Errorf("what the plugin says is %v", out[0].Err)
	}
	if _, again := api.Retry(out[0].Err); again || !errors.Is(out[1].Err, api.ErrHeld) {
		t.Errorf("what is permanent is worth another try, or overtaken: %+v", out)
	}
}
