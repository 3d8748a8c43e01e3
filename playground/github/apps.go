package github

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// App is a GitHub App whose installations may get tokens.
type App struct {
	ID       int64
	ClientID string
	Slug     string
	// Key is the public half of the App's key.
	Key *rsa.PublicKey
	// Installations by ID; what a token of each may do. The login is the slug's.
	Installations map[int64]Access
}

// minted are the tokens of installations.
type minted struct {
	mu     sync.Mutex
	tokens map[string]mintedToken
}

type mintedToken struct {
	Token
	expires time.Time
}

const installationTokenLife = time.Hour

func (m *minted) get(secret string, now time.Time) (Token, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t, ok := m.tokens[secret]
	return t.Token, ok && now.Before(t.expires)
}

func (m *minted) add(t Token, expires time.Time) string {
	var b [18]byte
	_, _ = rand.Read(b[:])
	secret := "ghs_" + hex.EncodeToString(b[:])
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.tokens == nil {
		m.tokens = map[string]mintedToken{}
	}
	m.tokens[secret] = mintedToken{t, expires}
	return secret
}

// RevokeTokens makes every token of every installation worthless at once.
func (s *Server) RevokeTokens() {
	s.minted.mu.Lock()
	defer s.minted.mu.Unlock()
	clear(s.minted.tokens)
}

// jwtLife is how far ahead GitHub lets an assertion expire, and jwtSkew how far its clock may be behind.
const (
	jwtLife = 10 * time.Minute
	jwtSkew = 30 * time.Second
)

// app finds the App that signed the request, as GitHub judges it.
func (c *call) app() (App, error) {
	no := func(says string) (App, error) { return App{}, fail(http.StatusUnauthorized, "%s", says) }
	secret, shown := credential(c.Request)
	parts := strings.Split(secret, ".")
	if !shown || len(parts) != 3 {
		return no("A JSON web token could not be decoded")
	}
	var header struct{ Alg string }
	var claims struct {
		Iat, Exp *int64
		Iss      any
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || !part(parts[0], &header) || !part(parts[1], &claims) || header.Alg != "RS256" {
		return no("A JSON web token could not be decoded")
	}
	now := c.srv.opts.Now()
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	for _, a := range c.srv.opts.Apps {
		if iss := fmt.Sprint(claims.Iss); iss != fmt.Sprint(a.ID) && iss != a.ClientID {
			continue
		}
		switch {
		case rsa.VerifyPKCS1v15(a.Key, crypto.SHA256, sum[:], signature) != nil:
			return no("A JSON web token could not be decoded")
		case claims.Exp == nil || !time.Unix(*claims.Exp, 0).After(now):
			return no("'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires")
		case time.Unix(*claims.Exp, 0).After(now.Add(jwtLife)):
			return no("'Expiration time' claim ('exp') is too far in the future")
		case claims.Iat == nil || time.Unix(*claims.Iat, 0).After(now.Add(jwtSkew)):
			return no("'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued")
		}
		return a, nil
	}
	return App{}, fail(http.StatusNotFound, "Integration not found")
}

// part reads one part of a token; large numbers stay as they are written.
func part(text string, into any) bool {
	data, err := base64.RawURLEncoding.DecodeString(text)
	d := json.NewDecoder(strings.NewReader(string(data)))
	d.UseNumber()
	return err == nil && d.Decode(into) == nil
}

func createInstallationToken(c *call) (reply, error) {
	a, err := c.app()
	if err != nil {
		return reply{}, err
	}
	access, ok := a.Installations[int64(c.number("installation_id"))]
	if !ok {
		return reply{}, errNotFound
	}
	expires := c.srv.opts.Now().Add(installationTokenLife)
	secret := c.srv.minted.add(Token{Login: a.Slug + "[bot]", Access: access, app: true}, expires)
	word := "read"
	if access == WriteAccess {
		word = "write"
	}
	return reply{status: http.StatusCreated, json: record{
		"token": secret, "expires_at": stamp(expires), "repository_selection": "all",
		"permissions": record{"contents": word, "pull_requests": word, "metadata": "read"},
	}}, nil
}
