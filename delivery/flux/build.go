package flux

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path"
	"reflect"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/openapi"
	"sigs.k8s.io/yaml"

	"ferry/delivery/snapshot"
)

// builder builds one Kustomization.
//
// A folder that is nothing but a list of others is built entry by entry, and
// the entries' renderings are kept on their own: an edit then costs the entry
// that it touches, not the list. That is the same as building the list at once
// as long as no entry refers to names that another one changes; where that is
// not certain the list is built whole.
type builder struct {
	*Renderer
	ctx    context.Context //nolint:containedctx // lives as long as one build
	files  Files
	hidden snapshot.Hidden
	k      Kustomization
	key    string
	at     *standing // names the files
	// changes are how the files differ from others of the same tree.
	changes map[*standing][]snapshot.Change
}

func (b *builder) view() *snapshot.View {
	return snapshot.NewView(b.ctx, b.files.Tree, b.files.Blobs, b.hidden, b.files.Overlay)
}

// once returns what is kept under a key, or makes it. What make could not read all of,
// by its own view or by that of a part, is not kept: it would stand for good.
func (b *builder) once(key string, make func(v *snapshot.View, out *Rendering) error) (*Rendering, error) {
	if found := b.lookup(key, b.view()); found != nil {
		return found, nil
	}
	v, out := b.view(), &Rendering{}
	if err := errors.Join(make(v, out), v.Err()); err != nil {
		return nil, err
	}
	out.notes = v.Notes()
	b.keep(key, v, out)
	return out, nil
}

// root builds the Kustomization.
func (b *builder) root() (*Rendering, error) {
	return b.once(b.key, func(v *snapshot.View, out *Rendering) error {
		file, kus, err := generate(v, b.k)
		if err != nil {
			out.Err = err
			return nil //nolint:nilerr // what is wrong with the files is kept with them
		}
		dir := b.k.Dir()
		if l := listOf(kus); l != nil {
			if whole, err := b.compose(v, dir, l, out); err != nil || !whole {
				return err
			}
		}
		data, err := yaml.Marshal(kus)
		if err != nil {
			out.Err = fmt.Errorf("write kustomization of %s: %w", b.k.Ref, err)
			return nil
		}
		b.whole(&guarded{View: v, file: file, data: data}, dir, out)
		return nil
	})
}

// aList is a kustomization that does nothing but list others, and perhaps
// change each object for itself.
type aList struct {
	entries []string
	// each is what is laid over every entry; nil if nothing is.
	each *types.Kustomization
}

// listOf returns a kustomization as a list; nil if it is none.
func listOf(kus *types.Kustomization) *aList {
	if len(kus.Resources) < 2 {
		return nil
	}
	rest := *kus
	rest.TypeMeta, rest.MetaData, rest.Resources, rest.BuildMetadata = types.TypeMeta{}, nil, nil, nil
	if reflect.DeepEqual(rest, types.Kustomization{}) {
		return &aList{entries: kus.Resources}
	}
	for _, p := range rest.Patches {
		if p.Target == nil || p.Options != nil { // it must hit something: which entry has it is not known
			return nil
		}
	}
	rest.Patches, rest.Images, rest.Namespace = nil, nil, ""
	rest.Labels, rest.CommonLabels, rest.CommonAnnotations = nil, nil, nil //nolint:staticcheck // the old fields are in use
	if !reflect.DeepEqual(rest, types.Kustomization{}) {
		return nil
	}
	each := *kus
	return &aList{entries: kus.Resources, each: &each}
}

