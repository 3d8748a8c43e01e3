package botkube

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"ferry/plugins/api"
	"ferry/plugins/host"
)

func stream(t *testing.T, to *taken, bindings ...host.Binding) *host.Host {
	return run(t, host.Options{Bindings: bindings, Events: to.take})
}

func in(cluster, kubeconfig string) func(*host.Binding, *Dialect) {
	return func(b *host.Binding, _ *Dialect) {
		b.Clusters = func(context.Context) ([]api.Cluster, error) {
			return []api.Cluster{{Name: cluster, Kubeconfig: []byte(kubeconfig)}}, nil
		}
	}
}

// TestEveryEventOfFourHundredComes: one stream on one process loses none, and each is
// what the object of the kubernetes source says.
func TestEveryEventOfFourHundredComes(t *testing.T) {
	to := newTaken()
	stream(t, to, bound("kubernetes", api.KindSource, in("prod", "")))
	events := to.wait(t, 400)
	ids := map[string]bool{}
	for i, e := range events {
		ids[e.ID] = true
		if e.Kind != "Pod" || e.Namespace != "team-a" || e.Name != "podinfo-1" || e.Reason != "BackOff" || e.Severity != api.SeverityWarning || e.Cluster != "prod" ||
			e.Count != i+1 || e.Cursor != "" || e.About != "" || e.At.Year() != 2026 || e.Title != "v1/pods error team-a/podinfo-1" || !strings.Contains(e.Text, "Back-off restarting") {
			t.Fatalf("event %d: %+v", i, e)
		}
	}
	if len(ids) != 400 {
		t.Errorf("%d IDs", len(ids))
	}
}

// TestTwoBindingsAreTwoProcesses: two streams on one lose events and die together.
func TestTwoBindingsAreTwoProcesses(t *testing.T) {
	to := newTaken()
	h := stream(t, to, bound("kubernetes", api.KindSource), bound("kubernetes", api.KindSource, func(b *host.Binding, _ *Dialect) { b.Name = "again" }))
	to.wait(t, 800)
	if s := h.States(); s[0].PID == s[1].PID || s[0].PID == 0 {
		t.Errorf("%+v", s)
	}
}

// TestAClosedStreamIsOpenedAgain on the same process.
func TestAClosedStreamIsOpenedAgain(t *testing.T) {
	to := newTaken()
	h := stream(t, to, bound("closes", api.KindSource))
	events := to.wait(t, 3)
	if events[0].About != events[2].About || !strings.HasPrefix(events[0].About, "words ") || events[0].ID == events[1].ID {
		t.Errorf("%+v", events)
	}
	if s := h.States()[0]; s.Status != host.Running || s.PID == 0 {
		t.Errorf("%+v", s)
	}
}

// TestASourceGetsOneConfigurationAndItsContext with all nested messages; a message
// for a thread is about that thread.
func TestASourceGetsOneConfigurationAndItsContext(t *testing.T) {
	to := newTaken()
	stream(t, to, bound("cm-watcher", api.KindSource, in("stage", oneCluster), func(b *host.Binding, d *Dialect) {
		b.Config, d.Webhooks = []byte("x: 1\n"), "http://ferry/sources/v1"
	}))
	e := to.wait(t, 1)[0]
	if !e.Moment || e.Title != "Plugin cm-watcher detected `ADDED` event on `default/cm-1`" || e.About != "thread 1700000000.000100" ||
		!strings.Contains(e.Text, "configs 1 x: 1\n cluster stage source cm-watcher at http://ferry/sources/v1/cm-watcher kubeconfig 0") {
		t.Errorf("%+v", e)
	}
}

// TestMessagesOfMoreThanFourMiBAreTaken without their object, and the stream goes on.
func TestMessagesOfMoreThanFourMiBAreTaken(t *testing.T) {
	to := newTaken()
	h := stream(t, to, bound("fat", api.KindSource))
	events := to.wait(t, 2)
	if len(events[0].Object) != 0 || !strings.Contains(events[0].Text, "too large") || events[0].Name != "podinfo-1" || len(events[1].Object) == 0 {
		t.Errorf("%.400s", events[0].Text)
	}
	if s := h.States()[0]; s.Restarts != 0 {
		t.Errorf("%+v", s)
	}
}

