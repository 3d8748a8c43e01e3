package slack

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"ferry/bot/outbox"
	"ferry/internal/chat"
	"ferry/playground/slack"
)

// TestAFileInAThread goes its way by hand, and is found by its identifier alone.
func TestAFileInAThread(t *testing.T) {
	t.Parallel()
	s, err := slack.New(slack.Options{
		Users: []slack.User{{ID: "U01ALICE", Name: "alice"}}, Channels: []slack.Channel{{ID: "C01DEPLOY", Name: "deploys"}},
		Apps: []slack.App{{ID: "A1", Name: "ferry", BotUserID: "U0FERRY", BotToken: "bot", AppToken: "app", Scopes: []string{"files:write", "channels:history", "chat:write"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/upload/") && (r.ContentLength != 3 || r.Header.Get("Authorization") != "") {
			t.Errorf("an upload of %d bytes with %v", r.ContentLength, r.Header)
		}
		s.ServeHTTP(w, r)
	}))
	defer web.Close()
	c, err := New(Options{BotToken: "bot", AppToken: "app", BaseURL: web.URL + "/api/"})
	if err != nil {
		t.Fatal(err)
	}
	root, err := s.Say("alice", "deploys", "hello", "")
	if err != nil {
		t.Fatal(err)
	}
	ctx, thread, since := t.Context(), chat.Thread{Team: "T", Channel: "C01DEPLOY", Root: root}, time.Now()
	id, err := c.Upload(ctx, "a.txt", 3, strings.NewReader("abc and more"))
	if err != nil {
		t.Fatal(err)
	}
	found := func(id string, want bool) {
		t.Helper()
		if got, err := c.FindFile(ctx, thread, id, since); err != nil || got != want {
			t.Errorf("%s is there: %v, %v", id, got, err)
		}
	}
	found(id, false)
	if err := c.ShareFile(ctx, chat.Thread{Channel: "C404", Root: root}, id, "t"); !errors.Is(err, outbox.ErrGone) {
		t.Errorf("in no channel: %v", err)
	}
	s.Inject(slack.Fault{Method: methodOfShare, Lost: true, AfterEffect: true})
	if err := c.ShareFile(ctx, thread, id, "t"); err == nil || errors.Is(err, outbox.ErrNotSent) || errors.Is(err, outbox.ErrGone) || errors.Is(err, outbox.ErrLost) {
		t.Errorf("a lost answer is taken for %v", err)
	}
	found(id, true)
	found("F404", false)
	if err := c.ShareFile(ctx, thread, id, "t"); !errors.Is(err, outbox.ErrLost) {
		t.Errorf("shared again: %v", err)
	}
	s.Inject(slack.Fault{Method: handingOver, Status: http.StatusForbidden})
	if _, err := c.Upload(ctx, "a.txt", 3, strings.NewReader("abc")); !errors.Is(err, outbox.ErrGone) {
		t.Errorf("a refused upload: %v", err)
	}
	s.Inject(slack.Fault{Method: handingOver, Status: http.StatusServiceUnavailable})
	if _, err := c.Upload(ctx, "a.txt", 3, strings.NewReader("abc")); err == nil || errors.Is(err, outbox.ErrGone) {
		t.Errorf("a service that is away: %v", err)
	}
	s.Inject(slack.Fault{Method: handingOver, Status: http.StatusTooManyRequests, RetryAfter: 7 * time.Second})
	for range 2 { // the second is not even tried
		_, err := c.Upload(ctx, "a.txt", 3, strings.NewReader("abc"))
		if wait, ok := errors.AsType[*outbox.Wait](err); !ok || wait.For > 7*time.Second || wait.For < 6*time.Second {
			t.Errorf("a limit: %v", err)
		}
	}
	if n := s.Calls()[handingOver].Total; n != 4 {
		t.Errorf("%d uploads", n)
	}
}

// TestWhereFilesGo: what somebody else's address is, gets no content.
func TestWhereFilesGo(t *testing.T) {
	t.Parallel()
	for base, addresses := range map[string]map[string]bool{
		DefaultURL: {
			"https://files.slack.com/upload/v1/x": true, "https://slack.com/x": true, "http://files.slack.com/x": false, "https://files.slack.com.evil.example/x": false,
			"https://evilslack.com/x": false, "https://files.slack.com:8443/x": false, "https://user@evil.example/x": false,
		},
		"http://127.0.0.1:4000/api/": {"http://127.0.0.1:4000/upload/v1/x": true, "http://127.0.0.1:4001/x": false, "https://files.slack.com/x": false},
	} {
		c, err := New(Options{BotToken: "b", AppToken: "a", BaseURL: base})
		if err != nil {
			t.Fatal(err)
		}
		for address, want := range addresses {
			u, err := url.Parse(address)
			if err != nil {
				t.Fatal(err)
			}
			if got := c.takesFiles(u); got != want {
				t.Errorf("%s takes files for %s: %v", address, base, got)
			}
		}
	}
}
