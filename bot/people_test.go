package bot_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"ferry/bot"
	"ferry/internal/chat"
	"ferry/internal/fault"
)

// TestPeopleAreWhatSlackSays asks for people as the gates do.
func TestPeopleAreWhatSlackSays(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.slack.Users = map[string]map[string]any{
		"UGUEST": {"is_restricted": true}, "UGONE": {"deleted": true}, "UBOT": {"is_bot": true},
		"UOTHER": {"team_id": "T9"}, "UFRIEND": {"team_id": "T2"}, "USTRANGER": {"is_stranger": true},
	}
	h.options.Teams = []chat.TeamID{"T2"}
	h.start()
	for id, barred := range map[chat.UserID]bool{
		"U1": false, "UFRIEND": false, "UGUEST": true, "UGONE": true, "UBOT": true, "UOTHER": true, "USTRANGER": true,
	} {
		p, err := h.bot.Person(t.Context(), id)
		if err != nil || p.ID != id {
			t.Fatalf("%s: %+v, %v", id, p, err)
		}
		if says, _ := p.Barred(); (says != "") != barred {
			t.Errorf("%s is %+v: %q, want barred %v", id, p, says, barred)
		}
	}
}

func TestMembersAreCachedAndFailClosed(t *testing.T) {
	t.Parallel()
	failures := map[string]struct {
		status int
		code   string
		kind   fault.Kind
	}{
		"SNONE":    {0, "", fault.Refused}, // there is no such group
		"SSCOPE":   {http.StatusOK, "missing_scope", fault.Refused},
		"SBROKEN":  {http.StatusOK, "internal_error", fault.Unavailable},
		"SGATEWAY": {http.StatusBadGateway, "", fault.Unavailable},
		"SLIMIT":   {http.StatusTooManyRequests, "0", fault.Unavailable},
	}
	h := newHouse(t)
	h.slack.Groups = map[string][]string{"SLEADS": {"U1", "U2"}}
	h.slack.Fail = func(_ string, form url.Values) (int, string) {
		f := failures[form.Get("usergroup")]
		return f.status, f.code
	}
	h.start()
	for range 3 {
		members, err := h.bot.Members(t.Context(), "SLEADS")
		if err != nil || !slices.Equal(members, []chat.UserID{"U1", "U2"}) {
			t.Fatalf("members are %v, %v", members, err)
		}
	}
	if n := len(h.slack.Calls("usergroups.users.list")); n != 1 {
		t.Errorf("Slack was asked %d times within a minute", n)
	}
	for _, id := range []string{"SNONE", "SSCOPE", "SBROKEN", "SGATEWAY", "SLIMIT"} { // a limit closes the method: last
		f := failures[id]
		if members, err := h.bot.Members(t.Context(), chat.GroupID(id)); !fault.Is(err, f.kind) || members != nil {
			t.Errorf("%s: %v, %v, want %s", id, members, err, f.kind)
		}
	}
}

func TestCheckReadsTheGroups(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.slack.Groups = map[string][]string{"SLEADS": {"U1"}, "SEMPTY": {}}
	h.options.Groups = []chat.GroupID{"SLEADS", "SEMPTY", "SNONE"}
	for _, f := range bot.Check(t.Context(), h.options) {
		if id, ok := strings.CutPrefix(f.What, "Slack user group "); ok && f.OK != (id == "SLEADS") {
			t.Errorf("%+v", f)
		}
	}
}
