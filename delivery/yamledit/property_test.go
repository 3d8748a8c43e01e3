package yamledit_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
	"pgregory.net/rapid"

	"ferry/delivery/yamledit"
)

// genFile draws a file of a real shape: maps, lists, flow, quotes, comments,
// anchors, blocks, several documents and line ends of one kind.
func genFile(t *rapid.T) []byte {
	var b strings.Builder
	if rapid.IntRange(0, 9).Draw(t, "bom") == 0 {
		b.WriteString("\ufeff")
	}
	for d := range rapid.IntRange(1, 3).Draw(t, "docs") {
		if d > 0 {
			b.WriteString("---\n")
		}
		genMap(t, &b, 0, 2)
	}
	s := b.String()
	if rapid.Bool().Draw(t, "crlf") {
		s = strings.ReplaceAll(s, "\n", "\r\n")
	}
	if rapid.Bool().Draw(t, "noeol") {
		s = strings.TrimRight(s, "\r\n")
	}
	return []byte(s)
}

func genMap(t *rapid.T, b *strings.Builder, indent, depth int) {
	pad := strings.Repeat(" ", indent)
	for i := range rapid.IntRange(1, 4).Draw(t, "keys") {
		if rapid.IntRange(0, 5).Draw(t, "gap") == 0 {
			b.WriteString("\n" + pad + "# tag: v1 'x\n")
		}
		key := rapid.SampledFrom([]string{"tag", "image", "ключ", "\"q k\"", "a.b/c", "😀"}).Draw(t, "key")
		if strings.HasPrefix(key, "\"") {
			key = fmt.Sprintf("\"q k%d\"", i)
		} else {
			key = fmt.Sprintf("%s%d", key, i)
		}
		b.WriteString(pad + key + ":")
		kind := rapid.IntRange(0, 7).Draw(t, "kind")
		switch {
		case kind == 0 && depth > 0:
			b.WriteString("\n")
			genMap(t, b, indent+2, depth-1)
		case kind == 1 && depth > 0:
			b.WriteString("\n")
			for range rapid.IntRange(1, 3).Draw(t, "items") {
				b.WriteString(pad + "- " + genScalar(t) + genComment(t) + "\n")
			}
		case kind == 2:
			b.WriteString(" {a: " + genScalar(t) + ", \"b\": [" + genScalar(t) + ", x]}" + genComment(t) + "\n")
		case kind == 3:
			style := rapid.SampledFrom([]string{"|", "|-", ">-", "|+"}).Draw(t, "block")
			b.WriteString(" " + style + "\n" + pad + "    " + genWord(t) + "\n")
		default:
			b.WriteString(" " + genScalar(t) + genComment(t) + "\n")
		}
	}
}

func genWord(t *rapid.T) string {
	return rapid.SampledFrom([]string{"v1", "6.5.3", "reg:5000/a:1.0", "41", "1.10", "sha256:ab", "true", "é", "x-y_z"}).Draw(t, "word")
}

func genScalar(t *rapid.T) string {
	w := genWord(t)
	return rapid.SampledFrom([]string{w, w, "'" + w + "'", "\"" + w + "\"", "!!str " + w}).Draw(t, "scalar")
}

func genComment(t *rapid.T) string {
	return rapid.SampledFrom([]string{"", " # v1", "\t# {\"$imagepolicy\": \"a:b\"}", "   #"}).Draw(t, "comment")
}

var versions = []string{"6.5.4", "v2", "1.10", "1e10", "0123", "42", "2024-01-02", "on", "0x1F", "1_000", "reg:5000/a:2.0", "sha256:cd", "17.0.0-rc.1"}

// TestEditChangesOneScalar is the promise of the package: whatever the file,
// the bytes outside of the token stay, and exactly one value reads differently.
func TestEditChangesOneScalar(t *testing.T) {
	edited := 0
	rapid.Check(t, func(t *rapid.T) {
		src := genFile(t)
		f, err := yamledit.Parse(src)
		if err != nil {
			t.Fatalf("%v in %q", err, src)
		}
		if len(f.Scalars()) == 0 {
			return
		}
		s := rapid.SampledFrom(f.Scalars()).Draw(t, "site")
		value := rapid.SampledFrom(versions).Draw(t, "version")
		if strings.HasSuffix(s.Value, "\n") {
			value += strings.Repeat("\n", len(s.Value)-len(strings.TrimRight(s.Value, "\n")))
		}
		out, edit, err := f.Replace(s, value)
		if err != nil {
			t.Fatalf("replace %s by %q in %q: %v", s.Path, value, src, err)
		}
		checkEdit(t, src, out, s, edit, value)
		edited++
	})
}