// compose builds a list entry by entry. whole is true if it has to be built at
// once.
func (b *builder) compose(v *snapshot.View, dir string, l *aList, out *Rendering) (whole bool, err error) {
	if b.atOnce {
		return true, nil
	}
	seen := map[ID]bool{}
	parts := make([]*Rendering, 0, len(l.entries))
	for _, entry := range l.entries {
		if remote(entry) {
			out.gaps = append(out.gaps, gap{kustomizationFile(v, dir), entry})
			continue
		}
		p := strings.TrimPrefix(path.Join("/", dir, entry), "/")
		kind := v.Kind(p)
		if path.IsAbs(entry) || kind == "" || inside(dir, p) {
			return true, nil
		}
		part, err := b.entry(p, kind, dir, entry, l)
		if err != nil {
			return false, err
		}
		if part.Err != nil || part.whole {
			return true, nil //nolint:nilerr // built at once, it says what is wrong with the list
		}
		for _, o := range part.Objects {
			if seen[o.ID()] {
				return true, nil
			}
			seen[o.ID()] = true
		}
		parts = append(parts, part)
	}
	if entangled(parts) {
		return true, nil
	}
	for _, part := range parts {
		out.Objects = append(out.Objects, part.Objects...)
		out.gaps = append(out.gaps, part.gaps...)
		out.moved = out.moved || part.moved
		out.renamed = append(out.renamed, part.renamed...)
	}
	out.parts = parts
	return false, nil
}

// inside reports whether a folder is p or below it: a list that names what it
// stands in.
func inside(dir, p string) bool {
	return dir == p || p == "" || strings.HasPrefix(dir, p+"/")
}

// entry builds one entry of a list, and what the list lays over it.
func (b *builder) entry(p, kind, dir, entry string, l *aList) (*Rendering, error) {
	if l.each == nil {
		return b.part(p, kind)
	}
	one := *l.each
	one.Resources = []string{entry}
	data, err := yaml.Marshal(one)
	if err != nil {
		return nil, fmt.Errorf("write kustomization of %s: %w", b.k.Ref, err)
	}
	return b.once(b.key+"\x00entry\x00"+dir+"\x00"+string(data), func(v *snapshot.View, out *Rendering) error {
		fs := &guarded{View: v, file: kustomizationFile(v, dir), data: data}
		if fs.file == "" {
			fs.file = path.Join(dir, "kustomization.yaml")
		}
		b.whole(fs, dir, out)
		return nil
	})
}

// part builds one entry of a list: a folder or a file.
func (b *builder) part(p, kind string) (*Rendering, error) {
	return b.once(b.key+"\x00part\x00"+p, func(v *snapshot.View, out *Rendering) error {
		fs, dir := &guarded{View: v}, p
		if kind == "file" {
			dir = parent(p)
			fs.file, fs.data = kustomizationFile(v, dir), []byte("resources: ["+quoted(path.Base(p))+"]\n")
			if fs.file == "" {
				fs.file = path.Join(dir, "kustomization.yaml")
			}
		} else if l := b.list(v, dir); l != nil {
			if whole, err := b.compose(v, dir, l, out); err != nil || !whole {
				return err
			}
		}
		b.whole(fs, dir, out)
		return nil
	})
}

// list reads a folder's own kustomization; nil if it is no mere list.
func (b *builder) list(v *snapshot.View, dir string) *aList {
	file := kustomizationFile(v, dir)
	if file == "" {
		return nil
	}
	data, err := v.File(file)
	if err != nil {
		return nil
	}
	var kus types.Kustomization
	if err := yaml.UnmarshalStrict(data, &kus); err != nil || kus.Kind == types.ComponentKind {
		return nil
	}
	return listOf(&kus)
}

func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

func parent(p string) string {
	if i := strings.LastIndexByte(p, '/'); i >= 0 {
		return p[:i]
	}
	return ""
}

// entangled reports whether an object of one entry may refer to an object that
// another entry put into a namespace, or gave another name.
func entangled(parts []*Rendering) bool {
	accounts := map[string]*Rendering{} // by what a reference names
	for _, p := range parts {
		if p.moved {
			for _, o := range p.Objects {
				if o.Ref.Kind == "ServiceAccount" || o.Ref.Kind == "Service" {
					accounts[o.Ref.Name] = p
				}
			}
		}
		if slices.ContainsFunc(p.renamed, func(n oldName) bool { return p.namedElsewhere(n, parts) }) {
			return true
		}
	}
	if len(accounts) == 0 {
		return false
	}
	for _, p := range parts {
		for _, o := range p.Objects {
			if refersAcross(o.Ref.Kind) && mentions(o, func(name string) bool { return accounts[name] != nil && accounts[name] != p }) {
				return true
			}
		}
	}
	return false
}

