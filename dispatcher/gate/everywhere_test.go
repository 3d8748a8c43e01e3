package gate

import (
	"testing"

	"ferry/internal/chat"
	"ferry/internal/deploy"
	"ferry/internal/fault"
)

// TestDeedsThatAreAboutNoSingleApp is about silences and the like: whoever silences a
// cluster needs a role for all of it.
func TestDeedsThatAreAboutNoSingleApp(t *testing.T) {
	role := func(clusters, apps, namespaces []string) Grant {
		return Grant{Name: "r", People: users("U1"), Scope: Scope{Commands: []string{"silence"}, Clusters: clusters, Apps: apps, Namespaces: namespaces}}
	}
	all := string(deploy.Everywhere)
	for name, c := range map[string]struct {
		role   Grant
		target deploy.Target
		says   string // of the denial; "" if allowed
	}{
		"everywhere, of all":                 {role([]string{"*"}, nil, nil), target(all, "", ""), ""},
		"everywhere, of clusters not named":  {role(nil, nil, nil), target(all, "", ""), ""},
		"everywhere, of one":                 {role([]string{"dev"}, nil, nil), target(all, "", ""), "you may not silence on all clusters"},
		"everywhere, of one-letter names":    {role([]string{"?"}, nil, nil), target(all, "", ""), "you may not silence on all clusters"},
		"everywhere, of a class":             {role([]string{"[*]"}, nil, nil), target(all, "", ""), "you may not silence on all clusters"},
		"everywhere, of several patterns":    {role([]string{"dev-*", "prod-*"}, nil, nil), target(all, "", ""), "you may not silence on all clusters"},
		"a cluster, of it":                   {role([]string{"dev"}, nil, nil), target("dev", "", ""), ""},
		"a cluster, of another":              {role([]string{"dev"}, nil, nil), target("prod", "", ""), "you may not silence on prod"},
		"a cluster, of an app there":         {role([]string{"dev"}, []string{"web"}, nil), target("dev", "", ""), "you may not silence on dev"},
		"a cluster, of apps like it":         {role([]string{"dev"}, []string{"w*"}, nil), target("dev", "", ""), "you may not silence on dev"},
		"a cluster, of all apps there":       {role([]string{"dev"}, []string{"*"}, []string{"*"}), target("dev", "", ""), ""},
		"an app, of it":                      {role([]string{"dev"}, []string{"web"}, nil), target("dev", "", "web"), ""},
		"an app in any namespace, of one":    {role([]string{"dev"}, []string{"web"}, []string{"a"}), target("dev", "", "web"), "you may not silence web on dev"},
		"a namespace, of it":                 {role([]string{"dev"}, nil, []string{"a"}), target("dev", "a", ""), ""},
		"a namespace, of another":            {role([]string{"dev"}, nil, []string{"a"}), target("dev", "b", ""), "you may not silence in b on dev"},
		"a namespace everywhere, of its own": {role([]string{"dev"}, nil, []string{"a"}), target(all, "a", ""), "you may not silence in a on all clusters"},
	} {
		rules := &Rules{Changes: []chat.Verb{"silence"}, Roles: []Grant{c.role}}
		err := judged(rules, &Facts{Who: chat.Person{ID: "U1"}, Verb: "silence", Targets: []deploy.Target{c.target}})
		says := ""
		if e, ok := err.(*fault.Error); ok {
			says = e.Says
		}
		if says != c.says {
			t.Errorf("%s: %q, want %q", name, says, c.says)
		}
		rules.Admins = users("U1")
		if err := judged(rules, &Facts{Who: chat.Person{ID: "U1"}, Verb: "silence", Targets: []deploy.Target{c.target}}); err != nil {
			t.Errorf("%s: an admin: %v", name, err)
		}
	}
}
