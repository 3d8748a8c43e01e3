package delivery

import (
	"context"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"ferry/delivery/yamledit"
)

// reach is how much goes together with a version that is taken away. The widest
// cut that moves nothing is what a person would do.
type reach int

const (
	wholeFiles   reach = iota // a patch that holds nothing else, its reference, its file
	wholeEntries              // list items that hold nothing else but their name
	keysAlone                 // the keys, and parents that are empty then
)

// cutting takes scalars out of files.
type cutting struct {
	*scene
	field field
	reach reach
	// gone are the pointers to go, by file and document; of a scalar that holds
	// YAML itself, those within it stand behind a zero byte.
	gone map[string]map[int][]string
	out  []site
	left []string // what stays that a person would tidy up, in sentences
}

// cuts plans the edits that take scalars away, the later ones of a file first.
// Their data are the file after all of its edits so far; nil for no file.
func (e *engine) cuts(ctx context.Context, s *scene, f field, pins []site, r reach) ([]site, []string, error) {
	c := &cutting{scene: s, field: f, reach: r, gone: map[string]map[int][]string{}}
	for _, at := range pins {
		c.add(at.file, at.docIndex, at.path)
	}
	// What patches hold nothing else is known before the files that name them.
	for _, named := range []bool{false, true} {
		for _, file := range slices.Sorted(maps.Keys(c.gone)) {
			if isKustomizationFile(file) == named {
				if err := c.cutFile(ctx, file); err != nil {
					return nil, nil, err
				}
			}
		}
	}
	return c.out, c.left, nil
}

func (c *cutting) add(file string, doc int, pointer string) {
	if c.gone[file] == nil {
		c.gone[file] = map[int][]string{}
	}
	if !slices.Contains(c.gone[file][doc], pointer) {
		c.gone[file][doc] = append(c.gone[file][doc], pointer)
	}
}

// cutFile takes its pointers out of one file.
func (c *cutting) cutFile(ctx context.Context, file string) error {
	before, err := read(ctx, c.world.Files(), file)
	if err != nil {
		return err
	}
	y, err := yamledit.Parse(before)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	docs := decodeAll(before)
	var all []removal
	empty := 0
	for doc := range y.Docs() {
		list, bare := c.removals(y, docs, doc, c.gone[file][doc])
		all = append(all, list...)
		if bare && !isKustomizationFile(file) {
			empty++
		}
	}
	if empty > 0 && empty == y.Docs() && c.reach == wholeFiles {
		if refs, err := c.references(ctx, file); err != nil || len(refs) > 0 {
			for _, ref := range refs {
				c.add(ref.file, ref.docIndex, ref.path)
			}
			c.out = append(c.out, site{candidate: candidate{file: file}, before: string(before), line: 1, column: 1})
			return err
		}
	}
	if empty > 0 {
		c.leave(file)
	}
	return c.remove(file, before, all)
}

func (c *cutting) leave(file string) {
	text := fmt.Sprintf("A patch stays in `%s` that does nothing any more: take it away by hand.", file)
	if !slices.Contains(c.left, text) {
		c.left = append(c.left, text)
	}
}

// removal is an entry to go, of a document or of the text of one of its scalars.
type removal struct {
	doc          int
	outer, inner string // inner is empty for an entry of the document itself
}

// removals lists the entries of a document to go, in no order. bare means that but
// for its name nothing would stay.
func (c *cutting) removals(y *yamledit.File, docs []any, doc int, pointers []string) (out []removal, bare bool) {
	mine := map[string]bool{}
	within := map[string]map[string]bool{}
	for _, p := range pointers {
		outer, inner, in := strings.Cut(p, "\x00")
		if !in {
			mine[outer] = true
			continue
		}
		if within[outer] == nil {
			within[outer] = map[string]bool{}
		}
		within[outer][inner] = true
	}
	for outer, inner := range within {
		units := slices.Sorted(maps.Keys(inner))
		if texts := decodeAll([]byte(scalarAt(y, doc, outer).Value)); len(texts) == 1 && c.reach != keysAlone {
			var all bool
			if units, all = unitsOf(texts[0], inner); all {
				mine[outer] = true
				continue
			}
		}
		for _, u := range units {
			out = append(out, removal{doc, outer, u})
		}
	}
	units := slices.Sorted(maps.Keys(mine))
	if doc < len(docs) && len(mine) > 0 {
		var wide []string
		if wide, bare = unitsOf(docs[doc], mine); c.reach != keysAlone {
			units = wide
		}
	}
	for _, u := range units {
		out = append(out, removal{doc, u, ""})
	}
	return out, bare
}

// remove makes the edits of a file, from its end on, so that what is to go next
// stands where it stood.
func (c *cutting) remove(file string, data []byte, all []removal) error {
	first, err := yamledit.Parse(data)
	if err != nil {
		return err
	}
	slices.SortFunc(all, func(a, b removal) int { return slices.Compare(b.order(first), a.order(first)) })
	for _, r := range all {
		y, err := yamledit.Parse(data)
		if err != nil {
			return err
		}
		var edit yamledit.Edit
		if r.inner == "" {
			data, edit, err = y.Remove(r.doc, r.outer, "")
		} else {
			outer := scalarAt(y, r.doc, r.outer)
			sub, perr := y.Inside(outer)
			switch {
			case perr != nil:
				return fmt.Errorf("%s: %w", file, perr)
			case sub.Docs() != 1:
				return fmt.Errorf("%s:%d: %w: the text has several documents", file, outer.Line, yamledit.ErrShape)
			}
			data, edit, err = y.RemoveInside(outer, sub, 0, r.inner, "")
		}
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		c.out = append(c.out, site{
			candidate: candidate{file: file, docIndex: r.doc, path: r.outer}, before: edit.Before, after: edit.After,
			line: edit.Line, column: edit.Column, data: data,
		})
	}
	return nil
}

