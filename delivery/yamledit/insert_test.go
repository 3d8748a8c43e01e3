package yamledit_test

import (
	"errors"
	"testing"

	"ferry/delivery/yamledit"
)

// insertion is something put in, with the bytes a careful person would leave.
type insertion struct {
	name string
	src  string
	do   func(f *yamledit.File) ([]byte, yamledit.Edit, error)
	want string
}

func set(pointer string, value yamledit.Node) func(*yamledit.File) ([]byte, yamledit.Edit, error) {
	return setIn(0, pointer, value)
}

func setIn(doc int, pointer string, value yamledit.Node) func(*yamledit.File) ([]byte, yamledit.Edit, error) {
	return func(f *yamledit.File) ([]byte, yamledit.Edit, error) { return f.Set(doc, pointer, value) }
}

func add(pointer string, item yamledit.Node) func(*yamledit.File) ([]byte, yamledit.Edit, error) {
	return func(f *yamledit.File) ([]byte, yamledit.Edit, error) { return f.Append(0, pointer, item) }
}

func document(value yamledit.Node) func(*yamledit.File) ([]byte, yamledit.Edit, error) {
	return func(f *yamledit.File) ([]byte, yamledit.Edit, error) { return f.AddDocument(value) }
}

func entries(kv ...string) yamledit.Node {
	var pairs []yamledit.Pair
	for i := 0; i < len(kv); i += 2 {
		pairs = append(pairs, yamledit.Pair{Key: kv[i], Value: yamledit.Str(kv[i+1])})
	}
	return yamledit.Map(pairs...)
}

var v2 = yamledit.Str("v2")

// imagePin is an entry of a kustomization's images.
var imagePin = entries("name", "app", "newTag", "1.10")

// patchPin is an entry of a kustomization's patches, with its text in a block.
var patchPin = yamledit.Map(
	yamledit.Pair{Key: "patch", Value: yamledit.Literal("- op: replace\n  path: /spec/tag\n  value: v2")},
	yamledit.Pair{Key: "target", Value: entries("kind", "HelmRelease", "name", "app")},
)

