package flux

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"sigs.k8s.io/kustomize/api/resource"

	"ferry/internal/deploy"
)

// Object is one rendered object. It is not changed once it exists, and kept as
// text: a fleet's manifests are many, and few are ever looked into.
type Object struct {
	Group string
	Ref   deploy.Ref
	JSON  []byte // with sorted keys: equal for equal objects
	// Maker is the ResourceSet that makes the object on the cluster; nil for one
	// that stands in Git itself.
	Maker *Object
	// Gap says why the object is not certain: something outside of the repository
	// has a part in it.
	Gap string
}

// ID tells objects of one cluster apart.
func (o *Object) ID() ID { return ID{o.Group, o.Ref} }

// ID is what the API server tells objects apart by, without the version.
type ID struct {
	Group string
	Ref   deploy.Ref
}

// Same reports whether two objects are equal; either may be nil.
func (o *Object) Same(p *Object) bool {
	return o == p || (o != nil && p != nil && bytes.Equal(o.JSON, p.JSON))
}

// Data decodes the object. The caller owns the result; numbers are json.Number.
func (o *Object) Data() map[string]any {
	dec := json.NewDecoder(bytes.NewReader(o.JSON))
	dec.UseNumber()
	m := map[string]any{}
	if err := dec.Decode(&m); err != nil {
		return nil // it was read when the object was made: this cannot be
	}
	return m
}

// finish substitutes variables in a built resource and adds the common metadata.
func finish(res *resource.Resource, k Kustomization) (*Object, error) {
	data, err := res.MarshalJSON()
	if err != nil {
		return nil, fmt.Errorf("write as JSON: %w", err)
	}
	const optOut = Group + "/substitute"
	disabled := res.GetLabels()[optOut] == "disabled" || res.GetAnnotations()[optOut] == "disabled"
	if !disabled && k.Spec.PostBuild != nil {
		if data, err = substitute(data, k); err != nil {
			return nil, err
		}
	}
	if common := k.Spec.CommonMetadata; len(common.Labels)+len(common.Annotations) > 0 {
		if data, err = addMetadata(data, common.Labels, common.Annotations); err != nil {
			return nil, err
		}
	}
	return newObject(data)
}

func addMetadata(data []byte, labels, annotations map[string]string) ([]byte, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	m := map[string]any{}
	if err := dec.Decode(&m); err != nil {
		return nil, fmt.Errorf("read rendered object: %w", err)
	}
	meta, ok := m["metadata"].(map[string]any)
	if !ok {
		return data, nil
	}
	for field, add := range map[string]map[string]string{"labels": labels, "annotations": annotations} {
		have, ok := meta[field].(map[string]any)
		if !ok {
			have = map[string]any{}
		}
		for k, v := range add {
			have[k] = v
		}
		if len(have) > 0 {
			meta[field] = have
		}
	}
	return json.Marshal(m)
}

func newObject(data []byte) (*Object, error) {
	var head object
	if err := json.Unmarshal(data, &head); err != nil {
		return nil, fmt.Errorf("read rendered object: %w", err)
	}
	if head.Kind == "" || head.Metadata.Name == "" {
		return nil, errors.New("the object has no kind or no name")
	}
	group, _, ok := strings.Cut(head.APIVersion, "/")
	if !ok {
		group = ""
	}
	return &Object{Group: group, JSON: data, Ref: deploy.Ref{Kind: head.Kind, Namespace: head.Metadata.Namespace, Name: head.Metadata.Name}}, nil
}
