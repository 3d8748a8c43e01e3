package slack

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ferry/internal/chat"
)

// TestWhatIsAskedAnewIsAsOfThen: what was learned before counts only while Slack does
// not answer, and not for long.
func TestWhatIsAskedAnewIsAsOfThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, err := New(Options{BotToken: "bot", AppToken: "app"})
		if err != nil {
			t.Fatal(err)
		}
		status, calls := http.StatusOK, 0
		users, guest := `["U1","U2"]`, "false"
		c.http.Transport = answers(func() (int, string) {
			calls++
			return status, `{"ok":true,"users":` + users + `,"user":{"id":"U1","is_restricted":` + guest + `}}`
		})
		began := time.Now()
		want := func(after, since time.Duration, members int, isGuest, known bool, asked int) {
			t.Helper()
			time.Sleep(time.Until(began.Add(after)))
			ctx, before := chat.AskedAnew(t.Context(), chat.Asking{Since: began.Add(since)}), calls
			got, err := c.Members(ctx, "S1")
			who, perr := c.Person(ctx, "U1")
			if len(got) != members || who.Guest != isGuest || (err == nil) != known || (perr == nil) != known || calls-before != asked {
				t.Errorf("after %s since %s: %v, %+v, %v, %v, %d calls", after, since, got, who, err, perr, calls-before)
			}
		}
		want(0, 0, 2, false, true, 2)
		want(time.Second, 0, 2, false, true, 0) // asked for since then
		users, guest = `["U1"]`, "true"
		want(2*time.Second, 2*time.Second, 1, true, true, 2)
		status = http.StatusBadGateway
		want(time.Minute, time.Minute, 1, true, true, 2) // it stands in for an answer
		certain := chat.AskedAnew(t.Context(), chat.Asking{Since: time.Now(), Certain: true})
		if members, err := c.Members(certain, "S1"); err == nil || !MayPass(err) {
			t.Errorf("what has to be certain: %v, %v", members, err)
		}
		if who, err := c.Person(certain, "U1"); err == nil || !MayPass(err) {
			t.Errorf("who has to be certain: %+v, %v", who, err)
		}
		want(63*time.Second, 63*time.Second, 0, false, false, 2)
		if _, err := c.Members(t.Context(), "S1"); err != nil {
			t.Errorf("what need not be asked anew: %v", err)
		}
	})
}

// TestWhetherAChannelIsShared is asked each time, but of a direct conversation.
func TestWhetherAChannelIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, err := New(Options{BotToken: "bot", AppToken: "app"})
		if err != nil {
			t.Fatal(err)
		}
		status, body := http.StatusOK, ""
		c.http.Transport = answers(func() (int, string) { return status, body })
		want := func(channel chat.ChannelID, shared bool, says string, passes bool) {
			t.Helper()
			got, err := c.Shared(t.Context(), channel)
			if got != shared || (err == nil) != (says == "") || err != nil && (!strings.Contains(err.Error(), says) || MayPass(err) != passes) {
				t.Errorf("%s: %v, %v", channel, got, err)
			}
		}
		want("D1", false, "", false) // nobody answers, and nobody was asked
		body = `{"ok":true,"channel":{"is_ext_shared":false}}`
		want("C1", false, "", false)
		body = `{"ok":true,"channel":{"is_ext_shared":true}}`
		want("C1", true, "", false)
		body = `{"ok":true,"channel":{"is_pending_ext_shared":true}}`
		want("C2", true, "", false)
		status = http.StatusBadGateway
		time.Sleep(59 * time.Second)
		want("C1", true, "", false)
		want("C3", false, "502", true)
		time.Sleep(time.Second)
		want("C1", false, "502", true)
		status, body = http.StatusOK, `{"ok":false,"error":"missing_scope","needed":"channels:read"}`
		want("C1", false, "missing_scope", false)
	})
}
