package k8s

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"ferry/internal/deploy"
)

// controller keeps one cluster's store true for as long as it runs.
type controller struct {
	name    deploy.Cluster
	context string
	options Options
	client  *client
	store   *store
	words   *interner
	same    *identities
	log     *slog.Logger

	mu    sync.RWMutex
	state deploy.ClusterState
	// looked is closed once the first session succeeded or failed.
	looked     chan struct{}
	lookedOnce sync.Once
}

func newController(m Member, o Options, words *interner, same *identities) (*controller, error) {
	a, err := load(m)
	if err != nil {
		return nil, err
	}
	cl, err := newClient(a, o.Answer)
	if err != nil {
		return nil, invalidAccess(m, a, err)
	}
	return &controller{
		name: m.Name, context: a.context, options: o, client: cl, store: newStore(), words: words, same: same,
		log:    o.Log.With("cluster", m.Name),
		state:  deploy.ClusterState{Name: m.Name, Stale: true, Since: o.Now(), Reason: "it has not been listed yet"},
		looked: make(chan struct{}),
	}, nil
}

// run keeps a session with the cluster until ctx ends.
func (c *controller) run(ctx context.Context) {
	ctx = logr.NewContext(ctx, logr.FromSlogHandler(c.log.Handler()))
	wait := c.options.RetryMin
	for {
		began := time.Now()
		err := c.session(ctx)
		c.client.forget()
		if ctx.Err() != nil {
			return
		}
		c.lost(err)
		// A session that lasted was no failure to connect.
		if time.Since(began) > c.options.RetryMax {
			wait = c.options.RetryMin
		}
		if starts(err) { // soon it is there, and somebody may be waiting
			wait = min(wait, latest)
		}
		if pause(ctx, wait/2+rand.N(wait/2+1)) != nil {
			return
		}
		wait = min(2*wait, c.options.RetryMax)
	}
}

// pause waits, or returns ctx's error.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// lost marks the cluster stale. It logs when that, or the reason, is new.
func (c *controller) lost(err error) {
	reason := reasonOf(err)
	c.mu.Lock()
	before := c.state
	if !before.Stale {
		c.state.Since = c.options.Now()
	}
	c.state.Stale, c.state.Reason = true, reason
	c.mu.Unlock()
	c.lookedOnce.Do(func() { close(c.looked) })
	if !before.Stale || before.Reason != reason {
		c.log.Warn("cluster is stale", "reason", reason, "error", err)
		c.store.change(func() {})
	}
}

// fresh marks the cluster as known completely, but for what reason says.
func (c *controller) fresh(version, reason string) {
	c.mu.Lock()
	before := c.state
	if before.Stale {
		c.state.Since = c.options.Now()
	}
	c.state.Synced, c.state.Stale, c.state.Version, c.state.Reason = true, false, version, reason
	c.mu.Unlock()
	c.lookedOnce.Do(func() { close(c.looked) })
	if before.Stale || before.Reason != reason {
		c.log.Info("cluster is followed", "version", version, "limits", reason)
		c.store.change(func() {})
	}
}

func (c *controller) now() deploy.ClusterState {
	c.mu.RLock()
	state := c.state
	c.mu.RUnlock()
	if other, since := c.same.conflict(c.name); other != "" {
		if !state.Stale {
			state.Since = since
		}
		state.Stale = true
		state.Reason = fmt.Sprintf("it is the same API server as %s, and the configuration does not say that this is meant", other)
	}
	return state
}

// reasonOf puts an error into a person's words.
func reasonOf(err error) string {
	var timeout net.Error
	var status *apierrors.StatusError
	var dial *net.OpError
	var request *url.Error
	var starting notReady
	switch {
	case err == nil:
		return "its session ended"
	case errors.As(err, &starting):
		return starting.Error()
	case apierrors.IsUnauthorized(err):
		return "it does not accept ferry's credentials"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled), errors.As(err, &timeout) && timeout.Timeout():
		return "it does not answer in time"
	case errors.As(err, &status):
		message, _, _ := strings.Cut(status.ErrStatus.Message, "\n")
		return "it answers: " + message
	case errors.As(err, &dial):
		return "no connection: " + dial.Err.Error()
	case errors.As(err, &request):
		return "no connection: " + request.Err.Error()
	}
	return err.Error()
}
