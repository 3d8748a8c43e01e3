package plugins_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"ferry/internal/chat"
	"ferry/plugins"
	"ferry/plugins/api"
	"ferry/plugins/host"
	"ferry/plugins/repo"
)

// examples builds the plugins that stand outside of ferry's module, and puts them
// into a repository of their own.
func examples(t *testing.T) *repo.Store {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"source", "executor", "notifier"} {
		text, err := os.ReadFile("testdata/examples/" + name + "/main.go")
		if err != nil {
			t.Fatal(err)
		}
		if n := bytes.Count(text, []byte("\n")); n >= 40 {
			t.Errorf("the example of a %s has %d lines: it has to be shorter than 40", name, n)
		}
		build := exec.Command("go", "build", "-o", filepath.Join(dir, name), ".")
		build.Dir = "testdata/examples/" + name
		build.Env = append(os.Environ(), "GOWORK=off")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("build %s: %v\n%s", name, err, out)
		}
	}
	n, err := repo.Write(dir, func(path string) (repo.Entry, error) {
		r, err := host.Verify(t.Context(), host.File{Path: path}, host.Binding{})
		return repo.Entry{Name: r.Info.Name, Type: r.Kind, Version: r.Info.Version, Description: r.Info.Description}, err
	})
	if n != 3 || err != nil {
		t.Fatalf("an index of %d, %v", n, err)
	}
	return repo.New(repo.Options{Dir: t.TempDir(), Repositories: []repo.Repository{{Name: "examples", Index: dir}}})
}

func bind(store *repo.Store, kind, name string) host.Binding {
	return host.Binding{Name: name, Kind: kind, Plugin: "examples/" + name + "@v1.0.0", Find: func(ctx context.Context) (host.File, error) {
		i, err := store.Find(ctx, kind, repo.Ref{Repository: "examples", Name: name, Version: "v1.0.0"})
		return host.File{Path: i.Path, Checksum: i.Checksum, Name: i.Name, Version: i.Version}, err
	}}
}

type page struct{ bytes.Buffer }

func (*page) Close() error { return nil }

// TestExamples builds them, gets them from a repository and uses them as ferry
// does.
func TestExamples(t *testing.T) {
	store := examples(t)
	events := make(chan api.Event, 100)
	h, err := host.New(host.Options{
		Dir:       t.TempDir(),
		Handshake: time.Minute, // how fast this machine starts a process is not what is tested
		Bindings:  []host.Binding{bind(store, api.KindExecutor, "shout"), bind(store, api.KindSource, "ticker"), bind(store, api.KindNotifier, "post")},
		Events: func(_ context.Context, _ string, e api.Event) error {
			events <- e
			return nil
		},
		Cursor: func(context.Context, string) (string, error) { return "41", nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	all.Go(func() {
		if err := h.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	defer all.Wait()
	defer cancel()

	select {
	case e := <-events:
		if e.ID != "tick-42" || e.Cursor != "42" || e.About != "time" {
			t.Errorf("event = %+v", e)
		}
	case <-time.After(time.Minute):
		t.Fatalf("no event came: %+v", h.States())
	}
	conversation(t, h)
	notified(t, h)
}

func conversation(t *testing.T, h *host.Host) {
	t.Helper()
	e := plugins.Executors{Runner: h, Who: func(_ context.Context, id chat.UserID) (api.User, error) { return api.User{ID: string(id)}, nil }}
	say := func(line string) (chat.Message, string) {
		t.Helper()
		var out page
		m, err := e.Execute(t.Context(), "shout", line, chat.Command{User: "U1"}, func(title string) (io.WriteCloser, error) {
			if !strings.HasPrefix(title, "shout ") {
				return nil, errors.New("what is " + title)
			}
			return &out, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return m, out.String()
	}
	if m, out := say("hello"); m.Title != "Shouted" || m.Tone != chat.Done || out != "HELLO\n" {
		t.Errorf("%+v, %q", m, out)
	}
	if m, _ := say("psst"); m.Title != "Nobody shouts that" || m.Tone != chat.Refused {
		t.Errorf("what may not be: %+v", m)
	}
	asked, out := say("hello!")
	if asked.Title != "Shall I really shout that loud?" || len(asked.Buttons) != 1 || out != "" {
		t.Fatalf("it does not ask: %+v, %q", asked, out)
	}
	line := strings.TrimPrefix(asked.Buttons[0].Command, "shout ")
	if m, out := say(line); m.Title != "Shouted" || out != "HELLO!\n" {
		t.Errorf("confirmed: %+v, %q", m, out)
	}
	// What was confirmed is that line and no other.
	if m, out := say(strings.Replace(line, "hello!", "hell!", 1)); len(m.Buttons) != 1 || out != "" {
		t.Errorf("another line is confirmed: %+v, %q", m, out)
	}
	if got := e.Help("shout"); !strings.HasPrefix(got, "shout WORDS") || e.Names()[0] != "shout" {
		t.Errorf("help = %q", got)
	}
}

func notified(t *testing.T, h *host.Host) {
	t.Helper()
	status := http.StatusTooManyRequests
	var got struct{ ID, State string }
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
			t.Error(err)
		}
		w.WriteHeader(status)
	}))
	defer s.Close()
	n := api.Notification{ID: "n1", State: api.Resolved, To: s.URL}
	deliver := func() (api.Receipt, error) {
		var out api.Outcome
		err := h.Deliver(t.Context(), "post", []api.Notification{n}, func(_ int, o api.Outcome) { out = o })
		return out.Receipt, errors.Join(err, out.Err)
	}
	_, err := deliver()
	if after, again := api.Retry(err); !again || after != time.Second {
		t.Errorf("a refusal that passes: %v", err)
	}
	status = http.StatusOK
	if r, err := deliver(); err != nil || r.Ref != "n1" || got.ID != "n1" || got.State != "resolved" {
		t.Errorf("receipt = %+v, %v, posted %+v", r, err, got)
	}
	n.To = "://"
	if _, err := deliver(); err == nil {
		t.Error("nowhere was delivered to")
	} else if _, again := api.Retry(err); again {
		t.Errorf("what does not pass is tried again: %v", err)
	}
}
