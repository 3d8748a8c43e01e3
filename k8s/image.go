package k8s

import (
	"strings"

	sourcev1 "github.com/fluxcd/source-controller/api/v1"

	"ferry/internal/deploy"
)

// parseImage splits an image reference as container runtimes do: a digest
// follows "@", a tag the last ":" after the last "/"; a ":" before that is a
// registry's port. Written again by Image.String it gives the same bytes.
func parseImage(container, ref string) deploy.Image {
	i := deploy.Image{Container: container, Repository: ref}
	if at := strings.IndexByte(ref, '@'); at >= 0 {
		i.Repository, i.Digest = ref[:at], ref[at+1:]
	}
	if colon := strings.LastIndexByte(i.Repository, ':'); colon > strings.LastIndexByte(i.Repository, '/') {
		i.Repository, i.Tag = i.Repository[:colon], i.Repository[colon+1:]
	}
	return i
}

// appVersion is the version of the container called like the app, else of the
// first.
func appVersion(app string, images []deploy.Image) deploy.Version {
	for _, i := range images {
		if i.Container == app {
			return i.Version()
		}
	}
	if len(images) == 0 {
		return ""
	}
	return images[0].Version()
}

// libraryCharts are the charts that only template what their values name: their
// own version says nothing about the app.
const libraryCharts = " app-template common library onechart application universal-chart "

// releaseVersion is the version that people mean of a release, and which one it
// is. Of a library chart, and of a chart that lies in a Git repository, whose
// version hardly anybody moves, that is the image; where no workload shows one
// it is the chart's all the same.
func releaseVersion(r *release, images []deploy.Image) (deploy.Version, deploy.FieldKind) {
	if strings.Contains(libraryCharts, " "+r.chart+" ") || r.source.Kind == sourcev1.GitRepositoryKind {
		if v := appVersion(r.name, images); v != "" {
			return v, deploy.FieldImage
		}
	}
	return deploy.Version(r.version), deploy.FieldChart
}
