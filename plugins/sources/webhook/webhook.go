// Package webhook is the source of what others post: JSON over HTTP, made into
// events by CEL, or as Flux's notification-controller and Alertmanager send it.
//
//	request → who may (config.go) → body, bounded → events (known.go, mapping.go) → emit, stored (taking.go) → answer
//
// It answers that it was taken when every event of a request is on ferry's disk, and
// that it is to be sent again if that is not known within the patience. IDs are made
// of what was sent, never of when it came: what is sent again is the same event. It
// has no cursor: what is sent while it does not listen is the sender's to repeat.
package webhook

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"ferry/plugins/api"
	"ferry/plugins/sources/outlet"
)

//go:embed schema.json
var schema []byte

// Source is the source of what others post.
type Source struct{ Version string }

// Info says what it is.
func (s Source) Info() api.Info {
	return api.Info{
		Name: "webhook", Version: s.Version, Schema: schema,
		Description: "What others post: Alertmanager, Flux, or any JSON mapped by CEL",
	}
}

// Check implements api.Checker. A file that is not there may come.
func (s Source) Check(_ context.Context, r api.CheckRequest) error {
	c, err := parse(r.Config)
	if _, unreadable := errors.AsType[*fs.PathError](err); unreadable {
		return api.Again(err, 0)
	}
	if err == nil {
		_, err = newHandler(c, "", nil)
	}
	return err
}

// Stream listens until ctx ends.
func (s Source) Stream(ctx context.Context, r api.StreamRequest, emit func(api.Event) error) error {
	c, err := parse(r.Config)
	if err != nil {
		return err
	}
	t := newTaker(ctx, emit, r.Stored)
	handler, err := newHandler(c, r.Cluster, t.take)
	if err != nil {
		return err
	}
	var listen net.ListenConfig
	listener, err := listen.Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", c.Listen, err)
	}
	return outlet.Together(ctx, t.run, func(ctx context.Context) error { return serve(ctx, listener, handler) })
}

// serve answers until ctx ends; what is under way then has 5 s.
func serve(ctx context.Context, listener net.Listener, handler http.Handler) error {
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: time.Minute, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 64 << 10,
	}
	stopped := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		stopped <- server.Shutdown(last)
	})
	err := server.Serve(listener)
	if stop() { // it ended by itself
		return err
	}
	return <-stopped
}

// hook is one path.
type hook struct {
	path
	cluster string
	read    func(text []byte, r *http.Request) ([]api.Event, error)
	take    func(context.Context, []api.Event) error
}

func newHandler(c config, cluster string, take func(context.Context, []api.Event) error) (http.Handler, error) {
	mux := http.NewServeMux()
	for i, p := range c.Paths {
		h := &hook{path: p, cluster: cluster, take: take}
		switch p.Format {
		case "alertmanager":
			h.read = alertmanager
		case "flux":
			h.read = flux
		default:
			m, err := compile(p.Map)
			if err != nil {
				return nil, fmt.Errorf("paths[%d].map.%w", i, err)
			}
			h.read = m.events
		}
		mux.Handle(p.Path, h)
	}
	return mux, nil
}

func (h *hook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	code, err := h.answer(w, r)
	w.Header().Set("Content-Type", "application/json")
	if code == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "2")
	}
	w.WriteHeader(code)
	answer := map[string]any{"success": err == nil}
	if err != nil {
		answer["error"] = err.Error()
	}
	_ = json.NewEncoder(w).Encode(answer)
}

// answer takes a request. Its error is for whoever sent it.
func (h *hook) answer(w http.ResponseWriter, r *http.Request) (int, error) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return http.StatusMethodNotAllowed, errors.New("post it")
	}
	if !h.knows(r) {
		return http.StatusUnauthorized, errors.New("the token is missing or wrong")
	}
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, int64(h.MaxBody)))
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return http.StatusRequestEntityTooLarge, fmt.Errorf("more than %d bytes", h.MaxBody)
	} else if err != nil {
		return http.StatusBadRequest, err
	}
	if !h.signed(r, text) {
		return http.StatusUnauthorized, errors.New("the signature is missing or wrong")
	}
	events, err := h.read(text, r)
	if err != nil {
		return http.StatusBadRequest, err
	}
	for i := range events {
		h.complete(&events[i], i, text)
	}
	if err := h.take(r.Context(), events); err != nil {
		return http.StatusServiceUnavailable, err
	}
	return http.StatusAccepted, nil
}

// complete fills in what a format leaves out. i is the event's number in its request.
func (h *hook) complete(e *api.Event, i int, text []byte) {
	if e.Cluster == "" {
		e.Cluster = h.cluster
	}
	if e.Severity == "" {
		e.Severity = api.SeverityInfo
	}
	if e.ID == "" {
		e.ID = digest(string(text), strconv.Itoa(i), e.About, e.Title)
	}
	e.ID = "webhook" + h.Path + "/" + e.ID
	e.Title, e.Text = clip(oneLine(e.Title), 300), clip(e.Text, 4000)
}

func digest(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:12])
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && s[most]&0xC0 == 0x80 {
		most--
	}
	return s[:most] + "…"
}
