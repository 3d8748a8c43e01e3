package sink_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"ferry/internal/chat"
	"ferry/plugins/sink"
	"ferry/plugins/sink/discord"
	"ferry/plugins/sink/elasticsearch"
	"ferry/plugins/sink/httpsink"
	"ferry/plugins/sink/jsonlog"
	"ferry/plugins/sink/mattermost"
	"ferry/plugins/sink/slack"
	"ferry/plugins/sink/teams"
	"ferry/plugins/sink/webhook"
)

// deliveries are an ordinary one and one that is too large and too bold everywhere.
func deliveries() []sink.Delivery {
	at := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	big := sink.Delivery{
		ID: "i2/1", Key: "i2", Revision: 1, At: at, State: "firing", Severity: "critical", Title: strings.Repeat("ü@everyone ", 300),
		Text: strings.Repeat("<at>all</at> @channel [x](http://evil) {{now}} 界 ", 2000), Labels: map[string]string{}, Count: 5000, Things: 300, Firing: 300,
	}
	for _, n := range []string{"cluster", "namespace", "app", "kind", "name", "reason", "node", "promotion"} {
		big.Labels[n] = strings.Repeat("v", 5000)
	}
	for i := range 21 {
		big.Details = append(big.Details, fmt.Sprint(i, strings.Repeat("d", 400)))
	}
	return []sink.Delivery{
		{ID: "i1/1", Key: "i1", Revision: 1, At: at, State: "firing", Severity: "warning", Title: "BackOff pod web", Text: "back-off", Labels: map[string]string{"cluster": "prod"}, Event: []byte(`{"id":"e"}`)},
		big,
		{ID: "i3/1", Key: "i3", Revision: 1, At: at},
	}
}

// TestVendors holds each sink that shows messages against a server that knows the
// vendor's schema and limits: it posts, edits, posts anew what is gone, waits as long
// as it is told, and knows what is for good.
func TestVendors(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		judge func(*vendor, *http.Request, []byte) (string, any, error)
		make  func(address string) (sink.Sink, error)
		want  string // after a post of each, an edit and one of what is gone
	}{
		"discord": {judgeDiscord, func(a string) (sink.Sink, error) {
			return discord.New(discord.Config{URL: a + "/api/webhooks/1/t", Username: "ferry"})
		}, "POST ; POST ; POST ; PATCH /messages/m1; POST "},
		"mattermost": {judgeMattermost, func(a string) (sink.Sink, error) {
			return mattermost.New(mattermost.Config{URL: a, Token: "secret", Channel: "abcdefghijklmnopqrstuvwxyz"})
		}, "POST ; POST ; POST ; PUT /m1/patch; POST "},
		"teams": {judgeTeams, func(a string) (sink.Sink, error) { return teams.New(teams.Config{URL: a}) }, "POST; POST; POST; POST"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := serve(t, c.judge)
			s, err := c.make(v.URL)
			if err != nil {
				t.Fatal(err)
			}
			var ref string
			all := deliveries()
			for _, d := range all {
				r, err := s.Deliver(t.Context(), d)
				if err != nil || r.Ref == "" {
					t.Errorf("%s: ref %q, %v", d.ID, r.Ref, err)
				}
				ref = r.Ref
			}
			update, lost := all[0], all[0]
			update.Ref, update.Revision, update.ID = ref, 2, "i1/2"
			lost.Ref, lost.State = "deleted", "resolved"
			for _, d := range []sink.Delivery{update, lost} {
				if r, err := s.Deliver(t.Context(), d); err != nil || r.Ref != ref {
					t.Errorf("%s: ref %q, %v; want %q", d.ID, r.Ref, err, ref)
				}
			}
			if got := v.did(); got != c.want {
				t.Errorf("it did %q, want %q", got, c.want)
			}
			failures(t, v, s)
		})
	}
}

// failures is what every sink that speaks HTTP makes of answers.
func failures(t *testing.T, v *vendor, s sink.Sink) {
	t.Helper()
	for name, c := range map[string]struct {
		answer  func(w http.ResponseWriter)
		refused bool
		wait    time.Duration
	}{
		"limited":      {func(w http.ResponseWriter) { w.Header().Set("Retry-After", "1.5"); w.WriteHeader(429) }, false, 1500 * time.Millisecond},
		"unavailable":  {func(w http.ResponseWriter) { w.Header().Set("Retry-After", "7"); w.WriteHeader(503) }, false, 7 * time.Second},
		"broken":       {func(w http.ResponseWriter) { w.WriteHeader(502) }, false, 0},
		"forbidden":    {func(w http.ResponseWriter) { w.WriteHeader(403) }, true, 0},
		"redirected":   {func(w http.ResponseWriter) { w.Header().Set("Location", "/elsewhere"); w.WriteHeader(302) }, true, 0},
		"disconnected": {func(http.ResponseWriter) { panic(http.ErrAbortHandler) }, false, 0},
	} {
		v.mu.Lock()
		v.next = func(w http.ResponseWriter) bool { c.answer(w); return true }
		v.mu.Unlock()
		if name == "disconnected" {
			v.mu.Lock()
			v.next = func(w http.ResponseWriter) bool { v.next = nil; c.answer(w); return true }
			v.mu.Unlock()
		}
		_, err := s.Deliver(t.Context(), deliveries()[0])
		if err == nil || sink.IsRefused(err) != c.refused || sink.Wait(err) != c.wait {
			t.Errorf("%s: %v: refused %v, wait %v", name, err, sink.IsRefused(err), sink.Wait(err))
		}
		if err != nil && strings.Contains(err.Error(), "/webhooks/1/t") {
			t.Errorf("%s: the error shows the address: %v", name, err)
		}
	}
}

