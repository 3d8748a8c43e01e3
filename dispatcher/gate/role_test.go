package dispatcher

import (
	"strings"
	"testing"

	"ferry/internal/chat"
	"ferry/internal/deploy"
	"ferry/internal/fault"
)

func target(cluster, ns, app string) deploy.Target {
	return deploy.Target{Cluster: deploy.Cluster(cluster), App: deploy.App{Namespace: ns, Name: app}}
}

func TestPolicy(t *testing.T) {
	rules := &Rules{
		Admins:  []chat.UserID{"U-admin"},
		Changes: []chat.Verb{"promote", "rollback", "kubectl"},
		Roles: []Role{
			{Name: "stagers", Users: []chat.UserID{"U-dev"}, Commands: []string{"promote", "rollback"}, Clusters: []string{"stage"}},
			{Name: "podinfo-eu", Users: []chat.UserID{"U-dev"}, Commands: []string{"promote"}, Clusters: []string{"prod-*"}, Apps: []string{"podinfo"}, Namespaces: []string{"apps"}},
			{Name: "idle", Users: []chat.UserID{"U-idle"}},
			{Name: "shell", Users: []chat.UserID{"U-ops"}, Commands: []string{"kubectl"}},
		},
	}
	stage, prod, eu := target("stage", "apps", "podinfo"), target("prod", "apps", "podinfo"), target("prod-eu", "apps", "podinfo")
	for _, c := range []struct {
		user    chat.UserID
		verb    chat.Verb
		targets []deploy.Target
		allowed bool
	}{
		{"U-nobody", "list", nil, true},
		{"U-nobody", "promote", []deploy.Target{stage}, false},
		{"U-admin", "promote", []deploy.Target{prod, stage}, true},
		{"U-dev", "promote", []deploy.Target{stage}, true},
		{"U-dev", "rollback", []deploy.Target{stage}, true},
		{"U-dev", "promote", []deploy.Target{prod}, false},
		{"U-dev", "promote", []deploy.Target{eu}, true},
		{"U-dev", "rollback", []deploy.Target{eu}, false},
		{"U-dev", "promote", []deploy.Target{target("prod-eu", "apps", "podinfo2")}, false},
		{"U-dev", "promote", []deploy.Target{target("prod-eu", "other", "podinfo")}, false},
		{"U-dev", "promote", []deploy.Target{stage, prod}, false},
		{"U-idle", "promote", []deploy.Target{stage}, false},
		{"U-ops", "kubectl", nil, true},
		{"U-dev", "kubectl", nil, false},
		{"u-admin", "promote", []deploy.Target{stage}, false}, // identifiers are exact
	} {
		err := decide(rules, c.user, c.verb, c.targets)
		if (err == nil) != c.allowed {
			t.Errorf("%s %s %v: %v, want allowed %v", c.user, c.verb, c.targets, err, c.allowed)
		}
		if err != nil && !fault.Is(err, fault.Denied) {
			t.Errorf("%s %s: %v is not a denial", c.user, c.verb, err)
		}
	}
}

func TestDenialNamesWhoMay(t *testing.T) {
	for _, c := range []struct {
		rules Rules
		help  string
	}{
		{Rules{}, "nobody may"},
		{Rules{Admins: []chat.UserID{"U1"}}, "only ferry's admins may"},
		{Rules{Roles: []Role{{Name: "deployers", Commands: []string{"promote"}}, {Name: "readers"}}}, "`deployers`"},
	} {
		c.rules.Changes = []chat.Verb{"promote"}
		err := decide(&c.rules, "U9", "promote", []deploy.Target{target("prod", "a", "b")})
		e, ok := err.(*fault.Error)
		if !ok || !strings.Contains(e.Help, c.help) || strings.Contains(e.Help, "readers") || e.Says != "you may not promote b on prod" {
			t.Errorf("denied with %+v, want help with %q", err, c.help)
		}
	}
}

func TestRulesAreReplaced(t *testing.T) {
	p := NewPolicy(Rules{Changes: []chat.Verb{"promote"}})
	if p.Allow("U1", "promote", nil) == nil {
		t.Error("U1 may without a rule")
	}
	p.Set(Rules{Admins: []chat.UserID{"U1"}, Changes: []chat.Verb{"promote"}})
	if err := p.Allow("U1", "promote", nil); err != nil {
		t.Errorf("U1: %v", err)
	}
	if p.Allow("U2", "promote", nil) == nil {
		t.Error("U2 is an admin")
	}
}
