package point

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Reading is the point of everything that changes nothing.
const Reading = "read"

// Posting is somebody's post to a source, and its answer; Telling a delivery to an
// address.
const (
	Posting = "source/webhook"
	Telling = "sink/webhook"
)

var mutation = regexp.MustCompile(`"query":"mutation[^{]*\{\s*(?:\w+\s*:\s*)?(\w+)`)

// OfGitHub names a request: the mutation, or the method and what it is
// about.
func OfGitHub(r *http.Request) string {
	if strings.HasSuffix(r.URL.Path, "/graphql") {
		if m := mutation.FindSubmatch(Body(r)); m != nil {
			return "github/" + string(m[1])
		}
		return Reading
	}
	if r.Method == http.MethodGet {
		return Reading
	}
	parts := strings.Split(strings.TrimPrefix(r.URL.Path, "/api/v3/"), "/")
	if len(parts) > 3 && parts[0] == "repos" {
		parts = parts[3:]
	}
	what := parts[0]
	switch {
	case what == "git" && len(parts) > 1:
		what = parts[1]
	case len(parts) > 2 && (what == "pulls" || what == "issues"):
		what = parts[2]
	case what == "app":
		what = parts[len(parts)-1]
	}
	return "github/" + r.Method + "/" + what
}

// OfSlack names a call: the method and, of a message that is posted, what
// the last part of its key says it is.
func OfSlack(r *http.Request) string {
	method, api := strings.CutPrefix(r.URL.Path, "/api/")
	switch {
	case strings.HasPrefix(r.URL.Path, "/actions/"):
		return "slack/response_url"
	case !api:
		return Reading
	case method == "chat.postMessage":
		form, err := url.ParseQuery(string(Body(r)))
		if err != nil {
			return "slack/" + method
		}
		return "slack/" + method + "/" + KindOf(form.Get("metadata"))
	}
	family, _, _ := strings.Cut(method, ".")
	if slices.Contains([]string{"auth", "apps", "users", "conversations", "usergroups", "bots", "team"}, family) {
		return Reading
	}
	return "slack/" + method
}

var keyed = regexp.MustCompile(`"key":"([^"]+)"`)

// KeyOf is the key of a message, from its metadata.
func KeyOf(metadata string) string {
	if m := keyed.FindStringSubmatch(strings.ReplaceAll(metadata, `": "`, `":"`)); m != nil {
		return m[1]
	}
	return ""
}

// KindOf is what a message is: the last part of its key, without what tells the
// questions of a job apart.
func KindOf(metadata string) string {
	parts := strings.Split(KeyOf(metadata), "/")
	if parts[0] == "event" { // receiver, sink, incident, and what of it
		if len(parts) > 4 {
			return parts[4]
		}
		return "incident"
	}
	if n := len(parts); n > 1 && parts[n-2] == "approval" {
		return "approval"
	}
	return parts[len(parts)-1]
}

// OfCluster names a request to a cluster by its method and resource. Asking
// whether something is allowed changes nothing.
func OfCluster(r *http.Request) string {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	if r.Method == http.MethodGet || strings.Contains(r.URL.Path, "/authorization.k8s.io/") {
		return Reading
	}
	if i := slices.Index(parts, "namespaces"); i >= 0 && len(parts) > i+2 {
		return "cluster/" + r.Method + "/" + parts[i+2]
	}
	return "cluster/" + r.Method + "/" + parts[len(parts)-1]
}

// Body reads a request's body and puts it back.
func Body(r *http.Request) []byte {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return nil // the handler meets the same
	}
	r.Body = io.NopCloser(bytes.NewReader(raw))
	return raw
}
