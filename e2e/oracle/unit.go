package oracle

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"strings"

	flux "github.com/fluxcd/pkg/kustomize"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/api/types"
)

// input is all that a unit's rendering depends on, besides the text of files.
type input struct {
	artifact *Artifact
	dir      string            // within the artifact
	spec     map[string]any    // the Flux Kustomization's
	vars     map[string]string // what substituteFrom gives
	id       *string           // key, once asked for
}

func (in input) key() string {
	if in.id != nil && *in.id != "" {
		return *in.id
	}
	key := in.makeKey()
	if in.id != nil {
		*in.id = key
	}
	return key
}

func (in input) makeKey() string {
	spec, err := json.Marshal([]any{in.artifact.name, in.dir, in.spec, in.vars})
	if err != nil {
		return fmt.Sprintf("%v", in)
	}
	return fmt.Sprintf("%x", sha256.Sum256(spec))
}

// unit is a rendered Flux Kustomization. err says why it has no objects.
type unit struct {
	objects []Object
	read    map[string]bool // files of the tree
	scan    bool            // the folder has no kustomization: all that is in it counts
	err     error
	gone    *remotes
}

// renderer renders units of a tree and remembers them; it is for one goroutine.
type renderer struct {
	tree      Tree
	disk      string // a scratch folder for Flux's generator
	made      int    // folders made in it
	known     map[string]*unit
	scanned   map[string][]byte    // generated kustomizations of folders without one, which no edit of a file changes
	artifacts map[string]*Artifact // by name
	builds    int
}

func newRenderer(tree Tree) (*renderer, error) {
	disk, err := os.MkdirTemp("", "oracle")
	if err != nil {
		return nil, fmt.Errorf("make a scratch folder: %w", err)
	}
	return &renderer{tree: tree, disk: disk, known: map[string]*unit{}, scanned: map[string][]byte{}, artifacts: map[string]*Artifact{}}, nil
}

func (r *renderer) close() { os.RemoveAll(r.disk) }

// render renders a unit as it stands.
func (r *renderer) render(in input) *unit {
	key := in.key()
	if u, ok := r.known[key]; ok {
		return u
	}
	u := r.build(in, nil)
	r.known[key] = u
	return u
}

// renderWith renders a unit with a change. What was rendered with the same change before is in memo.
func (r *renderer) renderWith(in input, change Change, memo map[string]*unit) *unit {
	base := r.render(in)
	if !touches(base, in, change, r.tree) {
		return base
	}
	key := in.key()
	if u, ok := memo[key]; ok {
		return u
	}
	u := r.build(in, change)
	memo[key] = u
	return u
}

// touches says whether the change is of a file that the unit read, or adds one to a folder that it takes whole. Any
// other new file must be named by a file that changes too.
func touches(u *unit, in input, change Change, tree Tree) bool {
	for name := range change {
		if u.read[name] {
			return true
		}
		if _, old := tree[name]; old || !u.scan {
			continue
		}
		if to, ok := in.artifact.place(name); ok && (in.dir == "" || strings.HasPrefix(to, in.dir+"/")) {
			return true
		}
	}
	return false
}

func (r *renderer) build(in input, change Change) *unit {
	r.builds++
	v := newView(r.tree, in.artifact, change)
	u := &unit{read: v.read, gone: v.gone, scan: v.kustomizationIn(in.dir) == ""}
	if !v.isDir(in.dir) {
		u.err = fmt.Errorf("%s: no such folder", in.dir)
		return u
	}
	if u.err = r.generate(v, in); u.err != nil {
		return u
	}
	m, err := run(v, "/"+in.dir)
	if err != nil {
		u.err = err
		return u
	}
	u.objects, u.err = substituted(m, in)
	return u
}

