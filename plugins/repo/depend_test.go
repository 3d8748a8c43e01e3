package repo

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ferry/internal/fault"
)

// needing is an entry with a schema elsewhere and one dependency.
func needing(version, url, checksum, dependency, dependencySum string) string {
	if dependencySum != "" {
		dependencySum = fmt.Sprintf(", checksum: %q", dependencySum)
	}
	return fmt.Sprintf("- {type: executor, name: t, version: %s, jsonSchema: {refURL: schema.json}, urls: [{url: %q, checksum: %q, platform: {os: linux, architecture: amd64}, dependencies: {tool: {url: %q%s}}}]}\n",
		version, url, checksum, dependency, dependencySum)
}

// TestDependenciesAreCheckedToo: against the index where it has a checksum, and before
// each use against what was downloaded; Botkube's own host checks none.
func TestDependenciesAreCheckedToo(t *testing.T) {
	s := newShop(t)
	plugin, tool := s.put("t", []byte("plugin")), s.put("tool", []byte("tool"))
	index := func(theirs string) {
		s.put("index.yaml", []byte("entries:\n"+needing("v1", "t", sum(plugin), "tool", theirs)))
	}
	index(sum([]byte("another")))
	if _, err := s.store(t, true).Install(t.Context(), Ref{"r", "t", ""}); !fault.Is(err, fault.Refused) {
		t.Errorf("another program is taken: %v", err)
	}
	index("")
	if _, err := s.store(t, false).Install(t.Context(), Ref{"r", "t", ""}); !fault.Is(err, fault.Refused) {
		t.Errorf("one without a checksum is taken from whomever: %v", err)
	}
	for _, trusted := range []bool{true, false} {
		if !trusted {
			index(sum(tool))
		}
		store := s.store(t, trusted)
		got, err := store.Install(t.Context(), Ref{"r", "t", ""})
		if err != nil {
			t.Fatal(err)
		}
		at := filepath.Join(got.Path+"_deps", "tool")
		if text, err := os.ReadFile(at); err != nil || string(text) != "tool" {
			t.Errorf("%q, %v", text, err)
		}
		if i, err := os.Stat(at); err != nil || i.Mode()&0o111 == 0 {
			t.Errorf("%v, %v", i, err)
		}
		if left, _ := filepath.Glob(filepath.Dir(got.Path) + "/.get-*"); len(left) > 0 {
			t.Errorf("left: %v", left)
		}
		if err := os.WriteFile(at, []byte("changed"), 0o755); err != nil {
			t.Fatal(err)
		}
		if again, err := store.Find(t.Context(), "executor", got.Ref); err != nil || again.Path != got.Path {
			t.Fatalf("%+v, %v", again, err)
		}
		if text, _ := os.ReadFile(at); string(text) != "tool" {
			t.Errorf("a changed program stays: %q", text)
		}
		if gone, err := store.Remove(got.Ref); err != nil || len(gone) != 1 {
			t.Errorf("%v, %v", gone, err)
		}
		if _, err := os.Stat(at); err == nil {
			t.Error("the program is left")
		}
	}
}

// TestADependencyIsTheFileOfItsName, also where an archive has others that could be
// executed before it, such as LICENSE.
func TestADependencyIsTheFileOfItsName(t *testing.T) {
	s := newShop(t)
	plugin := s.put("t", []byte("plugin"))
	for i, c := range []struct{ file, inside, want string }{
		{"a.tar.gz", "", "x/tool"}, {"a.tgz", "//x", "x/tool"}, {"a.zip", "//x", "x/tool"}, {"a.zip", "//other", "other/thing"}, {"a.tgz", "//absent", ""},
	} {
		files := []string{"LICENSE", "x/LICENSE", "x/tool", "other/thing"}
		archive := tgz(t, files...)
		if strings.HasSuffix(c.file, ".zip") {
			archive = zipped(t, files...)
		}
		name := fmt.Sprintf("%d-%s", i, c.file)
		s.put("index.yaml", []byte("entries:\n"+needing("v1", "t", sum(plugin), name+c.inside, sum(s.put(name, archive)))))
		got, err := s.store(t, false).Install(t.Context(), Ref{"r", "t", ""})
		if (err == nil) != (c.want != "") {
			t.Errorf("%s%s: %v", c.file, c.inside, err)
		}
		if text, _ := os.ReadFile(filepath.Join(got.Path+"_deps", "tool")); err == nil && string(text) != c.want {
			t.Errorf("%s%s is %s", c.file, c.inside, text)
		}
	}
}

