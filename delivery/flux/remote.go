package flux

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	yamlv3 "gopkg.in/yaml.v3"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/api/types"
	kyaml "sigs.k8s.io/yaml"

	"ferry/delivery/snapshot"
)

// What a kustomization takes from an address cannot be changed by an edit in this
// repository: it is left out of the build, before an edit and after, and noted
// as a gap. Two things in the repository need what is left out, and are not
// certain without it: objects that a component from elsewhere may change, and
// patches of objects that come from elsewhere. Both are rendered and marked, so
// that what moves them is seen and nobody changes their versions.

// gap is an address that is left out, and the file that names it.
type gap struct{ file, address string }

func (g gap) String() string { return fmt.Sprintf("%s, which `%s` names", g.address, g.file) }

// Gaps say what a rendering leaves out because it stands outside of the
// repository.
func (r *Rendering) Gaps() []string {
	var out []string
	for _, g := range r.gaps {
		if s := g.String(); !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// takesFrom are the lists of a kustomization from which an address is left out.
var takesFrom = [...]string{"resources", "bases", "components"}

// withoutRemote leaves out what a kustomization takes from addresses, and says
// what that is. component is the first address of a component.
func withoutRemote(data []byte) (out []byte, addresses []string, component string) {
	if !bytes.ContainsAny(data, ":?") {
		return data, nil, ""
	}
	var k map[string]any
	if kyaml.Unmarshal(data, &k) != nil {
		return data, nil, ""
	}
	for _, list := range takesFrom {
		entries, _ := k[list].([]any)
		kept := slices.DeleteFunc(slices.Clone(entries), func(e any) bool {
			s, _ := e.(string)
			if s == "" || !remote(s) {
				return false
			}
			addresses = append(addresses, s)
			if list == "components" && component == "" {
				component = s
			}
			return true
		})
		if len(kept) == 0 {
			delete(k, list)
		} else {
			k[list] = kept
		}
	}
	if len(addresses) == 0 {
		return data, nil, ""
	}
	if empty(k) {
		k["namespace"] = "_placeholder" // kustomize builds nothing from an empty file
	}
	out, err := kyaml.Marshal(k)
	if err != nil {
		return data, nil, "" // it was read: it can be written
	}
	return out, addresses, component
}

func empty(k map[string]any) bool {
	for key := range k {
		if key != "apiVersion" && key != "kind" && key != "metadata" {
			return false
		}
	}
	return true
}

// local leaves out of a kustomization file what is not in the repository.
func (g *guarded) local(p string, data []byte) []byte {
	out, addresses, component := withoutRemote(data)
	file := strings.TrimPrefix(p, snapshot.Root+"/")
	for _, a := range addresses {
		g.gaps = append(g.gaps, gap{file, a})
	}
	if component != "" && g.component == "" {
		g.component = component
	}
	if g.loose {
		dir, _ := snapshot.Inner(path.Dir(p))
		out = g.loosen(dir, out)
	}
	return out
}

// again builds once more where a gap may be why a build fails: patches may then
// miss what they are for.
func (b *builder) again(fs *guarded, dir string, err error) (*guarded, resmap.ResMap, error) {
	if len(fs.gaps) == 0 || fs.refused != nil {
		return fs, nil, err
	}
	loose := &guarded{View: fs.View, file: fs.file, data: fs.data, loose: true}
	res, lerr := b.run(loose, dir)
	if lerr != nil {
		return fs, nil, err
	}
	return loose, res, nil
}

// loosePatch is a patch that need not hit anything.
type loosePatch struct {
	kind, name string
	data       []byte // as JSON
}

// loosen gives every patch a target, as `kustomize edit fix` does: one that hits
// nothing is then no error.
func (g *guarded) loosen(dir string, data []byte) []byte {
	var k types.Kustomization
	if kyaml.Unmarshal(data, &k) != nil {
		return data
	}
	var patches []types.Patch
	for _, p := range k.PatchesStrategicMerge { //nolint:staticcheck // the old fields are in use
		patches = append(patches, g.targeted(dir, types.Patch{Patch: string(p)})...)
	}
	for _, p := range k.Patches {
		patches = append(patches, g.targeted(dir, p)...)
	}
	k.Patches, k.PatchesStrategicMerge = append(patches, k.PatchesJson6902...), nil //nolint:staticcheck // the old fields are in use
	k.PatchesJson6902 = nil                                                         //nolint:staticcheck // the old fields are in use
	out, err := kyaml.Marshal(k)
	if err != nil {
		return data
	}
	return out
}

// targeted splits a patch into its documents, each with what it is for as its
// target. One that is not such a patch stays as it is.
func (g *guarded) targeted(dir string, p types.Patch) []types.Patch {
	if p.Target != nil {
		return []types.Patch{p}
	}
	text := []byte(p.Patch)
	if file := path.Join(dir, p.Path+p.Patch); !strings.Contains(p.Patch, "\n") && g.Kind(file) == "file" {
		data, err := g.File(file)
		if err != nil {
			return []types.Patch{p}
		}
		text = data
	}
	var out []types.Patch
	for dec := yamlv3.NewDecoder(bytes.NewReader(text)); ; {
		var doc map[string]any
		err := dec.Decode(&doc)
		if errors.Is(err, io.EOF) {
			return out
		}
		raw, merr := kyaml.Marshal(doc)
		kind, _ := doc["kind"].(string)
		meta, _ := doc["metadata"].(map[string]any)
		name, _ := meta["name"].(string)
		if err != nil || merr != nil || kind == "" || name == "" {
			return []types.Patch{p}
		}
		target := &types.Selector{}
		target.Kind, target.Name = kind, name
		target.Namespace, _ = meta["namespace"].(string)
		out = append(out, types.Patch{Patch: string(raw), Target: target, Options: p.Options})
		if data, err := json.Marshal(doc); err == nil && doc["$patch"] == nil {
			g.patches = append(g.patches, loosePatch{kind, name, data})
		}
	}
}

// missed are the patches that hit nothing that was rendered, as the parts of
// objects that they are.
func (g *guarded) missed(objects []*Object, k Kustomization) ([]*Object, error) {
	var out []*Object
	for _, p := range g.patches {
		if slices.ContainsFunc(objects, func(o *Object) bool { return o.Ref.Kind == p.kind && strings.Contains(o.Ref.Name, p.name) }) {
			continue
		}
		data := p.data
		if k.Spec.PostBuild != nil {
			var err error
			if data, err = substitute(data, k); err != nil {
				return nil, fmt.Errorf("patch of %s %s: %w", p.kind, p.name, err)
			}
		}
		o, err := newObject(data)
		if err != nil {
			continue // nothing with a name
		}
		o.Gap = "it comes from outside of the repository (" + g.gaps[0].String() + "): only a patch of it is here"
		out = append(out, o)
	}
	return out, nil
}

// mark marks objects that a component from elsewhere may change.
func (g *guarded) mark(objects []*Object) {
	for _, o := range objects {
		if g.component != "" && o.Gap == "" {
			o.Gap = "a component from outside of the repository may change it: " + g.component
		}
	}
}