// generate puts the kustomization that Flux would build into the view.
func (r *renderer) generate(v *view, in input) error {
	scan := v.kustomizationIn(in.dir) == ""
	key := in.key()
	if text, ok := r.scanned[key]; ok && scan && len(v.change) > 0 && v.Artifact == in.artifact {
		v.generated[path.Join(in.dir, "kustomization.yaml")] = text
		return nil
	}
	r.made++
	top := filepath.Join(r.disk, fmt.Sprint(r.made))
	disk := filepath.Join(top, filepath.FromSlash(in.dir))
	defer os.RemoveAll(top)
	if err := os.MkdirAll(disk, 0o700); err != nil {
		return err
	}
	if err := v.beneath(in.dir, disk); err != nil {
		return err
	}
	components, _, _ := unstructured.NestedStringSlice(in.spec, "components")
	for _, c := range components {
		if target := clamp(path.Join(in.dir, c)); v.isDir(target) {
			if err := os.MkdirAll(filepath.Join(top, filepath.FromSlash(target)), 0o700); err != nil {
				return err
			}
		}
	}
	g := flux.NewGenerator("", unstructured.Unstructured{Object: map[string]any{"spec": in.spec}})
	text, file, _, err := g.GenerateManifest(disk)
	if err != nil {
		return fmt.Errorf("generate the kustomization of %s: %w", in.dir, err)
	}
	v.generated[path.Join(in.dir, filepath.Base(file))] = text
	if scan && len(v.change) == 0 {
		r.scanned[key] = text
	}
	return nil
}

// run builds a folder of a view. kustomize panics on some input.
func run(v *view, dir string) (m resmap.ResMap, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("build %s: panic: %v", dir, p)
		}
	}()
	k := krusty.MakeKustomizer(&krusty.Options{LoadRestrictions: types.LoadRestrictionsNone, PluginConfig: types.DisabledPluginConfig()})
	if m, err = k.Run(v, dir); err != nil {
		return nil, fmt.Errorf("build %s: %w", dir, err)
	}
	return m, nil
}

// substituted applies spec.postBuild. An object that does not survive it is kept as it was: Flux would stop there, but
// mostly for a variable that only the cluster knows.
func substituted(m resmap.ResMap, in input) ([]Object, error) {
	inline, _, _ := unstructured.NestedStringMap(in.spec, "postBuild", "substitute")
	vars := map[string]any{}
	for k, v := range in.vars {
		vars[k] = v
	}
	for k, v := range inline {
		vars[k] = v
	}
	_, wanted := in.spec["postBuild"]
	strategy, _, _ := unstructured.NestedString(in.spec, "postBuild", "substituteStrategy")
	from, _, _ := unstructured.NestedSlice(in.spec, "postBuild", "substituteFrom")
	always := strategy == "Always" || len(from) > 0 // the cluster may know more than Git does
	ks := unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"postBuild": map[string]any{"substitute": vars}}}}
	var out []Object
	for _, res := range m.Resources() {
		plain, err := res.Map()
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", res.CurId(), err)
		}
		if wanted {
			done, err := flux.SubstituteVariables(context.Background(), nil, ks, res, flux.SubstituteWithDryRun(true), flux.SubstituteWithAlways(always))
			if err == nil && done != nil {
				if m, err := done.Map(); err == nil {
					plain = m
				}
			}
		}
		out = append(out, Object(normal(plain)))
	}
	return out, nil
}

// normal makes values comparable: what YAML and JSON readers give for one text.
func normal(m map[string]any) map[string]any {
	raw, err := json.Marshal(m)
	if err != nil {
		return m
	}
	out := map[string]any{}
	if json.Unmarshal(raw, &out) != nil {
		return m
	}
	return out
}

// variables are what a ConfigMap gives to a substitution.
func variables(into map[string]string, configMap Object) {
	data, _ := configMap["data"].(map[string]any)
	for k, v := range data {
		into[k] = strings.ReplaceAll(text(v), "\n", "")
	}
}

// sameInput says whether two inputs render alike.
func sameInput(a, b input) bool {
	return a.artifact == b.artifact && a.dir == b.dir && maps.Equal(a.vars, b.vars) && len(differences(a.spec, b.spec, "")) == 0
}
