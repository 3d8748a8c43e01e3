package flux

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path"
	"strings"

	"sigs.k8s.io/kustomize/api/konfig"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/yaml"

	"ferry/delivery/snapshot"
)

// generate returns the kustomization that Flux writes into the folder of a
// Kustomization before it builds, and the file that it writes.
func generate(v *snapshot.View, k Kustomization) (file string, kus *types.Kustomization, err error) {
	dir := k.Dir()
	if v.Kind(dir) != "folder" {
		return "", nil, fmt.Errorf("the folder %q of %s does not exist", dir, k.Ref)
	}
	kus = &types.Kustomization{TypeMeta: types.TypeMeta{APIVersion: types.KustomizationVersion, Kind: types.KustomizationKind}}
	file = kustomizationFile(v, dir)
	if file == "" {
		file = path.Join(dir, konfig.DefaultKustomizationFileName())
		kus.Resources = manifests(v, dir, "")
		if len(kus.Resources) == 0 {
			kus.Namespace = "_placeholder" // kustomize builds nothing from an empty file
		}
	} else {
		data, err := v.File(file)
		if err != nil {
			return "", nil, fmt.Errorf("read %s: %w", file, err)
		}
		if err := yaml.Unmarshal(data, kus); err != nil {
			return "", nil, fmt.Errorf("read %s: %w", file, err)
		}
		if len(kus.Resources) == 0 {
			kus.BuildMetadata = []string{types.OriginAnnotations}
		}
	}
	if err := layOver(v, dir, k.Spec, kus); err != nil {
		return "", nil, err
	}
	return file, kus, nil
}

// kustomizationFile returns the kustomization file of a folder, or "".
func kustomizationFile(v *snapshot.View, dir string) string {
	for _, name := range konfig.RecognizedKustomizationFileNames() {
		if p := path.Join(dir, name); v.Kind(p) == "file" {
			return p
		}
	}
	return ""
}

// manifests lists what a generated kustomization takes in: every YAML file, and
// every folder that has a kustomization of its own.
func manifests(v *snapshot.View, dir, rel string) []string {
	var out []string
	for _, name := range v.List(path.Join(dir, rel)) {
		p := path.Join(rel, name)
		full := path.Join(dir, p)
		switch {
		case v.Kind(full) == "folder" && kustomizationFile(v, full) != "":
			out = append(out, "./"+p)
		case v.Kind(full) == "folder":
			out = append(out, manifests(v, dir, p)...)
		case strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".yml"):
			out = append(out, "./"+p)
		}
	}
	return out
}

// layOver puts the fields of spec over a kustomization.
func layOver(v *snapshot.View, dir string, spec Spec, kus *types.Kustomization) error {
	if spec.TargetNamespace != "" {
		kus.Namespace = spec.TargetNamespace
	}
	if spec.NamePrefix != "" {
		kus.NamePrefix = spec.NamePrefix
	}
	if spec.NameSuffix != "" {
		kus.NameSuffix = spec.NameSuffix
	}
	for _, p := range spec.Patches {
		kus.Patches = append(kus.Patches, types.Patch{Patch: p.Patch, Target: p.Target})
	}
	for _, c := range spec.Components {
		if remote(c) || strings.HasPrefix(c, "/") {
			return fmt.Errorf("component %q is not a path in the repository", c)
		}
		if spec.IgnoreMissingComponents && v.Kind(path.Join(dir, c)) == "" {
			continue
		}
		kus.Components = append(kus.Components, c)
	}
	for _, p := range spec.PatchesStrategicMerge {
		kus.PatchesStrategicMerge = append(kus.PatchesStrategicMerge, types.PatchStrategicMerge(p)) //nolint:staticcheck // the old API has it
	}
	for _, p := range spec.PatchesJSON6902 {
		kus.PatchesJson6902 = append(kus.PatchesJson6902, types.Patch{Patch: string(p.Patch), Target: p.Target}) //nolint:staticcheck // the old API has it
	}
	for _, i := range spec.Images {
		mergeImage(kus, i)
	}
	if len(spec.BuildMetadata) > 0 {
		kus.BuildMetadata = spec.BuildMetadata
	}
	return nil
}

// mergeImage lays an entry of spec.images over the one of the same name. Tag
// and digest are one choice: either replaces both.
func mergeImage(kus *types.Kustomization, i types.Image) {
	for n := range kus.Images {
		if kus.Images[n].Name != i.Name {
			continue
		}
		if i.NewName != "" {
			kus.Images[n].NewName = i.NewName
		}
		if i.NewTag != "" || i.Digest != "" {
			kus.Images[n].NewTag, kus.Images[n].Digest = i.NewTag, i.Digest
		}
		return
	}
	kus.Images = append(kus.Images, types.Image{Name: i.Name, NewName: i.NewName, NewTag: i.NewTag, Digest: i.Digest})
}

// guarded is a view on which kustomizations do not refer to anything outside of
// the repository, which kustomize would go and fetch: resources and components
// are left out (remote.go), with anything else a kustomization cannot be read.
// It also shows the generated kustomization file, which the view's notes must
// not take for one of the repository.
type guarded struct {
	*snapshot.View
	file string
	data []byte
	// refused is the first refusal: kustomize takes it for a missing file.
	refused error
	// whole and moved are a Rendering's.
	whole, moved bool
	renames      []renaming
	gaps         []gap
	// component is an address that a component is taken from. loose is true if
	// patches need not hit anything; then they are collected.
	component string
	loose     bool
	patches   []loosePatch
}

