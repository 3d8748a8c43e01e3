package forge

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"ferry/internal/fault"
)

// AppOptions name an installation of a GitHub App.
type AppOptions struct {
	// ID is the App's ID or its client ID; GitHub takes either.
	ID           string
	Installation int64
	// Key returns the App's private key in PEM. It is asked for each new token, so
	// that a key can be replaced while ferry runs.
	Key func() ([]byte, error)
	// BaseURL, Transport and Clock are as in Options.
	BaseURL   string
	Transport http.RoundTripper
	Clock     func() time.Time
}

// App gets tokens for an installation of a GitHub App. It is safe for concurrent
// use: however many ask, there is one request for one new token.
type App struct {
	o    AppOptions
	url  string
	once singleflight.Group

	mu      sync.Mutex
	token   string
	expires time.Time
}

// A token is renewed this long before it expires, so that none expires on its way.
const renewBefore = 5 * time.Minute

// How long what an App says of itself is good for. GitHub allows ten minutes
// ahead; its clock may be behind ours.
const (
	assertionAge  = time.Minute
	assertionLife = 9 * time.Minute
)

// NewApp checks the options. It sends nothing, and does not look at the key.
func NewApp(o AppOptions) (*App, error) {
	if o.ID == "" || o.Installation <= 0 || o.Key == nil {
		return nil, errors.New("a GitHub App needs an ID, an installation and a key")
	}
	if o.Transport == nil {
		o.Transport = http.DefaultTransport
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.BaseURL == "" {
		o.BaseURL = "https://api.github.com/"
	}
	if _, err := url.Parse(o.BaseURL); err != nil {
		return nil, fmt.Errorf("GitHub's address %q: %w", o.BaseURL, err)
	}
	return &App{o: o, url: fmt.Sprintf("%s/app/installations/%d/access_tokens", strings.TrimSuffix(o.BaseURL, "/"), o.Installation)}, nil
}

// String names the identity, without secrets.
func (a *App) String() string {
	return fmt.Sprintf("GitHub App %s, installation %d", a.o.ID, a.o.Installation)
}

// GoString keeps the token out of %#v, too.
func (a *App) GoString() string { return a.String() }

// Token returns a token of the installation that is good for some minutes more.
func (a *App) Token(ctx context.Context) (string, error) {
	if token := a.known(); token != "" {
		return token, nil
	}
	// Who asks for it shares one request; none of them may end it for the others.
	got := a.once.DoChan("", func() (any, error) {
		if token := a.known(); token != "" {
			return token, nil
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 15*time.Second)
		defer cancel()
		return a.renew(ctx)
	})
	select {
	case r := <-got:
		token, _ := r.Val.(string)
		return token, r.Err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// Rejected says that GitHub did not accept a token: the next is a new one.
func (a *App) Rejected(token string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.token == token {
		a.token = ""
	}
}

func (a *App) known() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.token != "" && a.o.Clock().Before(a.expires.Add(-renewBefore)) {
		return a.token
	}
	return ""
}

func (a *App) renew(ctx context.Context) (string, error) {
	assertion, err := a.assertion()
	if err != nil {
		return "", fault.New(fault.Denied, "the key of the GitHub App cannot be used", "an operator has to put the App's private key (PEM) where github.app.key_file says").Because(err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.url, nil)
	if err != nil {
		return "", fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+assertion)
	req.Header.Set("Accept", "application/vnd.github+json")
	resp, err := a.o.Transport.RoundTrip(req)
	if err != nil {
		return "", fault.New(fault.Unavailable, "GitHub did not answer", "it is tried again").Because(fmt.Errorf("get a token for %s: %w", a, err))
	}
	defer resp.Body.Close()
	var got struct {
		Token     string    `json:"token"`
		ExpiresAt time.Time `json:"expires_at"`
		Message   string    `json:"message"`
	}
	err = json.NewDecoder(resp.Body).Decode(&got)
	if resp.StatusCode != http.StatusCreated {
		return "", a.refusal(resp.StatusCode, got.Message)
	}
	if err != nil || got.Token == "" {
		return "", fault.New(fault.Unavailable, "GitHub gave the App no token", "it is tried again").Because(fmt.Errorf("get a token for %s: %w", a, errors.Join(err, errors.New("no token in the answer"))))
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.token, a.expires = got.Token, got.ExpiresAt
	return got.Token, nil
}

func (a *App) refusal(status int, says string) error {
	cause := fmt.Errorf("get a token for %s: status %d: %s", a, status, says)
	switch {
	case status == http.StatusUnauthorized:
		return fault.New(fault.Denied, "GitHub does not accept the key of the GitHub App", "an operator has to check github.app.id and github.app.key_file, and the machine's clock").Because(cause)
	case status == http.StatusNotFound:
		return fault.Newf(fault.Denied, "the GitHub App has no installation %d", a.o.Installation).WithHelp("an operator has to check github.app.installation_id").Because(cause)
	case status == http.StatusForbidden:
		return fault.New(fault.Denied, "the installation of the GitHub App is suspended", "an owner of the organisation has to allow it again").Because(cause)
	}
	return fault.New(fault.Unavailable, "GitHub gave the App no token", "it is tried again").Because(cause)
}

// assertion is what the App shows of itself: a JSON Web Token (RFC 7519), signed
// with its key as RS256.
func (a *App) assertion() (string, error) {
	text, err := a.o.Key()
	if err != nil {
		return "", fmt.Errorf("read the key: %w", err)
	}
	key, err := parseKey(text)
	if err != nil {
		return "", err
	}
	now := a.o.Clock()
	claims, err := json.Marshal(map[string]any{
		"iat": now.Add(-assertionAge).Unix(), "exp": now.Add(assertionLife).Unix(), "iss": a.o.ID,
	})
	if err != nil {
		return "", fmt.Errorf("write claims: %w", err)
	}
	signed := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256","typ":"JWT"}`)) + "." + base64.RawURLEncoding.EncodeToString(claims)
	sum := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		return "", fmt.Errorf("sign: %w", err)
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}

// parseKey reads an RSA key as GitHub gives it out (PKCS #1) or as others store
// it (PKCS #8). Errors never quote it.
func parseKey(text []byte) (*rsa.PrivateKey, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("the key is not PEM")
	}
	if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("the key is a PEM %q, no RSA private key", block.Type)
	}
	key, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		return nil, errors.New("the key is not RSA, and GitHub knows no other")
	}
	return key, nil
}
