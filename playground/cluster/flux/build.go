package flux

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"

	kustomizev1 "github.com/fluxcd/kustomize-controller/api/v1"
	"github.com/fluxcd/pkg/apis/kustomize"
	"github.com/fluxcd/pkg/envsubst"
	"sigs.k8s.io/kustomize/api/konfig"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resmap"
	kustypes "sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/resid"
	"sigs.k8s.io/yaml"
)

// building serializes builds in this process: kustomize keeps package state
// (kustomize#3659), which is why Flux has such a lock too.
var building sync.Mutex

// built is the outcome of a build and what it depended on.
type built struct {
	inputs  string // the spec and the variables
	seen    map[string]string
	objects []map[string]any
}

// errPath says that there is nothing to build.
type errPath string

func (e errPath) Error() string {
	return fmt.Sprintf("kustomization path not found: stat %s: no such file or directory", string(e))
}

// build renders a Kustomization from the files of a commit, or returns the last
// build where that would come out the same.
func build(ks *kustomizev1.Kustomization, files map[string][]byte, vars map[string]string, last *built) (*built, error) {
	spec, err := json.Marshal([]any{ks.Spec, vars})
	if err != nil {
		return nil, err
	}
	tree := newTreeFS(files)
	if last != nil && last.inputs == string(spec) && tree.again(last.seen) {
		return last, nil
	}
	dir := local(ks.Spec.Path)
	if !tree.dirs[dir] {
		return nil, errPath(dir)
	}
	if err := generate(tree, dir, ks); err != nil {
		return nil, err
	}
	building.Lock()
	defer building.Unlock()
	resources, err := krusty.MakeKustomizer(&krusty.Options{
		LoadRestrictions: kustypes.LoadRestrictionsNone,
		PluginConfig:     kustypes.DisabledPluginConfig(),
	}).Run(tree, path.Join("/", dir))
	if err != nil {
		return nil, fmt.Errorf("kustomize build failed: %w", err)
	}
	objects, err := contents(ks, resources, vars)
	if err != nil {
		return nil, err
	}
	return &built{inputs: string(spec), seen: tree.seen, objects: objects}, nil
}

// generate writes what Flux builds instead of the directory's own file: that
// file, or one made for a directory that has none, with the object's edits.
func generate(tree *treeFS, dir string, ks *kustomizev1.Kustomization) error {
	k := kustypes.Kustomization{TypeMeta: kustypes.TypeMeta{APIVersion: kustypes.KustomizationVersion, Kind: kustypes.KustomizationKind}}
	file := path.Join(dir, konfig.DefaultKustomizationFileName())
	found := false
	for _, name := range konfig.RecognizedKustomizationFileNames() {
		if tree.noted(path.Join(dir, name)); tree.isFile(path.Join(dir, name)) {
			file, found = path.Join(dir, name), true
			break
		}
	}
	if found {
		if err := yaml.Unmarshal(tree.files[file], &k); err != nil {
			return fmt.Errorf("read %s: %w", file, err)
		}
	} else {
		resources, err := scan(tree, dir)
		if err != nil {
			return err
		}
		k.Resources = resources
	}
	if len(k.Resources) == 0 {
		k.BuildMetadata = []string{"originAnnotations"} // else kustomize calls it empty
	}
	edit(&k, &ks.Spec)
	raw, err := yaml.Marshal(k)
	if err != nil {
		return err
	}
	return tree.WriteFile(file, raw)
}

// scan finds the manifests of a directory without a kustomization.yaml; below
// it, a directory that has one counts as one resource.
func scan(tree *treeFS, dir string) ([]string, error) {
	var resources []string
	skip := ""
	for _, name := range tree.list(dir) {
		if skip != "" && strings.HasPrefix(name, skip+"/") {
			continue
		}
		rel := strings.TrimPrefix(name, dir+"/")
		if sub := own(tree, dir, path.Dir(name)); sub != "" {
			skip = sub
			resources = append(resources, strings.TrimPrefix(sub, dir+"/"))
			continue
		}
		ext, base := path.Ext(name), path.Base(name)
		if ext != ".yaml" && ext != ".yml" || strings.HasPrefix(base, ".") || strings.HasPrefix(rel, ".") {
			continue
		}
		content, err := tree.ReadFile(name)
		if err != nil {
			return nil, err
		}
		if err := manifest(content); err != nil {
			return nil, fmt.Errorf("failed to decode Kubernetes YAML from %s: %w", name, err)
		}
		resources = append(resources, rel)
	}
	return resources, nil
}

// own is the topmost directory between dir and sub that has a kustomization file.
func own(tree *treeFS, dir, sub string) string {
	top := ""
	for ; sub != dir && sub != "."; sub = path.Dir(sub) {
		for _, name := range konfig.RecognizedKustomizationFileNames() {
			if tree.isFile(path.Join(sub, name)) {
				top = sub
			}
		}
	}
	return top
}

