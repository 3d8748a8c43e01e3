package slack

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"
)

// handClock stands still until it is moved.
type handClock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *handClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *handClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// AfterFunc never fires: the tests with this clock need no timers.
func (c *handClock) AfterFunc(time.Duration, func()) Timer { return stopped{} }

type stopped struct{}

func (stopped) Stop() bool { return true }

func TestEachPayloadGoesToOneSocket(t *testing.T) {
	h := start(t, nil)
	second := &house{Server: h.Server, api: h.api, sock: socketmode.New(h.api), web: h.web}
	h.listen(t)
	second.listen(t)
	if n := h.Sockets("ferry"); n != 2 {
		t.Fatalf("%d sockets", n)
	}
	const total = 6
	for range total {
		must[string](t)(h.Say("alice", "deploys", "@ferry list", ""))
	}
	got := map[string]int{}
	for range total / 2 {
		for _, side := range []*house{h, second} {
			e := side.next(t, socketmode.EventTypeEventsAPI)
			side.ack(t, e, nil)
			got[e.Request.EnvelopeID]++
		}
	}
	if len(got) != total {
		t.Errorf("%d envelopes came, want %d once each", len(got), total)
	}
}

func TestRefreshLosesNothing(t *testing.T) {
	h := start(t, func(o *Options) { o.DisconnectGrace = 50 * time.Millisecond })
	h.listen(t)
	if err := h.Disconnect("refresh_requested"); err != nil {
		t.Fatal(err)
	}
	must[string](t)(h.Say("alice", "deploys", "@ferry list", ""))
	h.ack(t, h.next(t, socketmode.EventTypeEventsAPI), nil)
	if err := h.Disconnect("whatever"); err == nil {
		t.Error("a kind of disconnect that is none was taken")
	}
}

func TestNoEventWithoutItsScope(t *testing.T) {
	h := start(t, func(o *Options) { o.Apps[0].Scopes = []string{"chat:write", "channels:history"} })
	must[string](t)(h.Say("alice", "deploys", "@ferry list", ""))
	must[string](t)(h.Say("alice", "@ferry", "list", ""))
	if n := len(h.Envelopes()); n != 0 {
		t.Errorf("%d envelopes for an app that may hear nothing", n)
	}
	var refused *Error
	if _, err := h.Slash(t.Context(), "alice", "deploys", "/ferry", "list"); !errors.As(err, &refused) || refused.Code != "missing_scope" {
		t.Errorf("slash command without the scope: %v", err)
	}
}

func TestTriggerLivesThreeSeconds(t *testing.T) {
	clock := &handClock{now: time.Unix(1800000000, 0)}
	h := start(t, func(o *Options) { o.Clock = clock })
	h.mu.Lock()
	id := h.newTrigger(h.apps[0], "U01ALICE")
	h.mu.Unlock()
	clock.advance(triggerLife + time.Millisecond)
	_, err := h.api.OpenView(id, slack.ModalViewRequest{Type: slack.VTModal})
	wantError(t, "late trigger", err, "expired_trigger_id")
	_, err = h.api.OpenView("1.2.3", slack.ModalViewRequest{Type: slack.VTModal})
	wantError(t, "unknown trigger", err, "invalid_trigger_id")
}

func TestPostBurst(t *testing.T) {
	clock := &handClock{now: time.Unix(1800000000, 0)}
	h := start(t, func(o *Options) { o.Clock, o.RateLimits = clock, true })
	post := func() error {
		_, _, err := h.api.PostMessage("C01DEPLOY", slack.MsgOptionText("x", false))
		return err
	}
	for range postBurst {
		if err := post(); err != nil {
			t.Fatal(err)
		}
	}
	var limited *slack.RateLimitedError
	if err := post(); !errors.As(err, &limited) {
		t.Errorf("after a burst: %v", err)
	}
	clock.advance(limited.RetryAfter)
	if err := post(); err != nil {
		t.Errorf("after Retry-After: %v", err)
	}
}

func TestListsArePaged(t *testing.T) {
	h := start(t, nil)
	users, err := h.api.GetUsers(slack.GetUsersOptionLimit(2))
	if err != nil || len(users) != 4 {
		t.Errorf("users %d, %v", len(users), err)
	}
	channels, next, err := h.api.GetConversations(&slack.GetConversationsParameters{Limit: 1})
	if err != nil || len(channels) != 1 || next == "" {
		t.Errorf("first page %+v, next %q, %v", channels, next, err)
	}
	_, _, err = h.api.GetConversations(&slack.GetConversationsParameters{Types: []string{"private_channel"}})
	wantError(t, "private channels", err, "missing_scope")
	members, err := h.api.GetUserGroupMembers("S01")
	if err != nil || len(members) != 1 {
		t.Errorf("members %v, %v", members, err)
	}
}

// TestAddressesNeedAScope: without users:read.email users.info and users.list
// leave the address out, rather than refuse.
func TestAddressesNeedAScope(t *testing.T) {
	people := func(o *Options) {
		o.Users[0].Email = "alice@example.com"
		o.Users = append(o.Users, User{ID: "U0OTHER", Name: "other", Bot: true, Email: "bot@example.com"})
	}
	for scope, want := range map[string]string{"users:read": "", "users:read.email": "alice@example.com"} {
		h := start(t, func(o *Options) { people(o); o.Apps[0].Scopes = append(o.Apps[0].Scopes, scope) })
		u, err := h.api.GetUserInfo("U01ALICE")
		if err != nil || u.Profile.Email != want {
			t.Errorf("%s: users.info tells %q, %v", scope, u.Profile.Email, err)
		}
		all, err := h.api.GetUsers()
		if err != nil || len(all) != 5 {
			t.Fatalf("%d users, %v", len(all), err)
		}
		for _, u := range all {
			if told := u.Profile.Email; told != "" && u.ID != "U01ALICE" || u.ID == "U01ALICE" && told != want {
				t.Errorf("%s: users.list tells %q of %s", scope, told, u.ID)
			}
		}
	}
}

func TestHomeTab(t *testing.T) {
	h := start(t, nil)
	h.listen(t)
	if err := h.OpenHome("bob", "ferry"); err != nil {
		t.Fatal(err)
	}
	h.ack(t, h.next(t, socketmode.EventTypeEventsAPI), nil)
	_, err := h.api.PublishView("U02BOB", slack.HomeTabViewRequest{
		Type: slack.VTHomeTab, Blocks: slack.Blocks{BlockSet: []slack.Block{slack.NewDividerBlock()}},
	}, "")
	if err != nil {
		t.Fatal(err)
	}
}
