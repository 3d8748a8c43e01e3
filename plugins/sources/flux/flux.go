// Package flux is the source of what becomes of Flux's objects: failures until they
// are over, drift, suspended and resumed, new revisions; each transition once.
//
//	object → state.go   what matters of it, a few words
//	old, new → events   a pure function: the transitions
//
// The cursor holds the state of each object as it was told. A restart compares it
// with what is, so that what happened meanwhile is told as far as it still shows.
// Drift is in no status: helm-controller tells of it in an Event, which is followed
// after the version of the one before.
package flux

import (
	"cmp"
	"context"
	_ "embed"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"sigs.k8s.io/yaml"

	"ferry/plugins/api"
	"ferry/plugins/sources/cluster"
	"ferry/plugins/sources/outlet"
)

//go:embed schema.json
var schema []byte

// Source is the source of Flux's transitions.
type Source struct{ Version string }

// Info says what it is.
func (s Source) Info() api.Info {
	return api.Info{
		Name: "flux", Version: s.Version, Schema: schema,
		Description: "What becomes of Flux's Kustomizations, HelmReleases and sources",
	}
}

// config is what can be configured; schema.json says the same to ferry.
type config struct {
	Namespaces cluster.Scope `json:"namespaces"`
	// Kinds are those that are followed; all without it.
	Kinds []string `json:"kinds"`
	// Skip names what is not told.
	Skip []string `json:"skip"`
}

// address of the kinds, as Flux serves them since 2.4.
func address(kind string) string {
	return map[string]string{
		"Kustomization":  "/apis/kustomize.toolkit.fluxcd.io/v1/kustomizations",
		"HelmRelease":    "/apis/helm.toolkit.fluxcd.io/v2/helmreleases",
		"GitRepository":  "/apis/source.toolkit.fluxcd.io/v1/gitrepositories",
		"OCIRepository":  "/apis/source.toolkit.fluxcd.io/v1/ocirepositories",
		"HelmRepository": "/apis/source.toolkit.fluxcd.io/v1/helmrepositories",
		"HelmChart":      "/apis/source.toolkit.fluxcd.io/v1/helmcharts",
		"Bucket":         "/apis/source.toolkit.fluxcd.io/v1/buckets",
	}[kind]
}

func kinds() []string {
	return []string{"Kustomization", "HelmRelease", "GitRepository", "OCIRepository", "HelmRepository", "HelmChart", "Bucket"}
}

func parse(text []byte) (config, error) {
	c := config{}
	if err := yaml.UnmarshalStrict(text, &c); err != nil {
		return config{}, fmt.Errorf("read the configuration: %w", err)
	}
	if len(c.Kinds) == 0 {
		c.Kinds = kinds()
	}
	for _, kind := range c.Kinds {
		if address(kind) == "" {
			return config{}, fmt.Errorf("kinds: %q is none of %s", kind, strings.Join(kinds(), ", "))
		}
	}
	return c, c.Namespaces.Check()
}

// cursor is what a restart goes on with.
type cursor struct {
	// Told is what was told of each object, by kind/namespace/name.
	Told map[string]state `json:"told,omitempty"`
	// Listed are the kinds whose objects are all in Told.
	Listed map[string]bool `json:"listed,omitempty"`
	Drift  string          `json:"drift,omitempty"`

	Troubled cluster.Troubles `json:"troubled,omitempty"`
}

// mostTold is how many objects a cursor names.
const mostTold = 4000

// watcher is one stream.
type watcher struct {
	config  config
	cluster string
	out     *outlet.Outlet
	now     func() time.Time

	// What follows is used by one feed at a time.
	cursor cursor
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
	w := &watcher{config: c, cluster: r.Cluster, now: time.Now}
	if err := outlet.Decode(r.Cursor, &w.cursor); err != nil {
		return err
	}
	if w.cursor.Told == nil {
		w.cursor.Told = map[string]state{}
	}
	if w.cursor.Listed == nil {
		w.cursor.Listed = map[string]bool{}
	}
	w.out = outlet.New(emit, w.state)
	parts := []func(context.Context) error{w.out.Run}
	for _, kind := range c.Kinds {
		parts = append(parts, w.feed(client, kind))
	}
	if slices.Contains(c.Kinds, "HelmRelease") && !slices.Contains(c.Skip, drift) {
		parts = append(parts, w.drift(client))
	}
	return outlet.Together(ctx, parts...)
}

