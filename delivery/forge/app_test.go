package forge_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"ferry/delivery/forge"
	"ferry/internal/fault"
	"ferry/playground/github"
)

// appWorld is a world with an App; now is the clock of both sides.
type appWorld struct {
	*world
	key   *rsa.PrivateKey
	clock *clock
}

func newAppWorld(t *testing.T) *appWorld {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	a := &appWorld{key: key, clock: &clock{time.Now()}}
	a.world = newWorld(t, func(o *github.Options) {
		o.Now = a.clock.now
		o.Apps = []github.App{{ID: 12, ClientID: "Iv1.abc", Slug: "ferry", Key: &key.PublicKey, Installations: map[int64]github.Access{34: github.WriteAccess, 35: github.ReadAccess}}}
	})
	return a
}

func (a *appWorld) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(a.key)})
}

func (a *appWorld) app(change ...func(*forge.AppOptions)) *forge.App {
	a.t.Helper()
	o := forge.AppOptions{
		ID: "12", Installation: 34, Key: func() ([]byte, error) { return a.pem(), nil },
		BaseURL: a.url + "/api/v3/", Clock: a.clock.now,
	}
	for _, f := range change {
		f(&o)
	}
	app, err := forge.NewApp(o)
	if err != nil {
		a.t.Fatal(err)
	}
	return app
}

func (a *appWorld) tokens() int {
	return a.Requests()["POST /app/installations/{installation_id}/access_tokens"].Counted
}

func (a *appWorld) as(app *forge.App) *forge.Repository {
	return a.forge(func(o *forge.Options) { o.App, o.Token, o.Clock = app, nil, a.clock.now })
}

// TestAppToken gets one token for all, keeps it for most of its hour, and a new
// one before that ends, or when GitHub wants no more of it.
func TestAppToken(t *testing.T) {
	a := newAppWorld(t)
	app := a.app()
	r := a.as(app)
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			if _, err := r.Head(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := a.tokens(); n != 1 {
		t.Errorf("%d tokens for ten at once", n)
	}
	a.clock.at = a.clock.at.Add(50 * time.Minute)
	if _, err := r.Head(t.Context()); err != nil || a.tokens() != 1 {
		t.Errorf("after 50 minutes: %v, %d tokens", err, a.tokens())
	}
	a.clock.at = a.clock.at.Add(6 * time.Minute) // good for four more
	if _, err := r.Head(t.Context()); err != nil || a.tokens() != 2 {
		t.Errorf("after 56 minutes: %v, %d tokens", err, a.tokens())
	}
	a.RevokeTokens()
	if p, err := r.Propose(t.Context(), a.proposal()); err != nil || a.tokens() != 3 {
		t.Errorf("after they were revoked: %v, %d tokens", err, a.tokens())
	} else {
		a.one(p)
	}
	rows := r.Check(t.Context())
	if rows[0].Detail != "GitHub App 12, installation 34" || !rows[0].OK {
		t.Errorf("%+v", rows[0])
	}
}

// TestAppIsRefused ends with one more try, and says what an operator can do.
func TestAppIsRefused(t *testing.T) {
	a := newAppWorld(t)
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(a.key)
	if err != nil {
		t.Fatal(err)
	}
	key := func(data []byte, err error) func(*forge.AppOptions) {
		return func(o *forge.AppOptions) { o.Key = func() ([]byte, error) { return data, err } }
	}
	block := func(kind string, der []byte) []byte {
		return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	}
	for name, c := range map[string]struct {
		change func(*forge.AppOptions)
		kind   fault.Kind
		says   string
	}{
		"client ID":     {func(o *forge.AppOptions) { o.ID = "Iv1.abc" }, "", ""},
		"PKCS #8":       {key(block("PRIVATE KEY", pkcs8), nil), "", ""},
		"another key":   {key(block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(other)), nil), fault.Denied, "does not accept the key"},
		"another App":   {func(o *forge.AppOptions) { o.ID = "13" }, fault.Denied, "no installation"},
		"installation":  {func(o *forge.AppOptions) { o.Installation = 36 }, fault.Denied, "no installation 36"},
		"no key":        {key(nil, errors.New("no such file")), fault.Denied, "cannot be used"},
		"not PEM":       {key([]byte("secret words"), nil), fault.Denied, "cannot be used"},
		"another thing": {key(block("CERTIFICATE", []byte("secret words")), nil), fault.Denied, "cannot be used"},
		"clock is late": {func(o *forge.AppOptions) {
			o.Clock = func() time.Time { return a.clock.at.Add(-time.Hour) }
		}, fault.Denied, "does not accept the key"},
	} {
		_, err := a.app(c.change).Token(t.Context())
		if c.kind == "" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if !fault.Is(err, c.kind) || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "secret words") {
			t.Errorf("%s: %v", name, err)
		}
		if rows := a.as(a.app(c.change)).Check(t.Context()); rows[0].OK || rows[0].Help == "" {
			t.Errorf("%s: check says %+v", name, rows[0])
		}
	}
	for _, o := range []forge.AppOptions{{}, {ID: "1", Installation: 1}, {ID: "1", Key: func() ([]byte, error) { return nil, nil }}} {
		if _, err := forge.NewApp(o); err == nil {
			t.Errorf("%+v passes", o)
		}
	}
	// A token that GitHub goes on to reject is asked for twice, not for ever.
	before := a.tokens()
	a.Inject(github.Fault{Path: regexp.MustCompile(`/commits/`), Status: http.StatusUnauthorized, Body: `{"message":"Bad credentials"}`, Times: 9})
	if _, err := a.as(a.app()).Head(t.Context()); !fault.Is(err, fault.Denied) || a.tokens() != before+2 {
		t.Errorf("rejected: %v, %d tokens", err, a.tokens()-before)
	}
}

// TestAppSurvivesTrouble does not keep an error, nor let one caller's impatience
// be everybody's.
func TestAppSurvivesTrouble(t *testing.T) {
	a := newAppWorld(t)
	app := a.app()
	for _, f := range []github.Fault{{Status: 502}, {Cut: true}, {Status: 201, Body: "{}"}} {
		f.Path = regexp.MustCompile(`/access_tokens$`)
		a.Inject(f)
		if _, err := app.Token(t.Context()); !fault.Is(err, fault.Unavailable) {
			t.Errorf("%+v: %v", f, err)
		}
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := app.Token(gone); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("who left: %v", err)
	}
	token, err := app.Token(t.Context())
	if err != nil || token == "" {
		t.Errorf("afterwards: %v", err)
	}
	if s := fmt.Sprintf("%v %+v %#v %s", app, app, app, app); strings.Contains(s, token) {
		t.Errorf("it shows its token: %s", s)
	}
	if again, err := app.Token(t.Context()); err != nil || again != token {
		t.Errorf("the token is not kept: %v", err)
	}
}
