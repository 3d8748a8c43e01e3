package yamledit_test

import (
	"errors"
	"testing"

	"ferry/delivery/yamledit"
)

// removal is something taken out.
type removal struct {
	name, src, path, keep, want string
}

var removals = []removal{
	{"a key in the middle", "a: 1\nb: 2 # two\nc: 3\n", "/b", "", "a: 1\nc: 3\n"},
	{"the first key", "a: 1\nb: 2\n", "/a", "", "b: 2\n"},
	{"the last key", "a: 1\nb: 2\n", "/b", "", "a: 1\n"},
	{"the last key without a line break", "a: 1\r\nb: 2", "/b", "", "a: 1"},
	{"a map", "a:\n  x: 1\n  # y\nb: 2\n", "/a", "", "b: 2\n"},
	{"a map with its inner comments", "a:\n  x: 1\n\n  # y\n\n# about b\nb: 2\n", "/a", "", "\n# about b\nb: 2\n"},
	{"parents that have nothing else", "v: 1\nspec:\n  values:\n    image:\n      tag: v1\n", "/spec/values/image/tag", "", "v: 1\n"},
	{"parents up to what stays", "spec:\n  values:\n    image:\n      tag: v1 # t\n  x: 1\n", "/spec/values/image/tag", "/spec/values", "spec:\n  values: {}\n  x: 1\n"},
	{"parents that have more stay", "spec:\n  values:\n    image:\n      tag: v1\n    x: 1\n", "/spec/values/image/tag", "/spec", "spec:\n  values:\n    x: 1\n"},
	{"an item", "l:\n- a\n- b # b\n- c\n", "/l/1", "", "l:\n- a\n- c\n"},
	{"the only item and its list", "k: x\nl:\n- a\n", "/l/0", "", "k: x\n"},
	{"the only item of a list that stays", "l: # c\n- a\nk: x\n", "/l/0", "/l", "l: [] # c\nk: x\n"},
	{"an item that is a map", "l:\n  - name: a\n    tag: v1\n  - name: b\n", "/l/0", "", "l:\n  - name: b\n"},
	{"the first key of an item", "l:\n  - name: a\n    tag: v1\n", "/l/0/name", "", "l:\n  - tag: v1\n"},
	{"the first key of an item above a comment", "l:\n  - name: a\n    # t\n    tag: v1\n", "/l/0/name", "", "l:\n  -\n    # t\n    tag: v1\n"},
	{"the last key of an item", "l:\n  - name: a\n    tag: v1\n  - x\n", "/l/0/tag", "", "l:\n  - name: a\n  - x\n"},
	{"the only key of an item that stays", "l:\n  - name: a # c\n  - x\n", "/l/0/name", "/l/0", "l:\n  - {}\n  - x\n"},
	{"the only key of a document", "# head\na: 1\n---\nb: 1\n", "/a", "", "# head\n{}\n---\nb: 1\n"},
	{"the first item of a list in a list", "- - a\n  - b\n", "/0/0", "", "- - b\n"},
	{"a text block", "a: |\n  x\n  y\n\nb: 1\n", "/a", "", "\nb: 1\n"},
	{"below a text block, without a line break", "a: |\n  x\nb: 1", "/b", "", "a: |\n  x\n"},
	{"below a stripped text block, without a line break", "a: |-\n  x\nb: 1", "/b", "", "a: |-\n  x"},
	{"a text block that keeps its line breaks", "a: |+\n  x\n\nb: 1\n", "/a", "", "b: 1\n"},
	{"last in flow", "i: {a: 1, b: 2} # c\n", "/i/b", "", "i: {a: 1} # c\n"},
	{"first in flow", "i: {a: 1, b: 2}\n", "/i/a", "", "i: {b: 2}\n"},
	{"only in flow that stays", "i: {a: 1}\n", "/i/a", "/i", "i: {}\n"},
	{"only in flow", "i: {a: {b: 1}, c: 2}\n", "/i/a/b", "", "i: {c: 2}\n"},
	{"last in flow with a last comma", "i: [a, b,]\n", "/i/1", "", "i: [a,]\n"},
	{"last in flow with a last comma and the bracket on its line", "[\n  a,\n  b, ]\n", "/1", "", "[\n  a, ]\n"},
	{"last in flow over lines", "{\n  \"a\": 1,\n  \"b\": 2\n}\n", "/b", "", "{\n  \"a\": 1\n}\n"},
	{"last in flow over lines with comments", "[\n  a, # one\n  b # two\n]\n", "/1", "", "[\n  a # one\n]\n"},
	{"first in flow over lines", "[\n  a, # one\n  b # two\n]\n", "/0", "", "[\n  b # two\n]\n"},
	{"crlf", "a:\r\n  x: 1\r\n  y: 2\r\n", "/a/x", "", "a:\r\n  y: 2\r\n"},
	{"byte order mark", "\ufeffa: 1\nb: 2\n", "/a", "", "\ufeffb: 2\n"},
	{"utf-16", utf16le("\ufeffa: 1\r\né: 2\r\n"), "/é", "", utf16le("\ufeffa: 1\r\n")},
	{"key with nothing", "a:\nb: 1\n", "/a", "", "b: 1\n"},
	{"item with nothing", "-\n- b\n", "/0", "", "- b\n"},
	{"anchor that nobody uses", "a: &x\n  b: 1\nc: 1\n", "/a", "", "c: 1\n"},
	{"template lines stay", "{{- if .x }}\na: 1\nb: 1\n{{- end }}\n", "/b", "", "{{- if .x }}\na: 1\n{{- end }}\n"},
}

