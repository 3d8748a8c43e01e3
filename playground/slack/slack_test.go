package slack

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/slackevents"
	"github.com/slack-go/slack/socketmode"
)

// testOptions is a small workspace; tokens are built so that no scanner
// takes them for real ones.
func testOptions() Options {
	return Options{
		Users: []User{
			{ID: "U01ALICE", Name: "alice", Admin: true},
			{ID: "U02BOB", Name: "bob"},
			{ID: "U03GUEST", Name: "gus", Guest: true},
		},
		Channels: []Channel{
			{ID: "C01DEPLOY", Name: "deploys"},
			{ID: "C02EMPTY", Name: "elsewhere", Members: []string{"U01ALICE"}},
			{ID: "C03SECRET", Name: "secret", Private: true, Members: []string{"U01ALICE", "U0FERRY"}},
		},
		Apps: []App{{
			ID: "A0FERRY", Name: "ferry", BotUserID: "U0FERRY", BotToken: "xoxb-" + "test", AppToken: "xapp-" + "test",
			Scopes: []string{
				"commands", "chat:write", "app_mentions:read", "im:history", "channels:history", "im:write",
				"channels:read", "users:read", "usergroups:read", "files:write",
			},
			Commands: []Command{{Name: "/ferry", Escape: true}},
		}},
		Usergroups:   []Usergroup{{ID: "S01", Handle: "platform", Name: "Platform", Users: []string{"U01ALICE"}}},
		PingInterval: time.Second,
	}
}

// house is a running server with slack-go's client and socket on it.
type house struct {
	*Server
	api  *slack.Client
	sock *socketmode.Client
	web  *httptest.Server
}

func start(t *testing.T, change func(*Options)) *house {
	t.Helper()
	opts := testOptions()
	if change != nil {
		change(&opts)
	}
	s, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(s)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = s.Run(ctx) })
	api := slack.New(opts.Apps[0].BotToken, slack.OptionAppLevelToken(opts.Apps[0].AppToken), slack.OptionAPIURL(web.URL+"/api/"))
	h := &house{Server: s, api: api, sock: socketmode.New(api), web: web}
	t.Cleanup(func() {
		cancel()
		wg.Wait()
		web.Close()
	})
	return h
}

// listen opens the socket and waits for hello.
func (h *house) listen(t *testing.T) context.CancelFunc {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = h.sock.RunContext(ctx) })
	var once sync.Once
	stop := func() { once.Do(func() { cancel(); wg.Wait() }) }
	t.Cleanup(stop)
	h.next(t, socketmode.EventTypeHello)
	return stop
}

// next waits for an event of a type and skips others.
func (h *house) next(t *testing.T, want socketmode.EventType) socketmode.Event {
	t.Helper()
	timeout := time.After(time.Minute)
	for {
		select {
		case e := <-h.sock.Events:
			if e.Type == want {
				return e
			}
			if e.Type == socketmode.EventTypeErrorBadMessage {
				t.Fatalf("slack-go did not understand: %+v", e.Data)
			}
		case <-timeout:
			t.Fatalf("no %s came", want)
		}
	}
}