func manifest(content []byte) error {
	for doc := range strings.SplitSeq("\n"+string(content), "\n---") {
		var object map[string]any
		if err := yaml.Unmarshal([]byte(doc), &object); err != nil {
			return err
		}
		if object != nil && (object["kind"] == nil || object["apiVersion"] == nil) {
			return errors.New("missing apiVersion or kind")
		}
	}
	return nil
}

func edit(k *kustypes.Kustomization, spec *kustomizev1.KustomizationSpec) {
	if spec.TargetNamespace != "" {
		k.Namespace = spec.TargetNamespace
	}
	if spec.NamePrefix != "" {
		k.NamePrefix = spec.NamePrefix
	}
	if spec.NameSuffix != "" {
		k.NameSuffix = spec.NameSuffix
	}
	for _, p := range spec.Patches {
		k.Patches = append(k.Patches, kustypes.Patch{Patch: p.Patch, Target: target(p.Target)})
	}
	k.Components = append(k.Components, spec.Components...)
	for _, image := range spec.Images {
		i := slices.IndexFunc(k.Images, func(have kustypes.Image) bool { return have.Name == image.Name })
		if i < 0 {
			k.Images = append(k.Images, kustypes.Image{
				Name: image.Name, NewName: image.NewName,
				NewTag: image.NewTag, Digest: image.Digest,
			})
			continue
		}
		if image.NewName != "" {
			k.Images[i].NewName = image.NewName
		}
		if image.NewTag != "" || image.Digest != "" {
			k.Images[i].NewTag, k.Images[i].Digest = image.NewTag, image.Digest
		}
	}
}

func target(s *kustomize.Selector) *kustypes.Selector {
	if s == nil {
		return nil
	}
	return &kustypes.Selector{ResId: resid.ResId{
		Gvk:  resid.Gvk{Group: s.Group, Version: s.Version, Kind: s.Kind},
		Name: s.Name, Namespace: s.Namespace,
	}, AnnotationSelector: s.AnnotationSelector, LabelSelector: s.LabelSelector}
}

const fluxGroup = "kustomize.toolkit.fluxcd.io"

// contents substitutes variables and sets labels.
func contents(ks *kustomizev1.Kustomization, resources resmap.ResMap, vars map[string]string) ([]map[string]any, error) {
	valid := regexp.MustCompile(`^[_[:alpha:]][_[:alpha:][:digit:]]*$`)
	for name := range vars {
		if !valid.MatchString(name) {
			return nil, fmt.Errorf("var substitution failed: '%s' var name is invalid, must match '%s'", name, valid)
		}
	}
	objects := make([]map[string]any, 0, resources.Size())
	for _, r := range resources.Resources() {
		text, err := r.AsYAML()
		if err != nil {
			return nil, err
		}
		disabled := r.GetLabels()[fluxGroup+"/substitute"] == "disabled" || r.GetAnnotations()[fluxGroup+"/substitute"] == "disabled"
		if len(vars) > 0 && !disabled {
			replaced, err := envsubst.Eval(string(text), func(name string) (string, bool) { v, ok := vars[name]; return v, ok })
			if err != nil {
				return nil, fmt.Errorf("var substitution failed for '%s': %w", r.GetName(), err)
			}
			text = []byte(replaced)
		}
		var object map[string]any
		if err := yaml.Unmarshal(text, &object); err != nil {
			return nil, fmt.Errorf("decode %s %s: %w", r.GetKind(), r.GetName(), err)
		}
		if r.GetKind() == konfig.DefaultKustomizationFileName() || object == nil {
			continue
		}
		if ks.Spec.Decryption != nil {
			delete(object, "sops") // the values stay as they are: nobody here has a key
		}
		stamp(ks, object)
		objects = append(objects, object)
	}
	slices.SortStableFunc(objects, func(a, b map[string]any) int { return stage(a) - stage(b) })
	return objects, nil
}

// stage orders what others need first.
func stage(object map[string]any) int {
	switch object["kind"] {
	case "Namespace", "CustomResourceDefinition":
		return 0
	case "ConfigMap", "Secret", "ServiceAccount":
		return 1
	}
	return 2
}

// stamp sets the labels by which everybody finds the owner.
func stamp(ks *kustomizev1.Kustomization, object map[string]any) {
	labels := map[string]string{fluxGroup + "/name": ks.Name, fluxGroup + "/namespace": ks.Namespace}
	var annotations map[string]string
	if common := ks.Spec.CommonMetadata; common != nil {
		maps.Copy(labels, common.Labels)
		annotations = common.Annotations
	}
	meta, _ := object["metadata"].(map[string]any)
	if meta == nil {
		meta = map[string]any{}
		object["metadata"] = meta
	}
	for field, values := range map[string]map[string]string{"labels": labels, "annotations": annotations} {
		if len(values) == 0 {
			continue
		}
		have, _ := meta[field].(map[string]any)
		have = maps.Clone(have)
		if have == nil {
			have = map[string]any{}
		}
		for k, v := range values {
			have[k] = v
		}
		meta[field] = have
	}
}
