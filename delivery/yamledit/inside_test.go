package yamledit_test

import (
	"errors"
	"strings"
	"testing"

	"ferry/delivery/yamledit"
)

// inner is an edit within the text of the scalar at a path.
type inner struct {
	name, src, path string
	do              func(f *yamledit.File, outer yamledit.Scalar, sub *yamledit.File) ([]byte, yamledit.Edit, error)
	want            string
}

type insideFunc = func(*yamledit.File, yamledit.Scalar, *yamledit.File) ([]byte, yamledit.Edit, error)

func setInside(pointer string, v yamledit.Node) insideFunc {
	return func(f *yamledit.File, s yamledit.Scalar, sub *yamledit.File) ([]byte, yamledit.Edit, error) {
		return f.SetInside(s, sub, 0, pointer, v)
	}
}

func addInside(pointer string, v yamledit.Node) insideFunc {
	return func(f *yamledit.File, s yamledit.Scalar, sub *yamledit.File) ([]byte, yamledit.Edit, error) {
		return f.AppendInside(s, sub, 0, pointer, v)
	}
}

func removeInside(pointer, keep string) insideFunc {
	return func(f *yamledit.File, s yamledit.Scalar, sub *yamledit.File) ([]byte, yamledit.Edit, error) {
		return f.RemoveInside(s, sub, 0, pointer, keep)
	}
}

func documentInside(v yamledit.Node) insideFunc {
	return func(f *yamledit.File, s yamledit.Scalar, sub *yamledit.File) ([]byte, yamledit.Edit, error) {
		return f.AddDocumentInside(s, sub, v)
	}
}

// op is an operation of a JSON patch.
var op = entries("op", "replace", "path", "/spec/tag", "value", "1.10")

var inners = []inner{
	{"operation of a patch", "patches:\n  - patch: |-\n      - op: add\n        path: /a # {\"$imagepolicy\": \"a:b\"}\n    target:\n      kind: X\n", "/patches/0/patch", addInside("", op), "patches:\n  - patch: |-\n      - op: add\n        path: /a # {\"$imagepolicy\": \"a:b\"}\n      - op: replace\n        path: /spec/tag\n        value: \"1.10\"\n    target:\n      kind: X\n"},
	{"values in a config map", "data:\n  values.yaml: |\n    image:\n      tag: v1\n\n    # rest\n    x: 1\nz: 1\n", "/data/values.yaml", setInside("/image/digest", v2), "data:\n  values.yaml: |\n    image:\n      tag: v1\n      digest: v2\n\n    # rest\n    x: 1\nz: 1\n"},
	{"at the end of a block", "a: |\n  x: 1\nb: 1\n", "/a", setInside("/y2", v2), "a: |\n  x: 1\n  y2: v2\nb: 1\n"},
	{"at the end of a file without a line break", "a: |-\n  x: 1", "/a", setInside("/y2", v2), "a: |-\n  x: 1\n  y2: v2"},
	{"in crlf", "a: |\r\n  x: 1\r\n  m: {}\r\nb: 1\r\n", "/a", setInside("/m/k", v2), "a: |\r\n  x: 1\r\n  m:\r\n    k: v2\r\nb: 1\r\n"},
	{"blank lines with blanks stay", "a: |\n  x: 1\n \n  m: 1\n", "/a", setInside("/k", v2), "a: |\n  x: 1\n \n  m: 1\n  k: v2\n"},
	{"patch as a merge", "patch: |\n  spec:\n    x: 1\ntarget: x\n", "/patch", setInside("/spec/values/image/tag", v2), "patch: |\n  spec:\n    x: 1\n    values:\n      image:\n        tag: v2\ntarget: x\n"},
	{"remove in a block", "a: |\n  x: 1\n  m: 1\n  k: 1\nb: 1\n", "/a", removeInside("/m", ""), "a: |\n  x: 1\n  k: 1\nb: 1\n"},
	{"remove at the end of a block", "a: |-\n  x: 1\n  m:\n    k: 1\nb: 1\n", "/a", removeInside("/m/k", ""), "a: |-\n  x: 1\nb: 1\n"},
	{"remove below a blank line at the end", "a: |\n  x: 1\n\n  m: 1\nb: 1\n", "/a", removeInside("/m", ""), "a: |\n  x: 1\n\nb: 1\n"},
	{"remove below a blank line that is kept", "a: |+\n  x: 1\n\n  m: 1\n\nb: 1\n", "/a", removeInside("/m", ""), "a: |+\n  x: 1\n\n\nb: 1\n"},
	{"json in double quotes", `patch: "[{\"op\":\"remove\",\"path\":\"/x\"}]" # end` + "\n", "/patch", addInside("", op), `patch: "[{\"op\":\"remove\",\"path\":\"/x\"},{\"op\":\"replace\",\"path\":\"/spec/tag\",\"value\":\"1.10\"}]" # end` + "\n"},
	{"json in single quotes", `patch: '[{"op": "remove", "path": "/x"}]'` + "\n", "/patch", addInside("", op), `patch: '[{"op": "remove", "path": "/x"}, {"op": "replace", "path": "/spec/tag", "value": "1.10"}]'` + "\n"},
	{"quotes in single quotes", `patch: '{a: x}'` + "\n", "/patch", setInside("/b", yamledit.Str("it's # that")), `patch: '{a: x, b: "it''s # that"}'` + "\n"},
	{"yaml in double quotes", `patch: "a: 1\nb: 2\n"` + "\n", "/patch", setInside("/c", v2), `patch: "a: 1\nb: 2\nc: v2\n"` + "\n"},
	{"a document in a block", "a: |\n  x: 1\nb: 1\n", "/a", documentInside(entries("k", "x")), "a: |\n  x: 1\n  ---\n  k: x\nb: 1\n"},
	{"in utf-16", utf16le("\ufeffa: |\r\n  é: 1\r\nb: 1\r\n"), "/a", setInside("/k", v2), utf16le("\ufeffa: |\r\n  é: 1\r\n  k: v2\r\nb: 1\r\n")},
}

