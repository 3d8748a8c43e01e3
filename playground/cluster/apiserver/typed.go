package apiserver

import (
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Table is a typed view of one resource of a store, for what lives in the cluster.
type Table[T any] struct {
	store    *Store
	Resource *Resource
}

// In returns the view; it has no resource where the store does not serve it.
func In[T any](s *Store, group, name string) Table[T] {
	return Table[T]{s, s.Resource(schema.GroupResource{Group: group, Resource: name})}
}

// Get returns nil where there is none, or none that can be decoded.
func (t Table[T]) Get(key Key) *T {
	if t.Resource == nil {
		return nil
	}
	o := t.store.Get(t.Resource, key)
	if o == nil {
		return nil
	}
	return t.decode(o)
}

func (t Table[T]) decode(o *Object) *T {
	typed := new(T)
	if o.Into(typed) != nil {
		return nil
	}
	return typed
}

// List are the objects of a namespace, "" for all.
func (t Table[T]) List(namespace string) []*T {
	objects, _ := t.store.List(t.Resource, namespace)
	return t.all(objects)
}

// Owned are the objects that this UID controls.
func (t Table[T]) Owned(uid string) []*T { return t.all(t.store.Owned(t.Resource, uid)) }

func (t Table[T]) all(objects []*Object) []*T {
	typed := make([]*T, 0, len(objects))
	for _, o := range objects {
		if decoded := t.decode(o); decoded != nil {
			typed = append(typed, decoded)
		}
	}
	return typed
}

// Create adds an object and returns it as stored.
func (t Table[T]) Create(object *T) (*T, error) {
	o, err := t.store.Create(t.Resource, object)
	if err != nil {
		return nil, err
	}
	return t.decode(o), nil
}

// Change modifies an object in one step. One that is gone is left alone.
func (t Table[T]) Change(key Key, part Part, change func(*T)) error {
	_, err := t.store.modify(t.Resource, key, part, func(old *Object) (map[string]any, error) {
		typed := new(T)
		if err := old.Into(typed); err != nil {
			return nil, err
		}
		change(typed)
		return toContent(typed)
	})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// Delete removes an object and what it controls; it may be gone already.
func (t Table[T]) Delete(key Key) error {
	_, err := t.store.Delete(t.Resource, key, "", false)
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
