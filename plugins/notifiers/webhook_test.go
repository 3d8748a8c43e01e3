package notifiers_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ferry/plugins/api"
	"ferry/plugins/notifiers/webhook"
)

// notifications are an ordinary one, one that is too large and too bold everywhere, and
// one of which hardly anything is known, all for a configuration.
func notifications(config string) []api.Notification {
	at := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	big := api.Notification{
		ID: "i2/1", Incident: "i2", Order: "i2", Revision: 1, At: at, State: api.Opened, Severity: "critical", Title: strings.Repeat("ü@everyone ", 300),
		Text: strings.Repeat("<at>all</at> @channel [x](http://evil) {{now}} 界 ", 2000), Labels: map[string]string{}, Count: 5000, Things: 300, Firing: 300,
	}
	for _, n := range []string{"cluster", "namespace", "app", "kind", "name", "reason", "node", "promotion"} {
		big.Labels[n] = strings.Repeat("v", 5000)
	}
	for i := range 21 {
		big.Details = append(big.Details, fmt.Sprint(i, strings.Repeat("d", 400)))
	}
	all := []api.Notification{
		{ID: "i1/1", Incident: "i1", Order: "i1", Revision: 1, At: at, State: api.Opened, Severity: "warning", Title: "BackOff pod web", Text: "back-off", Labels: map[string]string{"cluster": "prod"}, Event: []byte(`{"id":"e"}`)},
		big,
		{ID: "i3/1", Incident: "i3", Order: "i3", Revision: 1, At: at, State: api.Happened},
	}
	for i := range all {
		all[i].Config = []byte(config)
	}
	return all
}

// write writes a file, and returns its name.
func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func permanent(err error) bool {
	_, again := api.Retry(err)
	return err != nil && !again
}

func wait(err error) time.Duration {
	after, _ := api.Retry(err)
	return after
}

// failures is what every notifier that speaks HTTP makes of answers.
func failures(t *testing.T, v *vendor, n api.Notifier, of api.Notification) {
	t.Helper()
	for name, c := range map[string]struct {
		answer    func(w http.ResponseWriter)
		permanent bool
		wait      time.Duration
	}{
		"limited":      {func(w http.ResponseWriter) { w.Header().Set("Retry-After", "1.5"); w.WriteHeader(429) }, false, 1500 * time.Millisecond},
		"unavailable":  {func(w http.ResponseWriter) { w.Header().Set("Retry-After", "7"); w.WriteHeader(503) }, false, 7 * time.Second},
		"broken":       {func(w http.ResponseWriter) { w.WriteHeader(502) }, false, 0},
		"forbidden":    {func(w http.ResponseWriter) { w.WriteHeader(403) }, true, 0},
		"redirected":   {func(w http.ResponseWriter) { w.Header().Set("Location", "/elsewhere"); w.WriteHeader(302) }, true, 0},
		"disconnected": {func(http.ResponseWriter) { panic(http.ErrAbortHandler) }, false, 0},
	} {
		v.fails(c.answer)
		_, err := n.Deliver(t.Context(), of)
		if err == nil || permanent(err) != c.permanent || wait(err) != c.wait {
			t.Errorf("%s: %v: permanent %v, wait %v", name, err, permanent(err), wait(err))
		}
		if err != nil && strings.Contains(err.Error(), "/webhooks/1/t") {
			t.Errorf("%s: the error shows the address: %v", name, err)
		}
	}
}