// TestWhatIsNoEventDoesNotEndTheStream: it is told, and what comes after it is taken.
func TestWhatIsNoEventDoesNotEndTheStream(t *testing.T) {
	to := newTaken()
	stream(t, to, bound("garbage", api.KindSource))
	events := to.wait(t, 4)
	for _, e := range events[:3] {
		if e.About != "unreadable" || e.Severity != api.SeverityWarning || e.Title != "An event of garbage cannot be read" || e.Text == "" {
			t.Errorf("%+v", e)
		}
	}
	if events[3].Title != "the last" {
		t.Errorf("%+v", events[3])
	}
}

// TestAnUnimplementedStreamIsNotOpenedAgain: such a source waits for requests.
func TestAnUnimplementedStreamIsNotOpenedAgain(t *testing.T) {
	to := newTaken()
	h := stream(t, to, bound("silent", api.KindSource))
	if code, body := post(t, h, to, "silent", `{"a":1}`); code != http.StatusOK || body != `{"success":true}` {
		t.Errorf("%d %s", code, body)
	}
	err := h.Ask(t.Context(), api.KindSource, "silent", func(ctx context.Context, p host.Peer, r api.StreamRequest) error {
		ctx, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
		defer cancel()
		return p.Stream(ctx, r, nil)
	})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("it ends by itself: %v", err)
	}
	if s := h.States()[0]; s.Status != host.Running || s.Err != "" || s.Restarts != 0 {
		t.Errorf("%+v", s)
	}
}

func post(t *testing.T, h *host.Host, to *taken, source, payload string) (code int, body string) {
	t.Helper()
	mux := http.NewServeMux()
	mux.Handle(Path, Webhook{Ask: h.Ask, Take: to.take, Log: slog.New(slog.DiscardHandler)})
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/sources/v1/"+source, strings.NewReader(payload)))
	return w.Code, strings.TrimSpace(w.Body.String())
}

// TestIncomingWebhookAnswersSuccessOrError, the latter for what a source does not
// take, and stores what it makes an event of.
func TestIncomingWebhookAnswersSuccessOrError(t *testing.T) {
	to := newTaken()
	h := stream(t, to, bound("cm-watcher", api.KindSource, func(b *host.Binding, _ *Dialect) { b.Config = []byte("x: 1\n") }), bound("deaf", api.KindSource), bound("silent", api.KindSource))
	to.wait(t, 1)
	for _, c := range []struct {
		source, payload string
		code            int
		body            string
	}{
		{"cm-watcher", `{"a":1}`, 200, `{"success":true}`},
		{"cm-watcher", "nothing", 200, `{"success":true}`},
		{"cm-watcher", "x", 422, `{"error":"that is no JSON"}`},
		{"cm-watcher", strings.Repeat("x", 5<<20), 413, `{"error":"the request is larger than 4 MiB"}`},
		{"cm-watcher", strings.Repeat("x", 4<<20), 413, ""},
		{"deaf", "{}", 404, `{"error":"the source deaf takes no requests"}`},
		{"absent", "{}", 404, ""},
		{"silent", "die", 503, ""},
	} {
		code, body := post(t, h, to, c.source, c.payload)
		if code != c.code || c.body != "" && body != c.body || !strings.HasPrefix(body, `{"`) {
			t.Errorf("%s %.20s: %d %s", c.source, c.payload, code, body)
		}
	}
	events := to.wait(t, 2)
	if len(events) != 2 || events[1].Title != `told {"a":1} to cm-watcher with x: 1` {
		t.Errorf("%+v", events)
	}
}

// TestNothingIsStoredIsNoSuccess: whoever calls hears that it was not taken.
func TestNothingIsStoredIsNoSuccess(t *testing.T) {
	to := newTaken()
	h := stream(t, to, bound("silent", api.KindSource))
	mux := http.NewServeMux()
	mux.Handle(Path, Webhook{Ask: h.Ask, Log: slog.New(slog.DiscardHandler), Take: func(context.Context, string, api.Event) error { return context.DeadlineExceeded }})
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/sources/v1/silent", strings.NewReader("{}")))
	if w.Code < 500 || strings.Contains(w.Body.String(), "success") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
