package yamledit_test

import (
	"errors"
	"strings"
	"testing"

	"ferry/delivery/yamledit"
)

const (
	oldDigest = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	newDigest = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
)

// seen are what public Flux repositories hold, in words of our own: replaced
// scalars of every shape in which a version was found there.
var seen = []edit{
	{"patch with the version alone, no last line break", "spec:\n  chart:\n    spec:\n      version: \"1.0.0\"", 0, "/spec/chart/spec/version", "1.1.0", "spec:\n  chart:\n    spec:\n      version: \"1.1.0\""},
	{"range in quotes is pinned", "version: \">=1.0.0\"\n", 0, "/version", "6.5.4", "version: \"6.5.4\"\n"},
	{"range in single quotes stays a range", "version: '>=1.0.0-alpha'\n", 0, "/version", ">=2.0.0-alpha", "version: '>=2.0.0-alpha'\n"},
	{"range of stars", "version: 6.x\n", 0, "/version", "*", "version: \"*\"\n"},
	{"range without quotes gets them", "version: 6.x # range\n", 0, "/version", ">=6.0.0", "version: \">=6.0.0\" # range\n"},
	{"tilde range gets quotes", "version: 6.x\n", 0, "/version", "~6.5", "version: \"~6.5\"\n"},
	{"caret range needs none", "version: 6.x\n", 0, "/version", "^6.5", "version: ^6.5\n"},
	{"marker on a shared base", "        image:\n          repository: r/app # {\"$imagepolicy\": \"flux-system:app:name\"}\n          tag: 1.2.3 # {\"$imagepolicy\": \"flux-system:app:tag\"}\n", 0, "/image/tag", "1.2.4", "        image:\n          repository: r/app # {\"$imagepolicy\": \"flux-system:app:name\"}\n          tag: 1.2.4 # {\"$imagepolicy\": \"flux-system:app:tag\"}\n"},
	{"marker without a blank", "image: r/app:1.2.3 #{\"$imagepolicy\": \"flux-system:app\"}\n", 0, "/image", "r/app:1.2.4", "image: r/app:1.2.4 #{\"$imagepolicy\": \"flux-system:app\"}\n"},
	{"marker within a string is the string's", "note: 'v1 # {\"$imagepolicy\": \"a:b\"}'\ntag: v1\n", 0, "/note", "v2 # {\"$imagepolicy\": \"a:b\"}", "note: 'v2 # {\"$imagepolicy\": \"a:b\"}'\ntag: v1\n"},
	{"one version of several in a file", "chart: 4.1.0\nimage: r.dev/app:4.1.0\njob: r.dev/app-db:4.1.0\n", 0, "/job", "r.dev/app-db:4.2.0", "chart: 4.1.0\nimage: r.dev/app:4.1.0\njob: r.dev/app-db:4.2.0\n"},
	{"variable with an address as its comment", "substitute:\n  MESH_VERSION: \"1.2.3\" # https://example.org/releases#1.2.3\n", 0, "/substitute/MESH_VERSION", "1.2.4", "substitute:\n  MESH_VERSION: \"1.2.4\" # https://example.org/releases#1.2.3\n"},
	{"beside a variable", "image: ${REGISTRY}/app:v1\n", 0, "/image", "${REGISTRY}/app:v2", "image: ${REGISTRY}/app:v2\n"},
	{"beside a variable within braces", "i: {image: \"${REGISTRY:=r.dev}/app:v1\"}\n", 0, "/i/image", "${REGISTRY:=r.dev}/app:v2", "i: {image: \"${REGISTRY:=r.dev}/app:v2\"}\n"},
	{"default of a variable", "tag: ${TAG:=v1}\n", 0, "/tag", "${TAG:=v2}", "tag: ${TAG:=v2}\n"},
	{"anchored tag, used by the init container", "app:\n  tag: &tag v1@" + oldDigest + "\ninit:\n  tag: *tag\n", 0, "/app/tag", "v2@" + newDigest, "app:\n  tag: &tag v2@" + newDigest + "\ninit:\n  tag: *tag\n"},
	{"definition in an annotation", "metadata:\n  annotations:\n    version: &v \"1.2.3\"\nspec:\n  tag: *v\n", 0, "/metadata/annotations/version", "1.2.4", "metadata:\n  annotations:\n    version: &v \"1.2.4\"\nspec:\n  tag: *v\n"},
	{"anchor in flow", "{a: &v v1, b: *v, c: v1}\n", 0, "/a", "v2", "{a: &v v2, b: *v, c: v1}\n"},
	{"anchor on the map around it", "base: &base\n  tag: v1\nother:\n  <<: *base\n  name: x\n", 0, "/base/tag", "v2", "base: &base\n  tag: v2\nother:\n  <<: *base\n  name: x\n"},
	{"merge key above", "x: &x {a: 1}\ny:\n  <<: *x\n  tag: v1\n", 0, "/y/tag", "v2", "x: &x {a: 1}\ny:\n  <<: *x\n  tag: v2\n"},
	{"tag and digest in one", "tag: 2.4.1@" + oldDigest + "\n", 0, "/tag", "2.4.2@" + newDigest, "tag: 2.4.2@" + newDigest + "\n"},
	{"digest of an artifact", "ref:\n  tag: 1.0.0\n  digest: " + oldDigest + " # pinned\n", 0, "/ref/digest", newDigest, "ref:\n  tag: 1.0.0\n  digest: " + newDigest + " # pinned\n"},
	{"null becomes a tag", "ref:\n  tag: null # by the component\n  semver: 1.x\n", 0, "/ref/tag", "v2", "ref:\n  tag: v2 # by the component\n  semver: 1.x\n"},
	{"float of another container before", "initContainers:\n  - image: {tag: 16.2}\ncontainers:\n  - image: {tag: 16.2}\n", 0, "/containers/0/image/tag", "16.4", "initContainers:\n  - image: {tag: 16.2}\ncontainers:\n  - image: {tag: 16.4}\n"},
	{"float whose last digit is zero", "tag: 16.2\n", 0, "/tag", "16.20", "tag: \"16.20\"\n"},
	{"integer becomes a version", "tag: 41\n", 0, "/tag", "41.1.0", "tag: 41.1.0\n"},
	{"digits with an exponent after a build", "newTag: 9717766-dirty-amd64\n", 0, "/newTag", "971776e6", "newTag: \"971776e6\"\n"},
	{"hexadecimal letters alone", "newTag: 9717766\n", 0, "/newTag", "e971776", "newTag: e971776\n"},
	{"sexagesimal", "newTag: v1\n", 0, "/newTag", "1:30", "newTag: \"1:30\"\n"},
	{"digits apart", "newTag: v1\n", 0, "/newTag", "1_000.5", "newTag: \"1_000.5\"\n"},
	{"a time", "newTag: v1\n", 0, "/newTag", "2024-01-02T03:04:05Z", "newTag: \"2024-01-02T03:04:05Z\"\n"},
	{"no", "newTag: v1\n", 0, "/newTag", "No", "newTag: \"No\"\n"},
	{"null", "newTag: v1\n", 0, "/newTag", "Null", "newTag: \"Null\"\n"},
	{"infinity", "newTag: v1\n", 0, "/newTag", ".inf", "newTag: \".inf\"\n"},
	{"an alias's star", "newTag: v1\n", 0, "/newTag", "*v1", "newTag: \"*v1\"\n"},
	{"a tag's mark", "newTag: v1\n", 0, "/newTag", "!v1", "newTag: \"!v1\"\n"},
	{"a colon at the end", "newTag: v1\n", 0, "/newTag", "v1:", "newTag: \"v1:\"\n"},
	{"a comma in a block", "newTag: v1\n", 0, "/newTag", "v1,v2", "newTag: v1,v2\n"},
	{"a comma in flow", "i: [v1]\n", 0, "/i/0", "v1,v2", "i: [\"v1,v2\"]\n"},
	{"utf-16 little endian", utf16le("\ufeffkind: HelmRelease\r\nversion: 1.0.0 # é\r\n"), 0, "/version", "1.1.0", utf16le("\ufeffkind: HelmRelease\r\nversion: 1.1.0 # é\r\n")},
	{"utf-16 big endian", utf16be("\ufeffname: 😀\nversion: 1.0.0"), 0, "/version", "1.10", utf16be("\ufeffname: 😀\nversion: \"1.10\"")},
	{"crlf with a marker and a tab", "tag: v1\t# {\"$imagepolicy\": \"a:b\"}\r\nb: c\r\n", 0, "/tag", "v2", "tag: v2\t# {\"$imagepolicy\": \"a:b\"}\r\nb: c\r\n"},
	{"mixed line breaks", "a: b\r\ntag: v1\nc: d\r\n", 0, "/tag", "v2", "a: b\r\ntag: v2\nc: d\r\n"},
	{"old line breaks", "a: b\rtag: v1\rc: d\r", 0, "/tag", "v2", "a: b\rtag: v2\rc: d\r"},
	{"key twice elsewhere", "a: 1\na: 2\nimage:\n  tag: v1\n", 0, "/image/tag", "v2", "a: 1\na: 2\nimage:\n  tag: v2\n"},
	{"key twice in another document", "tag: v1\ntag: v1\n---\ntag: v1\n", 1, "/tag", "v2", "tag: v1\ntag: v1\n---\ntag: v2\n"},
	{"very long line behind", "tag: v1\nca: " + strings.Repeat("A", 70000) + "\n", 0, "/tag", "v2", "tag: v2\nca: " + strings.Repeat("A", 70000) + "\n"},
	{"very long line of other scripts before", "{a: \"" + strings.Repeat("é😀", 20000) + "\", tag: v1}\n", 0, "/tag", "v2", "{a: \"" + strings.Repeat("é😀", 20000) + "\", tag: v2}\n"},
	{"key of another script", "версия: v1 # версия\n", 0, "/версия", "v2", "версия: v2 # версия\n"},
	{"value of another script before on the line", "{a: 版本, tag: v1}\n", 0, "/tag", "v2", "{a: 版本, tag: v2}\n"},
	{"template with a loop and text", "{{ range .apps }}\n{{- with .x }}\nimage:\n  tag: v1\n  name: \"{{ .name }}\"\n{{- end }}\n{{ end }}\n", 0, "/image/tag", "v2", "{{ range .apps }}\n{{- with .x }}\nimage:\n  tag: v2\n  name: \"{{ .name }}\"\n{{- end }}\n{{ end }}\n"},
	{"template action as a value", "tag: v1\nname: '<< inputs.name >>'\n", 0, "/tag", "v2", "tag: v2\nname: '<< inputs.name >>'\n"},
	{"number for a key", "ports:\n  8080: v1\n  \"9090\": v1\n", 0, "/ports/9090", "v2", "ports:\n  8080: v1\n  \"9090\": v2\n"},
	{"explicit key", "? tag\n: v1\n", 0, "/tag", "v2", "? tag\n: v2\n"},
	{"blanks before the colon", "tag : v1\n", 0, "/tag", "v2", "tag : v2\n"},
	{"many blanks behind the colon", "tag:      v1\nrepository: r\n", 0, "/tag", "v2", "tag:      v2\nrepository: r\n"},
	{"tagged as a string", "tag: !!str 41\n", 0, "/tag", "42", "tag: !!str \"42\"\n"},
	{"a block in a list", "- |\n  v1\n- v1\n", 0, "/0", "v2\n", "- |\n  v2\n- v1\n"},
	{"a block with a comment in its head", "a: |- # why\n  v1\nb: v1\n", 0, "/a", "v2", "a: |- # why\n  v2\nb: v1\n"},
	{"a block that keeps its line breaks", "a: |+\n  v1\n\nb: v1\n", 0, "/a", "v2\n\n", "a: |+\n  v2\n\nb: v1\n"},
	{"a block that ends with blanks", "a: |\n  v1\n    \nb: v1\n", 0, "/a", "v2\n  \n", "a: |\n  v2\n    \nb: v1\n"},
	{"text over lines", "a: one\n  v1 two\n\n  three # c\nb: 1\n", 0, "/a", "one v2 two\nthree", "a: one\n  v2 two\n\n  three # c\nb: 1\n"},
	{"text over lines in single quotes", "a: 'one  \n\n  it''s v1'\n", 0, "/a", "one\nit's v2", "a: 'one  \n\n  it''s v2'\n"},
	{"text over lines in double quotes and crlf", "a: \"one\r\n  v1\\ttwo \"\r\n", 0, "/a", "one v2\ttwo ", "a: \"one\r\n  v2\\ttwo \"\r\n"},
	{"a script in a config map", "data:\n  run.sh: |\n    #!/bin/sh\n    exec app:v1 \"$@\"\n", 0, "/data/run.sh", "#!/bin/sh\nexec app:v2 \"$@\"\n", "data:\n  run.sh: |\n    #!/bin/sh\n    exec app:v2 \"$@\"\n"},
	{"json over lines", "{\n\t\"tag\": \"v1\",\n\t\"b\": 1\n}\n", 0, "/tag", "v2", "{\n\t\"tag\": \"v2\",\n\t\"b\": 1\n}\n"},
	{"text in a document's first line", "--- # head\ntag: v1\n", 0, "/tag", "v2", "--- # head\ntag: v2\n"},
	{"directive", "%YAML 1.1\n---\ntag: v1\n", 0, "/tag", "v2", "%YAML 1.1\n---\ntag: v2\n"},
}

