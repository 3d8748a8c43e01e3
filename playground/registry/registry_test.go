package registry

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"ferry/playground/seed"
)

func serve(t *testing.T) *httptest.Server {
	t.Helper()
	s, err := New()
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return server
}

func get(t *testing.T, method, url string, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

// at is the address of an image's repository in the mirror of its host.
func at(t *testing.T, base, repository string) string {
	t.Helper()
	host, name, _ := strings.Cut(repository, "/")
	mirror, ok := Mirrors(base)[host]
	if !ok {
		t.Fatalf("%s has no mirror", host)
	}
	return base + "/v2" + strings.TrimPrefix(mirror, base) + "/" + name
}

var (
	whole  = regexp.MustCompile(`image: '?([a-z0-9./:-]+):([A-Za-z0-9._-]+)`)
	pinned = regexp.MustCompile(`- name: ([a-z0-9./:-]+)\n +(?:newTag: "?([A-Za-z0-9._-]+)|digest: (sha256:[0-9a-f]{64}))`)
	echo   = regexp.MustCompile(`tag: "(\d+)"`)
	chart  = regexp.MustCompile(`(?m)^ +version: "?([0-9.]+)"?( #.*)?$`)
)

// TestSeedIsPublished asks for every image and chart that the seed names.
func TestSeedIsPublished(t *testing.T) {
	t.Parallel()
	server := serve(t)
	files, err := seed.Files()
	if err != nil {
		t.Fatal(err)
	}
	named := 0
	there := func(repository, version string) {
		named++
		resp, _ := get(t, http.MethodHead, at(t, server.URL, repository)+"/manifests/"+version)
		if got := resp.Header.Get("Docker-Content-Digest"); resp.StatusCode != http.StatusOK || strings.HasPrefix(version, "sha256:") && got != version {
			t.Errorf("%s %s: %s, digest %s", repository, version, resp.Status, got)
		}
	}
	for file, text := range files {
		for _, m := range whole.FindAllStringSubmatch(text, -1) {
			there(m[1], m[2])
		}
		for _, m := range pinned.FindAllStringSubmatch(text, -1) {
			there(m[1], m[2]+m[3])
		}
		for _, m := range echo.FindAllStringSubmatch(text, -1) {
			there("ghcr.io/mendhak/http-https-echo", m[1])
		}
		for _, m := range chart.FindAllStringSubmatch(text, -1) {
			repo, name := "https://charts.bitnami.com/bitnami", "redis"
			if path.Base(path.Dir(file)) == "echo" {
				repo, name = "https://bjw-s.github.io/helm-charts", "app-template"
			}
			named++
			if !slices.Contains(versions(t, server.URL, repo, name), m[1]) {
				t.Errorf("%s: %s has no %s %s", file, repo, name, m[1])
			}
		}
	}
	if named < 25 {
		t.Errorf("only %d versions were found in the seed", named)
	}
}

func versions(t *testing.T, base, repo, name string) []string {
	t.Helper()
	_, body := get(t, http.MethodGet, Mirrors(base)[repo]+"/index.yaml")
	var index struct {
		APIVersion string `json:"apiVersion"`
		Entries    map[string][]struct{ Version string }
	}
	if err := yaml.Unmarshal([]byte(body), &index); err != nil || index.APIVersion != "v1" {
		t.Fatalf("%v: %s", err, body)
	}
	var out []string
	for _, e := range index.Entries[name] {
		out = append(out, e.Version)
	}
	return out
}

// TestImagesAreWhole follows a tag to its platforms and their configurations.
func TestImagesAreWhole(t *testing.T) {
	t.Parallel()
	server := serve(t)
	for tag, platforms := range map[string]string{"6.5.4": "amd64 arm64", "6.5.5": "arm64"} {
		podinfo := at(t, server.URL, "ghcr.io/stefanprodan/podinfo")
		_, body := get(t, http.MethodGet, podinfo+"/manifests/"+tag)
		var index struct {
			Manifests []struct {
				Digest   string
				Platform struct{ Architecture string }
			}
		}
		if err := json.Unmarshal([]byte(body), &index); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, m := range index.Manifests {
			got = append(got, m.Platform.Architecture)
			_, body := get(t, http.MethodGet, podinfo+"/manifests/"+m.Digest)
			var manifest struct{ Config struct{ Digest string } }
			if err := json.Unmarshal([]byte(body), &manifest); err != nil {
				t.Fatal(err)
			}
			if resp, body := get(t, http.MethodGet, podinfo+"/blobs/"+manifest.Config.Digest); resp.StatusCode != http.StatusOK || !strings.Contains(body, tag) {
				t.Errorf("%s: %s %s", tag, resp.Status, body)
			}
		}
		if strings.Join(got, " ") != platforms {
			t.Errorf("%s is for %v, not %s", tag, got, platforms)
		}
	}
}

func TestNothingCanBePushed(t *testing.T) {
	t.Parallel()
	server := serve(t)
	repository := at(t, server.URL, "ghcr.io/acme/backend")
	for method, path := range map[string]string{http.MethodPut: "/manifests/9.9.9", http.MethodPost: "/blobs/uploads/", http.MethodDelete: "/manifests/1.4.2", http.MethodPatch: "/blobs/uploads/1"} {
		if resp, _ := get(t, method, repository+path); resp.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("%s %s: %s", method, path, resp.Status)
		}
	}
	if resp, _ := get(t, http.MethodHead, repository+"/manifests/1.4.2"); resp.StatusCode != http.StatusOK {
		t.Error(resp.Status)
	}
}

func TestIndexHasNotChanged(t *testing.T) {
	t.Parallel()
	server := serve(t)
	url := Mirrors(server.URL)["https://charts.bitnami.com/bitnami"] + "/index.yaml"
	first, body := get(t, http.MethodGet, url)
	again, empty := get(t, http.MethodGet, url, "If-None-Match", first.Header.Get("Etag"))
	if first.StatusCode != http.StatusOK || !bytes.Contains([]byte(body), []byte("redis")) || again.StatusCode != http.StatusNotModified || empty != "" {
		t.Errorf("%s, then %s %q", first.Status, again.Status, empty)
	}
}

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		if _, err := New(); err != nil {
			b.Fatal(err)
		}
	}
}
