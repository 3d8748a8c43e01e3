package app

import (
	"slices"
	"testing"
	"time"

	"ferry/dispatcher/gate"
	"ferry/internal/chat"
	"ferry/internal/config"
	"ferry/internal/deploy"
)

// TestTheRulesAreThoseOfTheConfiguration, and of the commands there are.
func TestTheRulesAreThoseOfTheConfiguration(t *testing.T) {
	t.Parallel()
	c := &config.Config{
		Bot:   config.Bot{Admins: []config.Person{"U01", "S01", "some.name", "nobody"}},
		Roles: []config.Role{{Name: "r", Users: []config.Person{"S02"}, Commands: []string{"promote"}, Clusters: []string{"prod"}, Apps: []string{"a*"}, Namespaces: []string{"n"}, Passes: []string{"freeze", "hold", "approval"}}},
		Freezes: []config.Freeze{{
			Name: "f", Location: time.UTC, Windows: []deploy.Window{{Every: deploy.Daily}}, Clusters: []string{"prod"}, Apps: []string{"a*"}, Namespaces: []string{"n"}, Commands: []string{"promote"},
		}},
		Approvals: []config.Approval{{Name: "a", From: []config.Person{"S03", "U04", "some.name"}, Quorum: 2, Expires: time.Hour, Clusters: []string{"prod"}, Apps: []string{"a*"}, Namespaces: []string{"n"}, Commands: []string{"promote"}}},
	}
	r := rules(c, map[string]chat.UserID{"some.name": "U09"})
	if !slices.Equal(r.Admins.Users, []chat.UserID{"U01", "U09"}) || !slices.Equal(r.Admins.Groups, []chat.GroupID{"S01"}) {
		t.Errorf("admins %+v", r.Admins)
	}
	if !slices.Equal(r.Groups(), []chat.GroupID{"S01", "S02", "S03"}) {
		t.Errorf("groups %v", r.Groups())
	}
	if !slices.Equal(r.Roles[0].Passes, []gate.Kind{gate.Freeze, gate.Hold, gate.Approval}) {
		t.Errorf("passes %v", r.Roles[0].Passes)
	}
	if from := r.Approvals[0].From; !slices.Equal(from.Users, []chat.UserID{"U04"}) || r.Approvals[0].Needs != 2 || r.Approvals[0].Expires != time.Hour {
		t.Errorf("approvals %+v: nobody approves by name", r.Approvals[0])
	}
	if f := r.Freezes[0]; f.Zone != time.UTC || len(f.When) != 1 {
		t.Errorf("freeze %+v", f)
	}
	for what, s := range map[string]gate.Scope{"role": r.Roles[0].Scope, "freeze": r.Freezes[0].Scope, "approval": r.Approvals[0].Scope} {
		if !slices.Equal(s.Commands, []string{"promote"}) || !slices.Equal(s.Clusters, []string{"prod"}) || !slices.Equal(s.Apps, []string{"a*"}) || !slices.Equal(s.Namespaces, []string{"n"}) {
			t.Errorf("the %s is about %+v", what, s)
		}
	}
	for verb, want := range map[chat.Verb][2]bool{
		"promote": {true, true}, "rollback": {true, true}, "hold": {true, false}, "release": {true, false}, "holds": {}, "list": {}, "history": {},
	} {
		if got := [2]bool{slices.Contains(r.Changes, verb), slices.Contains(r.Gated, verb)}; got != want {
			t.Errorf("%s needs a role, is gated: %v, want %v", verb, got, want)
		}
	}
}
