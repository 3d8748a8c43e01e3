package apiserver

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Key is an object's place within its resource; Namespace is empty for objects
// of the cluster.
type Key struct{ Namespace, Name string }

func (k Key) String() string {
	if k.Namespace == "" {
		return k.Name
	}
	return k.Namespace + "/" + k.Name
}

func (k Key) compare(o Key) int {
	if k.Namespace != o.Namespace {
		return bytes.Compare([]byte(k.Namespace), []byte(o.Namespace))
	}
	return bytes.Compare([]byte(k.Name), []byte(o.Name))
}

// Object is one version of one object. It never changes; a write makes another.
// It is kept as its JSON, because that is a fifth of what it costs decoded.
type Object struct {
	Key
	Resource *Resource
	Version  uint64 // resourceVersion
	UID      string
	Owner    string // UID of the controlling owner, or empty
	Labels   map[string]string
	Raw      []byte // with apiVersion and kind
}

// Into decodes the object.
func (o *Object) Into(into any) error {
	if err := json.Unmarshal(o.Raw, into); err != nil {
		return fmt.Errorf("decode %s %s: %w", o.Resource.Kind, o.Key, err)
	}
	return nil
}

// Content decodes the object without a type.
func (o *Object) Content() (map[string]any, error) {
	var content map[string]any
	return content, o.Into(&content)
}

// seal makes the stored form of content, which must have its metadata.
func seal(r *Resource, content map[string]any, version uint64) (*Object, error) {
	meta := child(content, "metadata")
	meta["resourceVersion"] = strconv.FormatUint(version, 10)
	raw, err := json.Marshal(content)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", r.Kind, err)
	}
	o := &Object{Resource: r, Version: version, Raw: raw}
	o.Name, _ = meta["name"].(string)
	o.Namespace, _ = meta["namespace"].(string)
	o.UID, _ = meta["uid"].(string)
	if labels, ok := meta["labels"].(map[string]any); ok && len(labels) > 0 {
		o.Labels = make(map[string]string, len(labels))
		for k, v := range labels {
			o.Labels[k], _ = v.(string)
		}
	}
	o.Owner = controllerOf(meta)
	return o, nil
}

func controllerOf(meta map[string]any) string {
	refs, _ := meta["ownerReferences"].([]any)
	for _, ref := range refs {
		ref, _ := ref.(map[string]any)
		if controls, _ := ref["controller"].(bool); controls {
			uid, _ := ref["uid"].(string)
			return uid
		}
	}
	return ""
}

// child is the object under a key, made where it is missing.
func child(content map[string]any, key string) map[string]any {
	c, ok := content[key].(map[string]any)
	if !ok {
		c = map[string]any{}
		content[key] = c
	}
	return c
}

// toContent gives a typed object the form that the store works on.
func toContent(typed any) (map[string]any, error) {
	if content, ok := typed.(map[string]any); ok {
		return content, nil
	}
	raw, err := json.Marshal(typed)
	if err != nil {
		return nil, fmt.Errorf("encode %T: %w", typed, err)
	}
	var content map[string]any
	if err := json.Unmarshal(raw, &content); err != nil {
		return nil, fmt.Errorf("decode %T: %w", typed, err)
	}
	return content, nil
}

// partial is the PartialObjectMetadata of an object.
func partial(o *Object) ([]byte, error) {
	var meta metav1.PartialObjectMetadata
	if err := o.Into(&meta); err != nil {
		return nil, err
	}
	meta.TypeMeta = metav1.TypeMeta{APIVersion: "meta.k8s.io/v1", Kind: "PartialObjectMetadata"}
	return json.Marshal(meta)
}
