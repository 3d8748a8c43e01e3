// Package wall stands between kubectl's library and a cluster. It knows nothing of
// command lines: it sees HTTP requests and decides by method, path and headers
// whether the grant covers them, and it takes the data of Secrets out of every
// answer before kubectl sees it, so that no output format and no order of rows can
// show any of it.
//
// What it does not let through is answered as an API server would, with 403, so
// that kubectl goes on or gives up as it does when RBAC says no.
package wall

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"ferry/plugins/kubectl/rules"
)

// maxAnswer is the most that is read of an answer that is changed as a whole.
const maxAnswer = 64 << 20

// Wall is a http.RoundTripper. Next makes the requests that pass; it sees to no
// redirects and adds no credentials, which stand in the request already.
type Wall struct {
	Grant rules.Grant
	// Server is the one place requests may go to.
	Server *url.URL
	Next   http.RoundTripper
}

// RoundTrip lets a request through or answers it.
func (w *Wall) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := w.whoAndWhere(req); err != nil {
		return refused(req, err), nil
	}
	inner := req.Clone(req.Context())
	var below bool
	if inner.URL.Path, below = strings.CutPrefix(req.URL.Path, strings.TrimSuffix(w.Server.Path, "/")); !below {
		return refused(req, errors.New("it goes past the cluster, to another one on its host")), nil
	}
	r, err := judge(w.Grant, inner)
	if err != nil {
		return refused(req, err), nil
	}
	out := req.Clone(req.Context())
	plain := r.paper || r.subresource == "log"
	a := answer{secrets: r.kind.Plural == rules.Secrets && r.kind.Group == ""}
	if !plain {
		out.Header.Set("Accept", readable(req.Header.Values("Accept")))
		a.whole, a.extra = wholeRows(out, r)
	}
	out.Header.Del("Accept-Encoding") // the transport's own is undone by itself
	resp, err := w.Next.RoundTrip(out)
	if err != nil || plain {
		return resp, err
	}
	return w.clean(resp, a)
}

// whoAndWhere checks that a request goes to the cluster, as whom it has to.
func (w *Wall) whoAndWhere(req *http.Request) error {
	if req.URL.Host != w.Server.Host || req.URL.Scheme != w.Server.Scheme {
		return fmt.Errorf("it goes to %s, and the cluster is %s", req.URL.Host, w.Server.Host)
	}
	groups := req.Header.Values("Impersonate-Group")
	if req.Header.Get("Impersonate-User") != w.Grant.As.User || !slices.Equal(groups, w.Grant.As.Groups) && len(groups)+len(w.Grant.As.Groups) > 0 {
		return errors.New("it is made as somebody else")
	}
	for name := range req.Header {
		if strings.HasPrefix(name, "Impersonate-") && name != "Impersonate-User" && name != "Impersonate-Group" {
			return errors.New("it is made as somebody else")
		}
	}
	return nil
}

// readable leaves of an Accept header what can be read here: JSON.
func readable(accept []string) string {
	var out []string
	for part := range strings.SplitSeq(strings.Join(accept, ","), ",") {
		if kind, _, err := mime.ParseMediaType(part); err == nil && kind == "application/json" {
			out = append(out, strings.TrimSpace(part))
		}
	}
	if len(out) == 0 {
		return "application/json"
	}
	return strings.Join(out, ",")
}

// clean redacts an answer about objects. One that is no JSON is not passed on.
func (w *Wall) clean(resp *http.Response, a answer) (*http.Response, error) {
	kind, watched := contentType(resp)
	if kind != "application/json" || resp.Header.Get("Content-Encoding") != "" {
		_ = resp.Body.Close()
		if resp.StatusCode >= http.StatusBadRequest {
			return status(resp.Request, resp.StatusCode, http.StatusText(resp.StatusCode)), nil
		}
		return refused(resp.Request, fmt.Errorf("the cluster answers in %s, which nobody here reads", resp.Header.Get("Content-Type"))), nil
	}
	resp.Header.Del("Content-Length")
	resp.ContentLength = -1
	if watched {
		resp.Body = stream(resp.Body, a)
		return resp, nil
	}
	defer func(body io.Closer) { _ = body.Close() }(resp.Body)
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read what the cluster answers: %w", err)
	case len(raw) > maxAnswer:
		return refused(resp.Request, fmt.Errorf("the cluster answers more than %d MiB: ask for less, for example with --chunk-size=50", maxAnswer>>20)), nil
	}
	clean, err := document(raw, a)
	if err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(clean))
	return resp, nil
}

// contentType returns what an answer says it is, "" for what cannot be read, and
// whether it is a stream of events.
func contentType(resp *http.Response) (kind string, watched bool) {
	kind, params, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil {
		return "", false
	}
	return kind, params["stream"] == "watch" || resp.Request.URL.Query().Has("watch")
}

// stream redacts a stream event by event; closing it waits for what it started.
func stream(body io.ReadCloser, a answer) io.ReadCloser {
	r, w := io.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = w.CloseWithError(redact(w, body, a))
	}()
	return both{Reader: r, close: func() error {
		_ = r.Close()
		err := body.Close()
		<-done
		return err
	}}
}

type both struct {
	io.Reader
	close func() error
}

func (b both) Close() error { return b.close() }

// refused answers a request that is not let through.
func refused(req *http.Request, why error) *http.Response {
	return status(req, http.StatusForbidden, "ferry: "+why.Error())
}

func status(req *http.Request, code int, message string) *http.Response {
	reason := map[int]string{http.StatusForbidden: "Forbidden", http.StatusNotFound: "NotFound"}[code]
	body, _ := json.Marshal(map[string]any{
		"kind": "Status", "apiVersion": "v1", "metadata": map[string]any{}, "status": "Failure",
		"message": message, "reason": reason, "code": code,
	})
	return &http.Response{
		Status: http.StatusText(code), StatusCode: code, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {"application/json"}}, Request: req,
		Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
	}
}
