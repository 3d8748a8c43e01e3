package cost

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

// hook is the webhook that all deliver to. It knows an Event by its name.
type hook struct {
	url string

	mu    sync.Mutex
	came  map[string]time.Time // the first time
	twice int
	posts int
	more  chan struct{}
}

func newHook(t testing.TB) *hook {
	h := &hook{came: map[string]time.Time{}, more: make(chan struct{})}
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	h.url = server.URL
	return h
}

// body is what ferry or kubewatch says of an Event.
type body struct {
	Event struct {
		Object struct {
			Metadata struct {
				Name string `json:"name"`
			} `json:"metadata"`
		} `json:"object"`
	} `json:"event"`
	Meta struct {
		Name string `json:"name"`
	} `json:"eventmeta"`
}

// ServeHTTP implements http.Handler.
func (h *hook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	now := time.Now()
	raw, err := io.ReadAll(r.Body)
	all := make([]body, 1)
	if err == nil && bytes.HasPrefix(raw, []byte("[")) {
		err = json.Unmarshal(raw, &all)
	} else if err == nil {
		err = json.Unmarshal(raw, &all[0])
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.posts++
	for i := range all {
		name := all[i].Event.Object.Metadata.Name + all[i].Meta.Name
		if _, known := h.came[name]; known {
			h.twice++
			continue
		}
		h.came[name] = now
	}
	close(h.more)
	h.more = make(chan struct{})
}

// await returns when those have come, or after so long without one.
func (h *hook) await(names map[string]time.Time, patience time.Duration) (came map[string]time.Time) {
	for {
		came = map[string]time.Time{}
		h.mu.Lock()
		for name := range names {
			if at, ok := h.came[name]; ok {
				came[name] = at
			}
		}
		more := h.more
		h.mu.Unlock()
		if len(came) == len(names) {
			return came
		}
		select {
		case <-more:
		case <-time.After(patience):
			return came
		}
	}
}

// counts are how many requests there were, and how many Events came again.
func (h *hook) counts() (posts, twice int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.posts, h.twice
}
