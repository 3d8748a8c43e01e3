package wall_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"ferry/plugins/kubectl/rules"
	"ferry/plugins/kubectl/wall"
)

// TestConfig: whom a way in is for, and those that there are not.
func TestConfig(t *testing.T) {
	t.Parallel()
	kubeconfig := func(user string) []byte {
		return fmt.Appendf(nil, `{apiVersion: v1, kind: Config, current-context: c, clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}],
contexts: [{name: c, context: {cluster: c, user: u}}], users: [{name: u, user: %s}]}`, user)
	}
	const as = `{token: x, as: viewer, as-groups: [readers]}`
	for _, c := range []struct {
		name       string
		kubeconfig []byte
		as         rules.Identity
		user       string
		groups     []string
	}{
		{"the grant's", kubeconfig(as), rules.Identity{User: "ferry:U1", Groups: []string{"ferry:S1"}}, "ferry:U1", []string{"ferry:S1"}},
		{"the grant's without groups", kubeconfig(as), rules.Identity{User: "ferry:U1"}, "ferry:U1", nil},
		{"the kubeconfig's", kubeconfig(as), rules.Identity{}, "viewer", []string{"readers"}},
		{"nobody's", kubeconfig("{token: x}"), rules.Identity{}, "", nil},
	} {
		got, err := wall.Config(c.kubeconfig, rules.Grant{As: c.as})
		if err != nil || got.Impersonate.UserName != c.user || !slices.Equal(got.Impersonate.Groups, c.groups) || got.WrapTransport == nil {
			t.Errorf("%s: %+v, %v", c.name, got, err)
		}
	}
	for want, text := range map[string][]byte{
		"its log says why":            nil,
		"read the cluster's":          []byte("clusters: 1"),
		"starts a program to log in,": kubeconfig(`{exec: {apiVersion: client.authentication.k8s.io/v1, command: sh, interactiveMode: Never}}`),
		"program to log in":           kubeconfig(`{auth-provider: {name: oidc}}`),
	} {
		if got, err := wall.Config(text, rules.Grant{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %+v, %v, want %q", text, got, err, want)
		}
	}
}
