package yamledit_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"sigs.k8s.io/kustomize/kyaml/yaml"
	kubernetes "sigs.k8s.io/yaml"

	"ferry/delivery/yamledit"
)

// The judges here know nothing of how an edit is made or proven. They read with
// kustomize's parser, and with the one Kubernetes takes for YAML 1.1.

type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

// leaves lists the values of every document that are no maps or lists with
// entries, with their type, by document and pointer; aliases are values too.
func leaves(t fataler, src []byte) map[string]string {
	t.Helper()
	out := map[string]string{}
	dec := yaml.NewDecoder(bytes.NewReader(src))
	for doc := 0; ; doc++ {
		var n yaml.Node
		if err := dec.Decode(&n); errors.Is(err, io.EOF) {
			return out
		} else if err != nil {
			t.Fatalf("%q: %v", src, err)
		}
		gather(out, strconv.Itoa(doc), n.Content[0])
	}
}

// emptied ends the word of a list or a map without entries.
const emptied = " (empty)"

func gather(out map[string]string, path string, n *yaml.Node) {
	mark := ""
	if n.Anchor != "" {
		mark = " &" + n.Anchor
	}
	switch {
	case n.Kind == yaml.AliasNode:
		out[path] = "*" + n.Value
	case n.Kind == yaml.MappingNode && len(n.Content) > 0:
		for i := 0; i < len(n.Content); i += 2 {
			gather(out, path+"/"+yamledit.EscapePointer(keyText(n.Content[i])), n.Content[i+1])
		}
	case n.Kind == yaml.SequenceNode && len(n.Content) > 0:
		for i, c := range n.Content {
			gather(out, path+"/"+strconv.Itoa(i), c)
		}
	case n.Kind != yaml.ScalarNode:
		out[path] = n.ShortTag() + mark + emptied
	default:
		out[path] = n.ShortTag() + mark + " " + n.Value
	}
}

// keyText is the text of a key, which may be an alias. One that is a list or a map
// has a text that no scalar has: it must not be taken for the empty key.
func keyText(k *yaml.Node) string {
	if k.Alias != nil {
		k = k.Alias
	}
	if k.Kind == yaml.ScalarNode {
		return k.Value
	}
	text := "\x00" + k.ShortTag()
	for _, c := range k.Content {
		if text += "\x00"; c.Kind == yaml.AliasNode {
			text += "*" + c.Value // it may lead back to here
		} else {
			text += keyText(c)
		}
	}
	return text + "\x00"
}

// plain reads every document as Kubernetes does, into maps, lists and scalars.
func plain(t fataler, src []byte) []any {
	t.Helper()
	text := strings.TrimPrefix(fromUTF16(string(src)), "\ufeff")
	var docs []any
	add := func(part string, started bool) {
		if !started && strings.TrimSpace(uncommented(part)) == "" {
			return
		}
		raw, err := kubernetes.YAMLToJSON([]byte(part))
		if err != nil {
			t.Fatalf("%q: %v", src, err)
		}
		var v any
		dec := json.NewDecoder(bytes.NewReader(raw))
		dec.UseNumber()
		if err := dec.Decode(&v); err != nil {
			t.Fatalf("%q: %v", src, err)
		}
		docs = append(docs, v)
	}
	part, started := "", false
	for _, line := range strings.SplitAfter(text, "\n") {
		switch {
		case strings.HasPrefix(line, "---"):
			add(part, started)
			part, started = line, true
		case strings.HasPrefix(line, "..."):
			add(part, started)
			part, started = "", false
		default:
			part += line
		}
	}
	add(part, started)
	return docs
}

// uncommented is text without its comment lines.
func uncommented(text string) string {
	var out strings.Builder
	for line := range strings.SplitAfterSeq(text, "\n") {
		if !strings.HasPrefix(strings.TrimSpace(line), "#") {
			out.WriteString(line)
		}
	}
	return out.String()
}

// differences lists the pointers at which two values differ.
func differences(path string, a, b any) []string {
	var out []string
	switch a := a.(type) {
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok {
			return []string{path}
		}
		for k := range a {
			if other, ok := b[k]; ok {
				out = append(out, differences(path+"/"+yamledit.EscapePointer(k), a[k], other)...)
			} else {
				out = append(out, path+"/"+yamledit.EscapePointer(k))
			}
		}
		for k := range b {
			if _, ok := a[k]; !ok {
				out = append(out, path+"/"+yamledit.EscapePointer(k))
			}
		}
		return out
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			return []string{path}
		}
		for i := range a {
			out = append(out, differences(path+"/"+strconv.Itoa(i), a[i], b[i])...)
		}
		return out
	}
	if !reflect.DeepEqual(a, b) {
		return []string{path}
	}
	return nil
}

