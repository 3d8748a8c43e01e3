package yamledit

import (
	"testing"

	"gopkg.in/yaml.v3"
)

// TestProve: whatever an edit got wrong, its bytes do not come back.
func TestProve(t *testing.T) {
	const was = "a: &x 1\nb: &x two\nc: *x\nd: [~, x]\n---\ne: {f: g}\n"
	f, err := Parse([]byte(was))
	if err != nil {
		t.Fatal(err)
	}
	for name, out := range map[string]string{
		"a value":              "a: &x 1\nb: &x three\nc: *x\nd: [~, x]\n---\ne: {f: g}\n",
		"a type":               "a: &x \"1\"\nb: &x two\nc: *x\nd: [~, x]\n---\ne: {f: g}\n",
		"a null":               "a: &x 1\nb: &x two\nc: *x\nd: [\"~\", x]\n---\ne: {f: g}\n",
		"a key":                "a: &x 1\nz: &x two\nc: *x\nd: [~, x]\n---\ne: {f: g}\n",
		"an anchor":            "a: &y 1\nb: &x two\nc: *x\nd: [~, x]\n---\ne: {f: g}\n",
		"where an alias leads": "a: &x 1\nb: &x two\nc: *x\nd: [~, x]\n---\ne: {f: g}\n",
		"an alias":             "a: &x 1\nb: &x two\nc: two\nd: [~, x]\n---\ne: {f: g}\n",
		"the order":            "b: &x two\na: &x 1\nc: *x\nd: [~, x]\n---\ne: {f: g}\n",
		"one item less":        "a: &x 1\nb: &x two\nc: *x\nd: [~]\n---\ne: {f: g}\n",
		"one key more":         "a: &x 1\nb: &x two\nc: *x\nd: [~, x]\n---\ne: {f: g, h: i}\n",
		"one document less":    "a: &x 1\nb: &x two\nc: *x\nd: [~, x]\n",
		"one document more":    was + "---\n",
		"a map for a list":     "a: &x 1\nb: &x two\nc: *x\nd: {~: x}\n---\ne: {f: g}\n",
		"no YAML":              "a: [",
	} {
		w := wanted{root: &yaml.Node{Content: f.docs}, now: map[*yaml.Node]*yaml.Node{}}
		if name == "where an alias leads" {
			alias := f.docs[0].Content[0].Content[5]
			w.change(alias).Alias = f.docs[0].Content[0].Content[1]
		}
		if w.prove([]byte(out)) == nil {
			t.Errorf("%s differs, and it is proven", name)
		}
	}
	if err := (wanted{root: &yaml.Node{Content: f.docs}}).prove([]byte(was)); err != nil {
		t.Errorf("nothing differs: %v", err)
	}
}
