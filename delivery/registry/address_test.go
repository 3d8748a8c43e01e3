package registry

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestAddresses(t *testing.T) {
	t.Parallel()
	a, err := newAddresses(map[string]string{
		"docker.io": "https://cache.example/hub", "ghcr.io": "http://127.0.0.1:5000", "registry.acme.internal:5000": "https://cache.example/a/b/",
		"https://charts.example/team": "http://127.0.0.1:5000/charts", "https://charts.example/team/one": "https://one.example",
	}, []string{"plain.example"})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"nginx":                                   "https://cache.example/v2/hub/library/nginx/x",
		"docker.io/bitnami/redis":                 "https://cache.example/v2/hub/bitnami/redis/x",
		"index.docker.io/bitnami/redis":           "https://cache.example/v2/hub/bitnami/redis/x",
		"registry-1.docker.io/bitnami/redis":      "https://cache.example/v2/hub/bitnami/redis/x",
		"bitnami/redis":                           "https://cache.example/v2/hub/bitnami/redis/x",
		"ghcr.io/stefanprodan/podinfo":            "http://127.0.0.1:5000/v2/stefanprodan/podinfo/x",
		"registry.acme.internal:5000/pay/ledger":  "https://cache.example/v2/a/b/pay/ledger/x",
		"registry.acme.internal/pay/ledger":       "https://registry.acme.internal/v2/pay/ledger/x",
		"quay.io/jetstack/cert-manager":           "https://quay.io/v2/jetstack/cert-manager/x",
		"plain.example/team/app":                  "http://plain.example/v2/team/app/x",
		"ghcr.io.evil.example/stefanprodan/thing": "https://ghcr.io.evil.example/v2/stefanprodan/thing/x",
	} {
		p, err := a.image(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := address(p.repo, "x").String(); got != want || p.shown != name {
			t.Errorf("%s is asked for at %s as %s, not at %s", name, got, p.shown, want)
		}
	}
	for url, want := range map[string]string{
		"https://charts.example/team":     "http://127.0.0.1:5000/charts/index.yaml",
		"https://charts.example/team/":    "http://127.0.0.1:5000/charts/index.yaml",
		"https://charts.example/team/two": "http://127.0.0.1:5000/charts/two/index.yaml",
		"https://charts.example/team/one": "https://one.example/index.yaml",
		"https://charts.example/teams":    "https://charts.example/teams/index.yaml",
		"https://other.example/x/":        "https://other.example/x/index.yaml",
		"https://other.example/x?secret":  "https://other.example/x/index.yaml?secret",
	} {
		got, shown, err := a.chart(strings.Replace(url, "://", "://me:word@", 1))
		if plain, _, _ := strings.Cut(strings.TrimSuffix(url, "/"), "?"); err != nil || got.String() != want || shown != plain {
			t.Errorf("%s is asked for at %s as %s (%v), not at %s", url, got, shown, err, want)
		}
	}
}

func TestMirrorsThatCannotBe(t *testing.T) {
	t.Parallel()
	for from, to := range map[string]string{
		"ghcr.io": "cache.example", "a.example": "", "b.example": "ftp://cache.example", "c.example": "https://me:word@cache.example",
		"d.example": "https://cache.example?x=1", "e.example/path": "https://cache.example", "": "https://cache.example", "oci://ghcr.io": "https://cache.example",
	} {
		if _, err := New(Options{Mirrors: map[string]string{from: to}}); err == nil {
			t.Errorf("%s as the mirror of %s is accepted", to, from)
		}
	}
}

func TestLoopback(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]bool{
		"127.0.0.1:5000": true, "127.3.2.1": true, "[::1]:5000": true, "localhost": true, "localhost:80": true, "x.localhost:80": true,
		"10.0.0.1:5000": false, "127.0.0.1.evil.example": false, "localhost.example": false, "ghcr.io": false,
	} {
		if loopback(host) != want {
			t.Errorf("loopback(%s) is %t", host, !want)
		}
	}
}

// TestMirrorIsAsked has the registry and the chart repository elsewhere, with a
// path before their names.
func TestMirrorIsAsked(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	h.push(t, "hub/library/nginx", single, "1.27.0")
	charts := newHelm(t, podinfoIndex)
	r, _ := made(t, Options{Mirrors: map[string]string{"docker.io": h.URL + "/hub", "https://charts.example": charts.URL + "/charts"}})
	if f, err := r.Image(t.Context(), "nginx", "1.27.0"); err != nil || !f.Exists {
		t.Errorf("%+v %v", f, err)
	}
	if f, err := r.Image(t.Context(), "nginx", "1.28.0"); err != nil || f.Says != "nginx has no tag `1.28.0`" || !slices.Equal(f.Near, []string{"1.27.0"}) {
		t.Errorf("%+v %v", f, err)
	}
	if f, err := r.Chart(t.Context(), Chart{"https://charts.example/", "podinfo"}, "6.5.4"); err != nil || !f.Exists {
		t.Errorf("%+v %v", f, err)
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	h, locked, charts := newHub(t), newHub(t), newHelm(t, podinfoIndex)
	locked.be(basic("me", "word"))
	shop := newHub(t)
	shop.be(answering(http.StatusNotFound))
	nothing := filepath.Join(t.TempDir(), "config.json")
	if err := os.WriteFile(nothing, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		options Options
		ok      bool
		words   []string // of each row
	}{
		{Options{}, true, nil},
		{Options{DockerConfig: dockerConfig(t, "ghcr.io", "me", "word")}, true, []string{"for ghcr.io"}},
		{Options{DockerConfig: nothing}, false, []string{"there are none in it"}},
		{Options{DockerConfig: "/nowhere"}, false, []string{"the credentials in /nowhere cannot be read"}},
		{Options{Mirrors: map[string]string{"a.example": h.URL, "b.example": locked.URL, "https://c.example": charts.URL + "/charts"}}, true, []string{
			h.URL + " answers", locked.URL + " answers, and wants to know who asks", "lists 1 charts",
		}},
		{Options{Mirrors: map[string]string{"a.example": shop.URL, "https://c.example": charts.URL}}, false, []string{"answers with 404", "answers with 404"}},
	} {
		r, _ := made(t, c.options)
		rows := r.Check(t.Context())
		if len(rows) != len(c.words) {
			t.Fatalf("%d rows, want %d: %+v", len(rows), len(c.words), rows)
		}
		for i, row := range rows {
			if row.OK != c.ok || !strings.Contains(row.Detail, c.words[i]) || !row.OK && row.Help == "" {
				t.Errorf("%+v, want %q", row, c.words[i])
			}
		}
	}
}
