// Package registry is where the images and charts of the demo are published: an
// OCI registry for several hosts at once, and Helm repositories. It serves what
// the seed repository uses and a little more, newer and older; nothing can be
// pushed to it.
//
// The protocol is that of go-containerregistry's own registry. The images are
// whole, with nothing in them: their manifests and configurations can be read,
// there is nothing to run.
package registry

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
	"strings"
	"time"

	oci "github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"sigs.k8s.io/yaml"

	"ferry/playground/cluster/flux"
)

// Charts is the path below which the chart repositories are.
const Charts = "/playground/charts/"

// Server serves /v2/ and Charts.
type Server struct {
	mux    *http.ServeMux
	images http.Handler
}

// New makes a registry with everything published.
func New() (*Server, error) {
	s := &Server{mux: http.NewServeMux(), images: oci.New(oci.Logger(log.New(io.Discard, "", 0)))}
	for _, i := range images() {
		for _, tag := range i.tags {
			if err := s.publish(i, tag); err != nil {
				return nil, err
			}
		}
	}
	s.mux.Handle("GET /v2/", s.images)
	charts := flux.Catalogue()
	for _, r := range repositories() {
		index, err := indexOf(r, charts)
		if err != nil {
			return nil, err
		}
		s.mux.HandleFunc("GET "+Charts+r.path+"/index.yaml", index)
	}
	return s, nil
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// Mirrors says at which address below a base each host and each chart repository
// is: what ferry's configuration calls mirrors.
func Mirrors(base string) map[string]string {
	out := map[string]string{}
	for _, i := range images() {
		out[i.host] = base + "/" + folder(i.host)
	}
	for _, r := range repositories() {
		out[r.url] = base + Charts + r.path
	}
	return out
}

// folder is where the repositories of a host begin: names have no port.
func folder(host string) string {
	name, _, _ := strings.Cut(host, ":")
	return name
}

// publish puts an image with its parts into the registry.
func (s *Server) publish(i image, tag string) error {
	repository := "/v2/" + folder(i.host) + "/" + i.name
	var platforms []map[string]any
	for _, arch := range i.platforms(tag) {
		config, err := json.Marshal(map[string]any{
			"architecture": arch, "os": "linux", "rootfs": map[string]any{"type": "layers", "diff_ids": []string{}},
			"config": map[string]any{"Labels": map[string]string{"org.opencontainers.image.version": tag, "org.opencontainers.image.title": i.name}},
		})
		if err != nil {
			return fmt.Errorf("make an image: %w", err)
		}
		if err := s.put(http.MethodPost, repository+"/blobs/uploads/?digest="+digest(config), "application/octet-stream", config); err != nil {
			return err
		}
		manifest, err := json.Marshal(map[string]any{
			"schemaVersion": 2, "mediaType": types.OCIManifestSchema1, "layers": []any{},
			"config": map[string]any{"mediaType": i.kind(), "digest": digest(config), "size": len(config)},
		})
		if err != nil {
			return fmt.Errorf("make an image: %w", err)
		}
		at := digest(manifest)
		if !i.several {
			at = tag
		}
		if err := s.put(http.MethodPut, repository+"/manifests/"+at, string(types.OCIManifestSchema1), manifest); err != nil {
			return err
		}
		platforms = append(platforms, map[string]any{
			"mediaType": types.OCIManifestSchema1, "digest": digest(manifest), "size": len(manifest), "platform": map[string]string{"architecture": arch, "os": "linux"},
		})
	}
	if !i.several {
		return nil
	}
	index, err := json.Marshal(map[string]any{"schemaVersion": 2, "mediaType": types.OCIImageIndex, "manifests": platforms})
	if err != nil {
		return fmt.Errorf("make an image: %w", err)
	}
	return s.put(http.MethodPut, repository+"/manifests/"+tag, string(types.OCIImageIndex), index)
}

func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// put sends something to the registry, past the mux that lets nobody else do so.
func (s *Server) put(method, path, kind string, body []byte) error {
	req, err := http.NewRequest(method, "http://localhost"+path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("publish %s: %w", path, err)
	}
	req.Header.Set("Content-Type", kind)
	got := httptest.NewRecorder()
	s.images.ServeHTTP(got, req)
	if got.Code != http.StatusCreated {
		return fmt.Errorf("publish %s: %d %s", path, got.Code, got.Body)
	}
	return nil
}

// indexOf serves the index.yaml of a chart repository, as `helm repo index`
// writes it.
func indexOf(r repository, charts flux.Charts) (http.HandlerFunc, error) {
	published := time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)
	entries := map[string][]map[string]any{}
	for _, name := range r.charts {
		for _, version := range charts.Versions(name) {
			c, err := charts.Find(name, version)
			if err != nil {
				return nil, fmt.Errorf("publish the chart %s: %w", name, err)
			}
			entries[name] = append(entries[name], map[string]any{
				"apiVersion": "v2", "name": name, "version": version, "appVersion": c.AppVersion, "created": published,
				"description": "The " + name + " of the demo", "digest": strings.TrimPrefix(c.Digest(), "sha256:"),
				"urls": []string{fmt.Sprintf("%s/%s-%s.tgz", r.url, name, version)},
			})
		}
	}
	text, err := yaml.Marshal(map[string]any{"apiVersion": "v1", "entries": entries, "generated": published})
	if err != nil {
		return nil, fmt.Errorf("write an index: %w", err)
	}
	etag := `"` + digest(text) + `"`
	return func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("Etag", etag)
		w.Header().Set("Content-Type", "application/yaml")
		http.ServeContent(w, req, "", published, bytes.NewReader(text))
	}, nil
}
