package charts

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/google/go-containerregistry/pkg/registry"
)

// The media types of a chart, as `helm push` gives them.
const (
	manifestType = "application/vnd.oci.image.manifest.v1+json"
	configType   = "application/vnd.cncf.helm.config.v1+json"
	chartType    = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
)

// Registry is an OCI registry at /v2/ that holds each chart as an artifact,
// charts/NAME:VERSION, as `helm push` leaves it there. The same charts give the
// same digests.
func Registry(charts []Chart) (http.Handler, error) {
	oci := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	for _, chart := range charts {
		if err := chart.push(oci); err != nil {
			return nil, err
		}
	}
	return oci, nil
}

// push puts a chart into a registry.
func (c Chart) push(oci http.Handler) error {
	archive, err := c.pack()
	if err != nil {
		return err
	}
	config, err := json.Marshal(map[string]string{"apiVersion": "v2", "name": c.Name, "version": c.Version, "appVersion": c.Version})
	if err != nil {
		return fmt.Errorf("describe chart %s: %w", c.Name, err)
	}
	manifest, err := json.Marshal(map[string]any{
		"schemaVersion": 2, "mediaType": manifestType, "config": blob(configType, config), "layers": []any{blob(chartType, archive)},
	})
	if err != nil {
		return fmt.Errorf("describe chart %s: %w", c.Name, err)
	}
	repository := "/v2/charts/" + c.Name
	for _, content := range [][]byte{config, archive} {
		if err := put(oci, http.MethodPost, repository+"/blobs/uploads/?digest="+digest(content), "application/octet-stream", content); err != nil {
			return err
		}
	}
	return put(oci, http.MethodPut, repository+"/manifests/"+c.Version, manifestType, manifest)
}

func blob(kind string, content []byte) map[string]any {
	return map[string]any{"mediaType": kind, "digest": digest(content), "size": len(content)}
}

func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// put sends something to a registry that is not on the network yet.
func put(oci http.Handler, method, path, kind string, body []byte) error {
	request, err := http.NewRequest(method, "http://localhost"+path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("push %s: %w", path, err)
	}
	request.Header.Set("Content-Type", kind)
	got := httptest.NewRecorder()
	oci.ServeHTTP(got, request)
	if got.Code != http.StatusCreated {
		return fmt.Errorf("push %s: %d %s", path, got.Code, got.Body)
	}
	return nil
}
