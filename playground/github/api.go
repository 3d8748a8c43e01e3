package github

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// maxBody bounds what one request may bring.
const maxBody = 128 << 20

type (
	record = map[string]any
	list   = []any
)

// call is one request to the API, known and admitted.
type call struct {
	*http.Request
	srv    *Server
	repo   *Repo // nil outside /repos/
	who    Token
	secret string
	host   string // "http://127.0.0.1:1234"
}

// reply is what a route answers: json, or raw with its content type. The zero status is 200.
type reply struct {
	status      int
	header      http.Header
	json        any
	raw         []byte
	contentType string
	etag        string // whole, with its quotes; empty: of the body
}

// apiError is an answer that GitHub gives as an error; whatever else a route returns is a 500.
type apiError struct {
	status  int
	message string
	errors  list // for 422: what is wrong with which field
	docs    string
	header  http.Header
}

func (e *apiError) Error() string { return e.message }

var errNotFound = errors.New("not found")

func fail(status int, format string, args ...any) error {
	return &apiError{status: status, message: fmt.Sprintf(format, args...)}
}

// invalid is GitHub's 422 on one field.
func invalid(resource, field, code string) error {
	return &apiError{
		status: http.StatusUnprocessableEntity, message: "Invalid request.",
		errors: list{record{"resource": resource, "field": field, "code": code}},
	}
}

// asReply turns any error into the answer a client gets.
func asReply(err error) reply {
	var known *apiError
	switch {
	case errors.As(err, &known):
	case errors.Is(err, errMissing), errors.Is(err, errNotFound), errors.Is(err, errNoPath):
		known = &apiError{status: http.StatusNotFound, message: "Not Found"}
	default:
		known = &apiError{status: http.StatusInternalServerError, message: "Server Error: " + err.Error()}
	}
	docs := known.docs
	if docs == "" {
		docs = "https://docs.github.com/rest"
	}
	body := record{"message": known.message, "documentation_url": docs, "status": strconv.Itoa(known.status)}
	if known.errors != nil {
		body["errors"] = known.errors
	}
	return reply{status: known.status, json: body, header: known.header}
}

// api serves one route: who is it, may they, what is the answer, is it news, what does it cost.
func (s *Server) api(rt route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := &call{Request: r, srv: s, host: hostOf(r)}
		var err error
		if !rt.forApp() {
			c.who, c.secret, err = s.known(r)
		}
		key := limitKey{c.secret, rt.resource()}
		var out reply
		switch {
		case err != nil:
			out = asReply(err)
		case rt.free:
			out = s.answer(c, rt)
		case s.limits.state(key, s.opts.Now()).used >= s.opts.HourlyLimit:
			out = asReply(&apiError{
				status:  http.StatusForbidden,
				message: fmt.Sprintf("API rate limit exceeded for user ID %d.", c.who.id()),
				docs:    "https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api",
			})
		default:
			out = s.answer(c, rt)
		}
		s.send(w, c, rt, key, out)
	})
}

func (s *Server) answer(c *call, rt route) reply {
	if err := s.admit(c, rt); err != nil {
		return asReply(err)
	}
	out, err := rt.serve(c)
	if err != nil {
		return asReply(err)
	}
	return out
}

// admit finds the repository, if the route is about one, and holds the token against what the route needs.
// Who may not even read is told that nothing is there.
func (s *Server) admit(c *call, rt route) error {
	if rt.need == NoAccess {
		return nil
	}
	if c.secret == "" && rt.need == WriteAccess {
		return fail(http.StatusUnauthorized, "Requires authentication")
	}
	c.repo = s.Repo(c.PathValue("owner") + "/" + c.PathValue("repo"))
	if c.repo == nil || c.who.Access == NoAccess {
		return errNotFound
	}
	if c.who.Access < rt.need {
		return fail(http.StatusForbidden, "Resource not accessible by personal access token")
	}
	return nil
}