func (h *house) ack(t *testing.T, e socketmode.Event, payload any) {
	t.Helper()
	if err := h.sock.AckCtx(t.Context(), e.Request.EnvelopeID, payload); err != nil {
		t.Fatal(err)
	}
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func TestMentionRoundTrip(t *testing.T) {
	h := start(t, nil)
	h.listen(t)
	ts := must[string](t)(h.Say("alice", "#deploys", "@ferry promote podinfo@6.5.4 to prod & <more>", ""))
	e := h.next(t, socketmode.EventTypeEventsAPI)
	h.ack(t, e, nil)
	outer := e.Data.(slackevents.EventsAPIEvent)
	mention, ok := outer.InnerEvent.Data.(*slackevents.AppMentionEvent)
	if !ok {
		t.Fatalf("inner event is %T", outer.InnerEvent.Data)
	}
	if want := "<@U0FERRY> promote podinfo@6.5.4 to prod &amp; &lt;more&gt;"; mention.Text != want {
		t.Errorf("text %q, want %q", mention.Text, want)
	}
	if outer.APIAppID != "A0FERRY" || outer.TeamID == "" || mention.User != "U01ALICE" || mention.TimeStamp != ts {
		t.Errorf("event %+v, mention %+v", outer, mention)
	}
	_, reply, err := h.api.PostMessage(mention.Channel, slack.MsgOptionText("on it", false), slack.MsgOptionTS(ts),
		slack.MsgOptionMetadata(slack.SlackMetadata{EventType: "job", EventPayload: map[string]any{"id": "j1"}}))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := h.api.UpdateMessage(mention.Channel, reply, slack.MsgOptionText("done", false)); err != nil {
		t.Fatal(err)
	}
	said := must[[]Message](t)(h.Messages("deploys", ts))
	if len(said) != 2 || said[1].Text != "done" || len(said[1].Edits) != 1 || said[1].Edits[0].Text != "on it" || said[0].ReplyCount != 1 {
		t.Errorf("thread is %+v", said)
	}
	found, _, _, err := h.api.GetConversationReplies(&slack.GetConversationRepliesParameters{
		ChannelID: mention.Channel, Timestamp: ts, IncludeAllMetadata: true,
	})
	if err != nil || len(found) != 2 || found[1].Metadata.EventPayload["id"] != "j1" {
		t.Errorf("replies %+v, %v: the metadata is not found", found, err)
	}
}

func TestUnacknowledgedEventComesAgain(t *testing.T) {
	h := start(t, func(o *Options) {
		o.AckTimeout, o.Retries = 30*time.Millisecond, []time.Duration{0, 10 * time.Millisecond, 20 * time.Millisecond}
	})
	h.listen(t)
	must[string](t)(h.Say("alice", "deploys", "@ferry list", ""))
	var ids []string
	for attempt := range 4 {
		e := h.next(t, socketmode.EventTypeEventsAPI)
		if e.Request.RetryAttempt != attempt {
			t.Errorf("attempt %d says %d", attempt, e.Request.RetryAttempt)
		}
		ids = append(ids, e.Request.EnvelopeID)
		if attempt == 3 {
			h.ack(t, e, nil)
		}
	}
	for _, id := range ids {
		if id != ids[0] {
			t.Errorf("envelopes %v", ids)
		}
	}
	if err := h.Redeliver("", 3); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		h.ack(t, h.next(t, socketmode.EventTypeEventsAPI), nil)
	}
}

func TestEventWaitsForASocket(t *testing.T) {
	h := start(t, nil)
	must[string](t)(h.Say("alice", "deploys", "@ferry list", ""))
	if ack := must[Ack](t)(h.Slash(t.Context(), "alice", "deploys", "/ferry", "list")); ack.Problem != "dispatch_failed" {
		t.Errorf("slash without a socket: %+v", ack)
	}
	h.listen(t)
	h.ack(t, h.next(t, socketmode.EventTypeEventsAPI), nil)
	if err := h.Disconnect("drop"); err != nil {
		t.Fatal(err)
	}
	h.next(t, socketmode.EventTypeHello) // slack-go comes back by itself
	must[string](t)(h.Say("bob", "deploys", "@ferry help", ""))
	h.ack(t, h.next(t, socketmode.EventTypeEventsAPI), nil)
}

func TestEditedMention(t *testing.T) {
	h := start(t, nil)
	h.listen(t)
	ts := must[string](t)(h.Say("alice", "deploys", "@ferry lst", ""))
	first := h.next(t, socketmode.EventTypeEventsAPI)
	h.ack(t, first, nil)
	if err := h.Edit("alice", "deploys", ts, "@ferry list"); err != nil {
		t.Fatal(err)
	}
	again := h.next(t, socketmode.EventTypeEventsAPI)
	h.ack(t, again, nil)
	mention := again.Data.(slackevents.EventsAPIEvent).InnerEvent.Data.(*slackevents.AppMentionEvent)
	if mention.TimeStamp != ts || mention.Edited == nil || eventID(t, first) == eventID(t, again) {
		t.Errorf("edited mention %+v", mention)
	}
}

func eventID(t *testing.T, e socketmode.Event) string {
	t.Helper()
	var v struct {
		EventID string `json:"event_id"`
	}
	if err := json.Unmarshal(e.Request.Payload, &v); err != nil {
		t.Fatal(err)
	}
	return v.EventID
}

func TestDirectMessage(t *testing.T) {
	h := start(t, nil)
	h.listen(t)
	must[string](t)(h.Say("bob", "@ferry", "list", ""))
	e := h.next(t, socketmode.EventTypeEventsAPI)
	h.ack(t, e, nil)
	m := e.Data.(slackevents.EventsAPIEvent).InnerEvent.Data.(*slackevents.MessageEvent)
	if m.ChannelType != "im" || m.Text != "list" || !strings.HasPrefix(m.Channel, "D") {
		t.Errorf("message %+v", m)
	}
}
