package delivery

import (
	"path"
	"strconv"
	"strings"

	"sigs.k8s.io/kustomize/api/konfig"
	"sigs.k8s.io/yaml"

	"ferry/delivery/yamledit"
	"ferry/internal/deploy"
)

// The order of places for an override.
const (
	inPatch         = 50 // a patch of the object that is there already
	inImages        = 40 // an images: entry of a kustomization
	inNewPatch      = 30 // a new patch in a kustomization
	inKustomization = 20 // the Flux Kustomization
	inParent        = 10 // a patch of the Flux Kustomization
)

// overriding makes the candidates of one file.
type overriding struct {
	s      *scene
	file   string
	y      *yamledit.File
	f      field
	wanted string
	out    []candidate
}

// overrides lists the overrides that a file could hold.
func overrides(s *scene, file string, data []byte, f field, wanted string) []candidate {
	y, err := yamledit.Parse(data)
	if err != nil || y.Encrypted() || f.from != nil {
		return nil
	}
	o := &overriding{s: s, file: file, y: y, f: f, wanted: wanted}
	for doc := range y.Docs() {
		d := describe(y, doc)
		declared := o.s.kustomizationOf(d)
		switch {
		case d.kind == f.object.Kind && strings.Contains(f.object.Name, d.name) && d.name != "":
			o.patch(doc, d)
		case declared != nil && declared.Ref == (deploy.Ref{Kind: "Kustomization", Namespace: f.root.Namespace, Name: f.root.Name}):
			o.fluxKustomization(doc)
		case declared != nil:
			o.ancestor(doc)
		case isKustomizationFile(file) && (d.kind == "" || d.kind == "Kustomization" || d.kind == "Component"):
			o.kustomization(doc)
		}
	}
	return o.out
}

func isKustomizationFile(file string) bool {
	for _, name := range konfig.RecognizedKustomizationFileNames() {
		if path.Base(file) == name {
			return true
		}
	}
	return false
}

func (o *overriding) add(score, doc int, where string, edit func() ([]byte, yamledit.Edit, error)) {
	o.out = append(o.out, candidate{file: o.file, doc: strconv.Itoa(doc), docIndex: doc, path: where, score: score, edit: edit})
}

// value is what the field's scalar is to hold.
func (o *overriding) value() string {
	if o.f.value == o.f.version {
		return o.wanted
	}
	return parseReference(o.f.value).with(o.wanted)
}

// patch puts the version into a document that patches the object, or declares
// it for this cluster.
func (o *overriding) patch(doc int, d document) {
	if o.f.container == "" || podSpec(o.f.object.Kind) == "" {
		if !strings.ContainsAny(o.f.path, "0123456789") || !numbered(o.f.path) {
			o.add(inPatch, doc, o.f.path, func() ([]byte, yamledit.Edit, error) { return o.y.Set(doc, o.f.path, yamledit.Str(o.value())) })
		}
		return
	}
	list := path.Dir(path.Dir(o.f.path))
	for i := 0; ; i++ {
		item := list + "/" + strconv.Itoa(i)
		if _, ok := o.y.Lookup(doc, item); !ok {
			break
		}
		if o.scalar(doc, item+"/name") == o.f.container {
			o.add(inPatch, doc, item+"/image", func() ([]byte, yamledit.Edit, error) {
				return o.y.Set(doc, item+"/image", yamledit.Str(o.value()))
			})
			return
		}
	}
	if !d.own {
		o.add(inPatch, doc, list, func() ([]byte, yamledit.Edit, error) {
			return o.y.Append(doc, list, yamledit.Map(yamledit.Pair{Key: "name", Value: yamledit.Str(o.f.container)}, yamledit.Pair{Key: "image", Value: yamledit.Str(o.value())}))
		})
	}
}

// numbered reports whether a pointer leads through a list.
func numbered(pointer string) bool {
	for step := range strings.SplitSeq(pointer, "/") {
		if _, err := strconv.Atoi(step); err == nil {
			return true
		}
	}
	return false
}

func (o *overriding) scalar(doc int, pointer string) string {
	for _, s := range o.y.Scalars() {
		if s.Doc == doc && s.Path == pointer {
			return s.Value
		}
	}
	return ""
}

