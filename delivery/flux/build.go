package flux

import (
	"context"
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
}

func (b *builder) view() *snapshot.View {
	return snapshot.NewView(b.ctx, b.files.Tree, b.files.Blobs, b.hidden, b.files.Overlay)
}

// once returns what is kept under a key, or makes it.
func (b *builder) once(key string, make func(v *snapshot.View, out *Rendering)) (*Rendering, error) {
	if found := b.lookup(key, b.files, b.view()); found != nil {
		return found, nil
	}
	v, out := b.view(), &Rendering{}
	make(v, out)
	if err := v.Err(); err != nil {
		return nil, err
	}
	out.notes = v.Notes()
	b.keep(key, b.files, out)
	return out, nil
}

// root builds the Kustomization.
func (b *builder) root() (*Rendering, error) {
	var failed error
	out, err := b.once(b.key, func(v *snapshot.View, out *Rendering) {
		file, kus, err := generate(v, b.k)
		if err != nil {
			out.Err = err
			return
		}
		dir := b.k.Dir()
		if entries := list(kus); entries != nil {
			var whole bool
			if whole, failed = b.compose(v, dir, entries, out); failed != nil || !whole {
				return
			}
		}
		data, err := yaml.Marshal(kus)
		if err != nil {
			out.Err = fmt.Errorf("write kustomization of %s: %w", b.k.Ref, err)
			return
		}
		b.whole(&guarded{View: v, file: file, data: data}, dir, out)
	})
	if failed != nil {
		return nil, failed
	}
	return out, err
}

// list returns the resources of a kustomization that is only a list of them.
func list(kus *types.Kustomization) []string {
	rest := *kus
	rest.TypeMeta, rest.MetaData, rest.Resources, rest.BuildMetadata = types.TypeMeta{}, nil, nil, nil
	if len(kus.Resources) < 2 || !reflect.DeepEqual(rest, types.Kustomization{}) {
		return nil
	}
	return kus.Resources
}

// compose builds a list entry by entry. whole is true if it has to be built at
// once.
func (b *builder) compose(v *snapshot.View, dir string, entries []string, out *Rendering) (whole bool, err error) {
	if b.atOnce {
		return true, nil
	}
	seen := map[ID]bool{}
	parts := make([]*Rendering, 0, len(entries))
	for _, entry := range entries {
		p := strings.TrimPrefix(path.Join("/", dir, entry), "/")
		kind := v.Kind(p)
		if remote(entry) || path.IsAbs(entry) || kind == "" || inside(dir, p) {
			return true, nil
		}
		part, err := b.part(p, kind)
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
		out.moved = out.moved || part.moved
	}
	out.parts = parts
	return false, nil
}

// inside reports whether a folder is p or below it: a list that names what it
// stands in.
func inside(dir, p string) bool {
	return dir == p || p == "" || strings.HasPrefix(dir, p+"/")
}

// part builds one entry of a list: a folder or a file.
func (b *builder) part(p, kind string) (*Rendering, error) {
	var failed error
	out, err := b.once(b.key+"\x00part\x00"+p, func(v *snapshot.View, out *Rendering) {
		fs, dir := &guarded{View: v}, p
		if kind == "file" {
			dir = parent(p)
			fs.file, fs.data = kustomizationFile(v, dir), []byte("resources: ["+quoted(path.Base(p))+"]\n")
			if fs.file == "" {
				fs.file = path.Join(dir, "kustomization.yaml")
			}
		} else if entries := b.entries(v, dir); entries != nil {
			var whole bool
			if whole, failed = b.compose(v, dir, entries, out); failed != nil || !whole {
				return
			}
		}
		b.whole(fs, dir, out)
	})
	if failed != nil {
		return nil, failed
	}
	return out, err
}

// entries reads a folder's own kustomization; nil if it is no mere list.
func (b *builder) entries(v *snapshot.View, dir string) []string {
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
	return list(&kus)
}

func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

func parent(p string) string {
	if i := strings.LastIndexByte(p, '/'); i >= 0 {
		return p[:i]
	}
	return ""
}

// entangled reports whether an object of one entry may refer to an object that
// another entry put into a namespace.
func entangled(parts []*Rendering) bool {
	accounts := map[string]*Rendering{} // by what a reference names
	for _, p := range parts {
		if !p.moved {
			continue
		}
		for _, o := range p.Objects {
			if o.Ref.Kind == "ServiceAccount" || o.Ref.Kind == "Service" {
				accounts[o.Ref.Name] = p
			}
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
	}
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