var sets = []insertion{
	{"last in a block", "a: 1\nb: 2\n", set("/c", v2), "a: 1\nb: 2\nc: v2\n"},
	{"last in an inner block", "m:\n  a: 1\nz: 1\n", set("/m/b", v2), "m:\n  a: 1\n  b: v2\nz: 1\n"},
	{"maps on the way", "spec:\n  chart: x\n", set("/spec/values/image/tag", v2), "spec:\n  chart: x\n  values:\n    image:\n      tag: v2\n"},
	{"four columns", "spec:\n    chart: x\nz: 1\n", set("/spec/values/image/tag", v2), "spec:\n    chart: x\n    values:\n        image:\n            tag: v2\nz: 1\n"},
	{"width of the nearest block", "a:\n  b: 1\nc:\n    d:\n        e: 1\n", set("/c/f/g", v2), "a:\n  b: 1\nc:\n    d:\n        e: 1\n    f:\n        g: v2\n"},
	{"width of the file in another document", "x: 1\n---\na:\n   b: 1\n", set("/f/g", v2), "x: 1\nf:\n   g: v2\n---\na:\n   b: 1\n"},
	{"under a key with nothing", "a:\nb: 1\n", set("/a/c", v2), "a:\n  c: v2\nb: 1\n"},
	{"under a key with nothing and a comment", "a: # why\nb: 1\n", set("/a/c", v2), "a: # why\n  c: v2\nb: 1\n"},
	{"under null", "a: null # none\nb: 1\n", set("/a/c", v2), "a: # none\n  c: v2\nb: 1\n"},
	{"under tilde at the end", "a: ~", set("/a/c", v2), "a:\n  c: v2"},
	{"under an empty map", "values: {}\nz: 1\n", set("/values/image/tag", v2), "values:\n  image:\n    tag: v2\nz: 1\n"},
	{"under an empty map with a comment", "values: {} # none yet\nz: 1\n", set("/values/tag", v2), "values: # none yet\n  tag: v2\nz: 1\n"},
	{"under an empty map on a line of its own", "a:\n  {}\n  # x: 1\nz: 1\n", set("/a/tag", v2), "a:\n  # x: 1\n  tag: v2\nz: 1\n"},
	{"a block of text above blanks", "a: 1\n        \n\nz: 1\n", set("/b", yamledit.Literal("x\n")), "a: 1\n        \n\nz: 1\nb: |\n  x\n"},
	{"a block of text within, above blanks", "m:\n  a: 1\n        \n\nz: 1\n", set("/m/b", yamledit.Literal("x\n")), "m:\n  a: 1\n        \n  b: |\n    x\n\nz: 1\n"},
	{"a block of text above blanks at the open end", "l:\n  - a\n    ", add("/l", yamledit.Literal("x\n")), "l:\n  - a\n    \n  - |\n    x\n"},
	{"above blanks at the open end", "l:\n  - a\n    ", add("/l", v2), "l:\n  - a\n  - v2\n    "},
	{"behind a text that ends with blanks", "m:\n  a: |\n    x\n      \nz: 1\n", set("/m/b", v2), "m:\n  a: |\n    x\n      \n  b: v2\nz: 1\n"},
	{"empty map within braces", "a: {b: {}, c: 1}\n", set("/a/b/tag", v2), "a: {b: {tag: v2}, c: 1}\n"},
	{"empty map as an item", "- {}\n- x\n", set("/0/tag", v2), "- {tag: v2}\n- x\n"},
	{"flow", "image: {name: app, tag: v1} # c\n", set("/image/digest", yamledit.Str("sha256:ab")), "image: {name: app, tag: v1, digest: sha256:ab} # c\n"},
	{"flow with blanks inside", "image: { name: app }\n", set("/image/tag", v2), "image: { name: app, tag: v2 }\n"},
	{"json", `{"a":{"x":"y","z":"1"}}`, set("/a/b/tag", v2), `{"a":{"x":"y","z":"1","b":{"tag":"v2"}}}`},
	{"json with blanks", `{"a": {"x": "y"}, "n": 1}` + "\n", set("/a/tag", v2), `{"a": {"x": "y", "tag": "v2"}, "n": 1}` + "\n"},
	{"json over lines", "{\n  \"a\": {\n    \"x\": \"y\"\n  }\n}\n", set("/a/tag", v2), "{\n  \"a\": {\n    \"x\": \"y\",\n    \"tag\": \"v2\"\n  }\n}\n"},
	{"json over lines with tabs", "{\n\t\"a\": {\n\t\t\"x\": \"y\"\n\t}\n}\n", set("/a/tag", v2), "{\n\t\"a\": {\n\t\t\"x\": \"y\",\n\t\t\"tag\": \"v2\"\n\t}\n}\n"},
	{"flow over lines with comments and a last comma", "a: {\n  x: 1, # one\n  y: 2, # two\n}\n", set("/a/tag", v2), "a: {\n  x: 1, # one\n  y: 2, # two\n  tag: v2,\n}\n"},
	{"flow over lines with a comment behind", "a: {\n  x: 1, # one\n  y: 2 # two\n}\n", set("/a/tag", v2), "a: {\n  x: 1, # one\n  y: 2, # two\n  tag: v2\n}\n"},
	{"crlf", "m:\r\n  a: 1\r\nz: 1\r\n", set("/m/k/b", v2), "m:\r\n  a: 1\r\n  k:\r\n    b: v2\r\nz: 1\r\n"},
	{"crlf without a last line break", "m:\r\n  a: 1", set("/m/b", v2), "m:\r\n  a: 1\r\n  b: v2"},
	{"no last line break", "m:\n  a: 1", set("/m/b/c", v2), "m:\n  a: 1\n  b:\n    c: v2"},
	{"byte order mark", "\ufeffa: 1\n", set("/b", v2), "\ufeffa: 1\nb: v2\n"},
	{"second document", "a: 1\n---\nb: 1\n---\nc: 1\n", setIn(1, "/d", v2), "a: 1\n---\nb: 1\nd: v2\n---\nc: 1\n"},
	{"before the end of a document", "---\na: 1\n...\n", set("/b", v2), "---\na: 1\nb: v2\n...\n"},
	{"comment at the block's column belongs to it", "m:\n  a: 1\n  # b: 1\nz: 1\n", set("/m/c", v2), "m:\n  a: 1\n  # b: 1\n  c: v2\nz: 1\n"},
	{"comment over a blank line does not", "m:\n  a: 1\n\n  # loose\nz: 1\n", set("/m/c", v2), "m:\n  a: 1\n  c: v2\n\n  # loose\nz: 1\n"},
	{"comment at a lower column does not", "m:\n  a: 1\n# about z\nz: 1\n", set("/m/c", v2), "m:\n  a: 1\n  c: v2\n# about z\nz: 1\n"},
	{"comment of the last entry's own block", "m:\n  a:\n    x: 1\n\n    # y: 1\nz: 1\n", set("/m/c", v2), "m:\n  a:\n    x: 1\n\n    # y: 1\n  c: v2\nz: 1\n"},
	{"blank lines before what follows stay there", "m:\n  a: 1\n\n\nz: 1\n", set("/m/c", v2), "m:\n  a: 1\n  c: v2\n\n\nz: 1\n"},
	{"behind a block that keeps its line breaks", "m:\n  a: |+\n    x\n\nz: 1\n", set("/m/c", v2), "m:\n  a: |+\n    x\n\n  c: v2\nz: 1\n"},
	{"behind text over lines", "m:\n  a: one\n    two\n  b: \"x\n    y\" # c\nz: 1\n", set("/m/c", v2), "m:\n  a: one\n    two\n  b: \"x\n    y\" # c\n  c: v2\nz: 1\n"},
	{"behind an alias", "x: &x 1\nm:\n  a: *x\n", set("/m/c", v2), "x: &x 1\nm:\n  a: *x\n  c: v2\n"},
	{"in an item of a list", "l:\n  - name: a\n    x: 1 # c\n  - name: b\n", set("/l/0/tag", v2), "l:\n  - name: a\n    x: 1 # c\n    tag: v2\n  - name: b\n"},
	{"in an item behind a comment", "l:\n  - # first\n    name: a\n  - name: b\n", set("/l/0/tag", v2), "l:\n  - # first\n    name: a\n    tag: v2\n  - name: b\n"},
	{"needs the file's quotes", "a: 'x'\n", set("/b", yamledit.Str("1.10")), "a: 'x'\nb: '1.10'\n"},
	{"needs double quotes", "a: x\n", set("/b", yamledit.Str("on")), "a: x\nb: \"on\"\n"},
	{"holds quotes", "a: x\n", set("/b", yamledit.Str(`{"$imagepolicy": "a:b"}`)), "a: x\nb: '{\"$imagepolicy\": \"a:b\"}'\n"},
	{"line break in a string", "a: x\n", set("/b", yamledit.Str("x\ny")), "a: x\nb: \"x\\ny\"\n"},
	{"key that needs quotes", "m:\n  a: x\n", set("/m/~1spec~1tag: x", v2), "m:\n  a: x\n  \"/spec/tag: x\": v2\n"},
	{"keys of other scripts", "карта:\n  ключ: é\n", set("/карта/новый", v2), "карта:\n  ключ: é\n  новый: v2\n"},
	{"words", "a: x\n", set("/b", yamledit.Map(yamledit.Pair{Key: "on", Value: yamledit.Bool(true)}, yamledit.Pair{Key: "n", Value: yamledit.Int(3)}, yamledit.Pair{Key: "tag", Value: yamledit.Null()})), "a: x\nb:\n  \"on\": true\n  \"n\": 3\n  tag: null\n"},
	{"a block of text", "a: x\nb: y\n", set("/c", yamledit.Literal("one\n\ntwo\n")), "a: x\nb: y\nc: |\n  one\n\n  two\n"},
	{"a block of text in crlf", "a: x\r\n", set("/c", yamledit.Literal("one\ntwo")), "a: x\r\nc: |-\r\n  one\r\n  two\r\n"},
	{"a block of text at the open end", "a: x", set("/c", yamledit.Literal("one\n")), "a: x\nc: |\n  one\n"},
	{"a block of text that no block can say", "a: x\n", set("/c", yamledit.Literal(" one\n")), "a: x\nc: \" one\\n\"\n"},
	{"template lines", "{{- if .x }}\ntag: v1\n{{- end }}\n", set("/b", v2), "{{- if .x }}\ntag: v1\n{{- end }}\nb: v2\n"},
	{"in the last document, which is empty", "a: 1\n---\n# here\n", setIn(1, "/b", v2), "a: 1\n---\n# here\nb: v2\n"},
	{"in an empty map for a document", "{}\n", set("/a/b", v2), "a:\n  b: v2\n"},
	{"empty containers", "a: x\n", set("/b", yamledit.Map(yamledit.Pair{Key: "m", Value: yamledit.Map()}, yamledit.Pair{Key: "l", Value: yamledit.List()})), "a: x\nb:\n  m: {}\n  l: []\n"},
}

