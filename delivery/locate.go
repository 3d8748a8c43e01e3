package delivery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"ferry/delivery/flux"
	"ferry/delivery/snapshot"
	"ferry/delivery/yamledit"
	"ferry/internal/deploy"
	"ferry/internal/fault"
)

// scene is one commit as the clusters see it, and the target in it.
type scene struct {
	change   deploy.Change
	files    flux.Files
	declared []deploy.Declared
	world    *flux.World
	root     *flux.Root   // the Kustomization that renders the target
	object   *flux.Object // the target's object
}

// site is a scalar that moves a field.
type site struct {
	file string
	edit yamledit.Edit
	data []byte // the file after the edit
	// value is the whole scalar that is rendered then.
	value string
}

// maxProbes is how many candidates are tried before ferry gives up.
const maxProbes = 80

// locate finds the scalar that moves a field to a version. The likely ones are
// tried first, and before all the one that did it last time: which is found
// depends on the rendering alone.
func (d *Delivery) locate(ctx context.Context, s *scene, f field, wanted string) (site, error) {
	all, err := d.collect(ctx, s, f, wanted)
	if err != nil {
		return site{}, err
	}
	var near string
	var shape error
	for i, c := range all {
		if i >= maxProbes {
			return site{}, fault.Newf(fault.Refused, "`%s` stands in too many places to find the one of %s", f.version, s.change.Target.App.Name).
				WithHelp("change it by hand once, to a version of its own")
		}
		at := site{file: c.file}
		if at.data, at.edit, err = c.edit(); err != nil {
			shape = errors.Join(shape, fmt.Errorf("%s: %w", c.file, err))
			continue
		}
		if at.value, err = d.probe(ctx, s, f, at); err != nil {
			return site{}, err
		}
		if versionOf(f, at.value) == wanted {
			d.remember(s, f, c)
			return at, nil
		}
		if at.value != f.value && at.value != "" {
			near = fmt.Sprintf("%s:%d would make it `%s`", c.file, at.edit.Line, at.value)
		}
	}
	return site{}, s.notFound(f, near, shape)
}

// collect lists the candidates of all files, the likely ones first.
func (d *Delivery) collect(ctx context.Context, s *scene, f field, wanted string) ([]candidate, error) {
	var all []candidate
	last := d.remembered(s, f)
	for _, file := range s.candidates() {
		before, err := s.read(ctx, file)
		if err != nil {
			return nil, err
		}
		if !strings.Contains(string(before), searchable(f.version)) {
			continue
		}
		for _, c := range candidatesIn(file, before, f, wanted) {
			if c.name() == last {
				c.score += 100
			}
			all = append(all, c)
		}
	}
	slices.SortStableFunc(all, func(a, b candidate) int { return b.score - a.score })
	return all, nil
}

// searchable is the part of a version that must stand in a file as it is.
func searchable(version string) string {
	tag, digest := splitVersion(version)
	if tag == "" {
		return digest
	}
	if strings.Trim(tag, "0123456789.") == "" && strings.Count(tag, ".") <= 1 { // may be a number, written differently
		return tag[:1]
	}
	return tag
}

// candidates are the files that decide on the target: what its Kustomization
// reads, and what those read that declare the Kustomization.
func (s *scene) candidates() []string {
	var out []string
	seen := map[string]bool{}
	roots, done := []*flux.Root{s.root}, map[*flux.Root]bool{}
	for len(roots) > 0 {
		root := roots[0]
		roots = roots[1:]
		if done[root] || root.Rendering == nil {
			continue
		}
		done[root] = true
		files := root.Rendering.Notes.ReadFiles()
		slices.Sort(files)
		for _, f := range files {
			if !seen[f] {
				seen[f] = true
				out = append(out, f)
			}
		}
		roots = append(roots, s.parents(root)...)
	}
	return out
}

