package apiserver

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"reflect"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/apimachinery/pkg/watch"
)

// Create adds an object, typed or not. The errors are those of Kubernetes.
func (s *Store) Create(r *Resource, object any) (*Object, error) {
	content, err := toContent(object)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.create(r, content)
}

func (s *Store) create(r *Resource, content map[string]any) (*Object, error) {
	t, err := s.served(r)
	if err != nil {
		return nil, err
	}
	meta := child(content, "metadata")
	key, err := s.name(r, meta)
	if err != nil {
		return nil, err
	}
	if _, taken := t.objects[key]; taken {
		return nil, apierrors.NewAlreadyExists(r.GroupResource(), key.Name)
	}
	if uid, _ := meta["uid"].(string); uid == "" || r.Name != "namespaces" {
		meta["uid"] = string(uuid.NewUUID())
	}
	if meta["creationTimestamp"] = now(); r.Namespaced {
		meta["namespace"] = key.Namespace
	}
	delete(meta, "deletionTimestamp")
	delete(meta, "managedFields")
	content["apiVersion"], content["kind"] = r.APIVersion(), r.Kind
	if r.Status {
		meta["generation"] = int64(1)
	}
	setDefaults(r, content)
	if r.Name == definitions {
		s.serveCustom(content)
	}
	s.version++
	object, err := seal(r, content, s.version)
	if err != nil {
		return nil, err
	}
	s.record(t, Event{Type: watch.Added, Object: object})
	if _, lives := s.alive[object.Owner]; object.Owner != "" && !lives {
		s.collect(object) // as the garbage collector does, only sooner
	}
	return object, nil
}

// served is the table of a resource whose definition may be gone.
func (s *Store) served(r *Resource) (*table, error) {
	if t := s.tables[r.GroupResource()]; t != nil {
		return t, nil
	}
	return nil, apierrors.NewGenericServerResponse(http.StatusNotFound, "", r.GroupResource(), "", "404 page not found", 0, true)
}

func (s *Store) name(r *Resource, meta map[string]any) (Key, error) {
	name, _ := meta["name"].(string)
	namespace, _ := meta["namespace"].(string)
	if prefix, _ := meta["generateName"].(string); name == "" && prefix != "" {
		name = prefix + Suffix()
		meta["name"] = name
	}
	if name == "" {
		return Key{}, apierrors.NewInvalid(r.GroupKind(), "", nil)
	}
	if !r.Namespaced {
		delete(meta, "namespace")
		return Key{Name: name}, nil
	}
	namespaces := s.tables[schema.GroupResource{Resource: "namespaces"}]
	if _, ok := namespaces.objects[Key{Name: namespace}]; !ok {
		return Key{}, apierrors.NewNotFound(namespaces.resource.GroupResource(), namespace)
	}
	return Key{namespace, name}, nil
}

// Suffix is what Kubernetes appends to generated names.
func Suffix() string {
	const alphabet = "bcdfghjklmnpqrstvwxz2456789"
	raw := make([]byte, 5)
	_, _ = rand.Read(raw) // never fails, see crypto/rand
	for i := range raw {
		raw[i] = alphabet[int(raw[i])%len(alphabet)]
	}
	return string(raw)
}

// Part says what of an object a write may change, as the URL of a request does.
type Part int

// The parts.
const (
	Spec   Part = iota // everything but the status
	Status             // the status and nothing else
	Whole              // both: for what stands behind the API
)

// Modify reads an object, has change make another of it, and writes that, in one
// step. A change to nothing writes nothing. change gets a copy that it may keep
// or return; a resourceVersion in what it returns must be the current one.
func (s *Store) Modify(r *Resource, key Key, part Part, change func(map[string]any) (map[string]any, error)) (*Object, error) {
	return s.modify(r, key, part, func(old *Object) (map[string]any, error) {
		content, err := old.Content()
		if err != nil {
			return nil, err
		}
		return change(content)
	})
}

func (s *Store) modify(r *Resource, key Key, part Part, change func(*Object) (map[string]any, error)) (*Object, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.served(r)
	if err != nil {
		return nil, err
	}
	old := t.objects[key]
	if old == nil {
		return nil, apierrors.NewNotFound(r.GroupResource(), key.Name)
	}
	after, err := change(old)
	if err != nil {
		return nil, err
	}
	before, err := old.Content()
	if err != nil {
		return nil, err
	}
	return s.replace(t, old, before, after, part)
}

