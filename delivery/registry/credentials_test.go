package registry

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"

	"ferry/internal/fault"
)

func secret(s string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return s, nil }
}

// basic lets in who knows the word.
func basic(user, word string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		u, p, ok := r.BasicAuth()
		if ok && u == user && p == word {
			return false
		}
		w.Header().Set("WWW-Authenticate", `Basic realm="registry"`)
		w.WriteHeader(http.StatusUnauthorized)
		return true
	}
}

// bearer is the flow of tokens: a challenge, a token for credentials, a request
// with it. Tokens are good while valid says so; without a user anybody gets one.
func bearer(h *hub, user, word string, valid func() string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/token" {
			u, p, _ := r.BasicAuth()
			if q := r.URL.Query(); u != user || p != word || q.Get("scope") != "repository:team/app:pull" || q.Get("service") != "hub" {
				w.WriteHeader(http.StatusUnauthorized)
				return true
			}
			fmt.Fprintf(w, `{"token":%q}`, valid())
			return true
		}
		if r.Header.Get("Authorization") == "Bearer "+valid() {
			return false
		}
		w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="%s/token",service="hub"`, h.URL))
		w.WriteHeader(http.StatusUnauthorized)
		return true
	}
}

func TestSigningIn(t *testing.T) {
	t.Parallel()
	given := func(user, word string) func(string) Options {
		return func(host string) Options {
			return Options{Credentials: map[string]Credential{host: {User: user, Secret: secret(word)}}}
		}
	}
	nobody := func(string) Options { return Options{} }
	always := func() string { return "t1" }
	for _, c := range []struct {
		name    string
		guard   func(h *hub) func(http.ResponseWriter, *http.Request) bool
		options func(host string) Options
		ok      bool
	}{
		{"basic", func(*hub) func(http.ResponseWriter, *http.Request) bool { return basic("me", "word") }, given("me", "word"), true},
		{"basic, wrong", func(*hub) func(http.ResponseWriter, *http.Request) bool { return basic("me", "word") }, given("me", "other"), false},
		{"basic, nobody", func(*hub) func(http.ResponseWriter, *http.Request) bool { return basic("me", "word") }, nobody, false},
		{"a token", func(h *hub) func(http.ResponseWriter, *http.Request) bool { return bearer(h, "me", "word", always) }, given("me", "word"), true},
		{"a token, wrong", func(h *hub) func(http.ResponseWriter, *http.Request) bool { return bearer(h, "me", "word", always) }, given("me", "x"), false},
		{"a token for anybody", func(h *hub) func(http.ResponseWriter, *http.Request) bool { return bearer(h, "", "", always) }, nobody, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHub(t)
			h.push(t, "team/app", single, "1.0.0")
			h.be(c.guard(h))
			r, _ := made(t, c.options(h.host()))
			f, err := r.Image(t.Context(), h.host()+"/team/app", "1.0.0")
			if !c.ok {
				explained(t, err, fault.Denied, h.host()+" does not let ferry read "+h.host()+"/team/app")
				if strings.Contains(err.Error(), "word") {
					t.Errorf("it tells the secret: %v", err)
				}
				return
			}
			if err != nil || !f.Exists {
				t.Errorf("%+v %v", f, err)
			}
		})
	}
}

// TestTokensExpire takes a token back: the next request gets a new one.
func TestTokensExpire(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	h.push(t, "team/app", single, "1.0.0", "1.0.1")
	token := "t1"
	h.be(bearer(h, "", "", func() string { return token }))
	r, _ := made(t, Options{})
	for _, version := range []string{"1.0.0", "1.0.1"} {
		if f, err := r.Image(t.Context(), h.host()+"/team/app", version); err != nil || !f.Exists {
			t.Errorf("%s: %+v %v", version, f, err)
		}
		token = "t2"
	}
}

// TestNewCredentials has them replaced in the file while ferry runs: who was not
// let in, or has been in for long, looks again.
func TestNewCredentials(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	h.push(t, "team/app", single, "1.0.0", "1.0.1", "1.0.2")
	file := dockerConfig(t, h.host(), "me", "old")
	r, clock := made(t, Options{DockerConfig: file})
	ask := func(version string) error {
		_, err := r.Image(t.Context(), h.host()+"/team/app", version)
		return err
	}
	h.be(basic("me", "new"))
	explained(t, ask("1.0.0"), fault.Denied)
	if err := os.Rename(dockerConfig(t, h.host(), "me", "new"), file); err != nil {
		t.Fatal(err)
	}
	if err := ask("1.0.0"); err != nil {
		t.Error(err)
	}
	h.asked()
	clock.pass(sessionLife)
	if err := ask("1.0.1"); err != nil || !slices.Contains(h.asked(), "GET /v2/") {
		t.Errorf("it did not sign in anew: %v", err)
	}
}

func dockerConfig(t *testing.T, key, user, word string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "config.json")
	auth := base64.StdEncoding.EncodeToString([]byte(user + ":" + word))
	if err := os.WriteFile(file, fmt.Appendf(nil, `{"auths":{%q:{"auth":%q}}}`, key, auth), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestWhereCredentialsStand has them at the host, at a path, under Docker Hub's
// own key, and beside all of these.
func TestWhereCredentialsStand(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		key, host, path string
		found           bool
	}{
		{"ghcr.io", "ghcr.io", "team/app", true},
		{"https://ghcr.io", "ghcr.io", "team/app", true},
		{"ghcr.io/team", "ghcr.io", "team/app", true},
		{"ghcr.io/team/app", "ghcr.io", "team/app", true},
		{"https://index.docker.io/v1/", "index.docker.io", "library/nginx", true},
		{"docker.io", "index.docker.io", "library/nginx", true},
		{"ghcr.io/other", "ghcr.io", "team/app", false},
		{"ghcr.io", "ghcr.io.evil.example", "team/app", false},
		{"ghcr.io", "quay.io", "team/app", false},
	} {
		k := newKeychain(Options{DockerConfig: dockerConfig(t, c.key, "me", "word")})
		who, err := k.find(t.Context(), c.host, c.path)
		if err != nil {
			t.Fatal(err)
		}
		got, err := who.Authorization()
		if err != nil || (got.Username == "me" && got.Password == "word") != c.found {
			t.Errorf("%s for %s/%s: %v %v", c.key, c.host, c.path, got.Username, err)
		}
	}
}

// TestEmptyCredentials are none: the next wider ones count.
func TestEmptyCredentials(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "config.json")
	if err := os.WriteFile(file, []byte(`{"auths":{"ghcr.io/team":{},"ghcr.io":{"auth":"bWU6d29yZA=="}}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, o := range []Options{
		{DockerConfig: file},
		{DockerConfig: "/nowhere", Credentials: map[string]Credential{"ghcr.io": {User: "me", Secret: secret("word")}}},
	} {
		who, err := newKeychain(o).find(t.Context(), "ghcr.io", "team/app")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := who.Authorization(); err != nil || got.Username != "me" {
			t.Errorf("%+v %v", got, err)
		}
	}
	k := newKeychain(Options{Credentials: map[string]Credential{"docker.io": {User: "me", Secret: secret("word")}}})
	if who, err := k.find(t.Context(), "index.docker.io", "library/nginx"); err != nil || who == authn.Anonymous {
		t.Errorf("Docker Hub by its other name: %v %v", who, err)
	}
}

