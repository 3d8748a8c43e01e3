package k8s

import (
	"sync"

	"ferry/internal/deploy"
)

// sight is whether a kind of objects can be seen.
type sight struct {
	listed bool   // at least once in this process, and not forbidden since
	reason string // why not
}

// store is what is known of one cluster. Records in it never change, so that
// readers may keep them.
type store struct {
	mu             sync.RWMutex
	workloads      map[key]*workload
	releases       map[key]*release
	kustomizations map[key]*declaration
	sources        map[key]*source
	// substitutes are the ConfigMaps and Secrets that Kustomizations take
	// variables from.
	substitutes map[deploy.Ref]*substitute
	sights      map[string]sight // by feed
	// changes counts the changes; apps were made at snapshotAt of them.
	changes    uint64
	snapshotAt uint64
	apps       []deploy.AppState
	listeners  map[chan struct{}]struct{}
}

func newStore() *store {
	return &store{
		workloads: map[key]*workload{}, releases: map[key]*release{}, kustomizations: map[key]*declaration{},
		sources: map[key]*source{}, substitutes: map[deploy.Ref]*substitute{}, sights: map[string]sight{},
		listeners: map[chan struct{}]struct{}{}, changes: 1,
	}
}

// change runs f under the lock and tells everybody who listens.
func (s *store) change(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
	s.changes++
	for l := range s.listeners {
		select {
		case l <- struct{}{}:
		default: // told already, and has not looked yet
		}
	}
}

// listen returns a channel that gets something after changes, any number of
// them at once, and what ends that.
func (s *store) listen() (<-chan struct{}, func()) {
	c := make(chan struct{}, 1)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listeners[c] = struct{}{}
	return c, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.listeners, c)
	}
}

// replaceRows makes rows the whole content of a table within a namespace (all if
// empty).
func replaceRows[R any](table map[key]R, namespace string, rows map[key]R) {
	for k := range table {
		if _, stays := rows[k]; !stays && (namespace == "" || k.namespace == namespace) {
			delete(table, k)
		}
	}
	for k, r := range rows {
		table[k] = r
	}
}

// snapshot returns the apps of the cluster in order, made at most once per
// change. Who gets it must not change it.
func (s *store) snapshot(cluster deploy.Cluster, within scope) []deploy.AppState {
	s.mu.RLock()
	apps, fresh := s.apps, s.snapshotAt == s.changes
	s.mu.RUnlock()
	if fresh {
		return apps
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.snapshotAt != s.changes {
		s.apps, s.snapshotAt = gather(s, cluster, within), s.changes
	}
	return s.apps
}

// scope is where apps are looked for; empty is everywhere.
type scope []string

func (s scope) has(namespace string) bool {
	for _, n := range s {
		if n == namespace {
			return true
		}
	}
	return len(s) == 0
}