type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

// checkEdit judges with the parser alone, by decoding both into plain data.
func checkEdit(t fataler, src, out []byte, s yamledit.Scalar, e yamledit.Edit, value string) {
	t.Helper()
	at := bytes.Index(out, []byte(e.After))
	for ; at >= 0; at++ {
		if bytes.Equal(src, append(append(bytes.Clone(out[:at]), e.Before...), out[at+len(e.After):]...)) {
			break
		}
		next := bytes.Index(out[at+1:], []byte(e.After))
		if next < 0 {
			t.Fatalf("%q and %q differ by more than %+v", src, out, e)
		}
		at += next
	}
	before, after := flatten(t, src), flatten(t, out)
	if len(before) != len(after) {
		t.Fatalf("%q and %q hold different numbers of values", src, out)
	}
	changed := 0
	for k, v := range before {
		if after[k] != v {
			changed++
			if want := fmt.Sprintf("%d%s", s.Doc, s.Path); k != want {
				t.Fatalf("%s changed, not %s: %q", k, want, out)
			}
			if !strings.HasSuffix(after[k], " "+value) {
				t.Fatalf("%s reads %q, not %q", k, after[k], value)
			}
		}
	}
	if changed > 1 {
		t.Fatalf("%d values changed", changed)
	}
}

// flatten lists every value of every document with its type.
func flatten(t fataler, src []byte) map[string]string {
	t.Helper()
	out := map[string]string{}
	dec := yaml.NewDecoder(bytes.NewReader(src))
	for doc := 0; ; doc++ {
		var n yaml.Node
		if err := dec.Decode(&n); err != nil {
			return out
		}
		var walk func(path string, n *yaml.Node)
		walk = func(path string, n *yaml.Node) {
			switch n.Kind {
			case yaml.DocumentNode:
				walk(path, n.Content[0])
			case yaml.MappingNode:
				for i := 0; i < len(n.Content); i += 2 {
					walk(path+"/"+yamledit.EscapePointer(n.Content[i].Value), n.Content[i+1])
				}
			case yaml.SequenceNode:
				for i, c := range n.Content {
					walk(fmt.Sprintf("%s/%d", path, i), c)
				}
			default:
				out[path] = n.ShortTag() + " " + n.Value
			}
		}
		walk(fmt.Sprint(doc), &n)
	}
}

// FuzzReplace edits every scalar of any file: it is refused, or right.
func FuzzReplace(f *testing.F) {
	for _, e := range measured {
		f.Add([]byte(e.src), "6.5.4")
	}
	for _, e := range further {
		f.Add([]byte(e.src), e.value)
	}
	f.Fuzz(func(t *testing.T, src []byte, value string) {
		file, err := yamledit.Parse(src)
		if err != nil {
			return
		}
		for i, s := range file.Scalars() {
			if i > 20 {
				return
			}
			out, _, err := file.Replace(s, value)
			if err != nil {
				continue
			}
			again, err := yamledit.Parse(out)
			if err != nil {
				t.Fatalf("%q does not parse after the edit of %s: %v", out, s.Path, err)
			}
			if len(again.Scalars()) < len(file.Scalars()) {
				t.Fatalf("%q lost values", out)
			}
		}
	})
}

func BenchmarkReplace(b *testing.B) {
	var src bytes.Buffer
	for i := range 200 {
		fmt.Fprintf(&src, "- name: app%d\n  image: {repository: r/app, tag: v%d} # note\n", i, i)
	}
	for b.Loop() {
		f, err := yamledit.Parse(src.Bytes())
		if err != nil {
			b.Fatal(err)
		}
		for _, s := range f.Scalars() {
			if s.Value == "v150" {
				if _, _, err := f.Replace(s, "v151"); err != nil {
					b.Fatal(err)
				}
			}
		}
	}
}
