package gate

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

func users(ids ...chat.UserID) People { return People{Users: ids} }

func judged(r *Rules, f *Facts) error {
	v := Decide(r, f)
	return v.Err(f)
}

func TestRoles(t *testing.T) {
	rules := &Rules{
		Admins:  users("U-admin"),
		Changes: []chat.Verb{"promote", "rollback", "kubectl"},
		Roles: []Grant{
			{Name: "stagers", People: users("U-dev"), Scope: Scope{Commands: []string{"promote", "rollback"}, Clusters: []string{"stage"}}},
			{Name: "podinfo-eu", People: users("U-dev"), Scope: Scope{Commands: []string{"promote"}, Clusters: []string{"prod-*"}, Apps: []string{"podinfo"}, Namespaces: []string{"apps"}}},
			{Name: "idle", People: users("U-idle")},
			{Name: "shell", People: users("U-ops"), Scope: Scope{Commands: []string{"kubectl"}}},
			{Name: "group", People: People{Groups: []chat.GroupID{"S-leads"}}, Scope: Scope{Commands: []string{"promote"}, Clusters: []string{"prod"}}},
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
		{"S-leads", "promote", []deploy.Target{prod}, false},  // a group is nobody
		{"", "promote", []deploy.Target{prod}, false},
		{"", "list", nil, false},
	} {
		err := judged(rules, &Facts{Who: chat.Person{ID: c.user}, Verb: c.verb, Targets: c.targets})
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
		{Rules{Admins: users("U1")}, "only ferry's admins may"},
		{Rules{Roles: []Grant{{Name: "deployers", Scope: Scope{Commands: []string{"promote"}}}, {Name: "readers"}}}, "`deployers`"},
	} {
		c.rules.Changes = []chat.Verb{"promote"}
		err := judged(&c.rules, &Facts{Who: chat.Person{ID: "U9"}, Verb: "promote", Targets: []deploy.Target{target("prod", "a", "b")}})
		e, ok := err.(*fault.Error)
		if !ok || !strings.Contains(e.Help, c.help) || strings.Contains(e.Help, "readers") || e.Says != "you may not promote b on prod" {
			t.Errorf("denied with %+v, want help with %q", err, c.help)
		}
	}
}

// TestGroupsGiveRolesToTheirMembers asks for somebody who is in one group and not in
// another.
func TestGroupsGiveRolesToTheirMembers(t *testing.T) {
	rules := &Rules{
		Admins: People{Groups: []chat.GroupID{"S-admins"}}, Changes: []chat.Verb{"promote"},
		Roles: []Grant{{Name: "leads", People: People{Groups: []chat.GroupID{"S-leads"}}, Scope: Scope{Commands: []string{"promote"}, Clusters: []string{"stage"}}}},
	}
	if got := rules.Groups(); len(got) != 2 {
		t.Errorf("groups of the rules are %v", got)
	}
	for _, c := range []struct {
		groups  []chat.GroupID
		cluster string
		allowed bool
	}{
		{nil, "stage", false},
		{[]chat.GroupID{"S-leads"}, "stage", true},
		{[]chat.GroupID{"S-leads"}, "prod", false},
		{[]chat.GroupID{"S-others"}, "stage", false},
		{[]chat.GroupID{"S-others", "S-admins"}, "prod", true},
	} {
		f := &Facts{Who: chat.Person{ID: "U1", Groups: c.groups}, Verb: "promote", Targets: []deploy.Target{target(c.cluster, "apps", "podinfo")}}
		if err := judged(rules, f); (err == nil) != c.allowed {
			t.Errorf("%v on %s: %v, want allowed %v", c.groups, c.cluster, err, c.allowed)
		}
	}
}

// TestNobodyButMembersIsHeard holds everybody else against rules that let all in.
func TestNobodyButMembersIsHeard(t *testing.T) {
	rules := &Rules{Admins: users("U1"), Changes: []chat.Verb{"promote"}, Gated: []chat.Verb{"promote"}}
	for _, who := range []chat.Person{
		{ID: "U1", Guest: true}, {ID: "U1", Bot: true}, {ID: "U1", Deleted: true}, {ID: "U1", Foreign: true}, {ID: "U1", Outside: true}, {},
	} {
		for _, verb := range []chat.Verb{"promote", "list"} {
			f := &Facts{Who: who, Verb: verb, Glass: Glass{Gates: []Kind{Person, Role, Freeze, Hold, Approval}, Reason: "please"}}
			if verb == "promote" {
				f.Targets = []deploy.Target{target("prod", "a", "b")}
			}
			if err := judged(rules, f); !fault.Is(err, fault.Denied) {
				t.Errorf("%+v %s: %v", who, verb, err)
			}
		}
	}
}

// TestWhatIsAboutNothingIsNamed: a line for a plugin has no target, and its word no verb's
// place in a sentence.
func TestWhatIsAboutNothingIsNamed(t *testing.T) {
	t.Parallel()
	rules := &Rules{Admins: users("U-admin"), Changes: []chat.Verb{"kubectl"}}
	err := judged(rules, &Facts{Who: chat.Person{ID: "U-dev"}, Verb: "kubectl"})
	if err == nil || !strings.Contains(err.Error(), "you may not use `kubectl`") {
		t.Errorf("%v", err)
	}
}
