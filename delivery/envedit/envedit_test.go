package envedit_test

import (
	"bytes"
	"errors"
	"testing"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"ferry/delivery/envedit"
)

// TestReplace: the expected bytes are written by hand.
func TestReplace(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		in, key, text, out string
		line, column       int
	}{
		"plain":                   {"TAG=1.2.3\n", "TAG", "1.2.3", "TAG=1.2.4\n", 1, 5},
		"no newline at the end":   {"A=b\nTAG=1.2.3", "TAG", "1.2.3", "A=b\nTAG=1.2.4", 2, 5},
		"CRLF":                    {"A=b\r\nTAG=1.2.3\r\nB=c\r\n", "TAG", "1.2.3", "A=b\r\nTAG=1.2.4\r\nB=c\r\n", 2, 5},
		"CRLF, no end":            {"TAG=1.2.3\r", "TAG", "1.2.3", "TAG=1.2.4\r", 1, 5},
		"mark":                    {"\ufeffTAG=1.2.3\n", "TAG", "1.2.3", "\ufeffTAG=1.2.4\n", 1, 8},
		"double quotes":           {"TAG=\"1.2.3\"\n", "TAG", "1.2.3", "TAG=\"1.2.4\"\n", 1, 6},
		"single quotes":           {"TAG='1.2.3' \n", "TAG", "1.2.3", "TAG='1.2.4' \n", 1, 6},
		"comment":                 {"TAG=1.2.3 # 1.2.3 is good\n", "TAG", "1.2.3", "TAG=1.2.4 # 1.2.3 is good\n", 1, 5},
		"quotes and comment":      {"TAG=\"1.2.3\"\t# \"x\"\n", "TAG", "1.2.3", "TAG=\"1.2.4\"\t# \"x\"\n", 1, 6},
		"a sign within":           {"TAG=1.2.3#4\n", "TAG", "1.2.3#4", "TAG=1.2.4\n", 1, 5},
		"the same text elsewhere": {"# TAG=1.2.3\nOLD=1.2.3\n  TAG=1.2.3\n", "TAG", "1.2.3", "# TAG=1.2.3\nOLD=1.2.3\n  TAG=1.2.4\n", 3, 7},
		"signs of equality":       {"TAG=a=1.2.3\n", "TAG", "a=1.2.3", "TAG=1.2.4\n", 1, 5},
		"blanks":                  {"TAG= 1.2.3  \n\n", "TAG", "1.2.3", "TAG= 1.2.4  \n\n", 1, 6},
		"an odd quote":            {"TAG=\"1.2.3\n", "TAG", "\"1.2.3", "TAG=1.2.4\n", 1, 5},
		"empty":                   {"TAG=\nB=\n", "TAG", "", "TAG=1.2.4\nB=\n", 1, 5},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, err := envedit.Parse([]byte(c.in))
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range f.Values() {
				if v.Key != c.key {
					continue
				}
				out, err := f.Replace(v, "1.2.4")
				if err != nil || string(out) != c.out || v.Text != c.text || v.Line != c.line || v.Column != c.column {
					t.Errorf("%q %+v %v", out, v, err)
				}
			}
		})
	}
}

// TestRefuse: what is no such file, and what would make another of it.
func TestRefuse(t *testing.T) {
	t.Parallel()
	for _, in := range []string{"", "# only\n", "kind: ConfigMap\n", "TAG\n", "A=1\nnot this=1\n", "A=1\n\xff\xfe=2\n", "=1\n", "- a=b\n"} {
		if _, err := envedit.Parse([]byte(in)); !errors.Is(err, envedit.ErrFormat) {
			t.Errorf("%q: %v", in, err)
		}
	}
	f, err := envedit.Parse([]byte("TAG='1' # x\nB=2\n"))
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"1\nC=3", "1' y '", "1\r\n", " 1\n#"} {
		if out, err := f.Replace(f.Values()[0], text); !errors.Is(err, envedit.ErrProof) {
			t.Errorf("%q makes %q: %v", text, out, err)
		}
	}
	if f, _ := envedit.Parse([]byte("A=1\nsops_mac=ENC[x]\n")); !f.Encrypted() {
		t.Error("a sealed file")
	}
}

// FuzzReplace holds edits against kustomize itself: one key differs.
func FuzzReplace(f *testing.F) {
	f.Add([]byte("A=b\r\n# c\nTAG=\"1.2.3\" # d\n"), "1.2.4")
	f.Add([]byte("\ufeffTAG= x\n\nB"), "a#b")
	f.Fuzz(func(t *testing.T, src []byte, text string) {
		file, err := envedit.Parse(src)
		if err != nil {
			return
		}
		before, err := generated(src)
		if err != nil {
			return // a key that stands twice, or one that is no name to kustomize
		}
		for _, v := range file.Values() {
			out, err := file.Replace(v, text)
			if err != nil {
				continue
			}
			after, err := generated(out)
			if err != nil {
				t.Fatalf("%q: %v", out, err)
			}
			if len(after) != len(before) {
				t.Fatalf("%q: %v, before %v", out, after, before)
			}
			for key, value := range after {
				if was, ok := before[key]; !ok || value != was && key != v.Key {
					t.Errorf("%q: %s is %q, was %q", out, key, value, was)
				}
			}
			if !bytes.Contains([]byte(after[v.Key]), []byte(text)) {
				t.Errorf("%q: %s is %q, not %q", out, v.Key, after[v.Key], text)
			}
		}
	})
}

// generated is what kustomize makes of a file.
func generated(src []byte) (map[string]string, error) {
	fs := filesys.MakeFsInMemory()
	if err := fs.WriteFile("/a/x.env", src); err != nil {
		return nil, err
	}
	if err := fs.WriteFile("/a/kustomization.yaml", []byte("configMapGenerator: [{name: x, envs: [x.env]}]\n")); err != nil {
		return nil, err
	}
	m, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(fs, "/a")
	if err != nil {
		return nil, err
	}
	return m.Resources()[0].GetDataMap(), nil
}