// state is the cursor as of now. A kind of which not all objects have room in it is
// looked at anew after a restart: what was failing is then told again.
func (w *watcher) state() any {
	if len(w.cursor.Told) <= mostTold {
		return w.cursor
	}
	c := cursor{Told: map[string]state{}, Listed: map[string]bool{}, Drift: w.cursor.Drift, Troubled: w.cursor.Troubled}
	for _, key := range slices.Sorted(maps.Keys(w.cursor.Told))[:mostTold] {
		c.Told[key] = w.cursor.Told[key]
	}
	return c
}

// feed follows one kind.
func (w *watcher) feed(client *cluster.Client, kind string) func(context.Context) error {
	told := w.cursor.Troubled[kind]
	f := &cluster.Feed[object]{
		Client: client, Path: address(kind), Troubled: told,
		Trouble: func(ctx context.Context, err error) error {
			if r, ok := err.(*cluster.Refusal); ok && r.Code == 404 { //nolint:errorlint // feeds hand it over as it is
				return nil // this part of Flux is not installed
			}
			if err == nil && !told {
				return nil
			}
			told = err != nil
			return w.out.Do(ctx, func(tell func(api.Event)) {
				w.cursor.Troubled.Note(kind, err)
				tell(cluster.TroubleEvent(w.cluster, kind+"s", err, w.now()))
			})
		},
		Listed: func(ctx context.Context, items []object, _, _ string, _ bool) error {
			return w.out.Do(ctx, func(tell func(api.Event)) { w.listed(kind, items, tell) })
		},
		Changed: func(ctx context.Context, how cluster.Change, o object, _ string) error {
			return w.out.Do(ctx, func(tell func(api.Event)) {
				if key := kind + "/" + o.Metadata.Key(); how == cluster.Deleted {
					w.gone(key, tell)
				} else {
					w.see(key, &o, true, tell)
				}
			})
		},
	}
	return f.Run
}

func (w *watcher) listed(kind string, items []object, tell func(api.Event)) {
	there := map[string]bool{}
	for i := range items {
		key := kind + "/" + items[i].Metadata.Key()
		there[key] = true
		w.see(key, &items[i], w.cursor.Listed[kind], tell)
	}
	for _, key := range slices.Sorted(maps.Keys(w.cursor.Told)) {
		if strings.HasPrefix(key, kind+"/") && !there[key] {
			w.gone(key, tell)
		}
	}
	w.cursor.Listed[kind] = true
}

// see tells what is new of an object. Of one that was there before anybody looked
// only what is wrong is new.
func (w *watcher) see(key string, o *object, looked bool, tell func(api.Event)) {
	if !w.config.Namespaces.Has(o.Metadata.Namespace) {
		return
	}
	before, known := w.cursor.Told[key]
	after := o.state(before)
	if !known && !looked {
		before.Suspended, before.Revision = after.Suspended, after.Revision
	}
	w.cursor.Told[key] = after
	for _, n := range transitions(before, after) {
		w.tell(key, o, n, tell)
	}
}

// gone ends what was wrong with an object that is no more.
func (w *watcher) gone(key string, tell func(api.Event)) {
	before := w.cursor.Told[key]
	delete(w.cursor.Told, key)
	o := &object{}
	for _, n := range transitions(before, state{Revision: before.Revision, version: fmt.Sprint("gone-", w.now().UnixMilli())}) {
		n.says = "is gone"
		w.tell(key, o, n, tell)
	}
}

