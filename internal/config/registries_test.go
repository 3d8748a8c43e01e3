package config

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRegistries(t *testing.T) {
	c, err := Load(write(t, small), tokens)
	if err != nil {
		t.Fatal(err)
	}
	if r := c.Registries; r.Lookup != LookupWarn || len(r.Mirrors) != 0 || r.DockerConfig != "" {
		t.Errorf("where nothing is said: %+v", r)
	}
	credentials := filepath.Join(t.TempDir(), "config.json")
	if err := os.WriteFile(credentials, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err = Load(write(t, small+`registries:
  lookup: off
  mirrors:
    ghcr.io: http://127.0.0.1:5000
    registry.acme.internal:5000: https://cache.example/acme
    https://charts.example/team: https://cache.example/charts/
  docker_config: `+credentials+"\n"), tokens)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"ghcr.io": "http://127.0.0.1:5000", "registry.acme.internal:5000": "https://cache.example/acme", "https://charts.example/team": "https://cache.example/charts/",
	}
	if r := c.Registries; r.Lookup != LookupOff || !maps.Equal(r.Mirrors, want) || r.DockerConfig != credentials {
		t.Errorf("%+v", r)
	}
	if at := c.At("registries.mirrors.ghcr.io"); !strings.HasSuffix(at, "config.yaml:7") {
		t.Errorf("the mirror of ghcr.io is on %s", at)
	}
}

func TestRegistryProblems(t *testing.T) {
	const host = `is neither the host of a registry nor the address of a chart repository; ` +
		`write a host alone, such as ghcr.io or registry.example:5000, or a whole address, such as https://example.com/charts`
	for _, c := range []struct{ name, text, want string }{
		{"unknown mode", "{lookup: maybe}", `registries.lookup: "maybe" is unknown; write off, warn or require`},
		{"a switch", "{lookup: false}", `registries.lookup: "false" is true or false; a text is wanted: put it in quotes, "false"`},
		{"unknown key", "{mirror: {}}", `unknown key "mirror" in registries; did you mean "mirrors"?`},
		{"list of mirrors", "{mirrors: [ghcr.io]}", `registries.mirrors: this is a list; texts and what belongs to them are wanted: {this: that}`},
		{"mirror without address", "{mirrors: {ghcr.io: }}", `registries.mirrors.ghcr.io is empty; write a value, or take it out`},
		{"mirror with several", "{mirrors: {ghcr.io: [a, b]}}", `registries.mirrors.ghcr.io: this is a list; one value is wanted`},
		{"mirror twice", "{mirrors: {ghcr.io: 'http://a', ghcr.io: 'http://b'}}", `registries.mirrors.ghcr.io stands here a second time; keep this one or the one on line 4`},
		{"mirror without scheme", "{mirrors: {ghcr.io: '127.0.0.1:5000'}}", `registries.mirrors.ghcr.io: "127.0.0.1:5000" is no address; write it whole, such as https://example.com/api/`},
		{"mirror with user", "{mirrors: {ghcr.io: 'https://me@cache.example'}}", `registries.mirrors.ghcr.io: the address has a user, a query or a fragment; write scheme, host and path alone; tokens have keys of their own`},
		{"mirror of a path", "{mirrors: {ghcr.io/acme: 'http://a'}}", `registries.mirrors: "ghcr.io/acme" ` + host},
		{"mirror of an OCI address", "{mirrors: {'oci://ghcr.io': 'http://a'}}", `registries.mirrors: "oci://ghcr.io" ` + host},
		{"credentials are not there", "{docker_config: /not/there}", `registries.docker_config: /not/there cannot be read: no such file or directory; name a file as docker login writes it, which ferry may read`},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := write(t, small+"registries: "+c.text+"\n")
			_, err := Load(path, tokens)
			if got := strings.ReplaceAll(message(err), path+":4: ", ""); got != c.want {
				t.Errorf("got:  %s\nwant: %s", got, c.want)
			}
		})
	}
}