func TestWebhook(t *testing.T) {
	t.Parallel()
	v := serve(t, func(r *http.Request, body []byte) (string, any, error) {
		if want := webhook.Sign("secret", r.Header.Get(webhook.HeaderTimestamp), body); r.Header.Get(webhook.HeaderSignature) != want || r.Header.Get("X-Own") != "yes" {
			return "", nil, fmt.Errorf("headers: %v", r.Header)
		}
		return r.Header.Get(webhook.HeaderDelivery) + " " + string(body[:min(len(body), 20)]), "", nil
	})
	config := fmt.Sprintf("url_file: %s\nsecret_file: %s\nheaders: {x-own: \"yes\"}\n", write(t, "url", v.URL+"/webhooks/1/t\n"), write(t, "secret", "secret\n"))
	n := webhook.New("v1")
	for _, c := range []string{config, config + "template: '{\"text\":{{json .Title}}}'\n"} {
		// The configuration of a process never changes: another is another process.
		n := webhook.New("v1")
		if err := n.Check(t.Context(), api.CheckRequest{Config: []byte(c), To: []string{""}}); err != nil {
			t.Error(err)
		}
		if _, err := n.Deliver(t.Context(), notifications(c)[0]); err != nil {
			t.Error(err)
		}
	}
	if got := webhook.New("v1").Batch([]byte(config + "batch: 2")); got != 2 {
		t.Errorf("a batch of %d, want 2", got)
	}
	all := notifications(config + "batch: 2")
	for _, part := range [][]api.Notification{all[:2], all[2:]} {
		for _, o := range n.DeliverAll(t.Context(), part) {
			if o.Err != nil {
				t.Error(o.Err)
			}
		}
	}
	if got, want := v.did(), `i1/1 {"id":"i1/1","incide; i1/1 {"text":"BackOff pod; i1/1 [{"id":"i1/1","incid; i3/1 [{"id":"i3/1","incid`; got != want {
		t.Errorf("it did %q, want %q", got, want)
	}
	failures(t, v, n, notifications(config)[0])
}

// TestWebhookApart: what is refused for good, or is too large together, is taken apart,
// and what follows a failure within its incident, or a plea to wait, is not tried.
func TestWebhookApart(t *testing.T) {
	t.Parallel()
	answers := map[string]int{"b/1": http.StatusRequestEntityTooLarge, "c/1": 429}
	for code, requests := range map[int]int{http.StatusBadRequest: 1 + 4, http.StatusRequestEntityTooLarge: 5 + 4} {
		asked := 0
		v := serve(t, func(r *http.Request, body []byte) (string, any, error) {
			asked++
			id := r.Header.Get(webhook.HeaderDelivery)
			if strings.Count(string(body), `"id"`) > 1 {
				return "", status{code, "not together"}, nil
			}
			if code := answers[id]; code != 0 {
				return "", status{code, id}, nil
			}
			return id, "", nil
		})
		var all []api.Notification
		for _, id := range []string{"a/1", "b/1", "b/2", "a/2", "c/1", "d/1"} {
			order, _, _ := strings.Cut(id, "/")
			all = append(all, api.Notification{ID: id, Order: order, Config: []byte("{url: " + v.URL + ", batch: 9}")})
		}
		out := webhook.New("v1").DeliverAll(context.Background(), all)
		want := []string{"", "permanent", "held", "", "wait", "held"}
		for i, o := range out {
			is := ""
			switch {
			case errors.Is(o.Err, api.ErrHeld):
				is = "held"
			case permanent(o.Err):
				is = "permanent"
			case wait(o.Err) > 0:
				is = "wait"
			}
			if is != want[i] {
				t.Errorf("%d: %s: %q (%v), want %q", code, all[i].ID, is, o.Err, want[i])
			}
		}
		if v.did() != "a/1; a/2" || asked != requests {
			t.Errorf("%d: it did %q in %d requests, want %d", code, v.did(), asked, requests)
		}
		_, alone := webhook.New("v1").Deliver(t.Context(), all[1])
		for _, err := range []error{out[1].Err, alone} {
			if err == nil || !strings.HasPrefix(err.Error(), "delivery b/1 is too large, with ") || !strings.Contains(err.Error(), " bytes: raise what the server, or a proxy before it, takes, then `resend` it: POST http://") {
				t.Errorf("it says %v", err)
			}
		}
	}
}
