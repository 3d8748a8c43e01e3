package flux

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	kustomizev1 "github.com/fluxcd/kustomize-controller/api/v1"
	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/jsonmergepatch"

	"ferry/playground/cluster/apiserver"
)

// ref names an applied object as inventories do.
type ref struct {
	resource *apiserver.Resource
	key      apiserver.Key
}

func (r ref) entry() kustomizev1.ResourceRef {
	return kustomizev1.ResourceRef{
		Version: r.resource.Version,
		ID:      fmt.Sprintf("%s_%s_%s_%s", r.key.Namespace, r.key.Name, r.resource.Group, r.resource.Kind),
	}
}

// String is how Flux's messages name it.
func (r ref) String() string {
	if r.key.Namespace == "" {
		return r.resource.Kind + "/" + r.key.Name
	}
	return r.resource.Kind + "/" + r.key.Namespace + "/" + r.key.Name
}

// parseRef is the object of an inventory entry, ok false where its kind is gone.
func (c *Controller) parseRef(e kustomizev1.ResourceRef) (ref, bool) {
	parts := strings.Split(e.ID, "_")
	if len(parts) != 4 {
		return ref{}, false
	}
	resource := c.store.ResourceFor(schema.GroupVersionKind{Group: parts[2], Version: e.Version, Kind: parts[3]})
	return ref{resource, apiserver.Key{Namespace: parts[0], Name: parts[1]}}, resource != nil
}

// refOf finds where an object belongs.
func (c *Controller) refOf(object map[string]any) (ref, error) {
	kind, _ := object["kind"].(string)
	version, _ := object["apiVersion"].(string)
	meta, _ := object["metadata"].(map[string]any)
	name, _ := meta["name"].(string)
	namespace, _ := meta["namespace"].(string)
	gv, err := schema.ParseGroupVersion(version)
	if err != nil {
		return ref{}, err
	}
	resource := c.store.ResourceFor(gv.WithKind(kind))
	switch {
	case resource == nil:
		return ref{}, fmt.Errorf("%s/%s dry-run failed: no matches for kind %q in version %q", kind, name, kind, version)
	case resource.Namespaced && namespace == "":
		return ref{}, fmt.Errorf("%s/%s namespace not specified: the server could not find the requested resource", kind, name)
	case !resource.Namespaced:
		namespace = ""
	}
	return ref{resource, apiserver.Key{Namespace: namespace, Name: name}}, nil
}

// apply makes an object what is wanted: fields that were wanted last time and
// are no longer are removed, fields that others set stay.
func (c *Controller) apply(r ref, wanted map[string]any, last []byte) (now []byte, err error) {
	now, err = json.Marshal(wanted)
	if err != nil {
		return nil, err
	}
	change := func(current map[string]any) (map[string]any, error) {
		have, err := json.Marshal(current)
		if err != nil {
			return nil, err
		}
		if last == nil {
			last = now
		}
		patch, err := jsonmergepatch.CreateThreeWayJSONMergePatch(last, now, have)
		if err != nil {
			return nil, err
		}
		merged, err := jsonpatch.MergePatch(have, patch)
		if err != nil {
			return nil, err
		}
		var after map[string]any
		return after, json.Unmarshal(merged, &after)
	}
	_, err = c.store.Modify(r.resource, r.key, apiserver.Spec, change)
	if apierrors.IsNotFound(err) {
		var fresh map[string]any
		if err = json.Unmarshal(now, &fresh); err == nil {
			delete(fresh, "status")
			_, err = c.store.Create(r.resource, fresh)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%s dry-run failed: %w", r, err)
	}
	return now, nil
}

// applyAll applies the objects in order and returns what they are.
func (c *Controller) applyAll(objects []map[string]any, last map[ref][]byte) (map[ref][]byte, []ref, error) {
	applied := make(map[ref][]byte, len(objects))
	refs := make([]ref, 0, len(objects))
	for _, object := range objects {
		r, err := c.refOf(object)
		if err != nil {
			return nil, nil, err
		}
		now, err := c.apply(r, object, last[r])
		if err != nil {
			return nil, nil, err
		}
		applied[r] = now
		refs = append(refs, r)
	}
	return applied, refs, nil
}

// prune removes what an inventory has and the new one has not, unless it is
// marked to stay.
func (c *Controller) prune(old *kustomizev1.ResourceInventory, keep []ref) error {
	if old == nil {
		return nil
	}
	for _, e := range slices.Backward(old.Entries) {
		r, ok := c.parseRef(e)
		if !ok || slices.Contains(keep, r) {
			continue
		}
		o := c.store.Get(r.resource, r.key)
		if o == nil || o.Labels[fluxGroup+"/prune"] == "disabled" {
			continue
		}
		content, err := o.Content()
		if err != nil {
			return err
		}
		meta, _ := content["metadata"].(map[string]any)
		annotations, _ := meta["annotations"].(map[string]any)
		if annotations[fluxGroup+"/prune"] == "disabled" {
			continue
		}
		if _, err := c.store.Delete(r.resource, r.key, "", false); err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("%s delete failed: %w", r, err)
		}
	}
	return nil
}