func TestRemove(t *testing.T) {
	for _, c := range removals {
		t.Run(c.name, func(t *testing.T) {
			f, err := yamledit.Parse([]byte(c.src))
			if err != nil {
				t.Fatal(err)
			}
			got, edit, err := f.Remove(0, c.path, c.keep)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != c.want {
				t.Errorf("got\n%.300q\nwant\n%.300q", got, c.want)
			}
			checkSplice(t, c.src, string(got), edit)
		})
	}
}

func TestRemovalsRefused(t *testing.T) {
	for _, c := range []struct {
		removal
		want error
	}{
		{removal{"not there", "a: 1\n", "/b", "", ""}, yamledit.ErrMissing},
		{removal{"what is to stay", "a: {b: 1}\n", "/a", "/a", ""}, yamledit.ErrMissing},
		{removal{"not below what is to stay", "a: {b: 1}\nc: 1\n", "/c", "/a", ""}, yamledit.ErrMissing},
		{removal{"the root", "a: 1\n", "", "", ""}, yamledit.ErrMissing},
		{removal{"what an alias needs", "a: &x 1\nb: *x\n", "/a", "", ""}, yamledit.ErrShape},
		{removal{"within what aliases show", "a: &x {b: 1, c: 1}\nb: *x\n", "/a/b", "", ""}, yamledit.ErrShape},
		{removal{"through an alias", "a: &x {b: 1, c: 1}\nd: *x\n", "/d/b", "", ""}, yamledit.ErrShape},
		{removal{"an anchor defined again", "a: &x 1\nb: &x 2\nc: *x\n", "/b", "", ""}, yamledit.ErrShape},
		{removal{"a key twice", "a: 1\na: 2\n", "/a", "", ""}, yamledit.ErrAmbiguous},
		{removal{"explicit keys", "? a\n: b\n? c\n: d\n", "/a", "", ""}, yamledit.ErrShape},
		{removal{"a comment that would swallow the bracket", "[\n  a, # c\n  b, ]\n", "/1", "", ""}, yamledit.ErrShape},
		{removal{"lines that a text would take in", "a: |+\n  x\nb: 1\n\nc: 1\n", "/b", "", ""}, yamledit.ErrProof},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := yamledit.Parse([]byte(c.src))
			if err != nil {
				t.Fatal(err)
			}
			if got, _, err := f.Remove(0, c.path, c.keep); !errors.Is(err, c.want) || got != nil {
				t.Errorf("got %q, %v, want %v", got, err, c.want)
			}
		})
	}
}