// parents are the roots that render a Kustomization.
func (s *scene) parents(k *flux.Root) []*flux.Root {
	var out []*flux.Root
	for _, r := range s.world.Roots {
		if r.Cluster != k.Cluster || r.Rendering == nil {
			continue
		}
		for _, o := range r.Rendering.Objects {
			if o.Group == flux.Group && o.Ref == k.Ref {
				out = append(out, r)
				break
			}
		}
	}
	return out
}

func (s *scene) read(ctx context.Context, file string) ([]byte, error) {
	e, ok := s.files.Tree.Entry(file)
	if !ok {
		return nil, fmt.Errorf("read %s: it is not in the tree", file)
	}
	data, err := s.files.Blobs.Get(ctx, e.SHA)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	return data, nil
}

// candidate is a scalar that may be the one.
type candidate struct {
	file, doc, path string
	score           int
	edit            func() ([]byte, yamledit.Edit, error)
}

func (c candidate) name() string { return c.file + " " + c.doc + " " + c.path }

// candidatesIn lists the scalars of a file that may hold the version.
func candidatesIn(file string, before []byte, f field, wanted string) []candidate {
	y, err := yamledit.Parse(before)
	if err != nil || encrypted(y) {
		return nil
	}
	var out []candidate
	add := func(s yamledit.Scalar, inner string, score int, edit func() ([]byte, yamledit.Edit, error)) {
		out = append(out, candidate{file, strconv.Itoa(s.Doc), s.Path + inner, score, edit})
	}
	for _, s := range y.Scalars() {
		if value, ok := swap(s.Value, f, wanted); ok {
			add(s, "", likely(y, s, f), func() ([]byte, yamledit.Edit, error) { return y.Replace(s, value) })
			continue
		}
		if !strings.Contains(s.Value, searchable(f.version)) || !holdsYAML(s.Value) {
			continue
		}
		inside, err := y.Inside(s)
		if err != nil {
			continue
		}
		for _, inner := range inside.Scalars() {
			if value, ok := swap(inner.Value, f, wanted); ok {
				add(s, "\x00"+inner.Path, likely(y, s, f)+likely(inside, inner, f), func() ([]byte, yamledit.Edit, error) {
					return y.ReplaceInside(s, inside, inner, value)
				})
			}
		}
	}
	return out
}

// likely scores a candidate by what stands near it. It orders the probes and
// decides nothing.
func likely(y *yamledit.File, s yamledit.Scalar, f field) int {
	score := 0
	if strings.HasSuffix(f.path, "/"+s.Key) || s.Key == "newTag" {
		score++
	}
	if f.repository != "" && parseReference(s.Value).repository == f.repository {
		score += 4
	}
	folder := s.Path[:strings.LastIndexByte(s.Path, '/')+1]
	for _, o := range y.Scalars() {
		switch {
		case o.Doc != s.Doc:
		case o.Path == "/metadata/name" && o.Value == f.object.Name:
			score += 3
		case strings.HasPrefix(o.Path, folder) && (o.Value == f.object.Name || (f.repository != "" && path.Base(o.Value) == path.Base(f.repository))):
			score += 2
		}
	}
	return score
}

// encrypted reports whether a file is SOPS's: an edit would break its seal.
func encrypted(y *yamledit.File) bool {
	return slices.ContainsFunc(y.Scalars(), func(s yamledit.Scalar) bool { return s.Path == "/sops/mac" })
}

func holdsYAML(s string) bool {
	t := strings.TrimSpace(s)
	return strings.Contains(t, "\n") || strings.HasPrefix(t, "[") || strings.HasPrefix(t, "{")
}

// swap returns a scalar's value with the wanted version in place of the present
// one; ok is false if it does not hold that.
func swap(value string, f field, wanted string) (string, bool) {
	trimmed := strings.TrimRight(value, "\n")
	tail := value[len(trimmed):]
	if trimmed == f.version || sameNumber(trimmed, f.version) {
		return wanted + tail, true
	}
	if f.kind == deploy.FieldChart {
		return "", false
	}
	if ref := parseReference(trimmed); ref.version() == f.version && ref.repository != "" {
		return ref.with(wanted) + tail, true
	}
	return "", false
}