var appends = []insertion{
	{"scalar", "resources:\n  - a.yaml\n  - b.yaml\n", add("/resources", yamledit.Str("c.yaml")), "resources:\n  - a.yaml\n  - b.yaml\n  - c.yaml\n"},
	{"dashes under the key", "resources:\n- a.yaml # c\nkind: x\n", add("/resources", yamledit.Str("c.yaml")), "resources:\n- a.yaml # c\n- c.yaml\nkind: x\n"},
	{"map", "images:\n  - name: x\n    newTag: v1\n", add("/images", imagePin), "images:\n  - name: x\n    newTag: v1\n  - name: app\n    newTag: \"1.10\"\n"},
	{"wide dashes", "images:\n-   name: x\n    newTag: v1\n", add("/images", imagePin), "images:\n-   name: x\n    newTag: v1\n-   name: app\n    newTag: \"1.10\"\n"},
	{"missing, as the file indents lists", "resources:\n- a.yaml\n", add("/images", imagePin), "resources:\n- a.yaml\nimages:\n- name: app\n  newTag: \"1.10\"\n"},
	{"missing, with maps on the way", "kind: Kustomization\nspec:\n  path: ./x\n", add("/spec/patches", patchPin), "kind: Kustomization\nspec:\n  path: ./x\n  patches:\n    - patch: |-\n        - op: replace\n          path: /spec/tag\n          value: v2\n      target:\n        kind: HelmRelease\n        name: app\n"},
	{"missing in a file without lists, at column nothing", "a:\n    b: 1\n", add("/c", v2), "a:\n    b: 1\nc:\n    - v2\n"},
	{"empty in brackets", "patches: []\nkind: x\n", add("/patches", patchPin), "patches:\n  - patch: |-\n      - op: replace\n        path: /spec/tag\n        value: v2\n    target:\n      kind: HelmRelease\n      name: app\nkind: x\n"},
	{"nothing", "images: # pins\nkind: x\n", add("/images", imagePin), "images: # pins\n  - name: app\n    newTag: \"1.10\"\nkind: x\n"},
	{"in flow", "args: [a, b]\n", add("/args", v2), "args: [a, b, v2]\n"},
	{"in flow with quotes", "args: ['a', 'b']\n", add("/args", v2), "args: ['a', 'b', 'v2']\n"},
	{"in flow of one with a last comma", "args: [a,]\n", add("/args", v2), "args: [a, v2,]\n"},
	{"json patch", `[{"op":"add","path":"/a","value":1}]`, add("", yamledit.Map(yamledit.Pair{Key: "op", Value: yamledit.Str("remove")}, yamledit.Pair{Key: "path", Value: yamledit.Str("/b")})), `[{"op":"add","path":"/a","value":1},{"op":"remove","path":"/b"}]`},
	{"empty in flow", "a: {l: []}\n", add("/a/l", v2), "a: {l: [v2]}\n"},
	{"root", "- a\n- b\n", add("", v2), "- a\n- b\n- v2\n"},
	{"tab before a comment", "l:\n- a\t# c\n", add("/l", v2), "l:\n- a\t# c\n- v2\n"},
	{"list in a list", "- - a\n  - b\n- c\n", add("/0", v2), "- - a\n  - b\n  - v2\n- c\n"},
	{"list as an item", "- - a\n", add("", yamledit.List(v2, v2)), "- - a\n- - v2\n  - v2\n"},
	{"comment about the next key", "resources:\n- a\n# the images\nimages: []\n", add("/resources", v2), "resources:\n- a\n- v2\n# the images\nimages: []\n"},
	{"commented item that touches", "resources:\n- a\n# - b\n\nimages: []\n", add("/resources", v2), "resources:\n- a\n# - b\n- v2\n\nimages: []\n"},
	{"comment over blank lines", "resources:\n- a\n\n# more\nimages: []\n", add("/resources", v2), "resources:\n- a\n- v2\n\n# more\nimages: []\n"},
	{"after an item that is nothing", "l:\n  -\nz: 1\n", add("/l", v2), "l:\n  -\n  - v2\nz: 1\n"},
	{"no last line break", "l:\n- a", add("/l", imagePin), "l:\n- a\n- name: app\n  newTag: \"1.10\""},
	{"utf-16", utf16le("\ufeffl:\r\n- é\r\n"), add("/l", yamledit.Str("😀")), utf16le("\ufeffl:\r\n- é\r\n- 😀\r\n")},
}