func TestWebhook(t *testing.T) {
	t.Parallel()
	v := serve(t, func(_ *vendor, r *http.Request, body []byte) (string, any, error) {
		if want := webhook.Sign("secret", r.Header.Get(webhook.HeaderTimestamp), body); r.Header.Get(webhook.HeaderSignature) != want || r.Header.Get("X-Own") != "yes" {
			return "", nil, fmt.Errorf("headers: %v", r.Header)
		}
		return r.Header.Get(webhook.HeaderDelivery) + " " + string(body[:min(len(body), 20)]), "", nil
	})
	c := webhook.Config{URL: v.URL, Secret: "secret", Headers: map[string]string{"x-own": "yes"}}
	s, err := webhook.New(c)
	if err != nil {
		t.Fatal(err)
	}
	c.Template = `{"text":{{json .Title}}}`
	shaped, err := webhook.New(c)
	if err != nil {
		t.Fatal(err)
	}
	c.Template, c.Batch = "", 2
	many, err := webhook.New(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range []sink.Sink{s, shaped} {
		if _, err := one.Deliver(t.Context(), deliveries()[0]); err != nil {
			t.Error(err)
		}
	}
	for _, err := range many.(sink.Batcher).DeliverAll(t.Context(), deliveries()) {
		if err != nil {
			t.Error(err)
		}
	}
	if got, want := v.did(), `i1/1 {"id":"i1/1","key":"; i1/1 {"text":"BackOff pod; i1/1 [{"id":"i1/1","key":; i3/1 [{"id":"i3/1","key":`; got != want {
		t.Errorf("it did %q, want %q", got, want)
	}
	failures(t, v, s)
}

// TestElasticsearch: a document is created once, whatever is repeated, and one that is
// refused takes no other with it.
func TestElasticsearch(t *testing.T) {
	t.Parallel()
	documents := map[string]map[string]any{}
	v := serve(t, func(_ *vendor, r *http.Request, body []byte) (string, any, error) {
		if r.URL.Path != "/logs-ferry-default/_bulk" || r.Header.Get("Content-Type") != "application/x-ndjson" || r.Header.Get("Authorization") != "ApiKey key" || !bytes.HasSuffix(body, []byte("\n")) {
			return "", nil, fmt.Errorf("%s: %v", r.URL.Path, r.Header)
		}
		var items []any
		lines := bufio.NewScanner(bytes.NewReader(body))
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			var action struct {
				Create *struct {
					ID string `json:"_id"`
				} `json:"create"` // a data stream takes nothing else
			}
			if err := strict(lines.Bytes(), &action); err != nil || action.Create == nil || len(action.Create.ID) > 512 || !lines.Scan() {
				return "", nil, fmt.Errorf("action: %w", err)
			}
			var doc map[string]any
			if err := json.Unmarshal(lines.Bytes(), &doc); err != nil {
				return "", nil, err
			}
			if _, err := time.Parse(time.RFC3339, fmt.Sprint(doc["@timestamp"])); err != nil {
				return "", nil, err
			}
			code := 201
			switch {
			case documents[action.Create.ID] != nil:
				code = 409
			case action.Create.ID == "i2/1":
				code = 400
			default:
				documents[action.Create.ID] = doc
			}
			items = append(items, map[string]any{"create": map[string]any{"_id": action.Create.ID, "status": code}})
		}
		return "bulk", map[string]any{"errors": true, "items": items}, nil
	})
	s, err := elasticsearch.New(elasticsearch.Config{URL: v.URL + "/", Stream: "logs-ferry-default", APIKey: "key"})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		errs := s.DeliverAll(t.Context(), deliveries())
		if errs[0] != nil || !sink.IsRefused(errs[1]) || errs[2] != nil {
			t.Errorf("outcomes: %v", errs)
		}
	}
	if len(documents) != 2 || documents["i1/1"]["title"] != "BackOff pod web" || documents["i1/1"]["event"] != `{"id":"e"}` {
		t.Errorf("documents: %v", documents)
	}
	failures(t, v, s)
}

