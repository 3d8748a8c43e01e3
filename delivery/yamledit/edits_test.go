package yamledit_test

import (
	"errors"
	"strings"
	"testing"

	"ferry/delivery/yamledit"
)

// edit is one change of one scalar, with the bytes a careful person would leave.
type edit struct {
	name  string
	src   string
	doc   int
	path  string
	value string
	want  string
}

// measured are the 24 edits by which editors of YAML are compared, some in
// several forms.
var measured = []edit{
	{"plain", "image:\n  tag: 6.5.3\n", 0, "/image/tag", "6.5.4", "image:\n  tag: 6.5.4\n"},
	{"single quoted", "image:\n  tag: '6.5.3'\n", 0, "/image/tag", "6.5.4", "image:\n  tag: '6.5.4'\n"},
	{"double quoted", "image:\n  tag: \"6.5.3\"\n", 0, "/image/tag", "6.5.4", "image:\n  tag: \"6.5.4\"\n"},
	{"trailing comment", "tag: 6.5.3   # keep me\n", 0, "/tag", "6.5.4", "tag: 6.5.4   # keep me\n"},
	{"imagepolicy marker", "tag: v1 # {\"$imagepolicy\": \"flux-system:app:tag\"}\n", 0, "/tag", "v2", "tag: v2 # {\"$imagepolicy\": \"flux-system:app:tag\"}\n"},
	{"comment with # in quotes before", "a: \"x # y\" # z\ntag: \"v1\" # \"v1\"\n", 0, "/tag", "v2", "a: \"x # y\" # z\ntag: \"v2\" # \"v1\"\n"},
	{"comment behind # in quotes", "{a: \"x # y\", tag: v1} # z\n", 0, "/tag", "v2", "{a: \"x # y\", tag: v2} # z\n"},
	{"flow map", "img: {name: app, tag: v1}\n", 0, "/img/tag", "v2", "img: {name: app, tag: v2}\n"},
	{"flow list", "tags: [v1, v1, v3]\n", 0, "/tags/1", "v2", "tags: [v1, v2, v3]\n"},
	{"anchor on the value", "tag: &t v1\nother: *t\n", 0, "/tag", "v2", "tag: &t v2\nother: *t\n"},
	{"alias elsewhere", "a: &v v1\nb: *v\nc: v1\n", 0, "/c", "v2", "a: &v v1\nb: *v\nc: v2\n"},
	{"folded block", "tag: >-\n  v1\nnext: v1\n", 0, "/tag", "v2", "tag: >-\n  v2\nnext: v1\n"},
	{"literal block", "tag: |\n  v1\nnext: v1\n", 0, "/tag", "v2\n", "tag: |\n  v2\nnext: v1\n"},
	{"second document", "tag: v1\n---\ntag: v1\n", 1, "/tag", "v2", "tag: v1\n---\ntag: v2\n"},
	{"document with --- and ...", "---\ntag: v1\n...\n---\ntag: v1\n...\n", 0, "/tag", "v2", "---\ntag: v2\n...\n---\ntag: v1\n...\n"},
	{"crlf", "a: b\r\ntag: v1\r\nc: d\r\n", 0, "/tag", "v2", "a: b\r\ntag: v2\r\nc: d\r\n"},
	{"no final newline", "a: b\ntag: v1", 0, "/tag", "v2", "a: b\ntag: v2"},
	{"blank lines and 4-space lists", "a:\n\n    - name: x\n\n      tag: v1\n\n\nb: c\n", 0, "/a/0/tag", "v2", "a:\n\n    - name: x\n\n      tag: v2\n\n\nb: c\n"},
	{"non-ascii key on the line", "{ключ: é, tag: v1}\n", 0, "/tag", "v2", "{ключ: é, tag: v2}\n"},
	{"tab before the comment", "tag: v1\t# c\n", 0, "/tag", "v2", "tag: v2\t# c\n"},
	{"duplicate text earlier", "# tag: v1\nold: {tag: v1}\nnew: {tag: v1}\n", 0, "/new/tag", "v2", "# tag: v1\nold: {tag: v1}\nnew: {tag: v2}\n"},
	{"needs quotes 1.10", "tag: 1.9.1\n", 0, "/tag", "1.10", "tag: \"1.10\"\n"},
	{"needs quotes exponent", "tag: abc\n", 0, "/tag", "1e10", "tag: \"1e10\"\n"},
	{"needs quotes octal", "tag: abc\n", 0, "/tag", "0123", "tag: \"0123\"\n"},
	{"needs quotes date", "tag: abc\n", 0, "/tag", "2024-01-02", "tag: \"2024-01-02\"\n"},
	{"needs quotes on", "tag: abc\n", 0, "/tag", "on", "tag: \"on\"\n"},
	{"needs quotes hex", "tag: abc\n", 0, "/tag", "0x1F", "tag: \"0x1F\"\n"},
	{"template lines", "{{- if .x }}\ntag: v1\n{{- end }}\nb: '{{ .y }}'\n", 0, "/tag", "v2", "{{- if .x }}\ntag: v2\n{{- end }}\nb: '{{ .y }}'\n"},
	{"bom", "\ufefftag: v1\nb: 1\n", 0, "/tag", "v2", "\ufefftag: v2\nb: 1\n"},
	{"list item chosen by name", "images:\n- name: a\n  newTag: v1\n- name: b\n  newTag: v1\n", 0, "/images/1/newTag", "v2", "images:\n- name: a\n  newTag: v1\n- name: b\n  newTag: v2\n"},
	{"very long line", "{a: \"" + strings.Repeat("x", 70000) + "\", tag: v1}\n", 0, "/tag", "v2", "{a: \"" + strings.Repeat("x", 70000) + "\", tag: v2}\n"},
	{"quoted key", "\"tag\": v1\n'k: v': v1\n", 0, "/tag", "v2", "\"tag\": v2\n'k: v': v1\n"},
}

