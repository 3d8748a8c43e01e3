package rules_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"ferry/plugins/kubectl/rules"
)

// TestTheDocumentedConfiguration loads what docs/kubectl.md shows.
func TestTheDocumentedConfiguration(t *testing.T) {
	text, err := os.ReadFile("../../../docs/kubectl.md")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile("(?s)```yaml\n(namespace:.*?)```").FindSubmatch(text)
	if m == nil {
		t.Fatal("it shows none")
	}
	c, err := rules.Parse(m[1])
	if err != nil || len(c.Rules) != 2 || c.Rules[1].ClusterResources[0] != "nodes" {
		t.Errorf("%+v, %v", c, err)
	}
}

// TestVerbsThatThereAreNot: a rule for one would allow nothing, and nobody would know why.
func TestVerbsThatThereAreNot(t *testing.T) {
	t.Parallel()
	for verbs, want := range map[string]string{
		"[]": "", `["*"]`: "", "[get, scale]": "", `["rollout status"]`: "", `["rollout *"]`: "",
		"[get, exec]": `rules[0].verbs: there is no "exec" here; there is scale, delete, get, rollout status`,
		"[top]":       `there is no "top" here`, `["sc*"]`: `there is no "sc*" here`,
	} {
		c, err := rules.Parse([]byte("impersonate: {user: a}\nrules: [{users: [a], clusters: [a], verbs: " + verbs + "}]"))
		if err != nil {
			t.Fatal(err)
		}
		err = c.Verbs([]string{"get", "rollout status"}, []string{"scale", "delete"})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", verbs, err, want)
		}
	}
}

func TestBadConfigurations(t *testing.T) {
	const who = "impersonate: {user: a}\n"
	for text, want := range map[string]string{
		"rules: []": "impersonate: say as which user or groups",
		"impersonate: {user: a, nobody: true}\nrules: []":               "impersonate: say as which user or groups",
		"impersonate: {user: \"{{.Name}}\"}":                            "{{.ID}} and {{.Group}} are all there is",
		"impersonate: {user: \"{{.Group}}\"}":                           "belongs into groups",
		who + "rule: []":                                                "unknown field",
		who + "rules: [{clusters: [a]}]":                                "rules[0]: nobody is named",
		who + "rules: [{users: [a]}]":                                   "no cluster is named",
		who + "rules: [{users: [a], clusters: [\"[\"]}]":                `"[" is no pattern`,
		who + "rules: [{users: [a], clusters: [\"\"]}]":                 `"" is no pattern`,
		who + "rules: [{users: [a], clusters: [a], resources: [pods]}]": "resources without namespaces",
		who + "limits: {time: 1h}":                                      "limits.time",
		who + "limits: {time: soon}":                                    "invalid duration",
		who + "limits: {output: 1}":                                     "limits.output",
		who + "limits: {parallel: 99}":                                  "limits.parallel",
	} {
		if _, err := rules.Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s:\n got %v\nwant %s", text, err, want)
		}
	}
}

func TestIdentity(t *testing.T) {
	p := rules.Person{ID: "U1", Groups: []string{"S1", "S2"}}
	for _, c := range []struct {
		made  rules.Impersonate
		of    rules.Person
		user  string
		group string
		fails bool
	}{
		{rules.Impersonate{User: "ferry:{{.ID}}"}, p, "ferry:U1", "", false},
		{rules.Impersonate{Groups: []string{"a", "ferry:{{.Group}}"}}, p, "ferry-kubectl", "a ferry:S1 ferry:S2", false},
		{rules.Impersonate{User: "system:serviceaccount:ferry:reader"}, p, "system:serviceaccount:ferry:reader", "", false}, // an operator's word
		{rules.Impersonate{Nobody: true}, p, "", "", false},
		{rules.Impersonate{User: "{{.ID}}"}, rules.Person{ID: "system:admin"}, "", "", true},
		{rules.Impersonate{User: "{{.ID}}"}, rules.Person{}, "", "", true},
		{rules.Impersonate{Groups: []string{"{{.Group}}"}}, rules.Person{ID: "U", Groups: []string{"system:masters"}}, "", "", true},
		{rules.Impersonate{Groups: []string{"{{.Group}}"}}, rules.Person{ID: "U", Groups: []string{""}}, "", "", true},
	} {
		id, err := c.made.Identity(c.of)
		if (err != nil) != c.fails || id.User != c.user || strings.Join(id.Groups, " ") != c.group {
			t.Errorf("%+v for %+v: %+v, %v", c.made, c.of, id, err)
		}
	}
}