// kustomization puts it into a kustomization: as an image's tag, or as a patch.
func (o *overriding) kustomization(doc int) {
	for _, s := range o.y.Scalars() {
		if s.Doc == doc && strings.HasPrefix(s.Path, "/patches/") && s.Multiline() {
			o.inlinePatch(doc, s)
		}
	}
	o.images(inImages, doc, "/images")
	if text := o.patchText(); text != "" {
		o.add(inNewPatch, doc, "/patches", func() ([]byte, yamledit.Edit, error) {
			return o.y.Append(doc, "/patches", yamledit.Map(yamledit.Pair{Key: "patch", Value: yamledit.Literal(text)}))
		})
		// Where the namespace is set after patches, a patch must not name it.
		o.add(inNewPatch-1, doc, "/patches", func() ([]byte, yamledit.Edit, error) { return o.y.Append(doc, "/patches", o.targeted(text)) })
	}
	o.parent(doc)
}

// inlinePatch puts it into a patch that stands in the kustomization itself.
func (o *overriding) inlinePatch(doc int, s yamledit.Scalar) {
	sub, err := o.y.Inside(s)
	if err != nil {
		return
	}
	for i := range sub.Docs() {
		d := describe(sub, i)
		if d.kind == o.f.object.Kind && d.name != "" && strings.Contains(o.f.object.Name, d.name) && !numbered(o.f.path) {
			o.add(inPatch, doc, s.Path, func() ([]byte, yamledit.Edit, error) {
				return o.y.SetInside(s, sub, i, o.f.path, yamledit.Str(o.value()))
			})
		}
	}
}

// images puts it into a list of images. Only what a kustomization itself sees
// as an image can be changed there.
func (o *overriding) images(score, doc int, list string) {
	if podSpec(o.f.object.Kind) == "" || o.f.repository == "" {
		return
	}
	key := "newTag"
	if isDigest(o.wanted) {
		key = "digest"
	}
	for i := 0; ; i++ {
		item := list + "/" + strconv.Itoa(i)
		if _, ok := o.y.Lookup(doc, item); !ok {
			break
		}
		if o.scalar(doc, item+"/name") == o.f.repository {
			o.add(score, doc, item, func() ([]byte, yamledit.Edit, error) { return o.y.Set(doc, item+"/"+key, yamledit.Str(o.wanted)) })
			return
		}
	}
	o.add(score, doc, list, func() ([]byte, yamledit.Edit, error) {
		return o.y.Append(doc, list, yamledit.Map(yamledit.Pair{Key: "name", Value: yamledit.Str(o.f.repository)}, yamledit.Pair{Key: key, Value: yamledit.Str(o.wanted)}))
	})
}

// fluxKustomization puts it into the Flux Kustomization that renders the object.
func (o *overriding) fluxKustomization(doc int) {
	o.images(inKustomization+1, doc, "/spec/images")
	text := o.patchText()
	if text == "" {
		return
	}
	o.add(inKustomization, doc, "/spec/patches", func() ([]byte, yamledit.Edit, error) {
		return o.y.Append(doc, "/spec/patches", o.targeted(text))
	})
	// A name that is a variable is not known yet when patches are applied.
	o.add(inKustomization-1, doc, "/spec/patches", func() ([]byte, yamledit.Edit, error) {
		return o.y.Append(doc, "/spec/patches", yamledit.Map(
			yamledit.Pair{Key: "patch", Value: yamledit.Literal(text)},
			yamledit.Pair{Key: "target", Value: yamledit.Map(yamledit.Pair{Key: "kind", Value: yamledit.Str(o.f.object.Kind)})},
		))
	})
}

// targeted is a patch of the object by its kind and name.
func (o *overriding) targeted(text string) yamledit.Node {
	return yamledit.Map(
		yamledit.Pair{Key: "patch", Value: yamledit.Literal(text)},
		yamledit.Pair{Key: "target", Value: yamledit.Map(
			yamledit.Pair{Key: "kind", Value: yamledit.Str(o.f.object.Kind)},
			yamledit.Pair{Key: "name", Value: yamledit.Str(o.f.object.Name)},
		)},
	)
}

