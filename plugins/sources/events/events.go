// Package events is the source of what Kubernetes says and of what can be seen: the
// Events of events.k8s.io, each once, and problems of workloads, each from when it is
// seen until it is over.
//
//	Events          → note.go    a log: the cursor holds the version of the last one
//	pods, nodes, …  → look.go    what is wrong with one object, a pure function of it
//	                  tracker.go what is wrong with whom, since when; what was told
//
// An Event is read after the version of the one before. When the API server has
// forgotten that, all that it still has are read and those that are newer are told;
// a gap is said where there can be one. Problems are not read from Events, which
// come late, are dropped by limits and never say that something is over: they are
// found in the objects themselves. What was told of them is in the cursor, so that a
// restart tells what has changed meanwhile and nothing else.
package events

import (
	"context"
	_ "embed"
	"fmt"
	"slices"
	"time"

	"ferry/plugins/api"
	"ferry/plugins/sources/cluster"
	"ferry/plugins/sources/outlet"
)

//go:embed schema.json
var schema []byte

// Source is the source of events.
type Source struct{ Version string }

// Info says what it is.
func (s Source) Info() api.Info {
	return api.Info{
		Name: "events", Version: s.Version, Schema: schema,
		Description: "What Kubernetes says of a cluster, and what is wrong with its workloads until it is over",
	}
}

// cursor is what a restart goes on with.
type cursor struct {
	// Events is the version after the last Event, At when that was.
	Events string    `json:"events,omitempty"`
	At     time.Time `json:"at"`
	// Began is when this source first ran: what is only advice is not given for
	// what was there before.
	Began time.Time        `json:"began"`
	Told  map[string]told  `json:"told,omitempty"`
	Looks map[string]looks `json:"looks,omitempty"` // by resource

	Troubled cluster.Troubles `json:"troubled,omitempty"`
}

// watcher is one stream.
type watcher struct {
	config  config
	cluster string
	client  *cluster.Client
	out     *outlet.Outlet
	now     func() time.Time

	// What follows is used by one feed at a time.
	cursor   cursor
	tracker  *tracker
	services map[string]service
	secrets  map[string]bool
	routes   map[string]ingress
}

// Check implements api.Checker.
func (s Source) Check(_ context.Context, r api.CheckRequest) error {
	_, err := parse(r.Config)
	return err
}

// Stream tells of a cluster until ctx ends.
func (s Source) Stream(ctx context.Context, r api.StreamRequest, emit func(api.Event) error) error {
	c, err := parse(r.Config)
	if err != nil {
		return err
	}
	client, err := cluster.Connect(r.Kubeconfig)
	if err != nil {
		return err
	}
	w := &watcher{
		config: c, cluster: r.Cluster, client: client, now: time.Now,
		services: map[string]service{}, secrets: map[string]bool{}, routes: map[string]ingress{},
	}
	w.cursor.Began = w.now()
	if err := outlet.Decode(r.Cursor, &w.cursor); err != nil {
		return err
	}
	if w.cursor.Looks == nil {
		w.cursor.Looks = map[string]looks{}
	}
	w.tracker = newTracker(r.Cluster, w.cursor.Told, time.Duration(c.ResolveAfter))
	w.out = outlet.New(emit, w.state)
	return outlet.Together(ctx, append(w.feeds(), w.out.Run, w.tick)...)
}

// state is the cursor as of now.
func (w *watcher) state() any {
	w.cursor.Told = w.tracker.remembered()
	return w.cursor
}

// feeds are those that the configuration needs.
func (w *watcher) feeds() []func(context.Context) error {
	var out []func(context.Context) error
	needs := func(some ...string) bool {
		return slices.ContainsFunc(some, func(reason string) bool { return !slices.Contains(w.config.Skip, reason) })
	}
	if !w.config.Events.Disabled {
		out = append(out, w.notes())
	}
	if needs(crashLoop, oomKilled, imagePull, createError, evicted, pending, latestTag, noLabels) {
		out = append(out, follow(w, "pods", "/api/v1/pods", lookAtPod))
	}
	if needs(notReady, pressure) {
		out = append(out, follow(w, "nodes", "/api/v1/nodes", lookAtNode))
	}
	if needs(jobFailed) {
		out = append(out, follow(w, "jobs", "/apis/batch/v1/jobs", lookAtJob))
	}
	if needs(atLimit) {
		out = append(out, follow(w, "horizontalpodautoscalers", "/apis/autoscaling/v2/horizontalpodautoscalers", lookAtScaler))
	}
	if needs(ingressBackend, ingressTLS) {
		out = append(out, w.ingresses()...)
	}
	return out
}

// tick looks again at what changes because time goes by.
func (w *watcher) tick(ctx context.Context) error {
	every := min(time.Second, time.Duration(w.config.ResolveAfter)/2+time.Millisecond)
	for t := time.NewTicker(every); ; {
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return nil
		}
		err := w.out.Do(ctx, func(tell func(api.Event)) { w.tracker.tick(w.now(), tell) })
		if err != nil {
			return ended(ctx, err)
		}
	}
}

func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil //nolint:nilerr // told to stop
	}
	return err
}

// follow makes a feed of objects that are looked at one by one.
func follow[T looked](w *watcher, resource, path string, look func(*T, lens) view) func(context.Context) error {
	first := true
	see := func(item *T, tell func(api.Event)) {
		meta := (*item).meta()
		if !w.config.covers(meta.Namespace) {
			return
		}
		w.tracker.see(resource, meta.Key(), w.now(), func(now time.Time) view { return look(item, w.lens(resource, now)) }, tell)
	}
	f := &cluster.Feed[T]{
		Client: w.client, Path: path, Trouble: w.troubled(resource), Troubled: w.cursor.Troubled[resource],
		Listed: func(ctx context.Context, items []T, _, _ string, _ bool) error {
			if happens(resource) {
				defer w.out.Mark() // from when on it is known what happens
			}
			return w.out.Do(ctx, func(tell func(api.Event)) {
				w.looked(resource, first)
				first = false
				there, marks := map[string]bool{}, make([]string, len(items))
				for i := range items {
					there[items[i].meta().Key()] = true
					marks[i] = look(&items[i], w.lens(resource, w.now())).mark()
				}
				for _, i := range inOrder(marks) {
					see(&items[i], tell)
				}
				w.tracker.only(resource, there, w.now(), tell)
			})
		},
		Seen: func(ctx context.Context, _ string) error {
			return w.out.Do(ctx, func(func(api.Event)) { w.looked(resource, false) })
		},
		Changed: func(ctx context.Context, how cluster.Change, item T, _ string) error {
			return w.out.Do(ctx, func(tell func(api.Event)) {
				w.looked(resource, false)
				if how == cluster.Deleted {
					w.tracker.gone(resource, item.meta().Key(), w.now(), tell)
					return
				}
				see(&item, tell)
			})
		},
	}
	return f.Run
}

// troubled tells that a kind cannot be followed, and when it can again.
func (w *watcher) troubled(resource string) func(context.Context, error) error {
	return func(ctx context.Context, err error) error {
		return w.out.Do(ctx, func(tell func(api.Event)) {
			w.cursor.Troubled.Note(resource, err)
			tell(cluster.TroubleEvent(w.cluster, resource, err, w.now()))
		})
	}
}

func (w *watcher) lens(resource string, now time.Time) lens {
	return lens{now: now, config: &w.config, began: w.cursor.Began, jobs: w.tracker.runs, away: w.cursor.Looks[resource].Away}
}

func plural(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}