var documents = []insertion{
	{"behind one", "a: 1\n", document(entries("b", "x")), "a: 1\n---\nb: x\n"},
	{"no last line break", "a: 1", document(entries("b", "x")), "a: 1\n---\nb: x"},
	{"ended by dots", "---\na: 1\n...\n", document(entries("b", "x")), "---\na: 1\n...\n---\nb: x\n...\n"},
	{"with blank lines as before", "a: 1\n\n---\n\nb: 1\n", document(entries("c", "x")), "a: 1\n\n---\n\nb: 1\n\n---\n\nc: x\n"},
	{"with blank lines, which a text would take in", "a: 1\n\n---\nb: |+\n  x\n", document(entries("c", "x")), "a: 1\n\n---\nb: |+\n  x\n---\nc: x\n"},
	{"where an empty one waits", "a: 1\n---\n", document(entries("b", "x")), "a: 1\n---\nb: x\n"},
	{"in an empty file", "", document(entries("b", "x")), "b: x\n"},
	{"behind comments", "# head\n", document(entries("b", "x")), "# head\nb: x\n"},
	{"crlf", "a: 1\r\n", document(entries("b", "x", "c", "z")), "a: 1\r\n---\r\nb: x\r\nc: z\r\n"},
	{"list", "- a\n", document(yamledit.List(v2)), "- a\n---\n- v2\n"},
}