func TestWords(t *testing.T) {
	for word, want := range map[string]string{
		"po": "pods", "Pod": "pods", "PODS": "pods", "pods.v1": "pods", "deploy": "deployments.apps", "deployments.apps": "deployments.apps",
		"deployment.v1.apps": "deployments.apps", "hr": "helmreleases.helm.toolkit.fluxcd.io", "certificates": "certificates",
		"certificates.v1.cert-manager.io": "certificates.cert-manager.io", "services.serving.knative.dev": "services.serving.knative.dev",
		"rs.app": "replicasets.apps", "hpa.auto": "horizontalpodautoscalers.autoscaling", "events.events": "events.events.k8s.io", "ev.v1.events.k8s.io": "events.events.k8s.io",
		"pods.metrics.k8s.io": "pods.metrics.k8s.io", "secrets.x": "secrets.x", "pods.v1.x": "pods.x", "SECRET": "secrets",
	} {
		if got := rules.Word(word).String(); got != want {
			t.Errorf("%s is %s, want %s", word, got, want)
		}
	}
}

func TestScopes(t *testing.T) {
	all := rules.Scope{Resources: []string{"*"}, Namespaces: []string{"*"}}
	some := rules.Scope{Resources: []string{"pods", "deployments.apps", "*.example.com"}, ClusterResources: []string{"nodes", "widgets.example.com"}, Namespaces: []string{"a", "team-*"}}
	here, there, none := rules.Place{Namespace: "a"}, rules.Place{Namespace: "b"}, rules.Place{None: true}
	for _, c := range []struct {
		scope         rules.Scope
		plural, group string
		at            rules.Place
		want          bool
	}{
		{some, "pods", "", here, true},
		{some, "pods", "metrics.k8s.io", here, true},
		{some, "pods", "", there, false},
		{some, "pods", "", rules.Place{Namespace: "team-x"}, true},
		{some, "pods", "", none, false},
		{some, "pods", "evil.io", here, false},
		{some, "deployments", "apps", here, true},
		{some, "deployments", "extensions", here, false},
		{some, "nodes", "", none, true},
		{some, "namespaces", "", none, false},
		{some, "things", "example.com", here, true},
		{some, "things", "example.com", none, false},
		{some, "widgets", "example.com", none, true},
		{some, "secrets", "", here, false},
		{all, "pods", "", none, true},
		{all, "secrets", "", here, false},
		{all, "secrets", "", none, false},
		{all, "nodes", "", none, false},
		{all, "things", "example.com", here, true},
		{all, "things", "example.com", none, false}, // it may be in no namespace
		{rules.Scope{Resources: []string{"sec*"}, Namespaces: []string{"*"}}, "secrets", "", here, false},
		{rules.Scope{Resources: []string{"secrets"}, Namespaces: []string{"a"}}, "secrets", "", here, true},
	} {
		if got := c.scope.Allows(rules.Path(c.plural, c.group), c.at); got != c.want {
			t.Errorf("%s.%s at %+v by %+v: %v", c.plural, c.group, c.at, c.scope, got)
		}
	}
}

func TestWhoMay(t *testing.T) {
	c, err := rules.Parse([]byte(`
impersonate: {nobody: true}
rules:
  - {users: [U1], clusters: ["pro*"]}
  - {groups: [S1], clusters: ["*"], verbs: ["*", scale, "rollout *"]}
  - {roles: ["*"], clusters: [lab], verbs: [get]}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		who           rules.Person
		verb          string
		changes       bool
		cluster, want string
	}{
		{rules.Person{ID: "U1"}, "get", false, "prod", "0"},
		{rules.Person{ID: "U1"}, "get", false, "stage", ""},
		{rules.Person{ID: "U1"}, "scale", true, "prod", ""},
		{rules.Person{ID: "U*"}, "get", false, "prod", ""},
		{rules.Person{ID: "U2", Groups: []string{"S1"}}, "scale", true, "prod", "1"},
		{rules.Person{ID: "U2", Groups: []string{"S1"}}, "delete", true, "prod", ""},
		{rules.Person{ID: "U2", Groups: []string{"S1"}}, "rollout restart", true, "prod", ""}, // a pattern never means a change
		{rules.Person{ID: "U2", Groups: []string{"S1"}}, "rollout status", false, "prod", "1"},
		{rules.Person{ID: "U3", Roles: []string{"any"}}, "get", false, "lab", "2"},
		{rules.Person{ID: "U3"}, "get", false, "lab", ""},
	} {
		got := ""
		for _, r := range c.For(row.who, row.verb, row.changes, row.cluster) {
			i := slices.IndexFunc(c.Rules, func(o rules.Rule) bool { return slices.Equal(o.Clusters, r.Clusters) })
			got += string(rune('0' + i))
		}
		if got != row.want {
			t.Errorf("%+v %s on %s: rules %q, want %q", row.who, row.verb, row.cluster, got, row.want)
		}
	}
}