// send writes the answer, or 304 if the client has it already. A 304 costs a known client nothing.
func (s *Server) send(w http.ResponseWriter, c *call, rt route, key limitKey, out reply) {
	body, contentType := out.raw, out.contentType
	if out.json != nil {
		body, contentType = encode(out.json), "application/json; charset=utf-8"
	}
	h := w.Header()
	for k, v := range out.header {
		h[k] = v
	}
	if out.status == 0 {
		out.status = http.StatusOK
	}
	fresh := true
	if c.Method == http.MethodGet && out.status == http.StatusOK {
		if out.etag == "" {
			out.etag = fmt.Sprintf(`W/"%x"`, sha256.Sum256(body))
		}
		h.Set("ETag", out.etag)
		h.Set("Cache-Control", "private, max-age=60, s-maxage=60")
		h.Set("Vary", "Accept, Authorization, Cookie, X-GitHub-OTP,Accept-Encoding, Accept, X-Requested-With")
		fresh = !matches(c.Header.Get("If-None-Match"), out.etag)
	}
	s.account(h, c, rt, key, !fresh)
	if !fresh {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	if len(body) > 0 {
		h.Set("Content-Type", contentType)
		h.Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.WriteHeader(out.status)
	_, _ = w.Write(body)
}

func (s *Server) account(h http.Header, c *call, rt route, key limitKey, notModified bool) {
	now := s.opts.Now()
	at := s.limits.state(key, now)
	if !rt.free && !(notModified && c.secret != "") {
		at = s.limits.spend(key, now)
	}
	s.counts.add(rt.name(), notModified)
	at.header(h, s.opts.HourlyLimit, rt.resource())
	h.Set("X-GitHub-Request-Id", requestID())
	h.Set("X-GitHub-Media-Type", "github.v3; format=json")
	h.Set("X-GitHub-Api-Version-Selected", "2022-11-28")
	if c.who.Scopes != nil {
		h.Set("X-OAuth-Scopes", strings.Join(c.who.Scopes, ", "))
		h.Set("X-Accepted-OAuth-Scopes", "")
	}
}

// matches compares ETags weakly, as If-None-Match does.
func matches(header, etag string) bool {
	for have := range strings.SplitSeq(header, ",") {
		if have = strings.TrimSpace(have); have == "*" || have != "" && strings.TrimPrefix(have, "W/") == strings.TrimPrefix(etag, "W/") {
			return true
		}
	}
	return false
}

func encode(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		// Everything that is sent is made of maps, lists and strings.
		panic(err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// read decodes the body of a request. Unknown fields pass, and no body at all, as at GitHub.
func (c *call) read(into any) error {
	body, err := io.ReadAll(io.LimitReader(c.Body, maxBody))
	if err != nil {
		return fail(http.StatusBadRequest, "Problems parsing JSON")
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return nil
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fail(http.StatusBadRequest, "Problems parsing JSON")
	}
	return nil
}

// wants tells whether the client asks for a media type: "raw", "sha", "diff".
func (c *call) wants(kind string) bool {
	for accept := range strings.SplitSeq(c.Header.Get("Accept"), ",") {
		media, _, err := mime.ParseMediaType(strings.TrimSpace(accept))
		if err != nil {
			continue
		}
		rest, ok := strings.CutPrefix(media, "application/vnd.github.")
		rest = strings.TrimSuffix(strings.TrimPrefix(rest, "v3."), "+json")
		if ok && rest == kind {
			return true
		}
	}
	return false
}

// url is an address in the repository's API, its parts escaped.
func (c *call) url(parts ...string) string {
	return c.srv.repoURL(c.host, c.repo) + "/" + strings.Join(parts, "/")
}

// html is an address on the site.
func (c *call) html(parts ...string) string {
	return strings.Join(append([]string{c.host, c.repo.fullName()}, parts...), "/")
}

func (s *Server) repoURL(host string, r *Repo) string { return host + "/api/v3/repos/" + r.fullName() }

func hostOf(r *http.Request) string {
	scheme := "http://"
	if r.TLS != nil {
		scheme = "https://"
	}
	return scheme + r.Host
}

// escapePath escapes each part of a path, keeping its slashes.
func escapePath(p string) string {
	parts := strings.Split(p, "/")
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	return strings.Join(parts, "/")
}
