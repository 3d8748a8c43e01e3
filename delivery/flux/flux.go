// Package flux renders a repository as Flux does, in memory.
//
// A cluster's Kustomizations form a graph: what one renders may be the next
// ones. World starts from what a cluster declares, prefers the spec that Git
// renders over the live one (Git is what is wanted), and goes on until nothing
// new turns up. Each is rendered by the steps of kustomize-controller: the path
// clamped to the root of the artifact, a kustomization.yaml generated where the
// folder has none, the fields of spec laid over it, kustomize's own build, then
// substitution on the text of each object. Secrets are never decrypted: SOPS
// documents are rendered as they stand. Nothing is ever fetched from elsewhere:
// what a kustomization takes from an address is left out, and noted (remote.go).
//
// A Renderer keeps renderings by what they depend on: the fields of spec that
// matter, the variables, and the notes of everything that was read. A rendering
// is used again on another tree, or for another cluster, if all notes hold
// there; so a push costs only what reads the files that it changed.
//
// The work is done by kustomize's API alone. fluxcd/pkg/kustomize does the same
// on a disk and brings a Kubernetes client along (347 packages instead of 141),
// so its generator and its substitution are redone here by their documented
// behaviour.
package flux

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"path"
	"strings"

	"sigs.k8s.io/kustomize/api/types"

	"ferry/internal/deploy"
)

// Group is the API group of Flux's Kustomizations.
const Group = "kustomize.toolkit.fluxcd.io"

// Kustomization is one Flux Kustomization, as far as it decides what is
// rendered.
type Kustomization struct {
	Ref       deploy.Ref
	SourceRef deploy.Ref
	Spec      Spec
	// Vars are the values from substituteFrom; Unknown says why they are not
	// complete.
	Vars    map[string]string
	Unknown string
	Ignore  string // spec.ignore of the source
	// Copies say where the folders of its artifact come from, if that is not the
	// repository as it is.
	Copies []Copy
}

// Copy is a folder of an artifact and the folder of the repository that it was
// made from; "" is the root of either.
type Copy struct{ To, From string }

// Spec are the fields of spec that decide on the rendering.
type Spec struct {
	Path                    string            `json:"path,omitempty"`
	TargetNamespace         string            `json:"targetNamespace,omitempty"`
	NamePrefix              string            `json:"namePrefix,omitempty"`
	NameSuffix              string            `json:"nameSuffix,omitempty"`
	Patches                 []types.Patch     `json:"patches,omitempty"`
	PatchesStrategicMerge   []json.RawMessage `json:"patchesStrategicMerge,omitempty"`
	PatchesJSON6902         []jsonPatch       `json:"patchesJson6902,omitempty"`
	Images                  []types.Image     `json:"images,omitempty"`
	Components              []string          `json:"components,omitempty"`
	IgnoreMissingComponents bool              `json:"ignoreMissingComponents,omitempty"`
	BuildMetadata           []string          `json:"buildMetadata,omitempty"`
	CommonMetadata          struct {
		Labels      map[string]string `json:"labels,omitempty"`
		Annotations map[string]string `json:"annotations,omitempty"`
	} `json:"commonMetadata,omitzero"`
	PostBuild *struct {
		Substitute     map[string]string `json:"substitute,omitempty"`
		SubstituteFrom []json.RawMessage `json:"substituteFrom,omitempty"`
		Strategy       string            `json:"substituteStrategy,omitempty"`
	} `json:"postBuild,omitempty"`
	KubeConfig json.RawMessage `json:"kubeConfig,omitempty"`
}

type jsonPatch struct {
	Patch  json.RawMessage `json:"patch"`
	Target *types.Selector `json:"target,omitempty"`
}

// object is the part of a Flux object that is read here.
type object struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Metadata   struct {
		Name      string `json:"name"`
		Namespace string `json:"namespace"`
	} `json:"metadata"`
	Spec json.RawMessage `json:"spec"`
}

// ParseKustomization reads a Flux Kustomization from JSON.
func ParseKustomization(data []byte) (Kustomization, error) {
	var o object
	if err := json.Unmarshal(data, &o); err != nil {
		return Kustomization{}, fmt.Errorf("read Kustomization: %w", err)
	}
	k := Kustomization{Ref: deploy.Ref{Kind: o.Kind, Namespace: o.Metadata.Namespace, Name: o.Metadata.Name}}
	if len(o.Spec) == 0 {
		return k, fmt.Errorf("read %s: it has no spec", k.Ref)
	}
	if err := json.Unmarshal(o.Spec, &k.Spec); err != nil {
		return k, fmt.Errorf("read spec of %s: %w", k.Ref, err)
	}
	var s struct {
		SourceRef deploy.Ref `json:"sourceRef"`
	}
	if err := json.Unmarshal(o.Spec, &s); err != nil {
		return k, fmt.Errorf("read sourceRef of %s: %w", k.Ref, err)
	}
	if k.SourceRef = s.SourceRef; k.SourceRef.Namespace == "" {
		k.SourceRef.Namespace = k.Ref.Namespace
	}
	return k, nil
}

// Dir is the folder that is rendered, clamped to the root of the repository as
// Flux does; "" is the root.
func (k Kustomization) Dir() string {
	dir := strings.TrimPrefix(path.Clean("/"+k.Spec.Path), "/")
	best := -1
	for i, c := range k.Copies {
		within := c.To == "" || dir == c.To || strings.HasPrefix(dir, c.To+"/")
		if within && (best < 0 || len(c.To) > len(k.Copies[best].To)) {
			best = i
		}
	}
	if best < 0 {
		return dir
	}
	c := k.Copies[best]
	return path.Join(c.From, strings.TrimPrefix(strings.TrimPrefix(dir, c.To), "/"))
}

// key is equal for Kustomizations that render alike on one tree.
func (k Kustomization) key(hidden string) string {
	spec := k.Spec
	spec.Path = k.Dir()
	spec.KubeConfig = nil
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	for _, part := range []any{spec, k.Vars, k.Unknown != "", hidden} {
		_ = enc.Encode(part) // strings, maps and raw JSON that was read: it can be written
	}
	return b.String()
}

// SameRepository reports whether two addresses mean one repository: scheme,
// user, port, case and a ".git" at the end do not count.
func SameRepository(a, b string) bool { return a != "" && NormalURL(a) == NormalURL(b) }

// NormalURL is an address as SameRepository compares it: "host/owner/name".
func NormalURL(raw string) string {
	s := strings.ToLower(strings.TrimSpace(raw))
	if !strings.Contains(s, "://") { // git@host:owner/name
		if host, p, ok := strings.Cut(s, ":"); ok && !strings.Contains(host, "/") {
			s = "ssh://" + host + "/" + strings.TrimPrefix(p, "/")
		}
	}
	u, err := url.Parse(s)
	if err != nil || u.Host == "" {
		return strings.TrimSuffix(strings.TrimSuffix(s, "/"), ".git")
	}
	return u.Hostname() + strings.TrimSuffix(strings.TrimSuffix(path.Clean("/"+u.Path), "/"), ".git")
}
