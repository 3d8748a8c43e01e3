// Package changes is the source of changes to manifests: of chosen kinds, what was
// created, deleted, or differs in what somebody wrote, never in what the cluster
// writes (status, versions, bookkeeping).
//
//	object → manifest.go   what matters of it; a Secret's values are gone from here on
//	       → diff.go       old → new, field by field, bounded
//
// Of each object it keeps what matters, packed. The cursor holds, for each kind, the
// resource version up to which everything was told, and for each object a few bytes
// of a keyed hash. After a restart the API server is asked for the world as it was
// at that version, so that what changed meanwhile is told with what it was before;
// when that is forgotten, the hashes still say which objects changed, once.
package changes

import (
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"ferry/plugins/api"
	"ferry/plugins/sources/cluster"
	"ferry/plugins/sources/outlet"
)

//go:embed schema.json
var schema []byte

// Source is the source of changes.
type Source struct{ Version string }

// Info says what it is.
func (s Source) Info() api.Info {
	return api.Info{
		Name: "changes", Version: s.Version, Schema: schema,
		Description: "What somebody changed in chosen kinds of a cluster's objects",
	}
}

// cursor is what a restart goes on with.
type cursor struct {
	// Salt keeps what is hashed from being guessed by whoever sees a hash alone.
	Salt  string           `json:"salt"`
	Kinds map[string]*seen `json:"kinds,omitempty"`

	Troubled cluster.Troubles `json:"troubled,omitempty"`
}

// seen is what was told of a kind.
type seen struct {
	Version string `json:"v"`
	// Of is what the hashes are made of: the configuration that decides what matters.
	Of string `json:"of,omitempty"`
	// Hashes by namespace/name; Partial says that there were too many.
	Hashes  map[string]string `json:"h,omitempty"`
	Partial bool              `json:"partial,omitempty"`
}

// watcher is one stream.
type watcher struct {
	config  config
	cluster string
	out     *outlet.Outlet
	now     func() time.Time

	// What follows is used by one feed at a time.
	cursor cursor
	kept   map[string]map[string]kept // by kind, then namespace/name
	unsure map[string]bool            // kinds of which a cursor did not name all
}

// kept is what is known of one object.
type kept struct {
	hash string // empty: it was there, and what it was like does not say anything now
	// packed is the manifest; nil if it is not known, only its hash.
	packed []byte
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
	w := &watcher{config: c, cluster: r.Cluster, now: time.Now, kept: map[string]map[string]kept{}, unsure: map[string]bool{}}
	if err := outlet.Decode(r.Cursor, &w.cursor); err != nil {
		return err
	}
	if w.cursor.Salt == "" {
		salt := make([]byte, 16)
		_, _ = rand.Read(salt) // never fails
		w.cursor = cursor{Salt: hex.EncodeToString(salt)}
	}
	before := w.cursor.Kinds
	w.cursor.Kinds = map[string]*seen{}
	w.out = outlet.New(emit, w.state)
	parts := []func(context.Context) error{w.out.Run}
	for _, kind := range c.Kinds {
		parts = append(parts, w.feed(client, kind, before[kind]))
	}
	return outlet.Together(ctx, parts...)
}

// mostHashes is how many objects a cursor names, of all kinds together.
const mostHashes = 4000

// state is the cursor as of now.
func (w *watcher) state() any {
	left := mostHashes
	for _, kind := range slices.Sorted(maps.Keys(w.cursor.Kinds)) {
		s := w.cursor.Kinds[kind]
		s.Of, s.Hashes, s.Partial = w.config.matters(), map[string]string{}, w.unsure[kind]
		for _, key := range slices.Sorted(maps.Keys(w.kept[kind])) {
			if left == 0 {
				s.Partial = true
				break
			}
			left--
			s.Hashes[key] = w.kept[kind][key].hash
		}
	}
	return w.cursor
}