// at is the value at a pointer, or nil.
func at(v any, pointer string) any {
	for _, step := range strings.Split(pointer, "/")[1:] {
		step = strings.NewReplacer("~1", "/", "~0", "~").Replace(step)
		switch container := v.(type) {
		case map[string]any:
			v = container[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i >= len(container) {
				return nil
			}
			v = container[i]
		default:
			return nil
		}
	}
	return v
}

// judgeReplaced: exactly one value differs, it is the wanted one, and its type
// is the same or that of a string, for either reader.
func judgeReplaced(t fataler, src, out []byte, doc int, path, value string) {
	t.Helper()
	before, after := leaves(t, src), leaves(t, out)
	if len(before) != len(after) {
		t.Fatalf("%q and %q hold different numbers of values", src, out)
	}
	key := strconv.Itoa(doc) + path
	for k, v := range before {
		now, ok := after[k]
		switch {
		case !ok:
			t.Fatalf("%s is gone in %q", k, out)
		case k != key && now != v:
			t.Fatalf("%s became %q, not only %s: %q", k, now, key, out)
		case k == key:
			kind, _, _ := strings.Cut(v, " ")
			if !strings.HasSuffix(now, " "+value) || (!strings.HasPrefix(now, kind+" ") && !strings.HasPrefix(now, "!!str")) {
				t.Fatalf("%s was %q and became %q, not %q", k, v, now, value)
			}
		}
	}
	was, is := plain(t, src), plain(t, out)
	if len(was) != len(is) {
		t.Fatalf("%q and %q hold different numbers of documents", src, out)
	}
	for i := range was {
		for _, d := range differences("", was[i], is[i]) {
			old, now := at(was[i], d), at(is[i], d)
			if i != doc || (d != path && !behindAlias(before, strconv.Itoa(i)+d)) {
				t.Fatalf("document %d %s differs: %q", i, d, out)
			}
			if _, isString := now.(string); fmt.Sprint(now) != value || (!isString && reflect.TypeOf(now) != reflect.TypeOf(old)) {
				t.Fatalf("%s was %#v and became %#v, not %q: %q", d, old, now, value, out)
			}
		}
	}
}

// behindAlias reports a place that shows what stands elsewhere.
func behindAlias(leaves map[string]string, path string) bool {
	for path != "" {
		if strings.HasPrefix(leaves[path], "*") {
			return true
		}
		path = path[:max(strings.LastIndexByte(path, '/'), 0)]
	}
	return false
}

// judgeData: the documents of out are those of src after a change.
func judgeData(t fataler, src, out []byte, change func(docs []any) []any) {
	t.Helper()
	want, got := change(plain(t, src)), plain(t, out)
	if !reflect.DeepEqual(want, got) {
		t.Fatalf("%q became %q, which reads\n%#v, not\n%#v", src, out, got, want)
	}
}

// judgeKept: all of one text is in the other, in its order.
func judgeKept(t fataler, less, more string) {
	t.Helper()
	i := 0
	for j := 0; i < len(less) && j < len(more); j++ {
		if less[i] == more[j] {
			i++
		}
	}
	if i < len(less) {
		t.Fatalf("%q is not all in %q", less, more)
	}
}

// checkSplice holds an edit to what it says: its bytes taken at its line and
// column, its others put there, and nothing else. It returns the place.
func checkSplice(t fataler, src, out string, e yamledit.Edit) int {
	t.Helper()
	if (strings.HasPrefix(src, "\xff\xfe") || strings.HasPrefix(src, "\xfe\xff")) && src[:2] != out[:2] {
		t.Fatalf("%q and %q differ in their encoding", src, out)
	}
	src, out = fromUTF16(src), fromUTF16(out)
	at := 0
	if strings.HasPrefix(src, "\ufeff") {
		at = len("\ufeff")
	}
	for range e.Line - 1 {
		i := strings.IndexAny(src[at:], "\r\n\u0085\u2028\u2029")
		if i < 0 {
			t.Fatalf("%q has no line %d", src, e.Line)
		}
		at += i
		_, size := utf8.DecodeRuneInString(src[at:])
		if strings.HasPrefix(src[at:], "\r\n") {
			size = 2
		}
		at += size
	}
	at += e.Column - 1
	if at > len(src) || !strings.HasPrefix(src[at:], e.Before) || src[:at]+e.After+src[at+len(e.Before):] != out {
		t.Fatalf("from %q to %q is not %+v", src, out, e)
	}
	return at
}

func utf16le(text string) string {
	var out []byte
	for _, unit := range utf16.Encode([]rune(text)) {
		out = binary.LittleEndian.AppendUint16(out, unit)
	}
	return string(out)
}

// fromUTF16 is the text of a file, whatever its encoding.
func fromUTF16(s string) string {
	var order binary.ByteOrder = binary.LittleEndian
	switch {
	case strings.HasPrefix(s, "\xfe\xff"):
		order = binary.BigEndian
	case !strings.HasPrefix(s, "\xff\xfe"):
		return s
	}
	var units []uint16
	for i := 0; i < len(s); i += 2 {
		units = append(units, order.Uint16([]byte(s[i:i+2])))
	}
	return string(utf16.Decode(units))
}

func utf16be(text string) string {
	out := []byte(utf16le(text))
	for i := 0; i < len(out); i += 2 {
		out[i], out[i+1] = out[i+1], out[i]
	}
	return string(out)
}