// ReadFile returns a file's contents.
func (g *guarded) ReadFile(p string) ([]byte, error) {
	data, err := g.read(p)
	if err != nil {
		return data, err
	}
	if bytes.Contains(data, []byte("kustomize.config.k8s.io/")) && !bytes.Contains(data, []byte("kustomize.config.k8s.io/v1")) {
		g.whole = true // annotations that change names
	}
	if !isKustomizationName(path.Base(p)) {
		return data, nil
	}
	data = g.local(p, data)
	if err := g.check(p, data); err != nil {
		if g.refused == nil {
			g.refused = err
		}
		return nil, err
	}
	return data, nil
}

func (g *guarded) read(p string) ([]byte, error) {
	if inner, ok := snapshot.Inner(p); ok && inner == g.file && g.file != "" {
		return g.data, nil
	}
	return g.View.ReadFile(p)
}

// check refuses a kustomization file for what it names.
func (g *guarded) check(p string, data []byte) error {
	dir, _ := snapshot.Inner(path.Dir(p))
	refs := references(data)
	if refs == nil {
		g.whole = true
		return nil
	}
	g.whole, g.moved = g.whole || refs.whole, g.moved || refs.moved
	g.renames = append(g.renames, refs.renames...)
	for _, r := range refs.all() {
		if remote(r) {
			return fmt.Errorf("%s names %q, which is fetched from outside of the repository", strings.TrimPrefix(p, snapshot.Root+"/"), r)
		}
	}
	for _, r := range refs.trees {
		if !strings.ContainsAny(r, "\n") && g.Kind(path.Join(dir, r)) == "" {
			return fmt.Errorf("%s names %q, which is not in the repository", strings.TrimPrefix(p, snapshot.Root+"/"), r)
		}
	}
	return nil
}

func isKustomizationName(name string) bool {
	for _, n := range konfig.RecognizedKustomizationFileNames() {
		if n == name {
			return true
		}
	}
	return false
}

// refs are what a kustomization file names: trees may be folders or files,
// files are files.
type refs struct {
	trees, files []string
	plugins      bool // it names configurations that may name more files
	whole, moved bool // as in Rendering
	renames      []renaming
}

func (r *refs) all() []string { return append(append([]string{}, r.trees...), r.files...) }

// references reads a kustomization file; nil if it cannot be read.
func references(data []byte) *refs {
	var k struct {
		Resources, Bases, Components, Transformers, Generators, Validators []string
		Crds, Configurations                                               []string
		PatchesStrategicMerge                                              []string
		Patches, PatchesJSON6902, Replacements                             []struct{ Path string }
		OpenAPI                                                            struct{ Path string }
		ConfigMapGenerator, SecretGenerator                                []struct {
			Name        string
			Files, Envs []string
			Env         string
		}
		HelmCharts                        []json.RawMessage
		Vars                              []json.RawMessage
		NamePrefix, NameSuffix, Namespace string
	}
	if err := yaml.Unmarshal(data, &k); err != nil {
		return nil
	}
	r := &refs{plugins: len(k.Transformers)+len(k.Generators)+len(k.Validators)+len(k.HelmCharts) > 0}
	r.moved = k.Namespace != ""
	if k.NamePrefix+k.NameSuffix != "" {
		r.renames = append(r.renames, renaming{prefix: k.NamePrefix, suffix: k.NameSuffix})
	}
	r.whole = r.plugins || k.OpenAPI.Path != "" || len(k.Vars)+len(k.Crds)+len(k.Configurations) > 0
	for _, l := range [][]string{k.Resources, k.Bases, k.Components, k.Transformers, k.Generators, k.Validators} {
		r.trees = append(r.trees, l...)
	}
	for _, l := range [][]string{k.Crds, k.Configurations, k.PatchesStrategicMerge} {
		r.files = append(r.files, l...)
	}
	for _, l := range [][]struct{ Path string }{k.Patches, k.PatchesJSON6902, k.Replacements} {
		for _, p := range l {
			r.files = append(r.files, p.Path)
		}
	}
	r.files = append(r.files, k.OpenAPI.Path)
	for _, g := range append(k.ConfigMapGenerator, k.SecretGenerator...) {
		r.renames = append(r.renames, renaming{generated: g.Name})
		for _, f := range g.Files {
			if _, after, ok := strings.Cut(f, "="); ok {
				f = after
			}
			r.files = append(r.files, f)
		}
		r.files = append(append(r.files, g.Envs...), g.Env)
	}
	return r
}

// remote reports whether kustomize would take a reference for an address.
func remote(ref string) bool {
	l := strings.ToLower(ref)
	for _, p := range []string{"http://", "https://", "ssh://", "git://", "oci://", "file://", "git::", "gh:", "git@", "github.com:", "github.com/"} {
		if strings.HasPrefix(l, p) {
			return true
		}
	}
	return !strings.ContainsAny(l, "\n ") && (strings.Contains(l, ".git//") || strings.HasSuffix(l, ".git") || strings.Contains(l, "?ref=") || strings.Contains(l, "?version="))
}
