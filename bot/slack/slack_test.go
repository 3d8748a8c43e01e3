package slack

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ferry/bot/outbox"
	"ferry/internal/chat"
)

func event(inner string) string {
	return `{"envelope_id":"E1","type":"events_api","payload":{"team_id":"T1","api_app_id":"A1","event":` + inner + `}}`
}

func TestDecode(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]struct {
		r   Request
		why string
	}{
		event(`{"type":"app_mention","user":"U1","text":"<@B> list","ts":"1.2","channel":"C1"}`): {
			r: Request{Kind: Mention, Key: "message/T1/C1/1.2", Team: "T1", App: "A1", User: "U1", Channel: "C1", Root: "1.2", Text: "<@B> list"},
		},
		event(`{"type":"app_mention","user":"U1","text":"x","ts":"1.3","thread_ts":"1.2","channel":"C1"}`): {
			r: Request{Kind: Mention, Key: "message/T1/C1/1.3", Team: "T1", App: "A1", User: "U1", Channel: "C1", Root: "1.2", Text: "x"},
		},
		event(`{"type":"message","channel_type":"im","user":"U1","text":"list","ts":"1.2","channel":"D1"}`): {
			r: Request{Kind: Direct, Key: "message/T1/D1/1.2", Team: "T1", App: "A1", User: "U1", Channel: "D1", Root: "1.2", Text: "list"},
		},
		event(`{"type":"message","channel_type":"channel","user":"U1","text":"list","ts":"1.2","channel":"C1"}`):                 {why: "type message"},
		event(`{"type":"app_mention","user":"U1","bot_id":"B1","ts":"1.2","channel":"C1"}`):                                      {why: "of a bot"},
		event(`{"type":"app_mention","user":"U1","subtype":"file_share","ts":"1.2","channel":"C1"}`):                             {why: "subtype file_share"},
		event(`{"type":"app_mention","user":"U1","edited":{"ts":"2.1"},"ts":"1.2","channel":"C1"}`):                              {why: "edited"},
		event(`{"type":"app_home_opened","user":"U1"}`):                                                                          {why: "app_home_opened"},
		`{"envelope_id":"E1","type":"interactive","payload":{"type":"view_submission"}}`:                                         {why: "no button"},
		`{"envelope_id":"E1","type":"interactive","payload":{"type":"block_actions","actions":[{"action_id":"x","value":"y"}]}}`: {why: "no button"},
		`{"type":"hello"}`: {why: "type hello"},
	} {
		r, why, err := Decode([]byte(raw))
		if err != nil || !reflect.DeepEqual(r, want.r) || !strings.Contains(why, want.why) || (why == "") != (want.why == "") {
			t.Errorf("%s\n= %+v, %q, %v\nwant %+v, %q", raw, r, why, err, want.r, want.why)
		}
	}
}

