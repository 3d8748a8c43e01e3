package flux

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"regexp"
	"strings"
	"sync"

	"github.com/fluxcd/pkg/envsubst"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/api/resource"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/openapi"
	"sigs.k8s.io/yaml"

	"ferry/delivery/snapshot"
	"ferry/internal/deploy"
)

// Object is one rendered object.
type Object struct {
	Group string
	Ref   deploy.Ref
	Data  map[string]any // numbers are json.Number
	Sum   string         // equal for equal objects
}

// ID tells objects of one cluster apart.
func (o *Object) ID() string { return o.Group + " " + o.Ref.String() }

// Rendering is what one Kustomization renders to, or why it does not. It is not
// changed once it exists.
type Rendering struct {
	Objects []*Object
	Err     error
	Notes   snapshot.Notes
}

// Files are a tree with some files replaced.
type Files struct {
	Tree    *snapshot.Tree
	Blobs   *snapshot.Blobs
	Overlay map[string][]byte
}

// Renderer renders, and keeps what it rendered. It is safe for concurrent use;
// builds happen one after the other, because kustomize's schema is one for the
// process: there should be one Renderer in it.
type Renderer struct {
	build sync.Mutex

	mu     sync.Mutex
	kept   map[string][]*kept
	hidden map[string]snapshot.Hidden // of the tree hiddenOf
	of     *snapshot.Tree
	builds int
}

// kept is a rendering with the tree on which its notes are known to hold.
type kept struct {
	*Rendering
	on *snapshot.Tree
}

// Bounds of what is kept: renderings of one key, and keys.
const (
	keepPerKey = 4
	keepKeys   = 4096
)

// NewRenderer returns an empty Renderer.
func NewRenderer() *Renderer {
	return &Renderer{kept: map[string][]*kept{}, hidden: map[string]snapshot.Hidden{}}
}

// Builds returns how many builds there were until now.
func (r *Renderer) Builds() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.builds
}

// Render renders one Kustomization. The error is of reading the repository; what
// the manifests themselves are to blame for is in the Rendering.
func (r *Renderer) Render(ctx context.Context, f Files, k Kustomization) (*Rendering, error) {
	hidden, err := r.hiddenIn(ctx, f, k.Ignore)
	if err != nil {
		return nil, err
	}
	key := k.key(hidden.Key)
	v := snapshot.NewView(ctx, f.Tree, f.Blobs, hidden, f.Overlay)
	if found := r.lookup(key, f, v); found != nil {
		return found, nil
	}
	v = snapshot.NewView(ctx, f.Tree, f.Blobs, hidden, f.Overlay)
	out := &Rendering{}
	out.Objects, out.Err = r.render(v, k)
	if err := v.Err(); err != nil {
		return nil, err
	}
	out.Notes = v.Notes()
	r.keep(key, f, out)
	return out, nil
}

// hiddenIn reads a tree's ignore rules once per tree.
func (r *Renderer) hiddenIn(ctx context.Context, f Files, ignore string) (snapshot.Hidden, error) {
	r.mu.Lock()
	h, ok := r.hidden[ignore]
	same := r.of == f.Tree
	r.mu.Unlock()
	if ok && same {
		return h, nil
	}
	h, err := snapshot.HiddenIn(ctx, f.Tree, f.Blobs, ignore)
	if err != nil {
		return h, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.of != f.Tree {
		r.of, r.hidden = f.Tree, map[string]snapshot.Hidden{}
	}
	r.hidden[ignore] = h
	return h, nil
}

// lookup finds a rendering whose notes hold on the files.
func (r *Renderer) lookup(key string, f Files, v *snapshot.View) *Rendering {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, list := range [][]*kept{r.kept[key], r.kept[key+tried]} {
		for _, k := range list {
			if k.on == f.Tree && !touchesAny(k.Notes, f.Overlay) {
				return k.Rendering
			}
			if v.Holds(k.Notes) {
				if len(f.Overlay) == 0 {
					k.on = f.Tree
				}
				return k.Rendering
			}
		}
	}
	return nil
}

func touchesAny(n snapshot.Notes, overlay map[string][]byte) bool {
	for file := range overlay {
		if n.Touches(file) {
			return true
		}
	}
	return false
}

// tried marks the key of renderings with an edit in them, which must not push
// out those of what Git holds.
const tried = "\x00tried"

func (r *Renderer) keep(key string, f Files, out *Rendering) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := &kept{Rendering: out}
	if touchesAny(out.Notes, f.Overlay) {
		key += tried
	} else {
		k.on = f.Tree
	}
	if _, known := r.kept[key]; !known && len(r.kept) >= keepKeys {
		for old := range r.kept { // any: what is still needed is rendered again
			delete(r.kept, old)
			break
		}
	}
	list := append([]*kept{k}, r.kept[key]...)
	r.kept[key] = list[:min(len(list), keepPerKey)]
}

