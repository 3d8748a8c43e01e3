package apiserver

import (
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
)

// Event is one change. Old is what stood there before; for a deletion Object is
// the last state, under the resource version of the deletion.
type Event struct {
	Type   watch.EventType
	Object *Object
	Old    *Object
}

// Store holds the objects of one cluster. All writes are serialized; readers see
// each of them whole.
type Store struct {
	mu        sync.Mutex
	version   uint64
	history   int
	tables    map[schema.GroupResource]*table
	owned     map[string]map[*Object]struct{} // by the owner's UID
	alive     map[string]struct{}             // UIDs
	listeners []func(Event)
}

// table is what is kept of one resource.
type table struct {
	resource  *Resource
	objects   map[Key]*Object
	log       []Event // the newest last
	compacted uint64  // changes up to here have left the log
	watchers  map[*Watcher]struct{}
}

// NewStore returns an empty store of these resources, which remembers history
// changes of each of them for watches that resume; zero means 1000.
func NewStore(history int, resources ...*Resource) *Store {
	if history <= 0 {
		history = 1000
	}
	s := &Store{
		version: 1, history: history, tables: map[schema.GroupResource]*table{},
		owned: map[string]map[*Object]struct{}{},
		alive: map[string]struct{}{},
	}
	for _, r := range resources {
		s.tables[r.GroupResource()] = s.newTable(r)
	}
	return s
}

func (s *Store) newTable(r *Resource) *table {
	return &table{resource: r, objects: map[Key]*Object{}, watchers: map[*Watcher]struct{}{}, compacted: s.version}
}

// OnChange has f called after each write, in order, by the writing goroutine and
// under the store's lock: f must be quick and must not call the store.
func (s *Store) OnChange(f func(Event)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listeners = append(s.listeners, f)
}

// Resources are the resources served, in no order.
func (s *Store) Resources() []*Resource {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*Resource, 0, len(s.tables))
	for _, t := range s.tables {
		all = append(all, t.resource)
	}
	return all
}

// Resource is the resource of that name, or nil.
func (s *Store) Resource(gr schema.GroupResource) *Resource {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.tables[gr]; t != nil {
		return t.resource
	}
	return nil
}

// ResourceFor is the resource whose objects have this kind, or nil.
func (s *Store) ResourceFor(gvk schema.GroupVersionKind) *Resource {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.tables {
		if t.resource.GroupVersionKind == gvk {
			return t.resource
		}
	}
	return nil
}

// Get is the object as it stands, or nil.
func (s *Store) Get(r *Resource, key Key) *Object {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.tables[r.GroupResource()]; t != nil {
		return t.objects[key]
	}
	return nil
}

// List returns the objects of a namespace ("" for all), ordered by namespace and
// name, and the resource version at which that was so.
func (s *Store) List(r *Resource, namespace string) ([]*Object, uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.tables[r.GroupResource()]; t != nil {
		return s.list(t, namespace), s.version
	}
	return nil, s.version
}

func (s *Store) list(t *table, namespace string) []*Object {
	objects := make([]*Object, 0, len(t.objects))
	for _, o := range t.objects {
		if namespace == "" || o.Namespace == namespace {
			objects = append(objects, o)
		}
	}
	slices.SortFunc(objects, func(a, b *Object) int { return a.Key.compare(b.Key) })
	return objects
}

// Owned are the objects of a resource which that UID controls, ordered by name.
func (s *Store) Owned(r *Resource, uid string) []*Object {
	s.mu.Lock()
	defer s.mu.Unlock()
	var objects []*Object
	for o := range s.owned[uid] {
		if o.Resource == r {
			objects = append(objects, o)
		}
	}
	slices.SortFunc(objects, func(a, b *Object) int { return a.Key.compare(b.Key) })
	return objects
}

// Compact forgets the changes so far: watches that want to resume from before
// are told that they are too old.
func (s *Store) Compact() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.tables {
		t.log, t.compacted = nil, s.version
	}
}

// expired says whether a list begun at that version can no longer be continued.
func (s *Store) expired(r *Resource, version uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tables[r.GroupResource()]
	return t == nil || version < t.compacted
}

// Version is the newest resource version.
func (s *Store) Version() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.version
}

// record makes a change visible. The lock is held.
func (s *Store) record(t *table, e Event) {
	if e.Old != nil && e.Old.Owner != "" {
		delete(s.owned[e.Old.Owner], e.Old)
		if len(s.owned[e.Old.Owner]) == 0 {
			delete(s.owned, e.Old.Owner)
		}
	}
	if e.Type == watch.Deleted {
		delete(t.objects, e.Object.Key)
		delete(s.alive, e.Object.UID)
	} else {
		t.objects[e.Object.Key] = e.Object
		s.alive[e.Object.UID] = struct{}{}
		if owner := e.Object.Owner; owner != "" {
			if s.owned[owner] == nil {
				s.owned[owner] = map[*Object]struct{}{}
			}
			s.owned[owner][e.Object] = struct{}{}
		}
	}
	t.log = append(t.log, e)
	if over := len(t.log) - s.history; over > s.history/4 {
		t.compacted = t.log[over-1].Object.Version
		t.log = slices.Clone(t.log[over:])
	}
	for w := range t.watchers {
		w.offer(e)
	}
	for _, f := range s.listeners {
		f(e)
	}
}

func now() string { return time.Now().UTC().Format(time.RFC3339) }
