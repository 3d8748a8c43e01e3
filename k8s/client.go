package k8s

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/types"
	knet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/rest"
)

// client speaks with one API server in JSON. What a server answers for a moment only
// it asks again, in the time that one answer may take; it caches nothing, and that
// nobody answers it tells at once: what to make of that belongs to whoever knows what
// the answer is for.
type client struct {
	rest   rest.Interface
	http   *http.Client
	server string // the address, for telling clusters apart
	// answer bounds every request but watches.
	answer time.Duration
}

func newClient(a access, answer time.Duration) (*client, error) {
	config := rest.CopyConfig(a.config)
	scheme := runtime.NewScheme()
	metav1.AddToGroupVersion(scheme, schema.GroupVersion{Version: "v1"})
	config.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	config.GroupVersion = &schema.GroupVersion{Version: "v1"}
	config.APIPath = "/api"
	config.ContentType, config.AcceptContentTypes = runtime.ContentTypeJSON, runtime.ContentTypeJSON
	httpClient, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("make a client of context %s: %w", a.context, err)
	}
	restClient, err := rest.RESTClientForConfigAndClient(config, httpClient)
	if err != nil {
		return nil, fmt.Errorf("make a client of context %s: %w", a.context, err)
	}
	return &client{rest: restClient, http: httpClient, server: config.Host, answer: answer}, nil
}

// forget closes connections that nothing uses any more, so that the next
// request does not go into one that is dead.
func (c *client) forget() { knet.CloseIdleConnectionsFor(c.http.Transport) }

// resource is a kind of object by its plural.
type resource struct {
	schema.GroupVersion
	kind, plural string
}

// path is where objects of a resource are; an empty namespace means all, an
// empty name the list.
func (r resource) path(namespace, name string) string {
	p := "/api/" + r.Version
	if r.Group != "" {
		p = "/apis/" + r.Group + "/" + r.Version
	}
	if namespace != "" {
		p = path.Join(p, "namespaces", namespace)
	}
	return path.Join(p, r.plural, name)
}

func (c *client) request(verb, path string, query url.Values) *rest.Request {
	r := c.rest.Verb(verb).AbsPath(path).MaxRetries(0)
	for name, values := range query {
		for _, v := range values {
			r = r.Param(name, v)
		}
	}
	return r
}

// read returns the body at a path.
func (c *client) read(ctx context.Context, path string, query url.Values, within time.Duration) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	return c.request(http.MethodGet, path, query).Do(ctx).Raw()
}

// get decodes the object at a path into out.
func (c *client) get(ctx context.Context, path string, query url.Values, out any) error {
	ctx, cancel := context.WithTimeout(ctx, 3*c.answer)
	defer cancel()
	return patiently(ctx, 3*c.answer, passes, func() error { return c.once(ctx, path, query, out) })
}

// once is get for those who ask again themselves, or can do without an answer.
func (c *client) once(ctx context.Context, path string, query url.Values, out any) error {
	raw, err := c.read(ctx, path, query, 3*c.answer)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, out); err != nil {
		return fmt.Errorf("decode %s: %w", path, err)
	}
	return nil
}

// watch opens a stream of events; the caller closes it. A server that does not
// begin to answer ends it.
func (c *client) watch(ctx context.Context, path string, query url.Values) (io.ReadCloser, error) {
	ctx, cancel := context.WithCancel(ctx)
	late := time.AfterFunc(3*c.answer, cancel)
	var body io.ReadCloser
	err := patiently(ctx, 3*c.answer, passes, func() (err error) {
		body, err = c.request(http.MethodGet, path, query).Stream(ctx)
		return err
	})
	if !late.Stop() && err == nil {
		err = apierrors.NewTimeoutError("the watch was not answered in time", 0)
		_ = body.Close() // it is given up
	}
	if err != nil {
		cancel()
		return nil, err
	}
	return stream{body, cancel}, nil
}

// stream frees its context when it is closed.
type stream struct {
	io.ReadCloser
	cancel context.CancelFunc
}

func (s stream) Close() error {
	s.cancel()
	return s.ReadCloser.Close()
}

// merge patches an object with a JSON merge patch, which it may send more than once.
func (c *client) merge(ctx context.Context, path string, patch any) error {
	raw, err := json.Marshal(patch)
	if err != nil {
		return fmt.Errorf("encode patch of %s: %w", path, err)
	}
	ctx, cancel := context.WithTimeout(ctx, 3*c.answer)
	defer cancel()
	return patiently(ctx, 3*c.answer, interrupted, func() error {
		return c.rest.Patch(types.MergePatchType).AbsPath(path).MaxRetries(0).Body(raw).Do(ctx).Error()
	})
}

// post asks a question whose answer is an object that is not kept, and decodes that
// into out.
func (c *client) post(ctx context.Context, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("encode %s: %w", path, err)
	}
	ctx, cancel := context.WithTimeout(ctx, 3*c.answer)
	defer cancel()
	return patiently(ctx, 3*c.answer, passes, func() error {
		raw, err := c.rest.Post().AbsPath(path).MaxRetries(0).SetHeader("Content-Type", runtime.ContentTypeJSON).Body(body).Do(ctx).Raw()
		if err != nil {
			return err
		}
		return json.Unmarshal(raw, out)
	})
}

// ready asks whether the API server is ready, for no longer than one answer may take.
// An answer that we may not ask is an answer, and so is what it says that it fails.
func (c *client) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, c.answer)
	defer cancel()
	return patiently(ctx, c.answer, passes, func() error { return c.readyNow(ctx) })
}

func (c *client) readyNow(ctx context.Context) error {
	_, err := c.read(ctx, "/readyz", nil, c.answer)
	if err == nil || apierrors.IsForbidden(err) || apierrors.IsNotFound(err) {
		return nil
	}
	var failing []string
	// client-go quotes the body.
	for line := range strings.Lines(strings.ReplaceAll(err.Error(), `\n`, "\n")) {
		if check, failed := strings.CutPrefix(strings.TrimSpace(line), "[-]"); failed {
			failing = append(failing, check)
		}
	}
	if len(failing) > 0 {
		return notReady(strings.Join(failing, ", "))
	}
	return err
}

// notReady names the checks that a server says it fails.
type notReady string

func (n notReady) Error() string { return "it says that it is not ready: " + string(n) }
