package apiserver

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ktypes "k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"
)

// object reads an object from the body and checks that it is one of the URL's.
func (r *request) object() (map[string]any, error) {
	raw, err := body(r)
	if err != nil {
		return nil, err
	}
	var content map[string]any
	if err := yaml.Unmarshal(raw, &content); err != nil || content == nil {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("the object provided is unrecognized: %v", err))
	}
	return content, r.check(content)
}

func (r *request) check(content map[string]any) error {
	if kind, _ := content["kind"].(string); kind != "" && kind != r.resource.Kind {
		return apierrors.NewBadRequest(fmt.Sprintf("%s in version %q cannot be handled as a %s",
			kind, r.resource.Version, r.resource.Kind))
	}
	meta := child(content, "metadata")
	if name, _ := meta["name"].(string); r.name != "" && name != "" && name != r.name {
		return apierrors.NewBadRequest(fmt.Sprintf(
			"the name of the object (%s) does not match the name on the URL (%s)", name, r.name))
	}
	if !r.resource.Namespaced {
		return nil
	}
	if namespace, _ := meta["namespace"].(string); namespace != "" && namespace != r.namespace {
		return apierrors.NewBadRequest(fmt.Sprintf(
			"the namespace of the provided object does not match the namespace sent on the request (%s, %s)",
			namespace, r.namespace))
	}
	meta["namespace"] = r.namespace
	return nil
}

// dryRun is what a request would have stored: the store is left alone.
func dryRun(r *request) bool { return r.URL.Query().Get("dryRun") == metav1.DryRunAll }

func (s *Server) create(w http.ResponseWriter, r *request) error {
	content, err := r.object()
	if err != nil {
		return err
	}
	if r.resource.Namespaced && r.namespace == "" {
		return apierrors.NewBadRequest("an empty namespace may not be set during creation")
	}
	delete(child(content, "metadata"), "resourceVersion")
	if r.resource.Status && r.resource.Kind != "Namespace" {
		delete(content, "status")
	}
	if dryRun(r) {
		writeJSON(w, http.StatusCreated, content)
		return nil
	}
	o, err := s.store.Create(r.resource, content)
	if err != nil {
		return err
	}
	writeRaw(w, http.StatusCreated, o.Raw)
	return nil
}

func (r *request) part() Part {
	if r.sub == "status" {
		return Status
	}
	return Spec
}

func (s *Server) update(w http.ResponseWriter, r *request) error {
	content, err := r.object()
	if err != nil {
		return err
	}
	return s.modify(w, r, func(map[string]any) (map[string]any, error) { return content, nil })
}

func (s *Server) modify(w http.ResponseWriter, r *request, change func(map[string]any) (map[string]any, error)) error {
	if dryRun(r) {
		o := s.store.Get(r.resource, r.key())
		if o == nil {
			return apierrors.NewNotFound(r.resource.GroupResource(), r.name)
		}
		content, err := o.Content()
		if err == nil {
			content, err = change(content)
		}
		if err == nil {
			writeJSON(w, http.StatusOK, content)
		}
		return err
	}
	o, err := s.store.Modify(r.resource, r.key(), r.part(), change)
	if err != nil {
		return err
	}
	writeRaw(w, http.StatusOK, o.Raw)
	return nil
}

// deleteOptions come in the body or, from some clients, in the query.
func (r *request) deleteOptions() (uid string, orphan bool, err error) {
	raw, err := body(r)
	if err != nil {
		return "", false, err
	}
	var options metav1.DeleteOptions
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &options); err != nil {
			return "", false, apierrors.NewBadRequest(fmt.Sprintf("the delete options are unrecognized: %v", err))
		}
	}
	if options.Preconditions != nil && options.Preconditions.UID != nil {
		uid = string(*options.Preconditions.UID)
	}
	policy := r.URL.Query().Get("propagationPolicy")
	if options.PropagationPolicy != nil {
		policy = string(*options.PropagationPolicy)
	}
	return uid, policy == string(metav1.DeletePropagationOrphan), nil
}

func (s *Server) delete(w http.ResponseWriter, r *request) error {
	uid, orphan, err := r.deleteOptions()
	if err != nil {
		return err
	}
	o, err := s.store.Delete(r.resource, r.key(), uid, orphan)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, metav1.Status{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"},
		Status:   metav1.StatusSuccess, Details: &metav1.StatusDetails{
			Name: o.Name, Group: r.resource.Group,
			Kind: r.resource.Name, UID: ktypes.UID(o.UID),
		},
	})
	return nil
}

func (s *Server) deleteCollection(w http.ResponseWriter, r *request) error {
	match, err := selector(r)
	if err != nil {
		return err
	}
	_, orphan, err := r.deleteOptions()
	if err != nil {
		return err
	}
	objects, version := s.store.List(r.resource, r.namespace)
	var gone []*Object
	for _, o := range objects {
		if !match(o) {
			continue
		}
		if last, err := s.store.Delete(r.resource, o.Key, o.UID, orphan); err == nil {
			gone = append(gone, last)
		}
	}
	return s.writeList(w, r, gone, version, "")
}

// overlay puts a merge patch's members into content (RFC 7386).
func overlay(content, patch map[string]any) map[string]any {
	result := maps.Clone(content)
	if result == nil {
		result = map[string]any{}
	}
	for k, v := range patch {
		switch v := v.(type) {
		case nil:
			delete(result, k)
		case map[string]any:
			below, _ := result[k].(map[string]any)
			result[k] = overlay(below, v)
		default:
			result[k] = v
		}
	}
	return result
}