// oldName is what an object was called before it was renamed.
type oldName struct{ namespace, name string }

// namedElsewhere reports whether an object of another part may refer to one that
// was renamed here: it mentions the old name, in the same namespace.
func (r *Rendering) namedElsewhere(old oldName, parts []*Rendering) bool {
	quoted := []byte(`"` + old.name + `"`)
	for _, other := range parts {
		if other == r {
			continue
		}
		for _, o := range other.Objects {
			near := o.Ref.Namespace == "" || old.namespace == "" || old.namespace == o.Ref.Namespace
			if near && bytes.Contains(o.JSON, quoted) {
				return true
			}
		}
	}
	return false
}

// oldNames lists what objects may have been called, going by what the
// kustomizations say that were read.
func oldNames(objects []*Object, by []renaming) []oldName {
	var out []oldName
	for _, o := range objects {
		names := []string{o.Ref.Name}
		for range 2 { // a name may be changed on two levels
			for _, n := range names {
				for _, r := range by {
					if old, ok := r.undo(o, n); ok && !slices.Contains(names, old) {
						names = append(names, old)
					}
				}
			}
		}
		for _, n := range names[1:] {
			out = append(out, oldName{o.Ref.Namespace, n})
		}
	}
	return out
}

// renaming is how a kustomization changes names.
type renaming struct {
	prefix, suffix string
	generated      string // the name of one ConfigMap or Secret that gets a hash
}

func (r renaming) undo(o *Object, name string) (old string, ok bool) {
	if r.generated != "" {
		return r.generated, isValues(o) && strings.Contains(name, r.generated)
	}
	old = strings.TrimSuffix(strings.TrimPrefix(name, r.prefix), r.suffix)
	return old, old != name
}

// refersAcross reports whether objects of a kind name others with a namespace
// that kustomize keeps up to date.
func refersAcross(kind string) bool {
	return slices.Contains([]string{
		"RoleBinding", "ClusterRoleBinding", "ValidatingWebhookConfiguration", "MutatingWebhookConfiguration", "APIService", "CustomResourceDefinition",
	}, kind)
}

// mentions reports whether a string of an object passes a test.
func mentions(o *Object, test func(string) bool) bool {
	var walk func(any) bool
	walk = func(node any) bool {
		switch n := node.(type) {
		case string:
			return test(n)
		case []any:
			return slices.ContainsFunc(n, walk)
		case map[string]any:
			for _, v := range n {
				if walk(v) {
					return true
				}
			}
		}
		return false
	}
	return walk(o.Data())
}

// whole builds a folder at once.
func (b *builder) whole(fs *guarded, dir string, out *Rendering) {
	res, err := b.run(fs, path.Join(snapshot.Root, dir))
	if err != nil {
		fs, res, err = b.again(fs, path.Join(snapshot.Root, dir), err)
	}
	out.gaps = fs.gaps
	out.whole, out.moved = fs.whole, fs.moved
	switch {
	case fs.refused != nil:
		out.Err = fs.refused
		return
	case err != nil:
		out.Err = err
		return
	}
	for _, one := range res.Resources() {
		o, err := finish(one, b.k)
		if err != nil {
			out.Objects, out.Err = nil, fmt.Errorf("%s %s: %w", one.GetKind(), one.GetName(), err)
			return
		}
		out.Objects = append(out.Objects, o)
		if o.Group == resourceSetGroup && o.Ref.Kind == "ResourceSet" {
			if made, err := expand(o); err == nil { // else what it makes is not known, as before
				out.Objects = append(out.Objects, made...)
			}
		}
	}
	missed, err := fs.missed(out.Objects, b.k)
	if err != nil {
		out.Objects, out.Err = nil, err
		return
	}
	out.Objects = append(out.Objects, missed...)
	fs.mark(out.Objects)
	out.renamed = oldNames(out.Objects, fs.renames)
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
