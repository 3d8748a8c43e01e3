package k8s

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// session is one connection to a cluster, from the first answer to the first
// failure.
type session struct {
	*controller
	group   *errgroup.Group
	version string
	heard   atomic.Int64 // Unix nanoseconds

	mu      sync.Mutex
	pending map[string]bool // feeds that are not followed yet
	current chan struct{}   // closed when there are none
}

// session lives until something fails that concerns the whole cluster.
func (c *controller) session(ctx context.Context) error {
	// A server that is starting answers some questions wrongly.
	if err := c.client.ready(ctx); err != nil {
		return fmt.Errorf("ask whether %s is ready: %w", c.name, err)
	}
	version, err := c.meet(ctx)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	s := &session{controller: c, group: group, version: version, pending: map[string]bool{}, current: make(chan struct{})}
	s.touch()
	feeds := s.feeds()
	for _, f := range feeds {
		s.pending[f.String()] = true
	}
	for _, f := range feeds {
		group.Go(func() error { return s.keep(ctx, f) })
	}
	group.Go(func() error { return s.probe(ctx) })
	group.Go(func() error { return s.settle(ctx) })
	return group.Wait()
}

// meet asks who the cluster is.
func (c *controller) meet(ctx context.Context) (version string, err error) {
	var v struct {
		GitVersion string `json:"gitVersion"`
	}
	if err := c.client.get(ctx, "/version", nil, &v); err != nil {
		return "", fmt.Errorf("ask for the version of %s: %w", c.name, err)
	}
	var system struct {
		Metadata metadata `json:"metadata"`
	}
	// Who may not read the namespace can still be told apart by its address.
	err = c.client.get(ctx, "/api/v1/namespaces/kube-system", nil, &system)
	if err != nil && !apierrors.IsForbidden(err) && !apierrors.IsNotFound(err) {
		return "", fmt.Errorf("ask for the identity of %s: %w", c.name, err)
	}
	if c.same.learn(c.name, system.Metadata.UID, c.client.server, c.options.Now()) {
		c.store.change(func() {})
	}
	return v.GitVersion, nil
}

func (s *session) touch() { s.heard.Store(time.Now().UnixNano()) }

// probe ends the session when the cluster is silent and does not answer.
func (s *session) probe(ctx context.Context) error {
	for {
		silent := time.Since(time.Unix(0, s.heard.Load()))
		if silent < s.options.Probe {
			if err := pause(ctx, s.options.Probe-silent); err != nil {
				return err
			}
			continue
		}
		if err := s.client.ready(ctx); err != nil {
			return fmt.Errorf("ask whether %s is ready: %w", s.name, err)
		}
		s.touch()
	}
}

// runner is a feed of whatever kind.
type runner interface {
	fmt.Stringer
	run(ctx context.Context) error
}

// hidden is a feed together with how to forget what it brought.
type hidden struct {
	runner
	resource resource
	forget   func()
}

// keep runs a feed. Where it is forbidden or its kind is not served, it says
// so, forgets what it knew, and tries again later.
func (s *session) keep(ctx context.Context, f hidden) error {
	for wait := s.options.RetryMin; ; wait = min(2*wait, s.options.Rediscover) {
		err := f.run(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var reason string
		switch {
		case apierrors.IsForbidden(err):
			reason = "ferry may not list or watch " + f.String()
		case apierrors.IsNotFound(err):
			reason = "the cluster does not serve " + f.resource.plural
		default:
			return err
		}
		s.store.change(func() {
			f.forget()
			s.store.sights[f.String()] = sight{reason: reason}
		})
		s.follows(f.String())
		if err := pause(ctx, wait); err != nil {
			return err
		}
	}
}

// follows notes that a feed is current, and stays so.
func (s *session) follows(feed string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.pending[feed] {
		return
	}
	delete(s.pending, feed)
	if len(s.pending) == 0 {
		close(s.current)
	}
}

// settle waits until everything is current, then keeps the substitutes and the
// cluster's state.
func (s *session) settle(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-s.current:
	}
	// What was substituted may have changed unseen.
	s.store.change(func() { clear(s.store.substitutes) })
	changed, stop := s.store.listen()
	defer stop()
	s.group.Go(func() error { return s.substitutes(ctx) })
	for settled := false; ; {
		limits, complete := s.limits()
		if settled = settled || complete; settled {
			s.fresh(s.version, limits)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
	}
}

// limits says what cannot be seen though it should, and whether all that
// Kustomizations substitute from was asked for.
func (s *session) limits() (reason string, complete bool) {
	wanted := s.store.wanted()
	s.store.mu.RLock()
	defer s.store.mu.RUnlock()
	var all []string
	for _, feed := range slices.Sorted(maps.Keys(s.store.sights)) {
		if r := s.store.sights[feed].reason; strings.HasPrefix(r, "ferry may not") {
			all = append(all, r)
		}
	}
	complete = true
	for ref := range wanted {
		complete = complete && s.store.substitutes[ref] != nil
	}
	return strings.Join(all, "; "), complete
}

// feeds are all that is watched of a cluster at all times.
func (s *session) feeds() []hidden {
	st := s.store
	scopes := s.options.Namespaces
	if len(scopes) == 0 {
		scopes = []string{""}
	}
	var all []hidden
	for _, namespace := range scopes {
		all = append(all, keeper(s, deployments(), namespace, st.workloads,
			func(o *deployment) (*workload, error) { return s.words.workload("Deployment", o), nil }))
	}
	return append(all,
		keeper(s, helmReleases(), "", st.releases,
			func(o *helmRelease) (*release, error) { return s.words.release(o), nil }),
		keeper(s, kustomizations(), "", st.kustomizations, s.words.declaration),
		keeper(s, gitRepositories(), "", st.sources,
			func(o *gitRepository) (*source, error) { return s.words.source(o), nil }))
}

// keeper is a feed into a table of the store. An object that cannot be read is
// left out, which the log tells: what is not there is never promoted.
func keeper[T any, R any, P interface {
	*T
	object
}](s *session, r resource, namespace string, table map[key]*R, flatten func(P) (*R, error)) hidden {
	f := &feed[T, P]{client: s.client, resource: r, namespace: namespace, heard: s.touch}
	read := func(o P) *R {
		row, err := flatten(o)
		if err != nil {
			s.log.Warn("an object cannot be read", "kind", r.kind, "namespace", o.meta().Namespace, "name", o.meta().Name, "error", err)
		}
		return row
	}
	f.replace = func(all []P) {
		rows := make(map[key]*R, len(all))
		for _, o := range all {
			if row := read(o); row != nil {
				rows[o.meta().key()] = row
			}
		}
		s.store.change(func() {
			replaceRows(table, namespace, rows)
			s.store.sights[f.String()] = sight{listed: true}
		})
	}
	f.followed = func() { s.follows(f.String()) }
	f.put = func(o P) {
		row := read(o)
		s.store.change(func() {
			if row == nil {
				delete(table, o.meta().key())
			} else {
				table[o.meta().key()] = row
			}
		})
	}
	f.drop = func(k key) { s.store.change(func() { delete(table, k) }) }
	return hidden{runner: f, resource: r, forget: func() { replaceRows(table, namespace, nil) }}
}
