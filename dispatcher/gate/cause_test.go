package gate

import (
	"strings"
	"testing"
	"time"

	"ferry/internal/chat"
	"ferry/internal/deploy"
)

// TestWhatFerryTakesBackByItself needs no role and no approval, passes freezes and
// says so, and stops at holds. It is told apart from people by Facts.Cause alone.
func TestWhatFerryTakesBackByItself(t *testing.T) {
	t.Parallel()
	rules, prod := house(t), target("prod", "apps", "podinfo")
	rules.Freezes[0].Commands = nil
	frozen := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	held := deploy.Hold{Target: prod, By: "U-x", Name: "Ann", Reason: "the migration runs"}
	bad := deploy.Hold{Target: prod, Version: "2", By: "ferry", Reason: "it did not last"}
	good := deploy.Hold{Target: prod, Version: "1", By: "ferry", Reason: "it did not last either"}
	for _, c := range []struct {
		name    string
		who     chat.Person
		cause   string
		at      time.Time
		holds   []deploy.Hold
		glass   Glass
		reasons string
		passed  string
	}{
		{name: "midweek", cause: "j1", at: midweek},
		{name: "frozen", cause: "j1", at: frozen, passed: "freeze"},
		{name: "held", cause: "j1", at: midweek, holds: []deploy.Hold{held}, reasons: "hold"},
		{name: "held, in the name of an admin", who: chat.Person{ID: "U-admin"}, cause: "j1", at: midweek, holds: []deploy.Hold{held}, reasons: "hold"},
		{name: "held, with a reason to pass", who: chat.Person{ID: "U-admin"}, cause: "j1", at: midweek, holds: []deploy.Hold{held}, glass: Glass{Gates: []Kind{Hold}, Reason: "x"}, reasons: "hold"},
		{name: "frozen and held", cause: "j1", at: frozen, holds: []deploy.Hold{held}, reasons: "hold", passed: "freeze"},
		{name: "the other version is held back", cause: "j1", at: midweek, holds: []deploy.Hold{bad}},
		{name: "the good version is held back", cause: "j1", at: midweek, holds: []deploy.Hold{good}, reasons: "hold"},
		{name: "the same facts without a cause", at: midweek, reasons: "approval person role"},
		{name: "ferry's name without a cause", who: chat.Person{ID: "ferry"}, at: frozen, reasons: "approval freeze role"},
	} {
		f := Facts{Who: c.who, Verb: "rollback", Targets: []deploy.Target{prod}, Version: "1", At: c.at, Plan: Plan{Hash: "h"}, Holds: c.holds, Glass: c.glass, Cause: c.cause}
		v := Decide(rules, &f)
		if kinds(v.Reasons) != c.reasons || kinds(v.Passed) != c.passed {
			t.Errorf("%s: %q against it, %q passed; want %q and %q", c.name, kinds(v.Reasons), kinds(v.Passed), c.reasons, c.passed)
		}
		if err := v.Err(&f); c.cause != "" && err != nil && (!strings.HasPrefix(err.Error(), "ferry does not roll back podinfo on prod by itself: it ") || strings.Contains(err.Error(), "despite")) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