// order says where an entry stands in a file.
func (r removal) order(y *yamledit.File) []int {
	first := func(y *yamledit.File, doc int, pointer string) int {
		return slices.IndexFunc(y.Scalars(), func(s yamledit.Scalar) bool {
			return s.Doc == doc && (s.Path == pointer || strings.HasPrefix(s.Path, pointer+"/"))
		})
	}
	out := []int{first(y, r.doc, r.outer)}
	if r.inner != "" {
		if sub, err := y.Inside(scalarAt(y, r.doc, r.outer)); err == nil {
			out = append(out, first(sub, 0, r.inner))
		}
	}
	return out
}

// patchFile matches where a kustomization names a patch's file.
var patchFile = regexp.MustCompile(`^/(patches/[0-9]+/path|patchesJson6902/[0-9]+/path|patchesStrategicMerge/[0-9]+)$`)

// references are the scalars that name a file as a patch, in the kustomizations
// that decide on the field.
func (c *cutting) references(ctx context.Context, file string) ([]candidate, error) {
	var out []candidate
	for _, k := range c.candidates(c.field) {
		if !isKustomizationFile(k) {
			continue
		}
		data, err := read(ctx, c.world.Files(), k)
		if err != nil {
			return nil, err
		}
		y, err := yamledit.Parse(data)
		if err != nil {
			continue // it names nothing then
		}
		for _, s := range y.Scalars() {
			if patchFile.MatchString(s.Path) && path.Join(path.Dir(k), s.Value) == file {
				out = append(out, candidate{file: k, docIndex: s.Doc, path: s.Path})
			}
		}
	}
	return out, nil
}

func scalarAt(y *yamledit.File, doc int, pointer string) yamledit.Scalar {
	for _, s := range y.Scalars() {
		if s.Doc == doc && s.Path == pointer {
			return s
		}
	}
	return yamledit.Scalar{}
}

// decodeAll reads the documents of a text as data; as many as can be read.
func decodeAll(data []byte) []any {
	dec := yaml.NewDecoder(strings.NewReader(string(data)))
	var out []any
	for {
		var doc any
		if dec.Decode(&doc) != nil {
			return out
		}
		out = append(out, doc)
	}
}

// unitsOf widens scalars that go, as far as nothing else is lost but what names
// them. all means that this is the whole document.
func unitsOf(doc any, mine map[string]bool) (units []string, all bool) {
	if !contentOfRoot(doc, mine) {
		all = true
	}
	seen := map[string]bool{}
	for p := range mine {
		for parent := path.Dir(p); parent != "/" && parent != "." && !content(doc, parent, mine); parent = path.Dir(parent) {
			p = parent
		}
		seen[p] = true
	}
	for p := range seen {
		if !slices.ContainsFunc(slices.Collect(maps.Keys(seen)), func(o string) bool { return strings.HasPrefix(p, o+"/") }) {
			units = append(units, p)
		}
	}
	slices.Sort(units)
	return units, all
}

// contentOfRoot is content for a document: what names an object is none.
func contentOfRoot(doc any, mine map[string]bool) bool {
	m, ok := doc.(map[string]any)
	if !ok {
		return content(doc, "", mine)
	}
	meta, _ := m["metadata"].(map[string]any)
	if text(m["kind"]) == "" || text(meta["name"]) == "" {
		return true
	}
	for k := range meta {
		if k != "name" && k != "namespace" {
			return true
		}
	}
	for k := range m {
		if k != "apiVersion" && k != "kind" && k != "metadata" && content(doc, "/"+yamledit.EscapePointer(k), mine) {
			return true
		}
	}
	return false
}

// content reports whether anything stands at a pointer but scalars that go, and
// what names the items of lists in which they stand.
func content(doc any, pointer string, mine map[string]bool) bool {
	if mine[pointer] {
		return false
	}
	node := doc
	if pointer != "" {
		node = at(doc, pointer)
	}
	switch n := node.(type) {
	case map[string]any:
		_, err := strconv.Atoi(path.Base(pointer))
		item := err == nil || strings.HasSuffix(pointer, "/value")
		for k := range n {
			if below := pointer + "/" + yamledit.EscapePointer(k); !(item && namesItem(k) && !mine[below]) && content(doc, below, mine) {
				return true
			}
		}
		return len(n) == 0
	case []any:
		for i := range n {
			item := pointer + "/" + strconv.Itoa(i)
			if !holds(item, mine) || content(doc, item, mine) {
				return true
			}
		}
		return len(n) == 0
	}
	return true
}

// holds reports whether anything goes at a pointer or below it.
func holds(pointer string, mine map[string]bool) bool {
	for p := range mine {
		if p == pointer || strings.HasPrefix(p, pointer+"/") {
			return true
		}
	}
	return false
}

// namesItem reports whether a key says which item of a list is meant, or what is
// done there, and nothing more: of containers and images, of patches, of the
// operations of a JSON patch.
func namesItem(key string) bool {
	return slices.Contains([]string{"name", "target", "path", "options", "op"}, key)
}
