package sources_test

import (
	"context"
	"strings"
	"testing"

	"ferry/plugins/api"
	"ferry/plugins/sources/changes"
	"ferry/plugins/sources/events"
	"ferry/plugins/sources/flux"
	"ferry/plugins/sources/webhook"
)

// TestCheck: what a schema cannot say of a configuration is said before a source runs,
// and a file that may come is waited for.
func TestCheck(t *testing.T) {
	t.Parallel()
	posted := func(more string) string { return "paths: [{path: /x, format: json, " + more + "}]" }
	for _, c := range []struct {
		of           api.Source
		config, want string
		again        bool
	}{
		{of: webhook.Source{}, config: posted("anybody: true, map: {title: item.name}")},
		{of: webhook.Source{}, config: posted("anybody: true, map: {title: 'item.name +'}"), want: "paths[0].map.title: Syntax error: mismatched input '<EOF>'"},
		{of: webhook.Source{}, config: posted("anybody: true, map: {title: name}"), want: "undeclared reference to 'name' (in container '') (column 1 of `name`)"},
		{of: webhook.Source{}, config: posted("map: {title: item.name}"), want: "say who may post"},
		{of: webhook.Source{}, config: posted("token_file: /not/there, map: {title: item.name}"), want: "no such file", again: true},
		{of: changes.Source{}, config: "kinds: [apps/v1/deployments]"},
		{of: changes.Source{}, config: "kinds: [Deployment]", want: "is no group/version/resource"},
		{of: events.Source{}, config: "{}"},
		{of: events.Source{}, config: "namespaces: {include: ['[']}", want: "["},
		{of: flux.Source{}, config: "{}"},
		{of: flux.Source{}, config: "kinds: [Deployment]", want: `"Deployment" is none of Kustomization`},
	} {
		checks, ok := c.of.(api.Checker)
		if !ok {
			t.Errorf("%T does not check", c.of)
			continue
		}
		err := checks.Check(context.Background(), api.CheckRequest{Config: []byte(c.config)})
		_, again := api.Retry(err)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) || again != c.again || err != nil && strings.Contains(err.Error(), "\n") {
			t.Errorf("%T, %s: %v (again %v), want %q", c.of, c.config, err, again, c.want)
		}
	}
}
