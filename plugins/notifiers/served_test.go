package notifiers_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-plugin"

	"ferry/plugins/api"
)

// TestMain keeps the standard input open: go-plugin hands it on, and a plugin ends with
// it.
func TestMain(m *testing.M) {
	in, hold, err := os.Pipe()
	if err != nil {
		panic(err)
	}
	os.Stdin = in
	code := m.Run()
	hold.Close()
	os.Exit(code)
}

// start builds a notifier and starts it as ferry does: a process, with certificates of
// its own.
func start(t *testing.T, name string) api.Remote {
	t.Helper()
	program := filepath.Join(t.TempDir(), name)
	if out, err := exec.Command("go", "build", "-ldflags", "-X main.version=v7", "-o", program, "./cmd/"+name).CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", name, err, out)
	}
	cmd := exec.Command(program)
	cmd.Dir = t.TempDir()
	client := plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig:  plugin.HandshakeConfig{MagicCookieKey: api.CookieKey, MagicCookieValue: api.CookieValue},
		VersionedPlugins: map[int]plugin.PluginSet{api.Version: {}}, AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		Cmd: cmd, AutoMTLS: true, SkipHostEnv: true, StartTimeout: time.Minute,
	})
	t.Cleanup(client.Kill)
	protocol, err := client.Client()
	if err != nil {
		t.Fatal(err)
	}
	return api.Connect(protocol.(*plugin.GRPCClient).Conn)
}

// burst asks for deliveries and returns what became of each: "", or the error.
func burst(t *testing.T, r api.Remote, config string, ns []api.Notification) []error {
	t.Helper()
	out := make([]error, len(ns))
	for i := range out {
		out[i] = errors.New("nothing was said of it")
	}
	err := r.Deliver(t.Context(), api.Deliveries{Binding: "b", Config: []byte(config), Timeout: 30 * time.Second, Notifications: ns}, func(i int, o api.Outcome) { out[i] = o.Err })
	if err != nil {
		t.Error(err)
	}
	return out
}

// many are notifications of so many incidents, each with two states, and the IDs.
func many(n int) (out []api.Notification, ids []string) {
	for state := range 2 {
		for i := range n {
			id := fmt.Sprintf("i%d/%d", i, state)
			ids = append(ids, id)
			out = append(out, api.Notification{
				ID: id, Incident: fmt.Sprint("i", i), Order: fmt.Sprint("i", i), State: api.Updated, Revision: state, At: time.Unix(0, 0).UTC(), Title: "BackOff",
				Event: []byte(`{"object":"` + strings.Repeat("x", 10<<10) + `"}`),
			})
		}
	}
	return out, ids
}

// TestServedLog starts the notifier log and has it write more than travels in one
// request.
func TestServedLog(t *testing.T) {
	t.Parallel()
	r := start(t, "log")
	d, err := r.Describe(t.Context())
	if err != nil || d.Kind != api.KindNotifier || d.Name != "log" || d.Version != "v7" || !d.Checks || d.Finds || len(d.Schema) == 0 {
		t.Errorf("it is %+v, %v", d, err)
	}
	file := filepath.Join(t.TempDir(), "alerts.jsonl")
	config := "file: " + file
	if err := r.Check(t.Context(), api.CheckRequest{Config: []byte(config), To: []string{"there"}}); err == nil || !strings.HasPrefix(err.Error(), `to: "there"`) {
		t.Errorf("checked: %v", err)
	}
	ns, ids := many(300)
	for i, err := range burst(t, r, config, ns) {
		if err != nil {
			t.Errorf("%s: %v", ids[i], err)
		}
	}
	if got := lines(t, file); got != strings.Join(ids, " ") {
		t.Errorf("it wrote %.300s", got)
	}
}

// TestServedWebhook starts the notifier webhook and lets its other side want to be left
// alone in the middle of a burst: what was not tried then is known, and arrives later,
// each incident in its order.
func TestServedWebhook(t *testing.T) {
	t.Parallel()
	var got []string
	v := serve(t, func(r *http.Request, _ []byte) (string, any, error) {
		if len(got) == 50 {
			got = append(got, "")
			return "", status{http.StatusTooManyRequests, "enough"}, nil
		}
		got = append(got, r.Header.Get("Ferry-Delivery"))
		return "", "", nil
	})
	r, config := start(t, "webhook-notifier"), "url: "+v.URL
	if err := r.Check(t.Context(), api.CheckRequest{Config: []byte(config)}); err != nil {
		t.Error(err)
	}
	left, ids := many(60)
	var held, waits int
	for round := 0; len(left) > 0 && round < 3; round++ {
		var next []api.Notification
		for i, err := range burst(t, r, config, left) {
			after, _ := api.Retry(err)
			switch {
			case err == nil:
				continue
			case errors.Is(err, api.ErrHeld):
				held++
			case after == time.Second:
				waits++
			default:
				t.Error(err)
			}
			next = append(next, left[i])
		}
		left = next
	}
	if held == 0 || waits != 1 || len(left) > 0 {
		t.Errorf("%d were held back, %d asked to wait, %d are left", held, waits, len(left))
	}
	got = slices.DeleteFunc(got, func(id string) bool { return id == "" })
	for i := range 60 {
		if a, b := slices.Index(got, fmt.Sprintf("i%d/0", i)), slices.Index(got, fmt.Sprintf("i%d/1", i)); a < 0 || b < a {
			t.Errorf("incident %d arrived at %d and %d", i, a, b)
		}
	}
	slices.Sort(got)
	slices.Sort(ids)
	if !slices.Equal(got, ids) {
		t.Errorf("%d arrived, want %d, each once", len(got), len(ids))
	}
}
