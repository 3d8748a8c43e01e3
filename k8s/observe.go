package k8s

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"ferry/internal/deploy"
)

// Observe calls fn with what the target shows now and after each change of it,
// one call at a time, until fn returns false (then it returns nil) or ctx ends
// (then ctx's error). Changes that follow closely are told once. A cluster that
// does not answer is observed as well: its state says that it is stale.
func (f *Fleet) Observe(ctx context.Context, target deploy.Target, owner deploy.Owner, site deploy.Site, fn func(deploy.Observation) (more bool)) error {
	c, err := f.member(target.Cluster)
	if err != nil {
		return err
	}
	changed, stop := c.store.listen()
	defer stop()
	inner, cancel := context.WithCancel(ctx)
	o := &observer{
		controller: c, target: target, owner: owner, site: site, ctx: inner,
		signal: make(chan struct{}, 1), waiting: map[string]bool{}, sets: map[deploy.Ref]*workload{}, podWatches: map[deploy.Ref]*podWatch{},
	}
	defer func() {
		cancel()
		_ = o.group.Wait() // its goroutines report nothing that is not observed
	}()
	o.start()
	return o.loop(ctx, changed, fn)
}

// observer is one observation under way. What its feeds bring is guarded by mu.
type observer struct {
	*controller
	target deploy.Target
	owner  deploy.Owner
	site   deploy.Site
	ctx    context.Context // of the feeds
	group  errgroup.Group
	signal chan struct{}

	mu sync.Mutex
	// waiting are the feeds without a first answer.
	waiting map[string]bool
	changes uint64
	// live is the site's object where the cache does not hold it.
	live      *bare
	liveKnown bool
	sets      map[deploy.Ref]*workload // StatefulSets and DaemonSets of the release

	podWatches map[deploy.Ref]*podWatch // by workload; only the loop touches the map

	confirmed     records
	confirmedLive []*workload
}

// start begins the feeds that last as long as the observation.
func (o *observer) start() {
	if _, cached := o.cachedSite(); !cached && o.site.Object.Name != "" {
		o.follow(o.ctx, "site", o.siteFeed)
	}
	if o.owner.Release.Name == "" {
		return
	}
	for _, r := range []resource{statefulSets(), daemonSets()} {
		o.follow(o.ctx, r.plural, func(ctx context.Context) error { return o.setFeed(ctx, r) })
	}
}

// follow keeps a feed running until ctx ends. A failure counts as an answer, so
// that an observation never waits for what will not come.
func (o *observer) follow(ctx context.Context, name string, run func(context.Context) error) {
	o.mu.Lock()
	o.waiting[name] = true
	o.mu.Unlock()
	o.group.Go(func() error {
		wait := o.options.RetryMin
		for {
			err := run(ctx)
			if ctx.Err() != nil {
				return nil //nolint:nilerr // the observation ended
			}
			o.update(func() { delete(o.waiting, name) })
			o.log.Debug("an observation's watch failed", "watch", name, "target", o.target.String(), "error", err)
			next := wait/2 + rand.N(wait/2+1)
			if apierrors.IsForbidden(err) || apierrors.IsNotFound(err) {
				next = o.options.Rediscover
			}
			if pause(ctx, next) != nil {
				return nil //nolint:nilerr // the observation ended
			}
			wait = min(2*wait, 5*time.Second)
		}
	})
}

// answered notes a feed's first answer.
func (o *observer) answered(name string) { delete(o.waiting, name) }

// update changes what feeds brought and wakes the loop.
func (o *observer) update(f func()) {
	o.mu.Lock()
	f()
	if o.liveKnown {
		o.answered("site")
	}
	o.changes++
	o.mu.Unlock()
	select {
	case o.signal <- struct{}{}:
	default:
	}
}

// loop looks after each change and tells what is new.
func (o *observer) loop(ctx context.Context, changed <-chan struct{}, fn func(deploy.Observation) bool) error {
	var last deploy.Observation
	told := false
	// Whatever hangs, somebody who observes hears something.
	patience := time.NewTimer(4 * o.options.Answer)
	defer patience.Stop()
	impatient := false
	var before records
	for {
		now := o.records()
		again := time.Duration(0)
		if told || impatient || now.state.Stale || !o.isWaiting() {
			if !told || !now.same(before) {
				var seen deploy.Observation
				if seen, again = o.look(ctx, now); again == 0 {
					before = now
				}
				if ctx.Err() != nil {
					return ctx.Err()
				}
				at := seen.At
				if seen.At = last.At; !told || !reflect.DeepEqual(seen, last) {
					seen.At = at
					last, told = seen, true
					if !fn(seen) {
						return nil
					}
				}
			}
		}
		var retry <-chan time.Time
		if again > 0 {
			retry = time.After(again)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		case <-o.signal:
		case <-retry:
		case <-patience.C:
			impatient = true
		}
	}
}

func (o *observer) isWaiting() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.waiting) > 0
}

// look makes an observation of records. again is how soon to look once more
// though nothing changes, zero for not at all.
func (o *observer) look(ctx context.Context, seen records) (out deploy.Observation, again time.Duration) {
	workloads := seen.workloads
	unsure := false
	if o.owner.Release.Name != "" && allRolledOut(workloads) {
		confirmed, err := o.confirm(ctx, seen)
		if err != nil {
			o.log.Debug("settled workloads could not be confirmed", "target", o.target.String(), "error", err)
			unsure, again = true, time.Second
		} else {
			workloads = confirmed
		}
	}
	o.watchPods(workloads)
	out = deploy.Observation{At: o.options.Now(), State: seen.state}
	if k := seen.kustomization; k != nil {
		out.Applied, out.Attempted, out.Kustomization, out.Suspended = k.applied, k.attempted, k.condition, k.suspended
	}
	if s := seen.source; s != nil {
		out.Fetched, out.SourceReady, out.Suspended = s.fetched, s.condition, out.Suspended || s.suspended
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	out.SiteValue, out.SiteFound = o.siteValue(seen)
	out.Release = o.releaseState(seen)
	for _, w := range workloads {
		state := w.state()
		state.Observed = state.Observed && !unsure
		out.Workloads = append(out.Workloads, state)
		if p := o.podWatches[w.ref()]; p != nil {
			out.Problems = append(out.Problems, p.problems(w)...)
		}
	}
	sortProblems(out.Problems)
	return out, again
}

// releaseState is taken from the site's object if that is the release, so that
// value and status are of one moment. A release that is not there is one that
// has said nothing.
func (o *observer) releaseState(seen records) *deploy.ReleaseState {
	if o.owner.Release.Name == "" {
		return nil
	}
	if o.site.Object == o.owner.Release {
		if o.live == nil {
			return &deploy.ReleaseState{Ref: o.owner.Release}
		}
		var live helmRelease
		if err := json.Unmarshal(o.live.raw, &live); err != nil {
			return &deploy.ReleaseState{Ref: o.owner.Release, Ready: deploy.Condition{Message: fmt.Sprintf("it cannot be read: %v", err)}}
		}
		state := releaseState(&live)
		return &state
	}
	if seen.release == nil {
		return &deploy.ReleaseState{Ref: o.owner.Release}
	}
	state := seen.release.state
	return &state
}
