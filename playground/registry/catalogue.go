package registry

import (
	"github.com/google/go-containerregistry/pkg/v1/types"

	"ferry/playground/cluster/flux"
)

// image is a repository of images, or of a chart, and what is published there.
type image struct {
	host, name string
	tags       []string
	several    bool // platforms
	chart      bool
}

// platforms of a tag. podinfo 6.5.5 is the version that is planted to fail: it
// was published, but not for the clusters' machines.
func (i image) platforms(tag string) []string {
	switch {
	case i.name == "stefanprodan/podinfo" && tag == "6.5.5":
		return []string{"arm64"}
	case i.several:
		return []string{"amd64", "arm64"}
	}
	return []string{"amd64"}
}

func (i image) kind() string {
	if i.chart {
		return "application/vnd.cncf.helm.config.v1+json"
	}
	return string(types.OCIConfigJSON)
}

// images are those of the seed repositories.
func images() []image {
	return []image{
		{host: "ghcr.io", name: "stefanprodan/podinfo", several: true, tags: []string{
			"6.4.0", "6.4.1", "6.5.0", "6.5.1", "6.5.2", "6.5.3", "6.5.4", "6.5.5", "6.6.0", "6.6.1", "6.6.2", "6.7.0", "6.7.1", "latest",
		}},
		{host: "ghcr.io", name: "stefanprodan/charts/podinfo", chart: true, tags: flux.Catalogue().Versions("podinfo")},
		{host: "ghcr.io", name: "mendhak/http-https-echo", several: true, tags: []string{"30", "31", "33", "34", "35", "36", "latest"}},
		{host: "ghcr.io", name: "imgproxy/imgproxy", several: true, tags: []string{"v3.24.1", "v3.25.0", "v3.26.0"}},
		{host: "ghcr.io", name: "acme/backend", tags: []string{"1.4.0", "1.4.1", "1.4.2", "1.4.3", "1.5.0"}},
		{host: "ghcr.io", name: "acme/gateway", tags: []string{"0.8.0", "0.8.1", "0.8.2", "0.9.0", "0.9.1", "0.9.2", "1.0.0-rc.1"}},
		{host: "ghcr.io", name: "acme/search", tags: []string{"2.8.0", "2.9.0"}},
		{host: "ghcr.io", name: "acme/checkout", tags: []string{"3.1.0", "3.2.0"}},
		{host: "ghcr.io", name: "acme/billing", tags: []string{"5.0.1", "5.1.0"}},
		{host: "ghcr.io", name: "acme/notifier", tags: []string{"1.8", "1.9", "1.10", "1.11", "1.12", "latest"}},
		{host: "registry.acme.internal:5000", name: "payments/ledger", tags: []string{"2.0.0", "2.2.0", "2.3.0", "2.3.1", "2.3.2", "2.4.0", "2.4.1"}},
		{host: "docker.io", name: "bitnami/redis", several: true, tags: []string{"7.0.4", "7.2.1", "7.2.3", "7.2.4"}},
	}
}

// repository is a repository of charts: those that the clusters can install.
type repository struct {
	url, path string
	charts    []string
}

func repositories() []repository {
	return []repository{
		{url: "https://charts.bitnami.com/bitnami", path: "bitnami", charts: []string{"redis"}},
		{url: "https://bjw-s.github.io/helm-charts", path: "bjw-s", charts: []string{"app-template"}},
	}
}