// feed follows one kind.
func (w *watcher) feed(client *cluster.Client, kind string, before *seen) func(context.Context) error {
	w.kept[kind] = map[string]kept{}
	resource, path := address(kind)
	f := &cluster.Feed[object]{Client: client, Path: path, Troubled: w.cursor.Troubled[kind], Slim: func(o *object) {
		o.manifest = w.manifest(kind, *o)
		o.all = nil
	}}
	first := before == nil
	if before != nil {
		f.From = before.Version
		w.cursor.Kinds[kind] = &seen{Version: before.Version}
		same := before.Of == w.config.matters()
		if before.Partial || !same {
			w.unsure[kind] = true
		}
		for key, hash := range before.Hashes {
			if !same {
				hash = ""
			}
			w.kept[kind][key] = kept{hash: hash}
		}
	}
	f.Trouble = func(ctx context.Context, err error) error {
		return w.out.Do(ctx, func(tell func(api.Event)) {
			w.cursor.Troubled.Note(kind, err)
			tell(cluster.TroubleEvent(w.cluster, resource, err, w.now()))
		})
	}
	f.Recalled = func(ctx context.Context, items []object) error {
		return w.out.Do(ctx, func(func(api.Event)) {
			clear(w.kept[kind])
			for _, o := range items {
				if o.wanted {
					w.kept[kind][o.key] = kept{hash: o.hash, packed: o.packed}
				}
			}
			delete(w.unsure, kind)
		})
	}
	f.Seen = func(ctx context.Context, version string) error {
		return w.out.Do(ctx, func(func(api.Event)) { w.reached(kind, version) })
	}
	f.Changed = func(ctx context.Context, how cluster.Change, o object, version string) error {
		return w.out.Do(ctx, func(tell func(api.Event)) {
			if o.wanted {
				w.changed(kind, o.manifest, how == cluster.Deleted, false, tell)
			}
			w.reached(kind, version)
		})
	}
	f.Listed = func(ctx context.Context, items []object, _, version string, _ bool) error {
		defer w.out.Mark()
		return w.out.Do(ctx, func(tell func(api.Event)) {
			silent := first
			first = false
			w.listed(kind, items, silent, tell)
			w.reached(kind, version)
		})
	}
	return f.Run
}

func (w *watcher) reached(kind, version string) {
	if w.cursor.Kinds[kind] == nil {
		w.cursor.Kinds[kind] = &seen{}
	}
	w.cursor.Kinds[kind].Version = version
}

// listed compares what is there with what is known.
func (w *watcher) listed(kind string, items []object, silent bool, tell func(api.Event)) {
	there := map[string]bool{}
	for _, o := range items {
		there[o.key] = true
		if !o.wanted {
			continue
		}
		_, known := w.kept[kind][o.key]
		w.changed(kind, o.manifest, false, silent || w.unsure[kind] && !known, tell)
	}
	delete(w.unsure, kind)
	for _, key := range slices.Sorted(maps.Keys(w.kept[kind])) {
		if there[key] {
			continue
		}
		namespace, name, _ := strings.Cut(key, "/")
		m := manifest{key: key, kind: kindOf(items, kind), namespace: namespace, name: name, version: "gone-" + w.kept[kind][key].hash}
		w.changed(kind, m, true, silent, tell)
	}
}

func kindOf(items []object, kind string) string {
	if len(items) > 0 && items[0].Kind != "" {
		return items[0].Kind
	}
	resource, _ := address(kind)
	return singular(resource)
}

// changed tells of an object, unless nothing that matters is new.
func (w *watcher) changed(kind string, m manifest, deleted, silent bool, tell func(api.Event)) {
	old, known := w.kept[kind][m.key]
	if deleted {
		delete(w.kept[kind], m.key)
		if known && !silent && w.config.tells("delete") {
			tell(w.event(m, "Deleted", "was deleted", ""))
		}
		return
	}
	if known && (old.hash == m.hash || old.hash == "") {
		if old.packed == nil {
			w.kept[kind][m.key] = kept{hash: m.hash, packed: m.packed}
		}
		return
	}
	w.kept[kind][m.key] = kept{hash: m.hash, packed: m.packed}
	switch {
	case silent:
	case !known:
		if w.config.tells("create") {
			tell(w.event(m, "Created", "was created", ""))
		}
	case w.config.tells("update"):
		text := "It changed while nobody watched, and what it was before is not known any more."
		if old.packed != nil {
			text = diff(unpack(old.packed), unpack(m.packed), w.config.Lines)
		}
		tell(w.event(m, "Changed", "changed", text))
	}
}

func (w *watcher) event(m manifest, reason, says, text string) api.Event {
	by := ""
	if m.manager != "" && reason != "Deleted" {
		by = " by " + m.manager
	}
	where := m.name
	if m.namespace != "" {
		where = m.namespace + "/" + m.name
	}
	e := api.Event{
		ID: fmt.Sprintf("change/%s/%s/%s/%s/%s", w.cluster, m.kind, m.key, reason, m.version), At: w.now(), Cluster: w.cluster,
		Kind: m.kind, Namespace: m.namespace, Name: m.name, Reason: reason, Severity: api.SeverityInfo,
		Title: fmt.Sprintf("%s %s %s%s", m.kind, where, says, by), Text: text, Labels: map[string]string{},
		About: strings.Join([]string{w.cluster, m.kind, m.namespace, m.name, "changes"}, "/"), Object: m.shown, Moment: true,
	}
	if m.manager != "" {
		e.Labels["manager"] = m.manager
	}
	if app := m.app; app != "" {
		e.Labels["app"] = app
	}
	return e
}
