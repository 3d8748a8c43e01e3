package slack

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// answers stands in for the network: the clock of the test is not the real one.
type answers func() (status int, body string)

func (a answers) RoundTrip(*http.Request) (*http.Response, error) {
	status, body := a()
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}, nil
}

// TestWhatIsKnownOfAGroupGrowsOld removes somebody from a group, and then lets Slack
// fall silent.
func TestWhatIsKnownOfAGroupGrowsOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, err := New(Options{BotToken: "bot", AppToken: "app"})
		if err != nil {
			t.Fatal(err)
		}
		status, users := http.StatusOK, `["U1","U2"]`
		c.http.Transport = answers(func() (int, string) { return status, `{"ok":true,"users":` + users + `}` })
		began := time.Now()
		want := func(after time.Duration, n int, known bool) {
			t.Helper()
			time.Sleep(time.Until(began.Add(after))) // the bubble's clock
			members, err := c.Members(t.Context(), "S1")
			if len(members) != n || (err == nil) != known {
				t.Errorf("after %s: %v, %v; want %d members, known %v", after, members, err, n, known)
			}
		}
		want(0, 2, true)
		users = `["U1"]`
		want(59*time.Second, 2, true)
		want(61*time.Second, 1, true) // U2 has no right a minute after leaving
		status = http.StatusBadGateway
		want(3*time.Minute, 1, true)
		want(time.Minute+5*time.Minute, 1, true)
		want(time.Minute+5*time.Minute+2*time.Second, 0, false)
		status = http.StatusOK
		want(10*time.Minute, 1, true)
		users = `null`
		want(12*time.Minute, 0, true)
	})
}

// TestARefusalOfSlackIsBelievedAtOnce takes the scope away.
func TestARefusalOfSlackIsBelievedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, err := New(Options{BotToken: "bot", AppToken: "app"})
		if err != nil {
			t.Fatal(err)
		}
		body := `{"ok":true,"users":["U1"]}`
		c.http.Transport = answers(func() (int, string) { return http.StatusOK, body })
		if _, err := c.Members(t.Context(), "S1"); err != nil {
			t.Fatal(err)
		}
		body = `{"ok":false,"error":"missing_scope","needed":"usergroups:read"}`
		time.Sleep(2 * time.Minute) // the bubble's clock
		if members, err := c.Members(t.Context(), "S1"); err == nil {
			t.Errorf("members are %v", members)
		}
	})
}
