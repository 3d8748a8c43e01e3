package plugins_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"ferry/internal/chat"
	"ferry/plugins"
	"ferry/plugins/api"
	"ferry/plugins/botkube"
	"ferry/plugins/botkube/botkubetest"
	"ferry/plugins/host"
)

func TestMain(m *testing.M) {
	if botkubetest.Behave() {
		return
	}
	os.Exit(m.Run())
}

// wall is where messages are shown.
type wall struct {
	mu    sync.Mutex
	shown map[string]chat.Message
	at    map[string]chat.Thread
}

func (w *wall) put(_ context.Context, at chat.Thread, key string, m chat.Message) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.shown[key], w.at[key] = m, at
	return nil
}

// buildersOf runs the plugin of the suite that builds commands.
func buildersOf(t *testing.T) (plugins.Executors, *wall) {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(text)
	h := running(t, host.Binding{
		Name: "kc", Kind: api.KindExecutor, Plugin: "botkube/kubectl", Env: map[string]string{botkubetest.Env: "kubectl"},
		Dialect: botkube.Dialect{Plugin: "kubectl"},
		Find: func(context.Context) (host.File, error) {
			return host.File{Path: path, Checksum: hex.EncodeToString(sum[:])}, nil
		},
	})
	w := &wall{shown: map[string]chat.Message{}, at: map[string]chat.Thread{}}
	who := func(_ context.Context, id chat.UserID) (api.User, error) { return api.User{ID: string(id)}, nil }
	return plugins.Executors{Runner: h, Who: who, Put: w.put}, w
}

// TestACommandIsBuiltOnOneMessage: what is picked comes back to the plugin as the state of
// the message, and its next step stands where that message stood. What one person builds
// replaces nothing that everybody sees.
func TestACommandIsBuiltOnOneMessage(t *testing.T) {
	t.Parallel()
	e, w := buildersOf(t)
	cmd := chat.Command{Key: "k1", User: "U1", Thread: chat.Thread{Team: "T1", Channel: "C1", Root: "1.1"}}
	first, err := e.Execute(t.Context(), "kc", "", cmd, nil)
	if err != nil || first.For != "U1" || len(first.Controls) != 4 || len(w.shown) != 0 {
		t.Fatalf("%+v, %v; shown %+v", first, err, w.shown)
	}
	verb, filter := first.Controls[1], first.Controls[0]
	cmd.Key = "k2"
	cmd.Origin = &chat.Origin{Key: "k1/answer", For: "U1", Filled: []chat.Filled{
		{Kind: verb.Kind, ID: verb.ID, Command: verb.Command, Options: verb.Options[:1]}, {Kind: filter.Kind, Command: filter.Command, Options: []chat.Option{{Value: "podinfo"}}},
	}}
	line := strings.TrimPrefix(verb.Command+verb.Options[0].Value, "kc ")
	answer, err := e.Execute(t.Context(), "kc", line, cmd, nil)
	if err != nil || answer.Title != "" {
		t.Fatalf("%+v, %v", answer, err)
	}
	next := w.shown["k1/answer"]
	if next.For != "U1" || !next.Final || next.Code == nil || next.Code.Text != "kubectl get --filter=podinfo" || next.Controls[0].ID != verb.ID {
		t.Errorf("it became %+v", next)
	}
	cmd.Key, cmd.Origin.For = "k3", ""
	if answer, err := e.Execute(t.Context(), "kc", line, cmd, nil); err != nil || answer.For != "U1" {
		t.Errorf("on a message that everybody sees: %+v, %v", answer, err)
	}
}

// running runs a host for as long as the test.
func running(t *testing.T, b host.Binding) *host.Host {
	t.Helper()
	dir, err := os.MkdirTemp("", "bk") // sockets have short paths
	if err != nil {
		t.Fatal(err)
	}
	h, err := host.New(host.Options{Dir: dir, Handshake: time.Minute, Bindings: []host.Binding{b}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	all.Go(func() { _ = h.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		all.Wait()
		_ = os.RemoveAll(dir)
	})
	return h
}