// render does the work of kustomize-controller.
func (r *Renderer) render(v *snapshot.View, k Kustomization) (objects []*Object, err error) {
	file, data, err := generate(v, k)
	if err != nil {
		return nil, err
	}
	fs := &guarded{View: v, file: file, data: data}
	res, err := r.run(fs, path.Join(snapshot.Root, k.Dir()))
	if fs.refused != nil {
		return nil, fs.refused
	}
	if err != nil {
		return nil, err
	}
	for _, one := range res.Resources() {
		o, err := finish(one, k)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", one.GetKind(), one.GetName(), err)
		}
		objects = append(objects, o)
	}
	return objects, nil
}

// run builds with kustomize, which panics on some invalid input.
func (r *Renderer) run(fs *guarded, dir string) (res resmap.ResMap, err error) {
	r.build.Lock()
	defer r.build.Unlock()
	r.mu.Lock()
	r.builds++
	r.mu.Unlock()
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("kustomize panicked: %v", p)
		}
		if openapi.GetSchemaVersion() == "using custom schema from file provided" {
			openapi.ResetOpenAPI() // a build with a schema of its own must not colour the next
		}
	}()
	return krusty.MakeKustomizer(&krusty.Options{
		LoadRestrictions: types.LoadRestrictionsNone,
		PluginConfig:     types.DisabledPluginConfig(),
	}).Run(fs, dir)
}

// finish substitutes variables in an object and adds the common metadata.
func finish(res *resource.Resource, k Kustomization) (*Object, error) {
	data, err := res.MarshalJSON()
	if err != nil {
		return nil, fmt.Errorf("write as JSON: %w", err)
	}
	const optOut = Group + "/substitute"
	disabled := res.GetLabels()[optOut] == "disabled" || res.GetAnnotations()[optOut] == "disabled"
	if !disabled && k.Spec.PostBuild != nil {
		if data, err = substitute(data, k); err != nil {
			return nil, err
		}
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	m := map[string]any{}
	if err := dec.Decode(&m); err != nil {
		return nil, fmt.Errorf("read rendered object: %w", err)
	}
	addMetadata(m, "labels", k.Spec.CommonMetadata.Labels)
	addMetadata(m, "annotations", k.Spec.CommonMetadata.Annotations)
	return newObject(m)
}

func addMetadata(m map[string]any, field string, add map[string]string) {
	meta, ok := m["metadata"].(map[string]any)
	if !ok || len(add) == 0 {
		return
	}
	have, ok := meta[field].(map[string]any)
	if !ok {
		have = map[string]any{}
		meta[field] = have
	}
	for k, v := range add {
		have[k] = v
	}
}

func newObject(m map[string]any) (*Object, error) {
	data, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("write as JSON: %w", err)
	}
	var head object
	if err := json.Unmarshal(data, &head); err != nil {
		return nil, fmt.Errorf("read rendered object: %w", err)
	}
	if head.Kind == "" || head.Metadata.Name == "" {
		return nil, errors.New("the object has no kind or no name")
	}
	group, _, ok := strings.Cut(head.APIVersion, "/")
	if !ok {
		group = ""
	}
	sum := sha256.Sum256(data)
	return &Object{
		Group: group, Data: m, Sum: hex.EncodeToString(sum[:]),
		Ref: deploy.Ref{Kind: head.Kind, Namespace: head.Metadata.Namespace, Name: head.Metadata.Name},
	}, nil
}

// unknownMark starts what stands for the value of a variable that is not known.
const unknownMark = "__ferry_unknown_"

// DependsOnUnknown names a variable without a known value in a text, or "".
func DependsOnUnknown(text string) string {
	_, after, ok := strings.Cut(text, unknownMark)
	if !ok {
		return ""
	}
	name, _, _ := strings.Cut(after, "__")
	return name
}

// substitute replaces variables in the text of an object, as Flux does: on its
// YAML, so that what the source had in quotes may read as something else.
func substitute(data []byte, k Kustomization) ([]byte, error) {
	vars := map[string]string{}
	for name, value := range k.Vars {
		vars[name] = strings.ReplaceAll(value, "\n", "")
	}
	inline := maps.Clone(k.Spec.PostBuild.Substitute)
	for name, value := range inline {
		vars[name] = strings.ReplaceAll(value, "\n", "")
	}
	if len(vars) == 0 && k.Unknown == "" && k.Spec.PostBuild.Strategy != "Always" {
		return data, nil
	}
	valid := regexp.MustCompile(`^[_[:alpha:]][_[:alpha:][:digit:]]*$`)
	for name := range vars {
		if !valid.MatchString(name) {
			return nil, fmt.Errorf("the variable name %q is not valid", name)
		}
	}
	text, err := yaml.JSONToYAML(data)
	if err != nil {
		return nil, fmt.Errorf("write as YAML: %w", err)
	}
	out, err := envsubst.Eval(string(text), func(name string) (string, bool) {
		value, ok := vars[name]
		if !ok && k.Unknown != "" {
			return unknownMark + name + "__", true
		}
		return value, true
	})
	if err != nil {
		return nil, fmt.Errorf("substitute variables: %w", err)
	}
	if data, err = yaml.YAMLToJSON([]byte(out)); err != nil {
		return nil, fmt.Errorf("read after substitution: %w", err)
	}
	return data, nil
}
