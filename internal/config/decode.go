package config

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"ferry/internal/near"
)

// decoder fills the types of a Config from YAML nodes. yaml.v3's own decoding
// stops at the first unknown key, knows no order of maps and forgets where a
// value stood.
type decoder struct{ *problems }

func (d *decoder) root(n *yaml.Node, c *Config) {
	d.value(n, "", reflect.ValueOf(c).Elem())
}

// value decodes a node into v, which keeps its default where the node is null.
// Recursion ends with the types, so that an alias within itself does no harm.
func (d *decoder) value(n *yaml.Node, path string, v reflect.Value) {
	line := n.Line
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if _, ok := d.lines[path]; !ok && path != "" {
		d.lines[path] = line
	}
	if isNull(n) {
		if v.Kind() != reflect.Struct {
			return
		}
		n = &yaml.Node{Kind: yaml.MappingNode, Line: n.Line} // what it needs is missing
	}
	switch {
	case v.Type() == reflect.TypeFor[Raw]():
		d.raw(n, path, v.Addr().Interface().(*Raw))
	case isNamed(v.Type()):
		d.named(n, path, v)
	case v.Kind() == reflect.Struct:
		d.object(n, path, v)
	case v.Kind() == reflect.Slice:
		d.list(n, path, v)
	case v.Kind() == reflect.Map:
		d.texts(n, path, v)
	case n.Kind != yaml.ScalarNode:
		d.wrong(line, path, n, "one value is wanted")
	default:
		d.scalar(n, line, path, v)
	}
}

func (d *decoder) scalar(n *yaml.Node, line int, path string, v reflect.Value) {
	switch {
	case v.Type() == reflect.TypeFor[time.Duration]():
		t, err := time.ParseDuration(n.Value)
		switch {
		case err != nil:
			d.line(line, path, fmt.Sprintf("%s: %q is not a duration", path, n.Value), "write a number and its unit: 90s, 10m, 1h30m")
		case t <= 0:
			d.line(line, path, fmt.Sprintf("%s: %s is no time at all", path, n.Value), "it must be more than 0s")
		default:
			v.SetInt(int64(t))
		}
	case v.Kind() == reflect.Bool:
		if n.Tag != "!!bool" {
			d.wrong(line, path, n, "write true or false")
			return
		}
		v.SetBool(strings.EqualFold(n.Value, "true"))
	case v.Kind() == reflect.Int64:
		i, err := strconv.ParseInt(n.Value, 10, 64)
		switch {
		case err != nil:
			d.wrong(line, path, n, "a whole number is wanted, without quotes or units")
		case i <= 0:
			d.line(line, path, fmt.Sprintf("%s: %d is too small", path, i), "it must be more than 0")
		default:
			v.SetInt(i)
		}
	case v.Type() == reflect.TypeFor[AppID]() && n.Tag == "!!int":
		v.SetString(n.Value)
	default:
		if n.Tag != "!!str" {
			d.wrong(line, path, n, fmt.Sprintf("a text is wanted: put it in quotes, %q", n.Value))
			return
		}
		v.SetString(n.Value)
	}
}

// maxDepth bounds lists within lists: a tree of routes may be an alias of itself.
const maxDepth = 6

func (d *decoder) list(n *yaml.Node, path string, v reflect.Value) {
	if n.Kind != yaml.SequenceNode {
		help := "a list is wanted: [a, b]"
		if n.Kind == yaml.ScalarNode && v.Type().Elem().Kind() == reflect.String {
			help = fmt.Sprintf("a list is wanted: [%s]", n.Value)
		}
		d.wrong(n.Line, path, n, help)
		return
	}
	if strings.Count(path, "[") > maxDepth {
		d.line(n.Line, path, fmt.Sprintf("%s: more than %d lists within each other", path, maxDepth), "make the tree flatter; a list cannot hold itself")
		return
	}
	out := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
	for i, item := range n.Content {
		at := fmt.Sprintf("%s[%d]", path, i)
		if isNull(item) {
			d.line(item.Line, at, at+" is empty", "write a value, or take it out")
			continue
		}
		d.value(item, at, out.Index(i))
	}
	v.Set(out)
}

// object decodes a mapping into a struct and complains about keys that the
// struct lacks or lacks in the mapping.
func (d *decoder) object(n *yaml.Node, path string, v reflect.Value) {
	if n.Kind != yaml.MappingNode {
		d.wrong(n.Line, path, n, "keys and values are wanted: "+strings.Join(names(v.Type()), ", "))
		return
	}
	given := map[string]*yaml.Node{}
	d.pairs(n, path, func(key, item *yaml.Node) {
		given[key.Value] = item
		i := fieldOf(v.Type(), key.Value)
		if i < 0 {
			d.unknown(key, path, v.Type())
			return
		}
		d.lines[join(path, key.Value)] = key.Line
		d.value(item, join(path, key.Value), v.Field(i))
	})
	for i := range v.NumField() {
		f := v.Type().Field(i)
		key, required := tag(f)
		if !required {
			continue
		}
		switch item, ok := given[key]; {
		case !ok || isNull(item):
			d.at(join(path, key), join(path, key)+" is missing", fmt.Sprintf("write %s: %s", key, f.Tag.Get("eg")))
		case isEmpty(item):
			d.at(join(path, key), join(path, key)+" is empty", fmt.Sprintf("write %s: %s", key, f.Tag.Get("eg")))
		}
	}
}