func (w *watcher) tell(key string, o *object, n news, tell func(api.Event)) {
	if slices.Contains(w.config.Skip, n.about) {
		return
	}
	parts := strings.SplitN(key, "/", 3)
	e := api.Event{
		ID: fmt.Sprintf("flux/%s/%s/%s", w.cluster, key, n.id), At: w.now(), Cluster: w.cluster, Kind: parts[0], Namespace: parts[1], Name: parts[2],
		Reason: n.reason, Severity: n.severity, Title: fmt.Sprintf("%s %s/%s %s", parts[0], parts[1], parts[2], n.says), Text: cluster.Clip(n.text, 4000),
		About: w.cluster + "/" + key + "/" + n.about, Resolved: n.over, Moment: n.about == revision, Labels: map[string]string{},
	}
	if r := w.cursor.Told[key].Revision; r != "" {
		e.Labels["revision"] = r
	}
	if o.Metadata.Labels["app.kubernetes.io/name"] != "" {
		e.Labels["app"] = o.Metadata.Labels["app.kubernetes.io/name"]
	}
	tell(e)
}

// driftEvent is what helm-controller says of drift.
type driftEvent struct {
	Metadata  cluster.Meta `json:"metadata"`
	Reason    string       `json:"reason"`
	Note      string       `json:"note"`
	Regarding struct {
		Kind      string `json:"kind"`
		Namespace string `json:"namespace"`
		Name      string `json:"name"`
	} `json:"regarding"`
}

// drift follows what helm-controller says of drift.
func (w *watcher) drift(client *cluster.Client) func(context.Context) error {
	see := func(e *driftEvent, tell func(api.Event)) {
		key := "HelmRelease/" + e.Regarding.Namespace + "/" + e.Regarding.Name
		before, known := w.cursor.Told[key]
		if e.Regarding.Kind != "HelmRelease" || !known || e.Reason != "DriftDetected" && e.Reason != "DriftCorrected" {
			return
		}
		after := before
		after.Drift = e.Reason == "DriftDetected"
		w.cursor.Told[key] = after
		for _, n := range transitions(before, after) {
			n.id += "/" + e.Metadata.UID + "/" + e.Metadata.Version // the same Event says it again
			n.text = e.Note
			w.tell(key, &object{}, n, tell)
		}
	}
	f := &cluster.Feed[driftEvent]{
		Client: client, Path: "/apis/events.k8s.io/v1/events", Query: url.Values{"fieldSelector": {"regarding.kind=HelmRelease"}}, From: w.cursor.Drift,
		Seen: func(ctx context.Context, version string) error {
			return w.out.Do(ctx, func(func(api.Event)) { w.cursor.Drift = version })
		},
		Listed: func(ctx context.Context, all []driftEvent, _, version string, _ bool) error {
			return w.out.Do(ctx, func(tell func(api.Event)) {
				for _, e := range newer(all, w.cursor.Drift) {
					see(&e, tell)
				}
				w.cursor.Drift = version
			})
		},
		Changed: func(ctx context.Context, how cluster.Change, e driftEvent, version string) error {
			return w.out.Do(ctx, func(tell func(api.Event)) {
				if how != cluster.Deleted {
					see(&e, tell)
				}
				w.cursor.Drift = version
			})
		},
	}
	return f.Run
}

// newer are the Events that were written after a version, in that order; none if there
// is no such version, for what was before anybody looked is nothing new.
func newer(all []driftEvent, than string) []driftEvent {
	version := func(v string) uint64 {
		n, err := strconv.ParseUint(v, 10, 64)
		if err != nil {
			return 0
		}
		return n
	}
	last := version(than)
	all = slices.DeleteFunc(all, func(e driftEvent) bool { return last == 0 || version(e.Metadata.Version) <= last })
	slices.SortFunc(all, func(a, b driftEvent) int {
		return cmp.Compare(version(a.Metadata.Version), version(b.Metadata.Version))
	})
	return all
}