func TestJSONLog(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	s, err := jsonlog.New(jsonlog.Config{Out: &out})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range deliveries() {
		if _, err := s.Deliver(t.Context(), d); err != nil {
			t.Error(err)
		}
	}
	var last sink.Delivery
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if err := strict([]byte(lines[len(lines)-1]), &last); err != nil || len(lines) != 3 || last.ID != "i3/1" {
		t.Errorf("%d lines, the last %+v, %v", len(lines), last, err)
	}
}

// wall is an outbox that shows at once.
type wall struct{ shown []string }

func (w *wall) Put(_ context.Context, at chat.Thread, key string, m chat.Message) error {
	w.shown = append(w.shown, strings.TrimSpace(fmt.Sprintf("%s %s %s %s", key, at.Root, m.Tone, m.Title)))
	return nil
}

func (w *wall) Posted(context.Context, string) (string, error) { return "1.2", nil }

func TestSlack(t *testing.T) {
	t.Parallel()
	w := &wall{}
	s, err := slack.New(slack.Config{Outbox: w, Team: "T1", Channel: "C1", Prefix: "oncall"})
	if err != nil {
		t.Fatal(err)
	}
	d := deliveries()[0]
	for _, change := range []func(){
		func() {},
		func() { d.Revision, d.Repeat = 2, 1 },
		func() { d.Revision, d.Repeat, d.Things, d.Details = 3, 0, 6, strings.Fields("a b c d e f") },
		func() { d.Revision, d.State, d.Details = 4, "resolved", nil },
	} {
		change()
		if _, err := s.Deliver(t.Context(), d); err != nil {
			t.Error(err)
		}
	}
	want := []string{
		"event/oncall/i1  failure BackOff pod web",
		"event/oncall/i1  failure BackOff pod web", "event/oncall/i1/repeat/2 1.2 failure It is still so: BackOff pod web",
		"event/oncall/i1  failure BackOff pod web", "event/oncall/i1/details 1.2 failure All 6",
		"event/oncall/i1  done BackOff pod web",
	}
	if strings.Join(w.shown, "\n") != strings.Join(want, "\n") {
		t.Errorf("shown:\n%s", strings.Join(w.shown, "\n"))
	}
}

func TestWhatIsNoConfiguration(t *testing.T) {
	t.Parallel()
	for want, fn := range map[string]func() error{
		"is no http or https address": func() error { _, err := discord.New(discord.Config{URL: "ftp://x/secret"}); return err },
		"username":                    func() error { _, err := discord.New(discord.Config{URL: "http://x", Username: "Discord"}); return err },
		"is no ID": func() error {
			_, err := mattermost.New(mattermost.Config{URL: "http://x", Channel: "town-square"})
			return err
		},
		"data stream": func() error {
			_, err := elasticsearch.New(elasticsearch.Config{URL: "http://x", Stream: "Logs"})
			return err
		},
		"one of them": func() error {
			_, err := elasticsearch.New(elasticsearch.Config{URL: "http://x", Stream: "logs", APIKey: "a", User: "b"})
			return err
		},
		"template": func() error { _, err := webhook.New(webhook.Config{URL: "http://x", Template: "{{"}); return err },
		"batch": func() error {
			_, err := webhook.New(webhook.Config{URL: "http://x", Template: "x", Batch: 2})
			return err
		},
		"nothing to write to": func() error { _, err := jsonlog.New(jsonlog.Config{}); return err },
		"are needed":          func() error { _, err := slack.New(slack.Config{}); return err },
	} {
		if err := fn(); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%v, want an error with %q", err, want)
		}
	}
}

func TestClip(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text, want string
		most       int
	}{{"abc", "abc", 3}, {"abcd", "ab…", 3}, {"üüü", "üüü", 3}, {"üüüü", "üü…", 3}, {"", "", 3}} {
		if got := httpsink.Clip(c.text, c.most); got != c.want {
			t.Errorf("%q cut to %d is %q, want %q", c.text, c.most, got, c.want)
		}
	}
}

// late is an outbox whose chat does not answer.
type late struct{ wall }

func (l *late) Posted(ctx context.Context, _ string) (string, error) {
	<-ctx.Done()
	return "", ctx.Err()
}

// TestSlackWaitsInVain: the message is wished for all the same, and the thread is
// tried again.
func TestSlackWaitsInVain(t *testing.T) {
	t.Parallel()
	l := &late{}
	s, err := slack.New(slack.Config{Outbox: l, Channel: "C1", Prefix: "oncall"})
	if err != nil {
		t.Fatal(err)
	}
	d := deliveries()[0]
	d.Details = strings.Fields("a b c d e f")
	if _, err := s.Deliver(t.Context(), d); err == nil || sink.IsRefused(err) || sink.Wait(err) != 0 || len(l.shown) != 1 {
		t.Errorf("%v; shown: %q", err, l.shown)
	}
}