// named decodes a mapping of names to objects into a slice, in the order in
// which they are written.
func (d *decoder) named(n *yaml.Node, path string, v reflect.Value) {
	if n.Kind != yaml.MappingNode {
		d.wrong(n.Line, path, n, "names and what belongs to them are wanted: prod: {…}")
		return
	}
	out := reflect.MakeSlice(v.Type(), 0, len(n.Content)/2)
	d.pairs(n, path, func(key, item *yaml.Node) {
		one := reflect.New(v.Type().Elem()).Elem()
		one.Field(nameField(one.Type())).SetString(key.Value)
		d.lines[join(path, key.Value)] = key.Line
		d.value(item, join(path, key.Value), one)
		out = reflect.Append(out, one)
	})
	v.Set(out)
}

// texts decodes a mapping of texts to texts.
func (d *decoder) texts(n *yaml.Node, path string, v reflect.Value) {
	if n.Kind != yaml.MappingNode {
		d.wrong(n.Line, path, n, "texts and what belongs to them are wanted: {this: that}")
		return
	}
	out := reflect.MakeMap(v.Type())
	d.pairs(n, path, func(key, item *yaml.Node) {
		at := join(path, key.Value)
		d.lines[at] = key.Line
		if isNull(item) {
			d.line(item.Line, at, at+" is empty", "write a value, or take it out")
			return
		}
		one := reflect.New(v.Type().Elem()).Elem()
		d.value(item, at, one)
		out.SetMapIndex(reflect.ValueOf(key.Value), one)
	})
	v.Set(out)
}

// pairs calls fn with each key of a mapping and its value; keys that are not
// plain or come twice are problems.
func (d *decoder) pairs(n *yaml.Node, path string, fn func(key, value *yaml.Node)) {
	first := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if key.Kind != yaml.ScalarNode || key.Tag == "!!merge" {
			d.line(key.Line, "", "merge keys and keys that are not plain text are not read here", "write the keys out")
			continue
		}
		if line, twice := first[key.Value]; twice {
			d.line(key.Line, "", fmt.Sprintf("%s stands here a second time", join(path, key.Value)), fmt.Sprintf("keep this one or the one on line %d", line))
			continue
		}
		first[key.Value] = key.Line
		fn(key, n.Content[i+1])
	}
}

func (d *decoder) unknown(key *yaml.Node, path string, t reflect.Type) {
	known := names(t)
	says := fmt.Sprintf("unknown key %q", key.Value)
	if path != "" {
		says += " in " + path
	}
	if meant := near.Names(key.Value, known, 1); len(meant) > 0 {
		d.line(key.Line, "", says, fmt.Sprintf("did you mean %q?", meant[0]))
		return
	}
	d.line(key.Line, "", says, "the keys here are "+strings.Join(known, ", "))
}

func (d *decoder) wrong(line int, path string, n *yaml.Node, help string) {
	var what string
	switch n.Kind {
	case yaml.MappingNode:
		what = "these are keys and values"
	case yaml.SequenceNode:
		what = "this is a list"
	default:
		what = map[string]string{
			"!!str": "a text", "!!int": "a number", "!!float": "a number", "!!bool": "true or false", "!!timestamp": "a date",
		}[n.Tag]
		if what == "" {
			what = "of the type " + n.Tag
		}
		what = fmt.Sprintf("%q is %s", n.Value, what)
	}
	key := path
	if path == "" {
		path = "the file"
	}
	d.line(line, key, path+": "+what, help)
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

func isEmpty(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.Value == "" || n.Kind != yaml.ScalarNode && n.Kind != yaml.AliasNode && len(n.Content) == 0
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// fieldOf returns the index of the field of a key, or -1.
func fieldOf(t reflect.Type, key string) int {
	for i := range t.NumField() {
		if name, _ := tag(t.Field(i)); name != "" && name == key {
			return i
		}
	}
	return -1
}

// names returns the keys of a struct, in their order.
func names(t reflect.Type) []string {
	var out []string
	for i := range t.NumField() {
		if name, _ := tag(t.Field(i)); name != "" {
			out = append(out, name)
		}
	}
	return out
}

// tag returns the key of a field, "" if it has none, and whether it must be
// there.
func tag(f reflect.StructField) (name string, required bool) {
	name, option, _ := strings.Cut(f.Tag.Get("yaml"), ",")
	if name == "-" {
		return "", false
	}
	return name, option == "required"
}

// nameField returns the index of the field that takes the name of an object in
// a mapping of names, or -1 if the type is no such object.
func nameField(t reflect.Type) int {
	for i := range t.NumField() {
		if t.Field(i).Tag.Get("yaml") == ",name" {
			return i
		}
	}
	return -1
}

func isNamed(t reflect.Type) bool {
	return t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Struct && nameField(t.Elem()) >= 0
}
