package k8s

import (
	"bytes"
	"encoding/json"

	helmv2 "github.com/fluxcd/helm-controller/api/v2"
	kustomizev1 "github.com/fluxcd/kustomize-controller/api/v1"
	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// The kinds that ferry reads. What it must only name is found by discovery.
func deployments() resource { return appsResource("Deployment", "deployments") }

func statefulSets() resource {
	return appsResource("StatefulSet", "statefulsets")
}
func daemonSets() resource  { return appsResource("DaemonSet", "daemonsets") }
func replicaSets() resource { return appsResource("ReplicaSet", "replicasets") }
func pods() resource        { return coreResource("Pod", "pods") }
func configMaps() resource  { return coreResource("ConfigMap", "configmaps") }
func secrets() resource     { return coreResource("Secret", "secrets") }
func helmReleases() resource {
	return resource{helmv2.GroupVersion, helmv2.HelmReleaseKind, "helmreleases"}
}

func kustomizations() resource {
	return resource{kustomizev1.GroupVersion, kustomizev1.KustomizationKind, "kustomizations"}
}

func gitRepositories() resource {
	return resource{sourcev1.GroupVersion, sourcev1.GitRepositoryKind, "gitrepositories"}
}

func appsResource(kind, plural string) resource {
	return resource{schema.GroupVersion{Group: "apps", Version: "v1"}, kind, plural}
}

func coreResource(kind, plural string) resource {
	return resource{schema.GroupVersion{Version: "v1"}, kind, plural}
}

// What follows are the objects as far as they are read. A full Deployment takes
// four times as long to decode and, decoded, forty times the memory.

// deployment is also read from StatefulSets and DaemonSets: the fields of the
// status that only those have are at its end.
type deployment struct {
	Metadata metadata `json:"metadata"`
	Spec     struct {
		Replicas *int32               `json:"replicas"`
		Paused   bool                 `json:"paused"`
		Selector metav1.LabelSelector `json:"selector"`
		Template struct {
			Spec struct {
				Containers []struct {
					Name  string `json:"name"`
					Image string `json:"image"`
				} `json:"containers"`
			} `json:"spec"`
		} `json:"template"`
	} `json:"spec"`
	Status struct {
		ObservedGeneration int64       `json:"observedGeneration"`
		Replicas           int32       `json:"replicas"`
		UpdatedReplicas    int32       `json:"updatedReplicas"`
		ReadyReplicas      int32       `json:"readyReplicas"`
		AvailableReplicas  int32       `json:"availableReplicas"`
		Conditions         []condition `json:"conditions"`

		UpdateRevision         string `json:"updateRevision"`
		DesiredNumberScheduled int32  `json:"desiredNumberScheduled"`
		CurrentNumberScheduled int32  `json:"currentNumberScheduled"`
		UpdatedNumberScheduled int32  `json:"updatedNumberScheduled"`
		NumberReady            int32  `json:"numberReady"`
		NumberAvailable        int32  `json:"numberAvailable"`
	} `json:"status"`
}

type condition struct {
	Type    string `json:"type"`
	Status  string `json:"status"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
}

type helmRelease struct {
	Metadata metadata                 `json:"metadata"`
	Spec     helmv2.HelmReleaseSpec   `json:"spec"`
	Status   helmv2.HelmReleaseStatus `json:"status"`
}

// kustomization keeps its spec as it is: delivery renders from it, and fields
// that this ferry does not know must not be lost.
type kustomization struct {
	Metadata metadata                        `json:"metadata"`
	Spec     json.RawMessage                 `json:"spec"`
	Status   kustomizev1.KustomizationStatus `json:"status"`
}

type gitRepository struct {
	Metadata metadata                     `json:"metadata"`
	Spec     sourcev1.GitRepositorySpec   `json:"spec"`
	Status   sourcev1.GitRepositoryStatus `json:"status"`
}

// values is a ConfigMap, or a Secret, whose values are base64 on the wire.
type values struct {
	Metadata metadata        `json:"metadata"`
	Data     json.RawMessage `json:"data"`
}

// bare is any object, whole, as it came and decoded.
type bare struct {
	Metadata metadata
	Content  any
	raw      []byte
}

// UnmarshalJSON keeps everything, numbers as they are written, and reads the
// metadata.
func (o *bare) UnmarshalJSON(raw []byte) error {
	var head struct {
		Metadata metadata `json:"metadata"`
	}
	if err := json.Unmarshal(raw, &head); err != nil {
		return err
	}
	o.Metadata, o.raw = head.Metadata, bytes.Clone(raw)
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	return decoder.Decode(&o.Content)
}

func (o *deployment) meta() *metadata    { return &o.Metadata }
func (o *helmRelease) meta() *metadata   { return &o.Metadata }
func (o *kustomization) meta() *metadata { return &o.Metadata }
func (o *gitRepository) meta() *metadata { return &o.Metadata }
func (o *values) meta() *metadata        { return &o.Metadata }
func (o *bare) meta() *metadata          { return &o.Metadata }
