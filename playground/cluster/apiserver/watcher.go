package apiserver

import (
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/watch"
)

// maxBehind is how many changes a watcher may have waiting before it is cut off:
// as on a real server, who reads too slowly lists again.
const maxBehind = 20000

// Watcher receives the changes of one resource which match.
type Watcher struct {
	store     *Store
	table     *table
	namespace string
	match     func(*Object) bool
	waiting   []Event // guarded by the store's lock
	cut       bool
	wake      chan struct{}
}

// watchFrom is where a watch begins: with what exists, or after a version.
type watchFrom struct {
	existing bool
	version  uint64
}

// watch begins a watch. initial is how many of its first events tell what
// exists, version as of when.
func (s *Store) watch(r *Resource, namespace string, match func(*Object) bool, from watchFrom) (w *Watcher, initial int, version uint64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.served(r)
	if err != nil {
		return nil, 0, 0, err
	}
	w = &Watcher{store: s, table: t, namespace: namespace, match: match, wake: make(chan struct{}, 1)}
	switch {
	case from.existing:
		for _, o := range s.list(t, namespace) {
			w.offer(Event{Type: watch.Added, Object: o})
		}
		initial = len(w.waiting)
	case from.version > s.version:
		return nil, 0, 0, apierrors.NewTimeoutError(fmt.Sprintf("Too large resource version: %d, current: %d",
			from.version, s.version), 1)
	case from.version < t.compacted:
		return nil, 0, 0, apierrors.NewResourceExpired(fmt.Sprintf("too old resource version: %d (%d)",
			from.version, t.compacted))
	default:
		for _, e := range t.log {
			if e.Object.Version > from.version {
				w.offer(e)
			}
		}
	}
	t.watchers[w] = struct{}{}
	return w, initial, s.version, nil
}

// offer queues an event if it concerns the watcher. The store's lock is held.
func (w *Watcher) offer(e Event) {
	if w.cut || w.namespace != "" && e.Object.Namespace != w.namespace {
		return
	}
	is := w.match(e.Object)
	was := e.Old != nil && w.match(e.Old)
	switch {
	case e.Type == watch.Deleted:
		is = is || was
	case e.Type == watch.Modified && was && !is:
		e.Type, is = watch.Deleted, true // it left what is watched
	case e.Type == watch.Modified && !was:
		e.Type = watch.Added // it came into it
	}
	if !is {
		return
	}
	if len(w.waiting) >= maxBehind {
		w.end()
		return
	}
	w.waiting = append(w.waiting, e)
	w.signal()
}

// end cuts the watcher off. The store's lock is held.
func (w *Watcher) end() {
	w.cut, w.waiting = true, nil
	w.signal()
}

func (w *Watcher) signal() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// take returns the events since the last call; ok is false when the watcher was
// cut off.
func (w *Watcher) take() (events []Event, ok bool) {
	w.store.mu.Lock()
	defer w.store.mu.Unlock()
	events, w.waiting = w.waiting, nil
	return events, !w.cut
}

func (w *Watcher) stop() {
	w.store.mu.Lock()
	defer w.store.mu.Unlock()
	delete(w.table.watchers, w)
}