func TestSet(t *testing.T) { runInsertions(t, sets) }

func TestAppend(t *testing.T) { runInsertions(t, appends) }

func TestAddDocument(t *testing.T) { runInsertions(t, documents) }

func runInsertions(t *testing.T, cases []insertion) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			f, err := yamledit.Parse([]byte(c.src))
			if err != nil {
				t.Fatal(err)
			}
			got, edit, err := c.do(f)
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

func TestInsertionsRefused(t *testing.T) {
	for _, c := range []struct {
		name, src string
		do        func(*yamledit.File) ([]byte, yamledit.Edit, error)
		want      error
	}{
		{"the key exists", "a: 1\n", set("/a", v2), yamledit.ErrExists},
		{"the key exists with nothing", "a:\n", set("/a", v2), yamledit.ErrExists},
		{"a scalar on the way", "a: 1\n", set("/a/b", v2), yamledit.ErrExists},
		{"the root", "a: 1\n", set("", v2), yamledit.ErrExists},
		{"a list on the way", "a: [x]\n", set("/a/b", v2), yamledit.ErrMissing},
		{"no such item", "a:\n- x\n", set("/a/1", v2), yamledit.ErrMissing},
		{"no such document", "a: 1\n", setIn(1, "/b", v2), yamledit.ErrMissing},
		{"no pointer", "a: 1\n", set("b", v2), yamledit.ErrMissing},
		{"an alias as the parent", "x: &x {a: 1}\ny: *x\n", set("/y/b", v2), yamledit.ErrShape},
		{"through an alias", "x: &x {a: {}}\ny: *x\n", set("/y/a/b", v2), yamledit.ErrShape},
		{"what aliases show elsewhere", "x: &x\n  a: 1\ny: *x\n", set("/x/b", v2), yamledit.ErrShape},
		{"within what aliases show elsewhere", "x: &x\n  a:\n    c: 1\ny: *x\n", set("/x/a/b", v2), yamledit.ErrShape},
		{"a map that merges", "x: &x {a: 1}\ny:\n  <<: *x\n  b: 1\n", set("/y/c", v2), yamledit.ErrShape},
		{"a block in flow", "a: {b: 1}\n", set("/a/c", yamledit.Literal("x\ny\n")), yamledit.ErrShape},
		{"a block deep in flow", "a: [b]\n", add("/a", patchPin), yamledit.ErrShape},
		{"a list as a key", "? [k]\n: z\n", set("/d", v2), yamledit.ErrShape},
		{"explicit keys", "? a\n: b\n", set("/c", v2), yamledit.ErrShape},
		{"a merge key", "a: 1\n", set("/<<", v2), yamledit.ErrShape},
		{"a key twice", "a: {}\na: {}\n", set("/a/b", v2), yamledit.ErrAmbiguous},
		{"a key twice in the value", "a: 1\n", set("/b", yamledit.Map(yamledit.Pair{Key: "x"}, yamledit.Pair{Key: "x"})), yamledit.ErrAmbiguous},
		{"no text", "a: 1\n", set("/b", yamledit.Str("\xff")), yamledit.ErrShape},
		{"append to a map", "a: {b: 1}\n", add("/a", v2), yamledit.ErrExists},
		{"append to an empty map", "a: {}\n", add("/a", v2), yamledit.ErrExists},
		{"append to a scalar", "a: b\n", add("/a", v2), yamledit.ErrExists},
		{"append to an alias", "x: &x [a]\ny: *x\n", add("/y", v2), yamledit.ErrShape},
		{"an anchor on nothing", "a: &x\nb: 1\n", set("/a/c", v2), yamledit.ErrShape},
		{"an empty document before others", "---\n---\na: 1\n", set("/c", v2), yamledit.ErrShape},
		{"behind text that would get a line break", "a: |\n  x", set("/c", v2), yamledit.ErrShape},
		{"a document behind text that would get a line break", "a: |\n  x", document(v2), yamledit.ErrShape},
		{"an empty map on the last line", "a:\n  {}", set("/a/c", v2), yamledit.ErrShape},
		{"an empty map and a comment on a line of their own", "a:\n  {} # c\nb: 1\n", set("/a/c", v2), yamledit.ErrShape},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := yamledit.Parse([]byte(c.src))
			if err != nil {
				t.Fatal(err)
			}
			if got, _, err := c.do(f); !errors.Is(err, c.want) || got != nil {
				t.Errorf("got %q, %v, want %v", got, err, c.want)
			}
		})
	}
}

func TestNew(t *testing.T) {
	got := string(yamledit.New(yamledit.Map(
		yamledit.Pair{Key: "apiVersion", Value: yamledit.Str("kustomize.config.k8s.io/v1beta1")},
		yamledit.Pair{Key: "kind", Value: yamledit.Str("Kustomization")},
		yamledit.Pair{Key: "resources", Value: yamledit.List(yamledit.Str("../base"))},
		yamledit.Pair{Key: "images", Value: yamledit.List(imagePin)},
		yamledit.Pair{Key: "patches", Value: yamledit.List(patchPin)},
	)))
	want := "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n  - ../base\nimages:\n  - name: app\n    newTag: \"1.10\"\n" +
		"patches:\n  - patch: |-\n      - op: replace\n        path: /spec/tag\n        value: v2\n    target:\n      kind: HelmRelease\n      name: app\n"
	if got != want {
		t.Errorf("got\n%s", got)
	}
}