func (s *Store) replace(t *table, old *Object, before, after map[string]any, part Part) (*Object, error) {
	r, meta, past := t.resource, child(after, "metadata"), child(before, "metadata")
	if v, _ := meta["resourceVersion"].(string); v != "" && v != past["resourceVersion"] {
		return nil, conflict(r, old.Name, "the object has been modified; please apply your changes to the latest version and try again")
	}
	if uid, _ := meta["uid"].(string); uid != "" && uid != old.UID {
		return nil, conflict(r, old.Name, fmt.Sprintf(
			"Precondition failed: UID in precondition: %s, UID in object meta: %s", uid, old.UID))
	}
	switch {
	case r.Status && part == Status:
		kept := maps.Clone(before)
		if after["status"] != nil {
			kept["status"] = after["status"]
		} else {
			delete(kept, "status")
		}
		after = kept
	case r.Status && part == Spec:
		if delete(after, "status"); before["status"] != nil {
			after["status"] = before["status"]
		}
	}
	after["apiVersion"], after["kind"] = r.APIVersion(), r.Kind
	meta = maps.Clone(child(after, "metadata"))
	after["metadata"] = meta
	delete(meta, "managedFields")
	for _, fixed := range []string{"name", "namespace", "uid", "creationTimestamp", "generation", "deletionTimestamp", "resourceVersion"} {
		if meta[fixed] = past[fixed]; past[fixed] == nil {
			delete(meta, fixed)
		}
	}
	setDefaults(r, after)
	if r.Status && !same(spec(before), spec(after)) {
		generation, _ := past["generation"].(float64)
		meta["generation"] = int64(generation) + 1
	}
	if raw, err := json.Marshal(after); err != nil || bytes.Equal(raw, old.Raw) {
		return old, err
	}
	s.version++
	object, err := seal(r, after, s.version)
	if err != nil {
		return nil, err
	}
	if finalizers, _ := meta["finalizers"].([]any); meta["deletionTimestamp"] != nil && len(finalizers) == 0 {
		s.drop(t, old, object)
		return object, nil
	}
	s.record(t, Event{Type: watch.Modified, Object: object, Old: old})
	return object, nil
}

// spec is what of an object counts into its generation.
func spec(content map[string]any) map[string]any {
	counted := maps.Clone(content)
	delete(counted, "metadata")
	delete(counted, "status")
	return counted
}

func same(a, b map[string]any) bool {
	if reflect.DeepEqual(a, b) {
		return true
	}
	left, err := json.Marshal(a)
	right, err2 := json.Marshal(b)
	return err == nil && err2 == nil && bytes.Equal(left, right)
}

func conflict(r *Resource, name, why string) error {
	return apierrors.NewConflict(r.GroupResource(), name, fmt.Errorf("%s", why))
}

// Delete removes an object and, unless orphan, all that it controls. uid is a
// precondition where it is not empty. One with finalizers is only marked.
func (s *Store) Delete(r *Resource, key Key, uid string, orphan bool) (*Object, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.served(r)
	if err != nil {
		return nil, err
	}
	old := t.objects[key]
	if old == nil {
		return nil, apierrors.NewNotFound(r.GroupResource(), key.Name)
	}
	if uid != "" && uid != old.UID {
		return nil, conflict(r, key.Name, fmt.Sprintf(
			"Precondition failed: UID in precondition: %s, UID in object meta: %s", uid, old.UID))
	}
	content, err := old.Content()
	if err != nil {
		return nil, err
	}
	meta := child(content, "metadata")
	s.version++
	if finalizers, _ := meta["finalizers"].([]any); len(finalizers) > 0 {
		meta["deletionTimestamp"] = now()
		object, err := seal(r, content, s.version)
		if err == nil {
			s.record(t, Event{Type: watch.Modified, Object: object, Old: old})
		}
		return object, err
	}
	last, err := seal(r, content, s.version)
	if err != nil {
		return nil, err
	}
	if orphan {
		s.record(t, Event{Type: watch.Deleted, Object: last, Old: old})
		return last, nil
	}
	s.drop(t, old, last)
	return last, nil
}

// drop removes an object and what depends on it. The lock is held.
func (s *Store) drop(t *table, old, last *Object) {
	s.record(t, Event{Type: watch.Deleted, Object: last, Old: old})
	if t.resource.Name == definitions {
		s.dropCustom(old)
	}
	var dependents []*Object
	for o := range s.owned[old.UID] {
		dependents = append(dependents, o)
	}
	if t.resource.Group == "" && t.resource.Name == "namespaces" {
		for _, other := range s.tables {
			if other.resource.Namespaced {
				dependents = append(dependents, s.list(other, old.Name)...)
			}
		}
	}
	for _, o := range dependents {
		s.collect(o)
	}
}

// collect removes an object that has lost its owner, or its namespace. The lock
// is held.
func (s *Store) collect(o *Object) {
	t := s.tables[o.Resource.GroupResource()]
	if t == nil || t.objects[o.Key] != o {
		return // gone already
	}
	content, err := o.Content()
	if err != nil {
		return
	}
	s.version++
	if last, err := seal(o.Resource, content, s.version); err == nil {
		s.drop(t, o, last)
	}
}
