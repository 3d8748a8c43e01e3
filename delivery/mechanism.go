package delivery

import (
	"strings"

	"ferry/delivery/flux"
	"ferry/delivery/yamledit"
	"ferry/internal/deploy"
)

// Mechanism is the way in which a version gets from a file to an object.
type Mechanism string

// The mechanisms, as they are counted in real repositories.
const (
	ValuesImage        Mechanism = "values-image"
	ValuesImagePatch   Mechanism = "values-image-patch"
	ChartVersion       Mechanism = "chart-version"
	ChartVersionPatch  Mechanism = "chart-version-patch"
	OCIRef             Mechanism = "oci-ref"
	HelmChart          Mechanism = "helmchart"
	WorkloadImage      Mechanism = "workload-image"
	WorkloadImagePatch Mechanism = "workload-image-patch"
	Substitute         Mechanism = "substitute"
	SubstituteFrom     Mechanism = "substitute-from"
	ValuesFrom         Mechanism = "values-from"
	ResourceSet        Mechanism = "resourceset"
	KustomizeImage     Mechanism = "kustomize-image"
)

// mechanism tells by which way a site moves a field.
func mechanism(s *scene, f field, at site) Mechanism {
	doc := at.document(s.world.Files())
	switch {
	case at.env && f.from == nil:
		return SubstituteFrom
	case doc.kind == "Kustomization" && strings.HasPrefix(at.path, "/spec/postBuild/"):
		return Substitute
	case doc.kind == "ConfigMap" && f.from == nil, doc.kind == "Secret":
		return SubstituteFrom
	case doc.kind == "ResourceSet":
		return ResourceSet
	case f.from != nil:
		return ValuesFrom
	case at.key == "newTag" || at.key == "digest" && doc.kustomization():
		return KustomizeImage
	case f.group == sourceGroup && f.object.Kind == "OCIRepository":
		return OCIRef
	case f.group == sourceGroup:
		return HelmChart
	}
	own := doc.own && doc.kind == f.object.Kind
	switch {
	case f.object.Kind != "HelmRelease" && own:
		return WorkloadImage
	case f.object.Kind != "HelmRelease":
		return WorkloadImagePatch
	case f.kind == deploy.FieldChart && own:
		return ChartVersion
	case f.kind == deploy.FieldChart:
		return ChartVersionPatch
	case own:
		return ValuesImage
	}
	return ValuesImagePatch
}

// document is what a site's document is.
type document struct {
	kind, group, namespace, name string
	// own is true for an object that stands for itself, not a patch of one.
	own bool
}

func (d document) kustomization() bool {
	return d.kind == "" || d.group == "kustomize.config.k8s.io"
}

// document reads the document that a candidate stands in.
func (c candidate) document(f flux.Files) document {
	data, ok := f.Overlay[c.file]
	if !ok {
		e, _ := f.Tree.Entry(c.file)
		data, _ = f.Blobs.Cached(e.SHA)
	}
	y, err := yamledit.Parse(data)
	if err != nil {
		return document{}
	}
	return describe(y, c.docIndex)
}