func TestSeenInRepositories(t *testing.T) { runEdits(t, seen) }

// TestSeenInText is for versions within the text of a scalar.
func TestSeenInText(t *testing.T) {
	for _, c := range []struct{ name, src, outer, inner, value, want string }{
		{"json patch with a marker in the string", "patches:\n  - target: {kind: HelmRelease}\n    patch: |\n      - op: replace\n        path: /spec/chart/spec/version\n        value: \"1.0.0\" # {\"$imagepolicy\": \"flux-system:app:tag\"}\n      - op: remove\n        path: /x\n", "/patches/0/patch", "/0/value", "1.1.0", "patches:\n  - target: {kind: HelmRelease}\n    patch: |\n      - op: replace\n        path: /spec/chart/spec/version\n        value: \"1.1.0\" # {\"$imagepolicy\": \"flux-system:app:tag\"}\n      - op: remove\n        path: /x\n"},
		{"json patch needs quotes inside", "patch: |-\n  - op: replace\n    path: /x\n    value: v1\n", "/patch", "/0/value", "1.10", "patch: |-\n  - op: replace\n    path: /x\n    value: \"1.10\"\n"},
		{"json patch as json in a block", "patch: |-\n  [\n    {\"op\": \"replace\", \"path\": \"/x\", \"value\": \"v1\"}\n  ]\n", "/patch", "/0/value", "v2", "patch: |-\n  [\n    {\"op\": \"replace\", \"path\": \"/x\", \"value\": \"v2\"}\n  ]\n"},
		{"json patch on one line in a block", "patch: |-\n  [{op: replace, path: /x, value: v1}]\n", "/patch", "/0/value", "v2", "patch: |-\n  [{op: replace, path: /x, value: v2}]\n"},
		{"merge patch in crlf", "patch: |-\r\n  spec:\r\n    tag: v1 # t\r\nz: 1\r\n", "/patch", "/spec/tag", "v2", "patch: |-\r\n  spec:\r\n    tag: v2 # t\r\nz: 1\r\n"},
		{"the same again", "patch: |-\n  tag: v1\nz: 1\n", "/patch", "/tag", "v1", "patch: |-\n  tag: v1\nz: 1\n"},
		{"values with an anchor inside", "values.yaml: |\n  tag: &t v1\n  other: *t\n", "/values.yaml", "/tag", "v2", "values.yaml: |\n  tag: &t v2\n  other: *t\n"},
		{"values with other scripts", "values.yaml: |\n  имя: é\n  {a: 😀, tag: v1}: x\n  tag: v1\n", "/values.yaml", "/tag", "v2", "values.yaml: |\n  имя: é\n  {a: 😀, tag: v1}: x\n  tag: v2\n"},
		{"values with blank lines", "values.yaml: |\n\n  a: 1\n\n\n  tag: v1\n", "/values.yaml", "/tag", "v2", "values.yaml: |\n\n  a: 1\n\n\n  tag: v2\n"},
		{"the second document of a text", "m: |\n  a: v1\n  ---\n  a: v1\n", "/m", "/a", "v2", "m: |\n  a: v2\n  ---\n  a: v1\n"},
		{"json in single quotes over lines", "patch:\n  '[{\"op\": \"add\", \"value\":\n  \"v1\"}]'\n", "/patch", "/0/value", "v2", "patch:\n  '[{\"op\": \"add\", \"value\":\n  \"v2\"}]'\n"},
		{"json in single quotes", `patch: '{"spec": {"tag": "v1"}}'` + "\n", "/patch", "/spec/tag", "v2", `patch: '{"spec": {"tag": "v2"}}'` + "\n"},
		{"quotes doubled before", `patch: '{"a": "it''s", "tag": "v1"}'` + "\n", "/patch", "/tag", "v2", `patch: '{"a": "it''s", "tag": "v2"}'` + "\n"},
		{"json in a block of another script, in utf-16", utf16le("\ufeffp: |\r\n  é: v1\r\n"), "/p", "/é", "v2", utf16le("\ufeffp: |\r\n  é: v2\r\n")},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, outer, sub := open(t, c.src, c.outer)
			got, edit, err := f.ReplaceInside(outer, sub, find(t, sub, 0, c.inner), c.value)
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

// TestPlans are edits of several steps, each made on what the last one returned.
func TestPlans(t *testing.T) {
	replace := func(path, value string) func(*yamledit.File) ([]byte, yamledit.Edit, error) {
		return func(f *yamledit.File) ([]byte, yamledit.Edit, error) { return f.Replace(find(t, f, 0, path), value) }
	}
	remove := func(path, keep string) func(*yamledit.File) ([]byte, yamledit.Edit, error) {
		return func(f *yamledit.File) ([]byte, yamledit.Edit, error) { return f.Remove(0, path, keep) }
	}
	for _, c := range []struct {
		name, src string
		steps     []func(*yamledit.File) ([]byte, yamledit.Edit, error)
		want      string
	}{
		{"tag moves, digest goes", "ref:\n  tag: 1.0.0 # t\n  digest: " + oldDigest + " # d\n  url: x\n", []func(*yamledit.File) ([]byte, yamledit.Edit, error){replace("/ref/tag", "1.1.0"), remove("/ref/digest", "/ref")}, "ref:\n  tag: 1.1.0 # t\n  url: x\n"},
		{"tag and digest move", "i: {tag: v1, digest: " + oldDigest + "}\n", []func(*yamledit.File) ([]byte, yamledit.Edit, error){replace("/i/tag", "v2"), replace("/i/digest", newDigest)}, "i: {tag: v2, digest: " + newDigest + "}\n"},
		{"pin, pin again, take the pin back", "kind: Kustomization\nresources:\n  - ../base\n", []func(*yamledit.File) ([]byte, yamledit.Edit, error){add("/images", imagePin), replace("/images/0/newTag", "v3"), remove("/images/0", "")}, "kind: Kustomization\nresources:\n  - ../base\n"},
		{"three versions of one app", "chart: 4.1.0\nimage: r/app:4.1.0\njob: {image: r/db:4.1.0}\n", []func(*yamledit.File) ([]byte, yamledit.Edit, error){replace("/chart", "4.2.0"), replace("/image", "r/app:4.2.0"), replace("/job/image", "r/db:4.2.0")}, "chart: 4.2.0\nimage: r/app:4.2.0\njob: {image: r/db:4.2.0}\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			src := []byte(c.src)
			for _, step := range c.steps {
				f, err := yamledit.Parse(src)
				if err != nil {
					t.Fatal(err)
				}
				if src, _, err = step(f); err != nil {
					t.Fatal(err)
				}
			}
			if string(src) != c.want {
				t.Errorf("got\n%s", src)
			}
		})
	}
}

// TestAmbiguous: where a key stands twice, readers differ in which one counts.
func TestAmbiguous(t *testing.T) {
	for _, src := range []string{
		"tag: v1\ntag: v1\n",
		"{tag: v1, \"tag\": v1}\n",
		"image:\n  tag: v1\nname: x\nimage:\n  name: x\n",
		"image: {a: &a {tag: v1}}\nimage: *a\n",
		"- image:\n    tag: v1\n  image:\n    x: 1\n",
	} {
		f, err := yamledit.Parse([]byte(src))
		if err != nil {
			t.Fatal(err)
		}
		tried := 0
		for _, s := range f.Scalars() {
			if s.Value != "v1" {
				continue
			}
			tried++
			if got, _, err := f.Replace(s, "v2"); !errors.Is(err, yamledit.ErrAmbiguous) || got != nil {
				t.Errorf("%q: got %q, %v", src, got, err)
			}
		}
		if tried == 0 {
			t.Errorf("%q has nothing to try", src)
		}
	}
}
