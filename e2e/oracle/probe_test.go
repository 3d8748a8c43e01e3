package oracle

import (
	"slices"
	"testing"
)

func TestFind(t *testing.T) {
	for _, c := range []struct {
		content, version string
		columns          []int
	}{
		{"tag: 1.2.3", "1.2.3", []int{6}},
		{`tag: "1.2.3"`, "1.2.3", []int{7}},
		{"image: a/b:1.2.3@sha256:00", "1.2.3", []int{12}},
		{"tag: 11.2.3", "1.2.3", nil},
		{"tag: 1.2.34", "1.2.3", nil},
		{"tag: 0.1.2.3", "1.2.3", nil},
		{"tag: 1.2.3-rc1", "1.2.3", nil},
		{"tag: v1.2.3", "1.2.3", nil},
		{"tag: ${V:-1.2.3}", "1.2.3", []int{11}},
		{"a sentence about 1.2.3. And 1.2.3", "1.2.3", []int{18, 29}},
		{"tag: 3.10", "3.1", []int{6}},
		{"tag: 0x10", "16", []int{}},
		{"version: '*'", "*", []int{11}},
		{"tag: x", "", nil},
	} {
		var got []int
		for _, o := range find("f", []byte(c.content), c.version) {
			got = append(got, o.Column)
		}
		if !slices.Equal(got, c.columns) {
			t.Errorf("find %q in %q: %v, want %v", c.version, c.content, got, c.columns)
		}
	}
	if o := find("f", []byte("a\nb\n  tag: 1.0"), "1.0"); len(o) != 1 || o[0].Line != 3 || o[0].Column != 8 {
		t.Errorf("the third line: %v", o)
	}
	wide := append([]byte{0xff, 0xfe}, utf16le("a\ntag: 1.0\n")...)
	if o := find("f", wide, "1.0"); len(o) != 1 || o[0].Line != 2 {
		t.Errorf("UTF-16: %v", o)
	}
}

func TestOther(t *testing.T) {
	for version, want := range map[string]string{
		"1.2.3": "1.2.4", "1.2.9": "1.2.8", "16.2": "16.3", "41": "42", "latest": "latest9", "*": "9.9.9",
		"1.2.3-alpine": "1.2.4-alpine", ">=1.0.0": ">=1.0.1", "1.0@sha256:aa9": "1.1@sha256:aa9", "sha256:ab1c": "sha256:ab2c",
	} {
		if got := other(version); got != want {
			t.Errorf("other(%q) = %q, want %q", version, got, want)
		}
	}
}

func TestDifferences(t *testing.T) {
	a := map[string]any{"a": 1.0, "b": []any{"x", map[string]any{"c/d": "1"}}, "e": "same"}
	b := map[string]any{"a": 1.0, "b": []any{"x", map[string]any{"c/d": "2"}}, "e": "same", "f": nil}
	if got := differences(a, b, ""); !slices.Equal(got, []string{"/b/1/c~1d"}) {
		t.Errorf("differences: %v", got)
	}
	value, left := at(b, "/b/1/c~1d")
	if value != "2" || len(left) > 0 {
		t.Errorf("at: %v, %v left", value, left)
	}
	if value, left := at(map[string]any{"data": map[string]any{"v": "text"}}, "/data/v/image"); value != "text" || len(left) != 1 {
		t.Errorf("at within text: %v, %v left", value, left)
	}
	if got := differences(map[string]any{"l": []any{1.0}}, map[string]any{"l": []any{1.0, 2.0}}, ""); !slices.Equal(got, []string{"/l"}) {
		t.Errorf("lists of other lengths: %v", got)
	}
}

func TestImageVersion(t *testing.T) {
	for image, want := range map[string]string{
		"a": "", "a:1": "1", "host:5000/a": "", "host:5000/a:1.2": "1.2", "a@sha256:00": "sha256:00", "a:1@sha256:00": "1@sha256:00",
	} {
		if got := imageVersion(image); got != want {
			t.Errorf("imageVersion(%q) = %q, want %q", image, got, want)
		}
	}
}

func TestClamp(t *testing.T) {
	for path, want := range map[string]string{"./a/b": "a/b", "../../a": "a", "/a/": "a", "": "", "./": "", "a/../../b": "b"} {
		if got := clamp(path); got != want {
			t.Errorf("clamp(%q) = %q, want %q", path, got, want)
		}
	}
}

func TestPlainURL(t *testing.T) {
	for _, url := range []string{"https://git.example.org/a/b", "ssh://git@git.example.org/a/b.git", "git@git.example.org:a/b", "https://git.example.org/A/B.git/"} {
		if got := plainURL(url); got != "git.example.org/a/b" {
			t.Errorf("plainURL(%q) = %q", url, got)
		}
	}
}

func TestWithoutCRDs(t *testing.T) {
	crd := "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: a}\n"
	for len(crd) < long {
		crd += "# filling\n"
	}
	app := "\nkind: Deployment\nmetadata: {name: x}\n"
	if got := string(withoutCRDs([]byte(crd + "---" + app))); got != app {
		t.Errorf("kept %.60q", got)
	}
	if got := withoutCRDs([]byte(crd)); string(got) != crd {
		t.Error("nothing is left")
	}
	if got := withoutCRDs([]byte("kind: CustomResourceDefinition\n---" + app)); len(got) < 60 {
		t.Errorf("a short file: %q", got)
	}
}

func TestLocalOnly(t *testing.T) {
	tree := Tree{"a.yaml": []byte("metadata: {name: here}"), "p.yaml": []byte("kind: X\nmetadata: {name: gone}"), "q.yaml": []byte("kind: X\nmetadata: {name: here}")}
	names := map[string]string{"a.yaml": "a.yaml", "p.yaml": "p.yaml", "q.yaml": "q.yaml"}
	v := newView(tree, newArtifact("", names), nil)
	got, err := v.localOnly("kustomization.yaml", []byte("resources:\n- a.yaml\n- https://example.org/b.yaml\n- github.com/c/d?ref=v1\npatches:\n- path: p.yaml\n- path: q.yaml\n"))
	if err != nil || string(got) != "buildMetadata:\n- originAnnotations\npatches:\n- path: q.yaml\nresources:\n- a.yaml\n" {
		t.Errorf("%q, %v", got, err)
	}
	if o := v.gone.orphans; len(o) != 1 || o[0].name() != "gone" || len(v.gone.beneath) != 0 {
		t.Errorf("%+v", v.gone)
	}
}
