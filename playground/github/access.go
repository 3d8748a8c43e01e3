package github

import (
	"encoding/base64"
	"hash/fnv"
	"net/http"
	"strings"
)

// Access is what a token may do with the repositories.
type Access int

// NoAccess sees nothing, as if nothing were there.
const (
	NoAccess Access = iota
	ReadAccess
	WriteAccess
)

// Token is whose it is and what it may do.
type Token struct {
	// Login is the user; Name and Email, which sign the commits, follow from it where they are empty.
	Login, Name, Email string
	Access             Access
	// Scopes are told in X-OAuth-Scopes. A fine-grained token has none, and tells none.
	Scopes []string

	app bool // of an installation, which is no user
}

// id is the same for a login in every run.
func (t Token) id() int {
	h := fnv.New32a()
	h.Write([]byte(t.Login))
	return int(h.Sum32() >> 8)
}

func (t Token) signature() (name, email string) {
	name, email = t.Name, t.Email
	if name == "" {
		name = t.Login
	}
	if email == "" {
		email = t.Login + "@users.noreply.github.com"
	}
	return name, email
}

// credential is the secret that a request shows: a bearer, GitHub's "token", or the password of basic authentication.
func credential(r *http.Request) (secret string, shown bool) {
	header := r.Header.Get("Authorization")
	if header == "" {
		return "", false
	}
	scheme, rest, _ := strings.Cut(header, " ")
	switch strings.ToLower(scheme) {
	case "bearer", "token":
		return strings.TrimSpace(rest), true
	}
	_, password, _ := r.BasicAuth()
	return password, true
}

// known tells who asks. Without credentials that is nobody, with the access that the options leave them.
func (s *Server) known(r *http.Request) (who Token, secret string, err error) {
	secret, shown := credential(r)
	if !shown {
		if s.opts.AnonymousRead {
			who.Access = ReadAccess
		}
		return who, "", nil
	}
	who, ok := s.opts.Tokens[secret]
	if limit, limited := s.limited.Load(secret); ok && limited {
		who.Access = min(who.Access, limit.(Access))
	}
	if !ok {
		who, ok = s.minted.get(secret, s.opts.Now())
	}
	if !ok {
		return who, "", &apiError{status: http.StatusUnauthorized, message: "Bad credentials"}
	}
	return who, secret, nil
}

// Limit leaves a token no more than some access, from the next request on, as its
// owner may do at any time; WriteAccess takes that back.
func (s *Server) Limit(secret string, to Access) { s.limited.Store(secret, to) }

func nodeID(kind string, parts ...string) string {
	return kind + "_" + base64.RawURLEncoding.EncodeToString([]byte(strings.Join(parts, "\x00")))
}

func fromNodeID(kind, id string) ([]string, bool) {
	rest, ok := strings.CutPrefix(id, kind+"_")
	raw, err := base64.RawURLEncoding.DecodeString(rest)
	if !ok || err != nil {
		return nil, false
	}
	return strings.Split(string(raw), "\x00"), true
}
