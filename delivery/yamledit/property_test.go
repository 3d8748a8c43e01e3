package yamledit_test

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"ferry/delivery/yamledit"
)

// edits is how many random edits each of the four tests here makes: FERRY_EDITS,
// or few enough for every day.
func edits(t *testing.T) int {
	t.Parallel()
	n, err := strconv.Atoi(os.Getenv("FERRY_EDITS"))
	if err != nil {
		return 500
	}
	t.Logf("%d edits", n)
	return n
}

// atRandom runs a test for many seeds. FERRY_SEED runs the one that failed.
func atRandom(t *testing.T, n int, run func(t fataler, g *shapes)) {
	t.Helper()
	first := uint64(1)
	if seed, err := strconv.ParseUint(os.Getenv("FERRY_SEED"), 10, 64); err == nil {
		first, n = seed, 1
	}
	for seed := first; seed < first+uint64(n); seed++ {
		run(named{t, seed}, newShapes(seed))
	}
}

// named tells the seed of what failed.
type named struct {
	*testing.T
	seed uint64
}

func (n named) Fatalf(format string, args ...any) {
	n.T.Helper()
	n.T.Fatalf("FERRY_SEED=%d: "+format, append([]any{n.seed}, args...)...)
}

// draw returns a file and its text; every one that is drawn is YAML.
func (g *shapes) draw(t fataler) ([]byte, *yamledit.File) {
	t.Helper()
	src := g.file()
	f, err := yamledit.Parse(src)
	if err != nil {
		t.Fatalf("%v in %q", err, src)
	}
	return src, f
}

var versions = []string{
	"6.5.4", "v2", "1.10", "1e10", "e10", "0123", "42", "2024-01-02", "on", "No", "~", "null", "0x1F", "0o17", "1_000", "1:30", ".5", "5.", "+1",
	"r.dev:5000/app:2.0", "sha256:cd", "17.0.0-rc.1", "v2@sha256:ef", "v1,v2", "${TAG:=v2}", ">=1.0.0", "*", "!x", "&x", "=", "%x", "@x", "a:", "{x}", "[x]",
}

// TestReplaceAtRandom is the first promise of the package: whatever the file,
// the bytes outside of the token stay, and exactly one value reads differently.
func TestReplaceAtRandom(t *testing.T) {
	inner := 0
	atRandom(t, edits(t), func(t fataler, g *shapes) {
		src, f := g.draw(t)
		if len(f.Scalars()) == 0 {
			return
		}
		s := pick(g.r, f.Scalars()...)
		value := pick(g.r, versions...)
		tail := s.Value[len(strings.TrimRight(s.Value, "\n")):]
		if s.Multiline() && strings.Contains(strings.TrimRight(s.Value, "\n"), "\n") {
			if replaceInside(t, g, src, f, s) {
				inner++
			}
			return
		}
		out, e, err := f.Replace(s, value+tail)
		if err != nil {
			t.Fatalf("replace %s by %q in %q: %v", s.Path, value, src, err)
		}
		checkSplice(t, string(src), string(out), e)
		judgeReplaced(t, src, out, s.Doc, s.Path, value+tail)
	})
	if inner == 0 && os.Getenv("FERRY_SEED") == "" {
		t.Error("no value within a text was replaced")
	}
}

// replaceInside replaces a value within the text of a scalar, judged as two
// files: the one outside, of which the text differs, and the one inside.
func replaceInside(t fataler, g *shapes, src []byte, f *yamledit.File, outer yamledit.Scalar) bool {
	t.Helper()
	sub, err := f.Inside(outer)
	if err != nil || len(sub.Scalars()) == 0 {
		return false // a script
	}
	inner := pick(g.r, sub.Scalars()...)
	tail := inner.Value[len(strings.TrimRight(inner.Value, "\n")):]
	value := pick(g.r, versions...) + tail
	if strings.Contains(strings.TrimRight(inner.Value, "\n"), "\n") {
		return false
	}
	out, e, err := f.ReplaceInside(outer, sub, inner, value)
	if errors.Is(err, yamledit.ErrShape) && strings.Contains(fromUTF16(string(src)), ">-") {
		return false // a folded block
	}
	if err != nil {
		t.Fatalf("replace %s in %s by %q in %q: %v", inner.Path, outer.Path, value, src, err)
	}
	checkSplice(t, string(src), string(out), e)
	text := leaves(t, out)[fmt.Sprint(outer.Doc, outer.Path)]
	text = text[strings.Index(text, " ")+1:]
	judgeReplaced(t, src, out, outer.Doc, outer.Path, text)
	judgeReplaced(t, []byte(outer.Value), []byte(text), inner.Doc, inner.Path, value)
	return true
}