// parent patches the Flux Kustomization where the cluster takes that from files
// of others.
func (o *overriding) parent(doc int) {
	if op := o.patchOfPatches(); op != "" {
		o.add(inParent, doc, "/patches", func() ([]byte, yamledit.Edit, error) { return o.y.Append(doc, "/patches", o.onKustomization(op)) })
	}
}

// ancestor has a Flux Kustomization that applies others patch the one which
// renders the object: what it patches itself comes first.
func (o *overriding) ancestor(doc int) {
	if op := o.patchOfPatches(); op != "" {
		o.add(inParent+1, doc, "/spec/patches", func() ([]byte, yamledit.Edit, error) {
			return o.y.Append(doc, "/spec/patches", o.onKustomization(op))
		})
	}
}

func (o *overriding) onKustomization(op string) yamledit.Node {
	return yamledit.Map(
		yamledit.Pair{Key: "patch", Value: yamledit.Literal(op)},
		yamledit.Pair{Key: "target", Value: yamledit.Map(
			yamledit.Pair{Key: "kind", Value: yamledit.Str("Kustomization")},
			yamledit.Pair{Key: "name", Value: yamledit.Str(o.f.root.Name)},
		)},
	)
}

// patchOfPatches is a JSON patch that adds the override to a Flux Kustomization.
func (o *overriding) patchOfPatches() string {
	root := o.s.world.Find(o.s.change.Target.Cluster, o.f.root)
	if root == nil {
		return ""
	}
	field, there := "patches", len(root.Spec.Patches) > 0
	value := map[string]any{"target": map[string]any{"kind": o.f.object.Kind, "name": o.f.object.Name}, "patch": o.patchText()}
	if podSpec(o.f.object.Kind) != "" && o.f.repository != "" && !isDigest(o.wanted) {
		field, there = "images", len(root.Spec.Images) > 0
		value = map[string]any{"name": o.f.repository, "newTag": o.wanted}
	} else if o.patchText() == "" {
		return ""
	}
	op := map[string]any{"op": "add", "path": "/spec/" + field, "value": []any{value}}
	if there {
		op["path"], op["value"] = "/spec/"+field+"/-", value
	}
	text, err := yaml.Marshal([]any{op})
	if err != nil {
		return ""
	}
	return string(text)
}

// patchText is a strategic merge patch that sets the field; "" where none can.
func (o *overriding) patchText() string {
	object := o.s.world.Lookup(o.s.change.Target.Cluster, o.f.group, o.f.object)
	if object.Object == nil {
		return ""
	}
	patch := map[string]any{
		"apiVersion": text(at(object.Data(), "/apiVersion")), "kind": o.f.object.Kind,
		"metadata": map[string]any{"name": o.f.object.Name, "namespace": o.f.object.Namespace},
	}
	if o.f.object.Namespace == "" {
		delete(patch["metadata"].(map[string]any), "namespace")
	}
	steps := strings.Split(strings.TrimPrefix(o.f.path, "/"), "/")
	var value any = o.value()
	if podSpec(o.f.object.Kind) != "" {
		steps = steps[:len(steps)-2] // containers/0/image
		value = []any{map[string]any{"name": o.f.container, "image": o.value()}}
	} else if numbered(o.f.path) {
		return "" // a list in values is replaced by a patch, not merged
	}
	for i := len(steps) - 1; i > 0; i-- {
		value = map[string]any{strings.NewReplacer("~1", "/", "~0", "~").Replace(steps[i]): value}
	}
	patch[steps[0]] = value
	out, err := yaml.Marshal(patch)
	if err != nil {
		return ""
	}
	return string(out)
}

// describe tells what a document of a file is.
func describe(y *yamledit.File, doc int) document {
	var d document
	for _, s := range y.Scalars() {
		if s.Doc != doc {
			continue
		}
		switch s.Path {
		case "/kind":
			d.kind = s.Value
		case "/apiVersion":
			d.group, _, _ = strings.Cut(s.Value, "/")
		case "/metadata/name":
			d.name = s.Value
		case "/metadata/namespace":
			d.namespace = s.Value
		case "/spec/chart/spec/chart", "/spec/chartRef/name", "/spec/schedule", "/spec/serviceName", "/spec/url", "/spec/chart":
			d.own = true
		}
		if strings.HasPrefix(s.Path, "/spec/selector/") {
			d.own = true
		}
	}
	return d
}