// TestDependenciesThatAreNone: names that lead elsewhere, and files of this machine
// that an index from elsewhere names.
func TestDependenciesThatAreNone(t *testing.T) {
	s := newShop(t)
	plugin := s.put("t", []byte("plugin"))
	for _, bad := range []string{
		needing("v1", "t", sum(plugin), "file:///etc/hostname", ""), needing("v1", "t", sum(plugin), "absent", ""),
		strings.ReplaceAll(needing("v1", "t", sum(plugin), "t", ""), "{tool:", `{"../tool":`),
	} {
		s.put("index.yaml", []byte("entries:\n"+bad))
		store := s.store(t, true)
		if got, err := store.Install(t.Context(), Ref{"r", "t", ""}); err == nil {
			t.Errorf("%s is taken: %+v", bad, got)
		}
		if files, _ := filepath.Glob(store.o.Dir + "/r/*"); len(files) > 0 {
			t.Errorf("%s leaves %v", bad, files)
		}
	}
}

// TestSchemasElsewhereAreBounded: one that is too large, no JSON or not there is none.
func TestSchemasElsewhereAreBounded(t *testing.T) {
	s := newShop(t)
	plugin, tool := s.put("t", []byte("plugin")), s.put("tool", []byte("tool"))
	s.put("index.yaml", []byte("entries:\n"+needing("v1", "t", sum(plugin), "tool", sum(tool))))
	for text, want := range map[string]string{`{"type":"object"}`: `{"type":"object"}`, "<html>": "", `"` + strings.Repeat("x", 1<<20) + `"`: ""} {
		s.put("schema.json", []byte(text))
		got, err := s.store(t, false).Install(t.Context(), Ref{"r", "t", ""})
		if err != nil || strings.Join(strings.Fields(string(got.Schema)), "") != want {
			t.Errorf("of %.20s: %.40s, %v", text, got.Schema, err)
		}
	}
	// One that is on this machine, for an index that is not.
	secret := filepath.Join(t.TempDir(), "secret.json")
	if err := os.WriteFile(secret, []byte(`{"secret":1}`), 0o600); err != nil {
		t.Fatal(err)
	}
	s.put("index.yaml", []byte(strings.ReplaceAll("entries:\n"+needing("v1", "t", sum(plugin), "tool", sum(tool)), "schema.json", "file://"+secret)))
	if got, err := s.store(t, false).Install(t.Context(), Ref{"r", "t", ""}); err != nil || len(got.Schema) > 0 {
		t.Errorf("%s, %v", got.Schema, err)
	}
}

// TestAPinnedVersionIsThatVersionsURL: Botkube's host downloads that of the latest.
func TestAPinnedVersionIsThatVersionsURL(t *testing.T) {
	s := newShop(t)
	one, two := s.put("one", []byte("one")), s.put("two", []byte("two"))
	s.put("index.yaml", []byte("entries:\n"+entry("source", "t", "v1.14.0", "one", sum(one))+entry("source", "t", "v1.15.0", "two", sum(two))))
	got, err := s.store(t, false).Find(t.Context(), "source", Ref{"r", "t", "v1.14.0"})
	if err != nil || content(t, got) != "one" || slices.Contains(s.forget(), "/p/two") {
		t.Errorf("%+v, %v", got, err)
	}
}