// further are what real repositories hold besides.
var further = []edit{
	{"alias elsewhere stays", "a: &v v1\nb: *v\nc: v1\n", 0, "/a", "v2", "a: &v v2\nb: *v\nc: v1\n"},
	{"anchor and tag", "a: &v !!str \"v1\"\nb: *v\n", 0, "/a", "v2", "a: &v !!str \"v2\"\nb: *v\n"},
	{"underscore number", "tag: abc\n", 0, "/tag", "1_000", "tag: \"1_000\"\n"},
	{"digits in the file's single quotes", "a: 'x'\ntag: abc\n", 0, "/tag", "20240101", "a: 'x'\ntag: '20240101'\n"},
	{"digits only after a dirty build", "newTag: 9717766-dirty-amd64\n", 0, "/newTag", "9717766", "newTag: \"9717766\"\n"},
	{"integer stays integer", "tag: 41 # n\n", 0, "/tag", "42", "tag: 42 # n\n"},
	{"integer becomes octal-looking", "tag: 41\n", 0, "/tag", "042", "tag: \"042\"\n"},
	{"integer becomes word", "tag: 41\n", 0, "/tag", "v42", "tag: v42\n"},
	{"integer becomes float", "tag: 41\n", 0, "/tag", "1.10", "tag: \"1.10\"\n"},
	{"float stays float", "tag: 16.2\n", 0, "/tag", "16.3", "tag: 16.3\n"},
	{"float that loses a digit", "tag: 16.9\n", 0, "/tag", "16.10", "tag: \"16.10\"\n"},
	{"needs quotes behind an anchor", "a: &v abc\nb: *v\n", 0, "/a", "1.10", "a: &v \"1.10\"\nb: *v\n"},
	{"integer anchor becomes a string", "a: &v 41\nb: *v\n", 0, "/a", "v1", "a: &v v1\nb: *v\n"},
	{"needs quotes in flow", "i: {t: abc, u: 1}\n", 0, "/i/t", "1e3", "i: {t: \"1e3\", u: 1}\n"},
	{"registry with a port", "image: reg:5000/app:1.0\n", 0, "/image", "reg:5000/app:1.1", "image: reg:5000/app:1.1\n"},
	{"digest in flow", "i: {digest: sha256:aa}\n", 0, "/i/digest", "sha256:bb", "i: {digest: sha256:bb}\n"},
	{"json", "{\"a\":{\"tag\":\"v1\"},\"b\":[\"v1\"]}", 0, "/a/tag", "v2", "{\"a\":{\"tag\":\"v2\"},\"b\":[\"v1\"]}"},
	{"emoji before", "{😀: 1, tag: v1}\n", 0, "/tag", "v2", "{😀: 1, tag: v2}\n"},
	{"value on its own line", "tag:\n  v1\nb: 1\n", 0, "/tag", "v2", "tag:\n  v2\nb: 1\n"},
	{"nested lists", "- - v1\n  - v1\n", 0, "/0/1", "v2", "- - v1\n  - v2\n"},
	{"block at the end without newline", "a: |-\n  v1", 0, "/a", "v2", "a: |-\n  v2"},
	{"block in crlf", "a: |-\r\n  v1\r\nb: 2\r\n", 0, "/a", "v2", "a: |-\r\n  v2\r\nb: 2\r\n"},
	{"one line of a block", "a: |\n  one\n  two v1\n  three\n", 0, "/a", "one\ntwo v2\nthree\n", "a: |\n  one\n  two v2\n  three\n"},
	{"escaped slash in key", "a/b: v1\n", 0, "/a~1b", "v2", "a/b: v2\n"},
	{"double quoted with escapes", "a: \"x\\\"v1\\\"\"\n", 0, "/a", "x\"v2\"", "a: \"x\\\"v2\\\"\"\n"},
	{"single quoted with quote", "a: 'it''s v1'\n", 0, "/a", "it's v2", "a: 'it''s v2'\n"},
	{"comment only documents", "# head\n---\n# mid\n---\ntag: v1\n", 1, "/tag", "v2", "# head\n---\n# mid\n---\ntag: v2\n"},
}