// fresh draws a node to put in, and what it must read as.
func (g *shapes) fresh(depth int, inBraces bool) (yamledit.Node, any) {
	switch k := g.r.IntN(8); {
	case k == 0 && depth > 0:
		a, va := g.fresh(depth-1, inBraces)
		b, vb := g.fresh(depth-1, inBraces)
		return yamledit.Map(yamledit.Pair{Key: "name", Value: a}, yamledit.Pair{Key: "on: x", Value: b}), map[string]any{"name": va, "on: x": vb}
	case k == 1 && depth > 0:
		a, va := g.fresh(depth-1, inBraces)
		b, vb := g.fresh(depth-1, inBraces)
		return yamledit.List(a, b), []any{va, vb}
	case k == 2 && !inBraces:
		text := pick(g.r, "- op: add\n  path: /x", "a: 1\n\nb: 2\n", "one\n", " one", "x\n\n\n")
		return yamledit.Literal(text), text
	case k == 3:
		return pick(g.r, yamledit.Map(), yamledit.Map()), map[string]any{}
	case k == 4:
		return yamledit.Bool(true), true
	}
	text := pick(g.r, append(versions, "it's", `say "x"`, `c:\x`, "é 😀", " x ", "two\nlines", "tab\there", "", "# x", "x # y", "nel\u0085", "- x", "? x", "|", ">")...)
	return yamledit.Str(text), text
}

// TestInsertAtRandom is the second promise: all bytes stay in their order, and
// the data are the old ones with the new value at its place. What was put in can
// be taken out again, and the file is the old one.
func TestInsertAtRandom(t *testing.T) {
	made := map[string]int{}
	atRandom(t, edits(t), func(t fataler, g *shapes) {
		src, f := g.draw(t)
		places := spots(t, src)
		s := pick(g.r, places...)
		for range 2 {
			if s.node.Kind == yaml.ScalarNode { // there are many of them
				s = pick(g.r, places...)
			}
		}
		value, data := g.fresh(2, s.inBraces)
		null := s.node.Kind == yaml.ScalarNode && s.node.ShortTag() == "!!null"
		switch {
		case s.node.Kind == yaml.MappingNode, null && g.r.IntN(2) == 0:
			keys := pick(g.r, []string{"new"}, []string{"spec~x", "image", "tag"}, []string{"q: #", "/"})
			insertAt(t, g, src, s, keys, value, data, made)
		case s.node.Kind == yaml.SequenceNode, null:
			insertAt(t, g, src, s, nil, value, data, made)
		default:
			out, e, err := f.AddDocument(value)
			if err != nil {
				t.Fatalf("add a document to %q: %v", src, err)
			}
			checkSplice(t, string(src), string(out), e)
			judgeKept(t, fromUTF16(string(src)), fromUTF16(string(out)))
			judgeData(t, src, out, func(docs []any) []any { return append(docs, data) })
			made["document"]++
		}
	})
	t.Log(made)
	for _, kind := range []string{"set", "append", "document", "refused", "taken back"} {
		if made[kind] == 0 && os.Getenv("FERRY_SEED") == "" {
			t.Errorf("not one %s", kind)
		}
	}
}

