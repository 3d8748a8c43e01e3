package charts

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

func TestIndexNamesWhatIsServed(t *testing.T) {
	handler, err := Handler(Podinfo())
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	defer server.Close()
	var index struct {
		Entries map[string][]struct {
			Version, Digest string
			URLs            []string
		}
	}
	if err := yaml.Unmarshal(get(t, server.URL+"/index.yaml"), &index); err != nil {
		t.Fatal(err)
	}
	versions := index.Entries["podinfo"]
	if len(versions) != 3 {
		t.Fatalf("the index has %d versions: %v", len(versions), versions)
	}
	for _, version := range versions {
		archive := get(t, server.URL+"/"+version.URLs[0])
		if sum := sha256.Sum256(archive); hex.EncodeToString(sum[:]) != version.Digest {
			t.Errorf("the digest of %s is not that of what is served", version.Version)
		}
		files := unpack(t, archive)
		if !strings.Contains(files["podinfo/Chart.yaml"], "version: "+version.Version+"\n") {
			t.Errorf("%s holds %s", version.URLs[0], files["podinfo/Chart.yaml"])
		}
		if files["podinfo/templates/deployment.yaml"] == "" {
			t.Errorf("%s deploys nothing", version.URLs[0])
		}
	}
}

func get(t *testing.T, address string) []byte {
	t.Helper()
	resp, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("get %s: %s, %v", address, resp.Status, err)
	}
	return body
}

func unpack(t *testing.T, archive []byte) map[string]string {
	t.Helper()
	zipped, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	packed := tar.NewReader(zipped)
	for {
		header, err := packed.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(packed)
		if err != nil {
			t.Fatal(err)
		}
		files[header.Name] = string(text)
	}
}