func TestMeasuredEdits(t *testing.T) { runEdits(t, measured) }

func TestFurtherEdits(t *testing.T) { runEdits(t, further) }

func runEdits(t *testing.T, edits []edit) {
	t.Helper()
	for _, e := range edits {
		t.Run(e.name, func(t *testing.T) {
			f, err := yamledit.Parse([]byte(e.src))
			if err != nil {
				t.Fatal(err)
			}
			got, edit, err := f.Replace(find(t, f, e.doc, e.path), e.value)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != e.want {
				t.Errorf("got\n%.200q\nwant\n%.200q", got, e.want)
			}
			checkSplice(t, e.src, string(got), edit)
		})
	}
}

func find(t *testing.T, f *yamledit.File, doc int, path string) yamledit.Scalar {
	t.Helper()
	for _, s := range f.Scalars() {
		if s.Doc == doc && s.Path == path {
			return s
		}
	}
	t.Fatalf("no scalar at document %d %s", doc, path)
	return yamledit.Scalar{}
}

func TestReplaceInside(t *testing.T) {
	src := "patches:\n  - patch: |-\n      - op: replace\n        path: /spec/tag\n        value: \"v1\" # {\"$imagepolicy\": \"a:b\"}\n    target:\n      kind: X\n"
	want := strings.Replace(src, "\"v1\"", "\"v2\"", 1)
	f, err := yamledit.Parse([]byte(src))
	if err != nil {
		t.Fatal(err)
	}
	outer := find(t, f, 0, "/patches/0/patch")
	sub, err := f.Inside(outer)
	if err != nil {
		t.Fatal(err)
	}
	got, edit, err := f.ReplaceInside(outer, sub, find(t, sub, 0, "/0/value"), "v2")
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("got\n%s", got)
	}
	if edit.Line != 5 || edit.Column != 16 || edit.Before != `"v1"` || edit.After != `"v2"` {
		t.Errorf("edit %+v", edit)
	}
}

func TestReplaceInsideJSONInQuotes(t *testing.T) {
	src := `patch: "[{\"op\":\"replace\",\"path\":\"/x\",\"value\":\"v1\"}]" # end` + "\n"
	f, err := yamledit.Parse([]byte(src))
	if err != nil {
		t.Fatal(err)
	}
	outer := find(t, f, 0, "/patch")
	sub, err := f.Inside(outer)
	if err != nil {
		t.Fatal(err)
	}
	got, _, err := f.ReplaceInside(outer, sub, find(t, sub, 0, "/0/value"), "v2")
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.Replace(src, "v1", "v2", 1); string(got) != want {
		t.Errorf("got %s", got)
	}
}

func TestRefusals(t *testing.T) {
	for name, e := range map[string]edit{
		"folded over lines":  {src: "a: >-\n  one v1\n  two\n", path: "/a", value: "one v2 two"},
		"plain over lines":   {src: "a: one\n  two\nb: 1\n", path: "/b", value: "x y"},
		"quote in the value": {src: "a: \"v1\"\n", path: "/a", value: "v\"2"},
		"newline":            {src: "a: v1\n", path: "/a", value: "v\n2"},
		"a key elsewhere":    {src: "a: &x v1\nm:\n  *x : b\n", path: "/a", value: "v2"},
		"comment":            {src: "a: v1\n", path: "/a", value: "v1 #2"},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := yamledit.Parse([]byte(e.src))
			if err != nil {
				t.Fatal(err)
			}
			if got, _, err := f.Replace(find(t, f, 0, e.path), e.value); !errors.Is(err, yamledit.ErrShape) {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

func TestEncodingsRefused(t *testing.T) {
	for name, src := range map[string]string{
		"UTF-16LE":                  "\xff\xfea\x00:",                // half a character
		"starts as UTF-16LE":        "\xff\xfea\x00\x00\xd8b\x00",    // half a pair
		"starts as UTF-16BE":        "\xfe\xff\xdc\x00\x00a",         // the other half
		"UTF-16BE":                  "\xfe\xff\x00a\x00:\x00\x00",    // a zero
		"UTF-32LE":                  "\xff\xfe\x00\x00a\x00\x00\x00", // as it says
		"UTF-32BE":                  "\x00\x00\xfe\xff\x00\x00\x00a",
		"zero bytes":                "a\x00:\x00 \x00b\x00",
		"not UTF-8":                 "a: caf\xe9\n",
		"without a byte order mark": "\x00a\x00:",
	} {
		if _, err := yamledit.Parse([]byte(src)); !errors.Is(err, yamledit.ErrEncoding) || !strings.Contains(err.Error(), name) {
			t.Errorf("%q: %v, want %q", src, err, name)
		}
	}
}
