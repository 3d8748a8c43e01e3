package config

import (
	"fmt"
	"reflect"
	"strings"
	"time"
)

// Key describes one key of the file, for the reference.
type Key struct {
	// Path is where it stands: "clusters.<name>.file", "roles[].users".
	Path string
	// Type is text, list, number, "texts by name", duration, "true or false", or ""
	// for a key that only holds others.
	Type     string
	Default  string // as one would write it; "" for none
	Required bool   // within whatever holds it
	Doc      string
}

// Keys returns every key there is, in the order of the types.
func Keys() []Key {
	return keysOf(reflect.ValueOf(Defaults()), "")
}

func keysOf(v reflect.Value, path string) []Key {
	var out []Key
	for i := range v.NumField() {
		f := v.Type().Field(i)
		name, required := tag(f)
		if name == "" {
			continue
		}
		k := Key{Path: join(path, name), Required: required, Doc: f.Tag.Get("doc")}
		var below []Key
		switch t := f.Type; {
		case isNamed(t):
			below = keysOf(reflect.Zero(t.Elem()), k.Path+".<name>")
		case t.Kind() == reflect.Slice && t.Elem() == v.Type(): // a tree: the same keys again
			k.Type, k.Default = describe(v.Field(i))
		case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Struct:
			below = keysOf(reflect.Zero(t.Elem()), k.Path+"[]")
		case t.Kind() == reflect.Struct:
			below = keysOf(v.Field(i), k.Path)
		default:
			k.Type, k.Default = describe(v.Field(i))
		}
		out = append(append(out, k), below...)
	}
	return out
}

func describe(v reflect.Value) (kind, def string) {
	switch x := v.Interface().(type) {
	case time.Duration:
		return "duration", short(x)
	case bool:
		return "true or false", fmt.Sprint(x)
	case int64:
		return "number", ""
	case Raw:
		return "YAML", ""
	}
	switch v.Kind() {
	case reflect.Slice:
		return "list", ""
	case reflect.Map:
		return "texts by name", ""
	default:
	}
	return "text", v.String()
}

// short writes a duration as people do: 10m, not 10m0s.
func short(d time.Duration) string {
	if d == 0 {
		return ""
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
