package changes

import (
	"bytes"
	"compress/flate"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"time"
)

// object is one as the API server writes it, until it is made slim.
type object struct {
	Kind string
	all  map[string]any
	manifest
}

// UnmarshalJSON keeps numbers as they are written.
func (o *object) UnmarshalJSON(text []byte) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&o.all); err != nil {
		return err
	}
	o.Kind, _ = o.all["kind"].(string)
	return nil
}

// manifest is what matters of an object.
type manifest struct {
	key, kind, namespace, name, version, manager, app, hash string

	wanted bool
	// packed is every scalar by its path, small.
	packed []byte
	// shown is what travels with an event.
	shown json.RawMessage
}

// bookkeeping are annotations that say what was done, not what is wanted.
func bookkeeping(key string) bool {
	for _, pattern := range []string{
		"kubectl.kubernetes.io/last-applied-configuration", "deployment.kubernetes.io/revision", "deprecated.daemonset.template.generation",
		"control-plane.alpha.kubernetes.io/leader", "autoscaling.alpha.kubernetes.io/*", "reconcile.fluxcd.io/*", "pv.kubernetes.io/*",
		"volume.kubernetes.io/*", "endpoints.kubernetes.io/*", "batch.kubernetes.io/job-tracking", "kustomize.toolkit.fluxcd.io/checksum",
	} {
		if ok, err := path.Match(pattern, key); err == nil && ok {
			return true
		}
	}
	return false
}

// manifest takes from an object what matters. What it takes apart is not used again.
func (w *watcher) manifest(kind string, o object) manifest {
	meta, _ := o.all["metadata"].(map[string]any)
	text := func(key string) string {
		s, _ := meta[key].(string)
		return s
	}
	resource, _ := address(kind)
	m := manifest{kind: o.Kind, namespace: text("namespace"), name: text("name"), version: text("resourceVersion")}
	if m.kind == "" {
		m.kind = singular(resource)
	}
	m.key = m.namespace + "/" + m.name
	m.wanted = m.namespace == "" || w.config.Namespaces.Has(m.namespace)
	if !m.wanted {
		return m
	}
	m.manager = manager(meta)
	labels, _ := meta["labels"].(map[string]any)
	m.app, _ = labels["app.kubernetes.io/name"].(string)
	annotations, _ := meta["annotations"].(map[string]any)
	for key := range annotations {
		if bookkeeping(key) {
			delete(annotations, key)
		}
	}
	if len(annotations) == 0 { // none, or none that matters
		delete(meta, "annotations")
	}
	for key := range meta {
		if !slices.Contains([]string{"name", "namespace", "labels", "annotations", "ownerReferences", "finalizers"}, key) {
			delete(meta, key)
		}
	}
	delete(o.all, "status")
	delete(o.all, "kind")
	delete(o.all, "apiVersion")
	if kind == "v1/secrets" {
		w.hide(o.all, annotations)
	}
	fields := map[string]string{}
	flatten("", o.all, fields)
	for field := range fields {
		if w.config.ignores(field) {
			delete(fields, field)
		}
	}
	m.hash, m.packed = w.hash(fields), pack(fields)
	m.shown, _ = json.Marshal(map[string]any{"kind": m.kind, "metadata": map[string]any{"name": m.name, "namespace": m.namespace, "labels": labels}})
	return m
}

// hide puts a sign in the place of everything that a Secret holds, and of its
// annotations, in which tools keep copies. The sign of another value is another one,
// and says nothing about it to whoever does not have this source's salt.
func (w *watcher) hide(all, annotations map[string]any) {
	for _, part := range []string{"data", "stringData"} {
		values, _ := all[part].(map[string]any)
		for key, value := range values {
			values[key] = hidden + w.sign(fmt.Sprint(value))
		}
	}
	for key, value := range annotations {
		annotations[key] = hidden + w.sign(fmt.Sprint(value))
	}
}

// hidden begins what must never be shown.
const hidden = "\x00hidden "

func (w *watcher) sign(text string) string {
	mac := hmac.New(sha256.New, []byte(w.cursor.Salt))
	mac.Write([]byte(text))
	return base64.RawStdEncoding.EncodeToString(mac.Sum(nil)[:6])
}

func (w *watcher) hash(fields map[string]string) string {
	mac := hmac.New(sha256.New, []byte(w.cursor.Salt))
	for _, key := range sorted(fields) {
		fmt.Fprintf(mac, "%d %s %d %s\n", len(key), key, len(fields[key]), fields[key])
	}
	return base64.RawStdEncoding.EncodeToString(mac.Sum(nil)[:6])
}

// manager is who wrote last to something other than the status.
func manager(meta map[string]any) string {
	entries, _ := meta["managedFields"].([]any)
	latest, name := time.Time{}, ""
	for _, e := range entries {
		entry, _ := e.(map[string]any)
		if sub, _ := entry["subresource"].(string); sub == "status" {
			continue
		}
		text, _ := entry["time"].(string)
		at, err := time.Parse(time.RFC3339, text)
		if err == nil && !at.Before(latest) {
			latest = at
			name, _ = entry["manager"].(string)
		}
	}
	return name
}

// flatten writes every scalar under its path. Items of a list are known by what names
// them, so that one more in front does not change all that follow.
func flatten(at string, value any, into map[string]string) {
	switch v := value.(type) {
	case map[string]any:
		if len(v) == 0 && at != "" {
			into[at] = "{}"
		}
		for key, one := range v {
			flatten(join(at, key), one, into)
		}
	case []any:
		if len(v) == 0 {
			into[at] = "[]"
		}
		by := identity(v)
		for i, one := range v {
			name := fmt.Sprint(i)
			if by != "" {
				name = by + "=" + fmt.Sprint(one.(map[string]any)[by]) //nolint:forcetypeassert // identity has looked
			}
			flatten(at+"["+name+"]", one, into)
		}
	default:
		into[at] = fmt.Sprint(v)
	}
}

func join(at, key string) string {
	switch {
	case strings.ContainsAny(key, "./"):
		return at + "[" + key + "]"
	case at == "":
		return key
	}
	return at + "." + key
}

// identity is the field that names each item of a list, and no two alike.
func identity(items []any) string {
	for _, by := range []string{"name", "key", "mountPath", "containerPort", "port", "host", "uid", "ip", "path"} {
		names := map[string]bool{}
		for _, one := range items {
			fields, _ := one.(map[string]any)
			if name := fields[by]; name != nil {
				names[fmt.Sprint(name)] = true
			}
		}
		if len(names) == len(items) && len(items) > 0 {
			return by
		}
	}
	return ""
}

// pack makes a manifest small; few are ever needed again.
func pack(fields map[string]string) []byte {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestSpeed)
	if err != nil {
		return nil
	}
	if json.NewEncoder(w).Encode(fields) != nil || w.Close() != nil {
		return nil
	}
	return bytes.Clone(b.Bytes())
}

func unpack(packed []byte) map[string]string {
	fields := map[string]string{}
	text, err := io.ReadAll(flate.NewReader(bytes.NewReader(packed)))
	if err != nil || json.Unmarshal(text, &fields) != nil {
		return map[string]string{}
	}
	return fields
}
