package botkube

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"

	"ferry/internal/fault"
	"ferry/plugins/api"
	"ferry/plugins/host"
)

// Path is where the incoming webhook is served.
const Path = "POST /sources/v1/{source...}"

// Webhook takes what the world outside tells a source: POST /sources/v1/<name>. It
// answers {"success":true} when the event that the source made of it is stored, and
// {"error":…} otherwise.
type Webhook struct {
	// Ask hands a running plugin to ask: (*host.Host).Ask.
	Ask func(ctx context.Context, kind, name string, ask func(context.Context, host.Peer, api.StreamRequest) error) error
	// Take stores an event of a binding.
	Take func(ctx context.Context, binding string, e api.Event) error
	Log  *slog.Logger
}

// ServeHTTP implements http.Handler.
func (h Webhook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	err := h.take(w, r)
	status, answer := http.StatusOK, map[string]any{"success": true}
	if err != nil {
		status, answer = h.explain(err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		h.Log.Debug("answer was not read", "error", err)
	}
}

func (h Webhook) take(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("source")
	payload, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if err != nil {
		return err
	}
	return h.Ask(r.Context(), api.KindSource, name, func(ctx context.Context, p host.Peer, s api.StreamRequest) error {
		peer, ok := p.(*Peer)
		if !ok {
			return fault.Newf(fault.NotFound, "the source %s takes no requests", name)
		}
		e, ok, err := peer.External(ctx, s.Binding, s.Cluster, s.Config, payload)
		if err != nil || !ok {
			return err
		}
		return h.Take(ctx, name, e)
	})
}

// explain tells callers what their request became, and nothing of the inside.
func (h Webhook) explain(err error) (status int, answer map[string]any) {
	says := strings.TrimSpace(err.Error())
	own := api.Failure{}
	tooLarge := new(http.MaxBytesError)
	switch {
	case errors.As(err, &tooLarge):
		status, says = http.StatusRequestEntityTooLarge, "the request is larger than 4 MiB"
	case errors.As(err, &own):
		status = http.StatusUnprocessableEntity
	case fault.Is(err, fault.NotFound):
		status = http.StatusNotFound
	case fault.Is(err, fault.Refused):
		status = http.StatusRequestEntityTooLarge
	case fault.Is(err, fault.Unavailable), fault.Is(err, fault.Expired), fault.Is(err, fault.Failed):
		status = http.StatusServiceUnavailable
	default:
		h.Log.Warn("incoming request failed", "error", err)
		status, says = http.StatusInternalServerError, "internal error"
	}
	return status, map[string]any{"error": says}
}
