package repo

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"ferry/internal/fault"
)

func sum(text []byte) string {
	s := sha256.Sum256(text)
	return hex.EncodeToString(s[:])
}

func tgz(t *testing.T, files ...string) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	w := tar.NewWriter(z)
	for _, name := range files {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(name))}); err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(w, name)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func zipped(t *testing.T, files ...string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, name := range files {
		f, err := w.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(f, name)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// shop is a repository over HTTP whose files can change.
type shop struct {
	*httptest.Server
	mu    sync.Mutex
	files map[string][]byte
	asked []string
}

func newShop(t *testing.T) *shop {
	s := &shop{files: map[string][]byte{}}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.asked = append(s.asked, r.URL.Path)
		text, ok := s.files[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write(text)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *shop) put(name string, text []byte) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.files["/p/"+name] = text
	return text
}

func (s *shop) forget() (asked []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	asked, s.asked = s.asked, nil
	return asked
}

func entry(kind, name, version, url, checksum string) string {
	if checksum != "" {
		checksum = fmt.Sprintf(", checksum: %q", checksum)
	}
	return fmt.Sprintf("- {type: %s, name: %s, version: %s, description: d, urls: [{url: %q%s, platform: {os: linux, architecture: amd64}}]}\n", kind, name, version, url, checksum)
}

func (s *shop) store(t *testing.T, trusted bool) *Store {
	t.Helper()
	return New(Options{Dir: t.TempDir(), OS: "linux", Arch: "amd64", Repositories: []Repository{{Name: "r", Index: s.URL + "/p/index.yaml", Trusted: trusted}}})
}

func content(t *testing.T, i Installed) string {
	t.Helper()
	text, err := os.ReadFile(i.Path)
	if err != nil {
		t.Fatal(err)
	}
	if sum(text) != i.Checksum {
		t.Errorf("the checksum of %s is not that of the file", i.Ref)
	}
	return string(text)
}

// TestVersions: a version that is named is that one, however many newer there are;
// what is there is not asked for again, also by the next ferry, also when the
// repository is gone.
func TestVersions(t *testing.T) {
	s := newShop(t)
	index := "entries:\n"
	for _, v := range []string{"v1.9.0", "v1.10.0", "v1.2.0", "nightly"} {
		index += entry("executor", "tool", v, "tool-"+v, sum(s.put("tool-"+v, []byte("tool "+v))))
	}
	s.put("index.yaml", []byte(index+entry("source", "tool", "v3.0.0", "tool-v1.2.0", strings.Repeat("0", 64))))
	store := s.store(t, false)
	for version, want := range map[string]string{"": "tool v1.10.0", "v1.9.0": "tool v1.9.0", "nightly": "tool nightly"} {
		got, err := store.Find(t.Context(), "executor", Ref{"r", "tool", version})
		if err != nil {
			t.Fatal(err)
		}
		if text := content(t, got); text != want {
			t.Errorf("%q is %s, want %s", version, text, want)
		}
	}
	s.forget()
	if _, err := store.Find(t.Context(), "executor", Ref{"r", "tool", "v1.9.0"}); err != nil || len(s.forget()) > 0 {
		t.Errorf("it is got again: %v", err)
	}
	next := New(store.o)
	if _, err := next.Find(t.Context(), "executor", Ref{"r", "tool", "v1.9.0"}); err != nil || len(s.forget()) > 0 {
		t.Errorf("the next ferry asks again: %v", err)
	}
	s.Close()
	for _, version := range []string{"", "v1.9.0"} {
		if _, err := next.Find(t.Context(), "executor", Ref{"r", "tool", version}); err != nil {
			t.Errorf("without the repository %q is not found: %v", version, err)
		}
	}
	if _, err := next.Find(t.Context(), "executor", Ref{"r", "tool", "v1.2.0"}); !fault.Is(err, fault.Unavailable) {
		t.Errorf("what was never got: %v", err)
	}
	_, err := next.Find(t.Context(), "executor", Ref{"r", "tool", "v9"})
	if !fault.Is(err, fault.NotFound) || !strings.Contains(err.Error(), "there is no version v9 of r/tool") {
		t.Errorf("a version that is not there: %v", err)
	}
}

// TestChecksums: what is not what the index says is not installed, nor what it
// says nothing of.
func TestChecksums(t *testing.T) {
	s := newShop(t)
	s.put("a", []byte("changed"))
	s.put("index.yaml", []byte("entries:\n"+entry("executor", "a", "1", "a", sum([]byte("as it was")))+entry("executor", "b", "1", "a", "")))
	store := s.store(t, false)
	for name, want := range map[string]string{"a": "is not what its index says", "b": "has no checksum in its index"} {
		_, err := store.Find(t.Context(), "executor", Ref{"r", name, "1"})
		if !fault.Is(err, fault.Refused) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	files, _ := filepath.Glob(store.o.Dir + "/r/*")
	hidden, _ := filepath.Glob(store.o.Dir + "/r/.*")
	if len(files)+len(hidden) > 0 {
		t.Errorf("files are left: %v %v", files, hidden)
	}
	trusted := s.store(t, true)
	if _, err := trusted.Find(t.Context(), "executor", Ref{"r", "a", "1"}); !fault.Is(err, fault.Refused) {
		t.Errorf("a wrong checksum of a trusted repository: %v", err)
	}
	got, err := trusted.Find(t.Context(), "executor", Ref{"r", "b", "1"})
	if err != nil || content(t, got) != "changed" {
		t.Errorf("without a checksum, trusted: %v", err)
	}
	s.put("a", []byte("changed again")) // the first one holds
	if got, err := trusted.Find(t.Context(), "executor", Ref{"r", "b", "1"}); err != nil || content(t, got) != "changed" {
		t.Errorf("the second time: %v", err)
	}
}

func TestArchives(t *testing.T) {
	s := newShop(t)
	index := "entries:\n"
	for i, c := range []struct{ file, inside, want string }{
		{"a.tar.gz", "", "bin/tool"},
		{"a.tgz", "//other", "../../other/x/run.sh"},
		{"a.zip", "", "bin/tool"},
		{"a.zip", "//other/x", "../../other/x/run.sh"},
		{"a.tar.gz", "//absent", ""},
	} {
		files := []string{"README.md", "bin/.hidden", "bin/tool", "../../other/x/run.sh"}
		archive := tgz(t, files...)
		if strings.HasSuffix(c.file, ".zip") {
			archive = zipped(t, files...)
		}
		name := fmt.Sprintf("%d-%s", i, c.file)
		index += entry("executor", "t", fmt.Sprintf("v%d", i), name+c.inside, sum(s.put(name, archive)))
		s.put("index.yaml", []byte(index))
		got, err := s.store(t, false).Install(t.Context(), Ref{"r", "t", fmt.Sprintf("v%d", i)})
		switch {
		case c.want == "" && err == nil:
			t.Errorf("%s%s: it is found", c.file, c.inside)
		case c.want != "" && err != nil:
			t.Errorf("%s%s: %v", c.file, c.inside, err)
		case c.want != "" && content(t, got) != c.want:
			t.Errorf("%s%s is %s", c.file, c.inside, content(t, got))
		}
	}
}

// TestFolder has a repository without a network.
func TestFolder(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/tool", []byte("tool"), 0o600); err != nil {
		t.Fatal(err)
	}
	index := "entries:\n" + entry("notifier", "tool", "v1", "tool", sum([]byte("tool"))) + entry("notifier", "old", "v1", "file://"+dir+"/tool", sum([]byte("tool")))
	if err := os.WriteFile(dir+"/index.yaml", []byte(index), 0o600); err != nil {
		t.Fatal(err)
	}
	store := New(Options{Dir: t.TempDir(), OS: "linux", Arch: "amd64", Repositories: []Repository{{Name: "air", Index: dir}, {Name: "gone", Index: dir + "/gone"}}})
	for _, name := range []string{"tool", "old"} {
		if got, err := store.Find(t.Context(), "notifier", Ref{"air", name, ""}); err != nil || content(t, got) != "tool" {
			t.Errorf("%s: %v", name, err)
		}
	}
	listed, err := store.List(t.Context())
	if !fault.Is(err, fault.Unavailable) || len(listed) != 2 || !listed[0].Installed || listed[0].String() != "air/old@v1" {
		t.Errorf("list = %v, %v", listed, err)
	}
	if gone, err := store.Remove(Ref{"air", "tool", ""}); len(gone) != 1 || err != nil {
		t.Errorf("removed %v, %v", gone, err)
	}
	if _, err := store.Remove(Ref{"air", "tool", ""}); !fault.Is(err, fault.NotFound) {
		t.Errorf("removed twice: %v", err)
	}
	if left, _ := filepath.Glob(store.o.Dir + "/air/*tool*"); len(left) > 0 {
		t.Errorf("%v are left", left)
	}
	_, err = store.Find(t.Context(), "notifier", Ref{"ari", "tool", ""})
	if !fault.Is(err, fault.NotFound) {
		t.Errorf("a repository that is not there: %v", err)
	}
}

func TestIndex(t *testing.T) {
	for text, want := range map[string]string{
		"entries: [{name: ../x, type: source, version: v1}]":                                    "entry 1",
		"entries: [{name: x, type: sink, version: v1}]":                                         "entry 1",
		"entries: [{name: x, type: source, version: a/b}]":                                      "entry 1",
		"entries: [{name: x, type: source, version: v1}, {name: x, type: source, version: v1}]": "twice",
		"entries: [{name: x, type: source, version: v1, jsonSchema: {value: '{'}}]":             "no JSON",
		"entries: [{name: x, type: source, version: v1, urls: [{url: x, checksum: abc}]}]":      "no SHA-256",
		"entries: 7":  "cannot unmarshal",
		"plugins: []": "it has no `entries`",
		"entries: [{name: x, type: source, version: v1, externalRequest: {payload: {jsonSchema: {}}}}]\nmore: of others": "",
	} {
		_, err := ParseIndex([]byte(text))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

func TestParse(t *testing.T) {
	for s, want := range map[string]Ref{"ferry/kubectl": {"ferry", "kubectl", ""}, "ferry/kubectl@v1.0.0-rc.1+x": {"ferry", "kubectl", "v1.0.0-rc.1+x"}} {
		if got, err := Parse(s); err != nil || got != want || got.String() != s {
			t.Errorf("%s is %+v, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "kubectl", "a/b/c", "a/b@", "../b@v1", "a/..@v1", "a/b@../../x", "a /b"} {
		if _, err := Parse(s); !fault.Is(err, fault.Invalid) {
			t.Errorf("%q is taken: %v", s, err)
		}
	}
}
