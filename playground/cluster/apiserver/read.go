package apiserver

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"sort"
	"strconv"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
)

func (s *Server) get(w http.ResponseWriter, r *request) error {
	o := s.store.Get(r.resource, r.key())
	if o == nil {
		return apierrors.NewNotFound(r.resource.GroupResource(), r.name)
	}
	raw, err := r.form(o)
	if err == nil {
		writeRaw(w, http.StatusOK, raw)
	}
	return err
}

// form is an object as the request wants to see it.
func (r *request) form(o *Object) ([]byte, error) {
	if r.wantsMetadata() {
		return partial(o)
	}
	return o.Raw, nil
}

// wantsMetadata: a metadata client names the media type's parameter before plain JSON.
func (r *request) wantsMetadata() bool {
	for accepted := range strings.SplitSeq(r.Header.Get("Accept"), ",") {
		if strings.Contains(accepted, "as=PartialObjectMetadata") {
			return true
		}
		if strings.Contains(accepted, "json") && !strings.Contains(accepted, "as=") {
			return false
		}
	}
	return false
}

func (s *Server) list(w http.ResponseWriter, r *request) error {
	query := r.URL.Query()
	match, err := selector(r)
	if err != nil {
		return err
	}
	limit, _ := strconv.Atoi(query.Get("limit"))
	objects, version := s.store.List(r.resource, r.namespace)
	if wanted, err := strconv.ParseUint(query.Get("resourceVersion"), 10, 64); err == nil && wanted > version {
		return apierrors.NewTimeoutError(fmt.Sprintf("Too large resource version: %d, current: %d", wanted, version), 1)
	}
	if token := query.Get("continue"); token != "" {
		// Later pages are read as things stand now, but carry the first page's
		// version: a watch from there sees all that changed between the pages.
		var after Key
		if version, after, err = parseContinue(token); err != nil {
			return err
		}
		if s.store.expired(r.resource, version) {
			return apierrors.NewResourceExpired("The provided continue parameter is too old " +
				"to display a consistent list result. You must start a new list without the continue parameter.")
		}
		i := sort.Search(len(objects), func(i int) bool { return objects[i].Key.compare(after) > 0 })
		objects = objects[i:]
	}
	var items []*Object
	var next string
	for _, o := range objects {
		if !match(o) {
			continue
		}
		if limit > 0 && len(items) == limit {
			next = formatContinue(version, items[limit-1].Key)
			break
		}
		items = append(items, o)
	}
	return s.writeList(w, r, items, version, next)
}

func (s *Server) writeList(w http.ResponseWriter, r *request, items []*Object, version uint64, next string) error {
	kind, apiVersion := r.resource.Kind+"List", r.resource.APIVersion()
	if r.wantsMetadata() {
		kind, apiVersion = "PartialObjectMetadataList", "meta.k8s.io/v1"
	}
	meta := map[string]any{"resourceVersion": strconv.FormatUint(version, 10)}
	if next != "" {
		meta["continue"] = next
	}
	head, err := json.Marshal(map[string]any{"kind": kind, "apiVersion": apiVersion, "metadata": meta})
	if err != nil {
		return err
	}
	var out bytes.Buffer
	out.Write(head[:len(head)-1])
	out.WriteString(`,"items":[`)
	for i, o := range items {
		raw, err := r.form(o)
		if err != nil {
			return err
		}
		if i > 0 {
			out.WriteByte(',')
		}
		out.Write(raw)
	}
	out.WriteString("]}\n")
	writeRaw(w, http.StatusOK, out.Bytes())
	return nil
}

type continueToken struct {
	Version   uint64 `json:"rv"`
	Namespace string `json:"ns,omitempty"`
	Name      string `json:"name"`
}

func formatContinue(version uint64, last Key) string {
	raw, _ := json.Marshal(continueToken{version, last.Namespace, last.Name}) // of strings and a number: cannot fail
	return base64.RawURLEncoding.EncodeToString(raw)
}

func parseContinue(token string) (uint64, Key, error) {
	raw, err := base64.RawURLEncoding.DecodeString(token)
	var t continueToken
	if err == nil {
		err = json.Unmarshal(raw, &t)
	}
	if err != nil {
		return 0, Key{}, apierrors.NewBadRequest(fmt.Sprintf("continue key is not valid: %v", err))
	}
	return t.Version, Key{t.Namespace, t.Name}, nil
}

// selector is the request's label and field selector as one function.
func selector(r *request) (func(*Object) bool, error) {
	query := r.URL.Query()
	byLabel, err := labels.Parse(query.Get("labelSelector"))
	if err != nil {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("unable to parse labelSelector: %v", err))
	}
	byField, err := fields.ParseSelector(query.Get("fieldSelector"))
	if err != nil {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("unable to parse fieldSelector: %v", err))
	}
	requirements := byField.Requirements()
	for _, f := range requirements {
		if !selectable(r.resource, f.Field) {
			return nil, apierrors.NewBadRequest(fmt.Sprintf("field label not supported: %s", f.Field))
		}
	}
	return func(o *Object) bool {
		if r.name != "" && o.Name != r.name || !byLabel.Matches(labels.Set(o.Labels)) {
			return false
		}
		return len(requirements) == 0 || matchFields(o, requirements)
	}, nil
}

func selectable(r *Resource, field string) bool {
	switch {
	case field == "metadata.name", field == "metadata.namespace" && r.Namespaced:
		return true
	case r.Group != "":
		return false
	case r.Kind == "Event":
		return strings.HasPrefix(field, "involvedObject.") || field == "reason" || field == "type"
	case r.Kind == "Pod":
		return field == "status.phase" || field == "spec.nodeName" || field == "spec.restartPolicy" ||
			field == "spec.schedulerName" || field == "spec.serviceAccountName" || field == "status.podIP"
	case r.Kind == "Secret":
		return field == "type"
	case r.Kind == "Namespace":
		return field == "status.phase"
	}
	return false
}

func matchFields(o *Object, requirements fields.Requirements) bool {
	set := fields.Set{"metadata.name": o.Name, "metadata.namespace": o.Namespace}
	var content map[string]any
	for _, f := range requirements {
		if _, ok := set[f.Field]; ok {
			continue
		}
		if content == nil {
			var err error
			if content, err = o.Content(); err != nil {
				return false
			}
		}
		set[f.Field] = at(content, strings.Split(f.Field, "."))
	}
	for _, f := range requirements {
		equal := set[f.Field] == f.Value
		if equal == (f.Operator == "!=") {
			return false
		}
	}
	return true
}

func at(content map[string]any, path []string) string {
	for _, p := range path[:len(path)-1] {
		content, _ = content[p].(map[string]any)
	}
	value, _ := content[path[len(path)-1]].(string)
	return value
}