// insertAt sets a key below a map, or appends to a list if there are no keys.
func insertAt(t fataler, _ *shapes, src []byte, s spot, keys []string, value yamledit.Node, data any, made map[string]int) {
	t.Helper()
	f, err := yamledit.Parse(src)
	if err != nil {
		t.Fatalf("%v", err)
	}
	pointer, kind := s.path, "append"
	var out []byte
	var e yamledit.Edit
	if keys == nil {
		out, e, err = f.Append(s.doc, pointer, value)
	} else {
		kind = "set"
		for _, k := range keys {
			pointer += "/" + yamledit.EscapePointer(k)
		}
		out, e, err = f.Set(s.doc, pointer, value)
	}
	if err != nil {
		root := len(s.parents) == 0 && s.node.Kind == yaml.ScalarNode
		bare := s.node.Kind == yaml.ScalarNode && (s.inBraces || len(s.parents) > 0 && s.parents[len(s.parents)-1].Kind == yaml.SequenceNode)
		if errors.Is(err, yamledit.ErrShape) && (s.refuses || root || bare) {
			made["refused"]++
			return
		}
		t.Fatalf("%s %s in %q: %v", kind, pointer, src, err)
	}
	made[kind]++
	checkSplice(t, string(src), string(out), e)
	taken := e.Before
	for _, empty := range []string{"{}", "[]", "null", "~"} {
		if len(s.node.Content) == 0 && strings.HasPrefix(strings.TrimSpace(taken), empty) {
			taken = strings.Replace(taken, empty, "", 1)
			break
		}
	}
	judgeKept(t, strings.TrimSpace(taken), e.After)
	for i := len(keys) - 1; i > 0; i-- {
		data = map[string]any{keys[i]: data}
	}
	judgeData(t, src, out, func(docs []any) []any {
		docs[s.doc] = put(docs[s.doc], s.path, keys, data)
		return docs
	})
	if len(s.node.Content) > 0 {
		takeBack(t, src, out, s, keys)
		made["taken back"]++
	}
}

func takeBack(t fataler, src, out []byte, s spot, keys []string) {
	t.Helper()
	again, err := yamledit.Parse(out)
	if err != nil {
		t.Fatalf("%v", err)
	}
	pointer := s.path + "/" + strconv.Itoa(len(s.node.Content))
	if keys != nil {
		pointer = s.path + "/" + yamledit.EscapePointer(keys[0])
	}
	back, _, err := again.Remove(s.doc, pointer, s.path)
	was, is := fromUTF16(string(src)), fromUTF16(string(back))
	if !strings.HasSuffix(was, "\n") && strings.HasSuffix(fromUTF16(string(out)), "\n") {
		was += "\n" // which a block of text at the end needed
		is = strings.ReplaceAll(is, "\r\n", "\n")
		was = strings.ReplaceAll(was, "\r\n", "\n")
	}
	if err != nil || is != was {
		t.Fatalf("%q with %s was %q; without it again it is %q, %v", src, pointer, out, back, err)
	}
}

// TestRemoveAtRandom: nothing but the value goes, and it takes no others along.
func TestRemoveAtRandom(t *testing.T) {
	made := map[string]int{}
	atRandom(t, edits(t), func(t fataler, g *shapes) {
		src, f := g.draw(t)
		s := pick(g.r, spots(t, src)...)
		if len(s.parents) == 0 {
			return
		}
		depth := g.r.IntN(len(s.parents))
		steps := strings.Split(s.path, "/")
		keep := strings.Join(steps[:depth+1], "/")
		out, e, err := f.Remove(s.doc, s.path, keep)
		if text := fromUTF16(string(src)); err != nil {
			if errors.Is(err, yamledit.ErrShape) && strings.Contains(text, "&") || errors.Is(err, yamledit.ErrProof) && strings.Contains(text, "|+") {
				made["refused"]++
				return
			}
			t.Fatalf("remove %s from %q: %v", s.path, src, err)
		}
		made["removed"]++
		place := checkSplice(t, string(src), string(out), e)
		gone := s.path
		for i := len(s.parents) - 1; i > depth && entries1(s.parents[i]); i-- {
			gone = gone[:strings.LastIndexByte(gone, '/')]
		}
		kept := fromUTF16(string(out))
		for _, empty := range []string{" {}", "{}", " []", "[]"} { // what a kept parent became
			if strings.HasPrefix(e.After, empty) {
				kept = kept[:place] + kept[place+len(empty):]
				break
			}
		}
		judgeKept(t, kept, fromUTF16(string(src)))
		judgeData(t, src, out, func(docs []any) []any {
			docs[s.doc] = without(docs[s.doc], gone)
			return docs
		})
	})
	t.Log(made)
	if made["removed"] < made["refused"] && os.Getenv("FERRY_SEED") == "" {
		t.Error("more was refused than removed")
	}
}

