package cluster

import (
	"context"
	"errors"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
)

// again is the pause after a watch has ended.
const again = time.Second

func (c *Client) page(ctx context.Context, r dynamic.ResourceInterface, options metav1.ListOptions) (*unstructured.UnstructuredList, error) {
	ctx, cancel := context.WithTimeout(ctx, answer)
	defer cancel()
	return patiently(ctx, func() (*unstructured.UnstructuredList, error) { return r.List(ctx, options) })
}

// Follow shows an object as it is and as it becomes, until done says that this is
// enough, it is deleted, the cluster says no, or ctx ends. It watches; where it may not, or
// where the watch ends, it looks every second. Only what is new is shown.
func (c *Client) Follow(ctx context.Context, o Object, done func(Object) bool) error {
	shown := ""
	see := func(now Object) bool {
		if now.GetResourceVersion() == shown {
			return false
		}
		shown = now.GetResourceVersion()
		return done(now)
	}
	for {
		if see(o) {
			return nil
		}
		if over, err := c.watch(ctx, o, see); over || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(again):
		}
		now, err := c.Get(ctx, o.Kind, o.GetNamespace(), o.GetName())
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case IsNotFound(err):
			return errDeleted
		case IsForbidden(err):
			return err
		case err == nil:
			o = now
		} // a cluster that is away for a moment is asked again
	}
}

var errDeleted = errors.New("it was deleted meanwhile")

// watch shows what becomes of an object. It returns with over when that was enough,
// and with neither when the watch ended.
func (c *Client) watch(ctx context.Context, o Object, see func(Object) bool) (over bool, err error) {
	r, err := c.resource(ctx, o.Kind)
	if err != nil {
		return false, err
	}
	w, err := r.Namespace(o.GetNamespace()).Watch(ctx, metav1.ListOptions{
		FieldSelector: "metadata.name=" + o.GetName(), ResourceVersion: o.GetResourceVersion(),
	})
	if err != nil {
		return false, nil // where it may not be watched, it is looked at
	}
	defer w.Stop()
	for {
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case e, open := <-w.ResultChan():
			if !open || e.Type == watch.Error {
				return false, nil
			}
			now, ok := e.Object.(*unstructured.Unstructured)
			switch {
			case !ok:
			case e.Type == watch.Deleted:
				return false, errDeleted
			case see(Object{Kind: o.Kind, Unstructured: now}):
				return true, nil
			}
		}
	}
}