// TestHelper runs a credential helper, as the file names it.
func TestHelper(t *testing.T) {
	dir := t.TempDir()
	script := "#!/bin/sh\nread host\n[ \"$host\" = fails.example ] && { echo broken; exit 1; }\necho '{\"ServerURL\":\"x\",\"Username\":\"me\",\"Secret\":\"word\"}'\n"
	file := filepath.Join(dir, "config.json")
	for path, text := range map[string]string{
		filepath.Join(dir, "docker-credential-ours"): script,
		file: `{"credHelpers":{"ghcr.io":"ours","fails.example":"ours","lost.example":"nowhere"}}`,
	} {
		if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	k := newKeychain(Options{DockerConfig: file})
	who, err := k.find(t.Context(), "ghcr.io", "team/app")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := who.Authorization(); err != nil || got.Username != "me" || got.Password != "word" {
		t.Errorf("%+v %v", got, err)
	}
	for _, host := range []string{"fails.example", "lost.example"} {
		_, err = k.find(t.Context(), host, "team/app")
		explained(t, err, fault.Unavailable, "the credential helper for "+host+" failed")
	}
}

func TestCredentialsThatCannotBeRead(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	invalid := filepath.Join(t.TempDir(), "config.json")
	if err := os.WriteFile(invalid, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{invalid, "/nowhere/config.json"} {
		r, _ := made(t, Options{DockerConfig: file})
		_, err := r.Image(t.Context(), h.host()+"/team/app", "1.0.0")
		explained(t, err, fault.Unavailable, "the credentials in "+file+" cannot be read", "docker login")
	}
	r, _ := made(t, Options{Credentials: map[string]Credential{h.host(): {User: "me", Secret: func(context.Context) (string, error) {
		return "", errors.New("the vault is closed")
	}}}})
	_, err := r.Image(t.Context(), h.host()+"/team/app", "1.0.0")
	explained(t, err, fault.Unavailable, "the vault is closed")
	if asked := h.asked(); len(asked) > 0 {
		t.Errorf("it was asked as nobody: %q", asked)
	}
}

// TestIndexCredentials go to the host they are for, and over plain HTTP only
// where that is meant.
func TestIndexCredentials(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	var got string
	h.be(func(w http.ResponseWriter, r *http.Request) bool {
		got = r.Header.Get("Authorization")
		fmt.Fprint(w, "entries: {}\n")
		return true
	})
	r, _ := made(t, Options{Credentials: map[string]Credential{h.host(): {User: "me", Secret: secret("word")}}})
	if _, err := r.Chart(t.Context(), Chart{h.URL, "app"}, "1.0.0"); err != nil || got != "Basic bWU6d29yZA==" {
		t.Errorf("%q %v", got, err)
	}
	w := &wire{handler: h}
	r, _ = made(t, Options{Transport: w, Credentials: map[string]Credential{"charts.example": {User: "me", Secret: secret("word")}}})
	got = "nothing came"
	if _, err := r.Chart(t.Context(), Chart{"http://charts.example", "app"}, "1.0.0"); err != nil || got != "" {
		t.Errorf("%q %v", got, err)
	}
}
