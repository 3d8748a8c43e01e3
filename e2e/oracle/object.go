package oracle

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Object is a rendered manifest.
type Object map[string]any

func (o Object) str(path ...string) string {
	s, _ := o.get(path...).(string)
	return s
}

func (o Object) get(path ...string) any {
	var at any = map[string]any(o)
	for _, key := range path {
		m, ok := at.(map[string]any)
		if !ok {
			return nil
		}
		at = m[key]
	}
	return at
}

func (o Object) kind() string { return o.str("kind") }
func (o Object) name() string { return o.str("metadata", "name") }

func (o Object) group() string {
	group, _, found := strings.Cut(o.str("apiVersion"), "/")
	if !found {
		return ""
	}
	return group
}

// namespace is the object's own; an object without is in "default", as kubectl has it.
func (o Object) namespace() string {
	if ns := o.str("metadata", "namespace"); ns != "" {
		return ns
	}
	return "default"
}

// is says whether the object is of a kind of a group.
func (o Object) is(group, kind string) bool { return o.kind() == kind && o.group() == group }

// ref is the object's name in claims: "Kind namespace/name".
func (o Object) ref() string { return o.kind() + " " + o.namespace() + "/" + o.name() }

// bare is the name of an object whose manifest has no namespace: "Kind name"; "" for others.
func (o Object) bare() string {
	if o.str("metadata", "namespace") != "" {
		return ""
	}
	return o.kind() + " " + o.name()
}

// key tells objects of one cluster apart.
func (o Object) key() string { return o.group() + " " + o.ref() }

// pointer escapes a key of a JSON pointer.
func pointer(key string) string {
	return "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(key)
}

// at follows a JSON pointer as far as it goes through maps and lists, and returns what is there, and the keys left.
func at(value any, ptr string) (any, []string) {
	var keys []string
	if ptr = strings.TrimPrefix(ptr, "/"); ptr != "" {
		keys = strings.Split(ptr, "/")
	}
	for i, key := range keys {
		key = strings.NewReplacer("~1", "/", "~0", "~").Replace(key)
		switch v := value.(type) {
		case map[string]any:
			next, ok := v[key]
			if !ok {
				return nil, keys[i:]
			}
			value = next
		case Object:
			next, ok := v[key]
			if !ok {
				return nil, keys[i:]
			}
			value = next
		case []any:
			n, err := strconv.Atoi(key)
			if err != nil || n < 0 || n >= len(v) {
				return nil, keys[i:]
			}
			value = v[n]
		default:
			return value, keys[i:]
		}
	}
	return value, nil
}

// differences are the JSON pointers at which two values differ, as deep as both have the same shape.
func differences(a, b any, path string) []string {
	switch x := a.(type) {
	case map[string]any:
		y, ok := b.(map[string]any)
		if !ok {
			return []string{path}
		}
		keys := map[string]bool{}
		for k := range x {
			keys[k] = true
		}
		for k := range y {
			keys[k] = true
		}
		var out []string
		for k := range keys {
			out = append(out, differences(x[k], y[k], path+pointer(k))...)
		}
		slices.Sort(out)
		return out
	case []any:
		y, ok := b.([]any)
		if !ok || len(x) != len(y) {
			return []string{path}
		}
		var out []string
		for i := range x {
			out = append(out, differences(x[i], y[i], path+"/"+strconv.Itoa(i))...)
		}
		return out
	}
	if reflect.DeepEqual(a, b) {
		return nil
	}
	return []string{path}
}

// text is a scalar as it would be written.
func text(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case string:
		return v
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1e15 {
			return strconv.FormatFloat(v, 'f', 0, 64)
		}
		return strconv.FormatFloat(v, 'g', -1, 64)
	case json.Number:
		return v.String()
	}
	return fmt.Sprint(value)
}