// sameNumber reports whether one text is the other as a number, which is how an
// unquoted 1.10 is rendered.
func sameNumber(source, rendered string) bool {
	if !strings.Contains(source, ".") || !strings.HasSuffix(source, "0") {
		return false
	}
	return strings.Count(source, ".") == 1 && strings.Trim(source, "0123456789.") == "" &&
		strings.TrimSuffix(strings.TrimRight(source, "0"), ".") == rendered
}

// probe renders the target's cluster with a candidate, and returns what the
// field shows then.
func (d *Delivery) probe(ctx context.Context, s *scene, f field, c site) (string, error) {
	files := s.files
	files.Overlay = map[string][]byte{c.file: c.data}
	var own []deploy.Declared
	for _, decl := range s.declared {
		if decl.Cluster == s.change.Target.Cluster {
			own = append(own, decl)
		}
	}
	world, err := d.flux.World(ctx, files, d.ours, own)
	if err != nil {
		return "", err
	}
	return valueIn(world, s.change.Target.Cluster, s.root.Ref, f.object, f.path), nil
}

// valueIn reads a scalar of an object that a Kustomization renders; "" if it is
// not there.
func valueIn(w *flux.World, c deploy.Cluster, kustomization, object deploy.Ref, pointer string) string {
	root := w.Find(c, kustomization)
	if root == nil || root.Rendering == nil || root.Rendering.Err != nil {
		return ""
	}
	for _, o := range root.Rendering.Objects {
		if o.Ref == object {
			return text(at(o.Data, pointer))
		}
	}
	return ""
}

// versionOf reads the version from the value of a field.
func versionOf(f field, value string) string {
	if f.value == f.version {
		return value
	}
	return parseReference(value).version()
}

// notFound says why no scalar moves a field.
func (s *scene) notFound(f field, near string, shape error) error {
	app := s.change.Target.App.Name
	if name := flux.DependsOnUnknown(f.value); name != "" {
		return fault.Newf(fault.Refused, "the version of %s comes from the variable %s, which ferry cannot read: %s", app, name, s.root.Unknown).
			WithHelp("change the variable by hand, or let ferry read what the Kustomization substitutes from")
	}
	if near != "" {
		return fault.Newf(fault.Refused, "ferry found where the version of %s stands, but Flux would read it differently: %s", app, near).
			WithHelp("quotes are lost in Flux's substitution; change it by hand").Because(shape)
	}
	if shape != nil {
		return fault.Newf(fault.Refused, "the version of %s is written in a way that ferry cannot change safely", app).
			WithHelp("write it on one line in Git first").Because(shape)
	}
	help := "change it by hand where it stands"
	if s.root.Spec.PostBuild != nil && len(s.root.Spec.PostBuild.SubstituteFrom) > 0 {
		help = "it may come from a variable of a ConfigMap or Secret: change it there by hand"
	}
	return fault.Newf(fault.Refused, "`%s`, the version of %s, does not stand in any file that ferry could change", f.version, app).WithHelp("%s", help)
}

// editable refuses files that a commit would not leave as they are.
func (s *scene) editable(file string) error {
	if e, _ := s.files.Tree.Entry(file); e.Mode == snapshot.ModeExecutable {
		return fault.Newf(fault.Refused, "`%s` is executable, and GitHub's API would take that from it", file).WithHelp("make it a plain file first")
	}
	return nil
}

// pretty is an object as people read it.
func pretty(o *flux.Object) string {
	if o == nil {
		return ""
	}
	data, err := json.Marshal(o.Data)
	if err != nil {
		return ""
	}
	return yamlOf(data)
}

// hint names a field of a target whose place was found.
type hint struct {
	target deploy.Target
	path   string
}

const keepHints = 4096

func (d *Delivery) remember(s *scene, f field, c candidate) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.hints) >= keepHints {
		d.hints = map[hint]string{}
	}
	d.hints[hint{s.change.Target, f.path}] = c.name()
}

func (d *Delivery) remembered(s *scene, f field) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.hints[hint{s.change.Target, f.path}]
}