// entries1 reports a map or list with one entry.
func entries1(n *yaml.Node) bool {
	return len(n.Content) == 1 || len(n.Content) == 2 && n.Kind == yaml.MappingNode
}

// TestShapesDiffer keeps the generator from drawing the same all the time.
func TestShapesDiffer(t *testing.T) {
	seen := map[string]int{}
	for seed := range uint64(400) {
		text := string(newShapes(seed).file())
		for _, mark := range []string{"\r\n", "\ufeff", "\xff\xfe", "\xfe\xff", "$imagepolicy", "&a0", "*a0", "{ ", "|-", "|+", "patches:", "\n---\n", "\n...\n", "{\"", "    - ", "\t#", "!!str", "'it''s"} {
			if strings.Contains(text, mark) {
				seen[mark]++
			}
		}
		if !strings.HasSuffix(text, "\n") {
			seen["open end"]++
		}
	}
	if len(seen) < 19 {
		t.Errorf("the shapes have only %v", seen)
	}
}

// TestInsideAtRandom is the second promise for the text within a scalar.
func TestInsideAtRandom(t *testing.T) {
	made := map[string]int{}
	atRandom(t, edits(t), func(t fataler, g *shapes) {
		src, f := g.draw(t)
		for _, outer := range f.Scalars() {
			sub, err := f.Inside(outer)
			if err != nil || sub.Docs() != 1 || !strings.Contains(strings.TrimSpace(outer.Value), "\n") {
				continue
			}
			s := pick(g.r, spots(t, []byte(outer.Value))...)
			value, data := g.fresh(2, true)
			var out []byte
			var change func(docs []any) []any
			kind := "removed"
			switch {
			case g.r.IntN(3) == 0 && len(s.parents) > 0 && !entries1(s.parents[len(s.parents)-1]):
				out, _, err = f.RemoveInside(outer, sub, 0, s.path, "")
				change = func(docs []any) []any { return []any{without(docs[0], s.path)} }
			case s.node.Kind == yaml.MappingNode:
				kind = "set"
				out, _, err = f.SetInside(outer, sub, 0, s.path+"/new", value)
				change = func(docs []any) []any { return []any{put(docs[0], s.path, []string{"new"}, data)} }
			case s.node.Kind == yaml.SequenceNode:
				kind = "append"
				out, _, err = f.AppendInside(outer, sub, 0, s.path, value)
				change = func(docs []any) []any { return []any{put(docs[0], s.path, nil, data)} }
			default:
				continue
			}
			if err != nil {
				if errors.Is(err, yamledit.ErrShape) && (strings.Contains(outer.Value, "&") || strings.Contains(outer.Value, ": |") || strings.Contains(fromUTF16(string(src)), ">-")) || errors.Is(err, yamledit.ErrProof) && (strings.Contains(outer.Value, "|+") || g.openBlock(outer.Value)) {
					made["refused"]++
					return
				}
				t.Fatalf("%s %s in %s of %q: %v", kind, s.path, outer.Path, src, err)
			}
			made[kind]++
			text := leaves(t, out)[fmt.Sprint(outer.Doc, outer.Path)]
			text = text[strings.Index(text, " ")+1:]
			judgeReplaced(t, src, out, outer.Doc, outer.Path, text)
			judgeData(t, []byte(outer.Value), []byte(text), change)
			return
		}
	})
	t.Log(made)
	for _, kind := range []string{"set", "append", "removed"} {
		if made[kind] == 0 && os.Getenv("FERRY_SEED") == "" {
			t.Errorf("not one %s", kind)
		}
	}
}
