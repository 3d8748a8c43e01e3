package apiserver

import "k8s.io/apimachinery/pkg/runtime/schema"

// Resource is one kind of object that the server keeps.
type Resource struct {
	schema.GroupVersionKind
	Name       string // plural, as in URLs
	Singular   string
	Short      []string
	Namespaced bool
	Status     bool // has a status sub-resource, and a generation that counts spec changes
}

// GroupResource names the resource as errors do.
func (r *Resource) GroupResource() schema.GroupResource {
	return schema.GroupResource{Group: r.Group, Resource: r.Name}
}

// APIVersion is the value of an object's apiVersion.
func (r *Resource) APIVersion() string { return r.GroupVersion().String() }

func resource(gv schema.GroupVersion, kind, name, singular string, short ...string) *Resource {
	return &Resource{
		GroupVersionKind: gv.WithKind(kind), Name: name, Singular: singular, Short: short,
		Namespaced: true, Status: true,
	}
}

func (r *Resource) cluster() *Resource { r.Namespaced = false; return r }

func (r *Resource) plain() *Resource { r.Status = false; return r }

// Builtin are the resources of every cluster.
func Builtin() []*Resource {
	core := schema.GroupVersion{Version: "v1"}
	apps := schema.GroupVersion{Group: "apps", Version: "v1"}
	extensions := schema.GroupVersion{Group: "apiextensions.k8s.io", Version: "v1"}
	return []*Resource{
		resource(core, "Namespace", "namespaces", "namespace", "ns").cluster(),
		resource(core, "Node", "nodes", "node", "no").cluster(),
		resource(core, "Pod", "pods", "pod", "po"),
		resource(core, "Event", "events", "event", "ev").plain(),
		resource(core, "ConfigMap", "configmaps", "configmap", "cm").plain(),
		resource(core, "Secret", "secrets", "secret").plain(),
		resource(core, "Service", "services", "service", "svc"),
		resource(core, "ServiceAccount", "serviceaccounts", "serviceaccount", "sa").plain(),
		resource(apps, "Deployment", "deployments", "deployment", "deploy"),
		resource(apps, "ReplicaSet", "replicasets", "replicaset", "rs"),
		resource(apps, "StatefulSet", "statefulsets", "statefulset", "sts"),
		resource(apps, "DaemonSet", "daemonsets", "daemonset", "ds"),
		resource(extensions, "CustomResourceDefinition", "customresourcedefinitions",
			"customresourcedefinition", "crd", "crds").cluster(),
	}
}

// Flux are the custom resources of a cluster that runs Flux.
func Flux() []*Resource {
	source := schema.GroupVersion{Group: "source.toolkit.fluxcd.io", Version: "v1"}
	kustomize := schema.GroupVersion{Group: "kustomize.toolkit.fluxcd.io", Version: "v1"}
	helm := schema.GroupVersion{Group: "helm.toolkit.fluxcd.io", Version: "v2"}
	image := schema.GroupVersion{Group: "image.toolkit.fluxcd.io", Version: "v1"}
	return []*Resource{
		resource(source, "GitRepository", "gitrepositories", "gitrepository", "gitrepo"),
		resource(source, "OCIRepository", "ocirepositories", "ocirepository", "ocirepo"),
		resource(source, "HelmRepository", "helmrepositories", "helmrepository", "helmrepo"),
		resource(source, "HelmChart", "helmcharts", "helmchart", "hc"),
		resource(kustomize, "Kustomization", "kustomizations", "kustomization", "ks"),
		resource(helm, "HelmRelease", "helmreleases", "helmrelease", "hr"),
		resource(image, "ImageRepository", "imagerepositories", "imagerepository", "imgrepo"),
		resource(image, "ImagePolicy", "imagepolicies", "imagepolicy", "imgpol"),
		resource(image, "ImageUpdateAutomation", "imageupdateautomations", "imageupdateautomation", "iua"),
	}
}