func TestInside(t *testing.T) {
	for _, c := range inners {
		t.Run(c.name, func(t *testing.T) {
			f, outer, sub := open(t, c.src, c.path)
			got, edit, err := c.do(f, outer, sub)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != c.want {
				t.Errorf("got\n%s\n%.300q\nwant\n%.300q", got, got, c.want)
			}
			checkSplice(t, c.src, string(got), edit)
		})
	}
}

func TestInsideRefused(t *testing.T) {
	other, err := yamledit.Parse([]byte("x: 2\n"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, src, path string
		do              insideFunc
		want            error
	}{
		{"folded", "a: >\n  {x: 1}\nb: 1\n", "/a", setInside("/k", v2), yamledit.ErrShape},
		{"plain", "a: x\n", "/a", addInside("", v2), yamledit.ErrExists},
		{"the key exists inside", "a: |\n  x: 1\n", "/a", setInside("/x", v2), yamledit.ErrExists},
		{"single quotes and lines", "a: 'x: 1\n\n  '\n", "/a", setInside("/k", v2), yamledit.ErrShape},
		{"a line break more than the block can say", "a: |-\n  x: 1\n", "/a", setInside("/z", yamledit.Literal("k\n")), yamledit.ErrShape},
		{"the text of another", "a: |\n  x: 1\n", "/a", func(f *yamledit.File, s yamledit.Scalar, _ *yamledit.File) ([]byte, yamledit.Edit, error) {
			return f.SetInside(s, other, 0, "/k", v2)
		}, yamledit.ErrProof},
		{"the text of another, replaced", "a: |\n  x: 1\n", "/a", func(f *yamledit.File, s yamledit.Scalar, _ *yamledit.File) ([]byte, yamledit.Edit, error) {
			return f.ReplaceInside(s, other, other.Scalars()[0], "3")
		}, yamledit.ErrProof},
		{"a scalar that stands twice", "a: |\n  x: 1\na: 2\n", "/a", setInside("/k", v2), yamledit.ErrAmbiguous},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, outer, sub := open(t, c.src, c.path)
			if got, _, err := c.do(f, outer, sub); !errors.Is(err, c.want) {
				t.Errorf("got %q, %v, want %v", got, err, c.want)
			}
		})
	}
}

func open(t *testing.T, src, path string) (*yamledit.File, yamledit.Scalar, *yamledit.File) {
	t.Helper()
	f, err := yamledit.Parse([]byte(src))
	if err != nil {
		t.Fatal(err)
	}
	outer := find(t, f, 0, path)
	sub, err := f.Inside(outer)
	if err != nil {
		t.Fatal(err)
	}
	return f, outer, sub
}

func TestLookup(t *testing.T) {
	f, err := yamledit.Parse([]byte("a: {l: [x, ~]}\nb: &x\n  c: 1\nd: *x\ne:\nt: 1\nt: 2\nf/g: x\n---\n- 1\n---\n"))
	if err != nil {
		t.Fatal(err)
	}
	if f.Docs() != 3 {
		t.Errorf("%d documents", f.Docs())
	}
	for _, c := range []struct {
		doc  int
		path string
		kind yamledit.Kind
		ok   bool
	}{
		{0, "", "map", true},
		{0, "/a", "map", true},
		{0, "/a/l", "list", true},
		{0, "/a/l/0", "scalar", true},
		{0, "/a/l/1", "", true},
		{0, "/a/l/2", "", false},
		{0, "/a/l/00", "", false},
		{0, "/a/l/-", "", false},
		{0, "/d", "alias", true},
		{0, "/d/c", "", false},
		{0, "/e", "", true},
		{0, "/e/f", "", false},
		{0, "/t", "", false},
		{0, "/f~1g", "scalar", true},
		{0, "a", "", false},
		{1, "", "list", true},
		{1, "/0", "scalar", true},
		{2, "", "", true},
		{3, "", "", false},
		{-1, "", "", false},
	} {
		if kind, ok := f.Lookup(c.doc, c.path); kind != c.kind || ok != c.ok {
			t.Errorf("document %d %s: %q, %v", c.doc, c.path, kind, ok)
		}
	}
}

func TestEncrypted(t *testing.T) {
	for src, want := range map[string]bool{
		"a: ENC[AES256_GCM,data:x]\nsops:\n  mac: ENC[x]\n": true,
		"a: 1\n---\nsops:\n  mac: |\n    x\n":               true,
		"{\"sops\": {\"mac\": \"x\"}}":                      true,
		"sops: {age: x}\n":                                  false,
		"a: {sops: {mac: x}}\n":                             false,
		"- sops\n":                                          false,
		"":                                                  false,
		strings.Repeat("x", 10) + ": 1\n---\nsops:\n  - mac\n": false,
	} {
		f, err := yamledit.Parse([]byte(src))
		if err != nil {
			t.Fatal(err)
		}
		if got := f.Encrypted(); got != want {
			t.Errorf("%q: %v", src, got)
		}
	}
}