func TestAClickIsKeyedByOperationAndPress(t *testing.T) {
	t.Parallel()
	raw := `{"envelope_id":"E1","type":"interactive","payload":{"type":"block_actions","api_app_id":"A1","team":{"id":"T1"},"user":{"id":"U1"},` +
		`"channel":{"id":"C1"},"container":{"message_ts":"2.2","channel_id":"C1"},"message":{"thread_ts":"2.1"},"actions":[{"action_id":"ferry/0","value":"op","action_ts":"3.3"}]}}`
	r, why, err := Decode([]byte(raw))
	want := outbox.Click{Operation: "op", Channel: "C1", TS: "2.2", Press: "U1/3.3", By: "U1"}
	if err != nil || why != "" || r.Key != "click/op/U1/3.3" || !reflect.DeepEqual(r.Click, want) || r.Root != "2.1" {
		t.Errorf("%+v, %q, %v", r, why, err)
	}
	long := strings.Replace(raw, `"op"`, `"`+strings.Repeat("x", 2000)+`"`, 1)
	if _, _, err := Decode([]byte(long)); err == nil {
		t.Error("an operation of 2,000 bytes is taken")
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(event(`{"type":"app_mention","user":"U1","text":"x","ts":"1.2","channel":"C1"}`)))
	f.Add([]byte(`{"envelope_id":"E1","type":"slash_commands","payload":{"user_id":"U","channel_id":"C"}}`))
	f.Add([]byte(`{"envelope_id":"E1","type":"interactive","payload":{"type":"block_actions"}}`))
	f.Add([]byte(`{"type":"events_api","payload":[]}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, why, err := Decode(raw)
		if err == nil && why == "" && (r.Key == "" || r.User == "" || r.Kind == "") {
			t.Errorf("%q is %+v", raw, r)
		}
	})
}

func TestLimits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(1)
		wait := func(err error) time.Duration {
			w, _ := errors.AsType[*outbox.Wait](err)
			if w == nil {
				return 0
			}
			return w.For
		}
		var sent []time.Time
		for len(sent) < 30 {
			if d := wait(l.allow("chat.postMessage", "C1")); d > 0 {
				time.Sleep(d)
				continue
			}
			sent = append(sent, time.Now())
		}
		for i := 5; i < len(sent); i++ {
			if d := sent[i].Sub(sent[i-5]); d < 5*time.Second {
				t.Fatalf("six posts within %v", d)
			}
		}
		if d := wait(l.allow("chat.postMessage", "C2")); d != 0 {
			t.Errorf("another channel waits %v", d)
		}
		if d := wait(l.blocked("chat.update", "7")); d != 7*time.Second {
			t.Errorf("Retry-After of 7 is %v", d)
		}
		time.Sleep(3 * time.Second)
		if d := wait(l.allow("chat.update", "")); d != 4*time.Second {
			t.Errorf("after 3 s the method is closed for %v", d)
		}
		if d := wait(l.allow("users.info", "")); d != 0 {
			t.Errorf("another method waits %v", d)
		}
		time.Sleep(4 * time.Second)
		if d := wait(l.allow("chat.update", "")); d != 0 {
			t.Errorf("after 7 s the method is closed for %v", d)
		}
		for header, want := range map[string]time.Duration{"": defaultRetry, "x": defaultRetry, "-1": defaultRetry, "0": 100 * time.Millisecond, "99999": maxRetry} {
			if d := wait(l.blocked("x", header)); d != want {
				t.Errorf("Retry-After %q is %v, want %v", header, d, want)
			}
		}
	})
}

func TestOutcomes(t *testing.T) {
	t.Parallel()
	refused := func(code string) error { return &Error{Method: "m", Code: code, Status: 200} }
	for _, c := range []struct {
		err           error
		gone, notSent bool
	}{
		{refused("message_not_found"), true, false},
		{refused("not_in_channel"), true, false},
		{refused("token_revoked"), false, true},
		{refused("missing_scope"), false, true},
		{refused("something_new"), false, true},
		{refused("internal_error"), false, false},
		{refused("fatal_error"), false, false},
		{&Error{Method: "m", Status: 502}, false, false},
		{&Error{Method: "m", Status: 403}, false, true},
		{&url.Error{Op: "Post", Err: &net.OpError{Op: "dial", Err: errors.New("refused")}}, false, true},
		{&url.Error{Op: "Post", Err: &net.OpError{Op: "read", Err: errors.New("reset")}}, false, false},
	} {
		got := outcome(c.err)
		if errors.Is(got, outbox.ErrGone) != c.gone || errors.Is(got, outbox.ErrNotSent) != c.notSent {
			t.Errorf("%v is %v", c.err, got)
		}
	}
}

// TestAMessageIsFoundAmongOthers has pages, messages of others with blocks that
// slack-go cannot read, and somebody else's message with our key.
func TestAMessageIsFoundAmongOthers(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := map[string]any{"ok": true}
		switch {
		case strings.HasSuffix(r.URL.Path, "auth.test"):
			answer["team_id"], answer["bot_id"] = "T1", "B1"
		case r.FormValue("cursor") == "":
			meta := map[string]any{"event_type": "ferry_message", "event_payload": map[string]any{"key": "k"}}
			answer["messages"] = []any{
				map[string]any{"ts": "1.1", "blocks": []any{7, map[string]any{"type": "section", "text": 7}}},
				map[string]any{"ts": "1.2", "bot_id": "B2", "metadata": meta},
				map[string]any{"ts": "1.3", "bot_id": "B1", "metadata": map[string]any{"event_type": "ferry_message", "event_payload": map[string]any{"key": 7}}},
			}
			answer["response_metadata"] = map[string]any{"next_cursor": "more"}
		default:
			answer["messages"] = []any{map[string]any{
				"ts": "1.4", "bot_id": "B1",
				"metadata": map[string]any{"event_type": "ferry_message", "event_payload": map[string]any{"key": "k"}},
			}}
		}
		_ = json.NewEncoder(w).Encode(answer)
	}))
	defer server.Close()
	c, err := New(Options{BotToken: "bot", AppToken: "app", BaseURL: server.URL + "/api"})
	if err != nil {
		t.Fatal(err)
	}
	thread := chat.Thread{Team: "T1", Channel: "C1", Root: "1.0"}
	ts, found, err := c.Find(t.Context(), thread, "k", time.Now())
	if err != nil || !found || ts != "1.4" {
		t.Errorf("found %q, %v, %v", ts, found, err)
	}
	if _, found, err = c.Find(t.Context(), thread, "other", time.Now()); err != nil || found {
		t.Errorf("found what is not there: %v", err)
	}
}

func TestOnlySlackIsRespondedTo(t *testing.T) {
	t.Parallel()
	c, err := New(Options{BotToken: "bot", AppToken: "app"})
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{"", "http://hooks.slack.com/x", "https://evil.example/x", "https://hooks.slack.com.evil.example/x", "https://hooks.slack.com@evil.example/"} {
		if err := c.Respond(t.Context(), address, "x"); err == nil || !strings.Contains(err.Error(), "no address") {
			t.Errorf("%q: %v", address, err)
		}
	}
	if !c.ours("hooks.slack.com") {
		t.Error("Slack's own is refused")
	}
	for _, o := range []Options{{}, {BotToken: "x"}, {BotToken: "x", AppToken: "x", BaseURL: "ftp://x"}, {BotToken: "x", AppToken: "x", BaseURL: "slack"}} {
		if _, err := New(o); err == nil {
			t.Errorf("%s is taken", fmt.Sprint(o.BaseURL))
		}
	}
}
