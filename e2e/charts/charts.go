// Package charts is a Helm repository and an OCI registry in memory: packaged charts over HTTP, as source-controller
// fetches them. A chart deploys one workload, whose image its values name.
package charts

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Chart is one version of a chart.
type Chart struct {
	Name    string
	Version string
	Image   string // repository of the image that it deploys unless values.image.repository says otherwise
	Tag     string // likewise values.image.tag; "" is the chart's version
}

// Podinfo are the versions that the scenarios use: two good ones, and 6.5.5, whose image never becomes ready.
func Podinfo() []Chart {
	const image = "ghcr.io/stefanprodan/podinfo"
	return []Chart{
		{Name: "podinfo", Version: "6.5.3", Image: image},
		{Name: "podinfo", Version: "6.5.4", Image: image},
		{Name: "podinfo", Version: "6.5.5", Image: image, Tag: "6.5.5-broken"},
	}
}

// Handler serves the charts at / with their index at /index.yaml.
func Handler(charts []Chart) (http.Handler, error) {
	mux := http.NewServeMux()
	index := "apiVersion: v1\ngenerated: \"2026-01-01T00:00:00Z\"\nentries:\n"
	listed := ""
	for _, chart := range charts {
		archive, err := chart.pack()
		if err != nil {
			return nil, err
		}
		file := chart.Name + "-" + chart.Version + ".tgz"
		mux.HandleFunc("GET /"+file, serve("application/gzip", archive))
		if chart.Name != listed {
			index += "  " + chart.Name + ":\n"
			listed = chart.Name
		}
		sum := sha256.Sum256(archive)
		index += fmt.Sprintf("  - {apiVersion: v2, name: %s, version: %s, digest: %s, created: \"2026-01-01T00:00:00Z\", urls: [%s]}\n",
			chart.Name, chart.Version, hex.EncodeToString(sum[:]), file)
	}
	mux.HandleFunc("GET /index.yaml", serve("application/yaml", []byte(index)))
	return mux, nil
}

func serve(kind string, body []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		_, _ = w.Write(body)
	}
}

const deployment = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}
  labels:
    app.kubernetes.io/name: {{ .Chart.Name }}
    app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
spec:
  replicas: {{ .Values.replicaCount }}
  selector:
    matchLabels:
      app.kubernetes.io/instance: {{ .Release.Name }}
  template:
    metadata:
      labels:
        app.kubernetes.io/instance: {{ .Release.Name }}
    spec:
      containers:
      - name: {{ .Chart.Name }}
        image: "{{ .Values.image.repository }}:{{ .Values.image.tag }}"
`

// pack returns the chart as the .tgz that `helm package` would make of it; the same chart gives the same bytes.
func (c Chart) pack() ([]byte, error) {
	tag := c.Tag
	if tag == "" {
		tag = c.Version
	}
	files := []struct{ name, text string }{
		{"Chart.yaml", fmt.Sprintf("apiVersion: v2\nname: %s\nversion: %s\nappVersion: %q\n", c.Name, c.Version, c.Version)},
		{"values.yaml", fmt.Sprintf("replicaCount: 1\nimage:\n  repository: %s\n  tag: %q\n", c.Image, tag)},
		{"templates/deployment.yaml", deployment},
	}
	var archive bytes.Buffer
	zipped := gzip.NewWriter(&archive)
	packed := tar.NewWriter(zipped)
	for _, file := range files {
		header := &tar.Header{
			Name: strings.Join([]string{c.Name, file.name}, "/"), Mode: 0o644, Size: int64(len(file.text)),
			ModTime: time.Unix(0, 0),
		}
		if err := packed.WriteHeader(header); err != nil {
			return nil, fmt.Errorf("pack %s of chart %s: %w", file.name, c.Name, err)
		}
		if _, err := packed.Write([]byte(file.text)); err != nil {
			return nil, fmt.Errorf("pack %s of chart %s: %w", file.name, c.Name, err)
		}
	}
	if err := packed.Close(); err != nil {
		return nil, fmt.Errorf("pack chart %s: %w", c.Name, err)
	}
	if err := zipped.Close(); err != nil {
		return nil, fmt.Errorf("compress chart %s: %w", c.Name, err)
	}
	return archive.Bytes(), nil
}
