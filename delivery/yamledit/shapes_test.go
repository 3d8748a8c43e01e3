package yamledit_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
)

// tree is a value before it is written.
type tree struct {
	pairs []branch
	items []*tree
	list  bool // also an empty one
	text  string
	block string // "|", "|-", … for text of lines
	ref   string // an anchor ("&x") or an alias ("*x")
}

type branch struct {
	key   string
	value *tree
}

// shapes draws files as they are found in Flux repositories, in one style each.
type shapes struct {
	r       *rand.Rand
	width   int // of one level
	dashes  int // how far lists stand to the right of their key
	quote   string
	anchors []string
	comment int // one of so many lines has one
}

func newShapes(seed uint64) *shapes {
	r := rand.New(rand.NewPCG(seed, 7))
	g := &shapes{r: r, width: pick(r, 2, 2, 2, 4), quote: pick(r, `"`, `"`, `'`), comment: pick(r, 4, 12, 1000)}
	g.dashes = pick(r, 0, g.width)
	return g
}

func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

// file draws a whole file.
func (g *shapes) file() []byte {
	if g.r.IntN(25) == 0 {
		return g.json()
	}
	var b strings.Builder
	dots := g.r.IntN(10) == 0
	for d := range pick(g.r, 1, 1, 1, 2, 3) {
		switch {
		case d > 0:
			b.WriteString(pick(g.r, "---\n", "---\n", "---\n# next\n", "\n---\n"))
		case g.r.IntN(3) == 0:
			b.WriteString(pick(g.r, "---\n", "# yaml-language-server: $schema=https://x/y.json\n---\n", "# head: 'x\n\n", "--- # head\n"))
		}
		g.anchors = nil
		g.write(&b, g.object(), 0, false)
		if dots {
			b.WriteString("...\n")
		}
	}
	s := b.String()
	if g.r.IntN(6) == 0 {
		s += pick(g.r, "# end\n", "\n\n", "\n# end: x\n")
	}
	if g.r.IntN(6) == 0 && !strings.HasSuffix(s, "\n\n") && !g.openBlock(s) {
		s = strings.TrimRight(s, "\n")
	}
	if g.r.IntN(5) == 0 {
		s = strings.ReplaceAll(s, "\n", "\r\n")
	}
	switch g.r.IntN(20) {
	case 0:
		s = "\ufeff" + s
	case 1:
		s = utf16le("\ufeff" + s)
	case 2:
		s = utf16be("\ufeff" + s)
	}
	return []byte(s)
}

// openBlock reports a file that ends within a block of text that has its line
// break: nothing can be put behind it without changing it.
func (g *shapes) openBlock(s string) bool {
	lines := strings.Split(s, "\n")
	for _, line := range lines[max(0, len(lines)-8):] {
		if strings.Contains(line, ": |") || strings.Contains(line, "- |") {
			return true
		}
	}
	return false
}

// json draws a file of JSON, of one line or several.
func (g *shapes) json() []byte {
	value := map[string]any{
		"kind": "Kustomization", "spec": map[string]any{"tag": g.version(), "n": 3, "on": true, "empty": map[string]any{}},
		"images": []any{map[string]any{"name": "app", "newTag": g.version()}, map[string]any{"name": "é"}},
	}
	out, err := json.Marshal(value)
	if g.r.IntN(2) == 0 {
		out, err = json.MarshalIndent(value, "", pick(g.r, "  ", "    ", "\t"))
	}
	if err != nil {
		panic(err)
	}
	return append(out, pick(g.r, "", "\n")...)
}

// object draws one document.
func (g *shapes) object() *tree {
	switch g.r.IntN(8) {
	case 0, 1:
		return g.helmRelease()
	case 2:
		return g.deployment()
	case 3:
		return g.kustomization()
	case 4:
		return g.fluxKustomization()
	case 5:
		return g.configMap()
	case 6:
		return g.jsonPatch()
	}
	return g.values(3)
}

func object(branches ...any) *tree {
	t := &tree{}
	for i := 0; i < len(branches); i += 2 {
		value, ok := branches[i+1].(*tree)
		if !ok {
			value = &tree{text: branches[i+1].(string)}
		}
		t.pairs = append(t.pairs, branch{branches[i].(string), value})
	}
	return t
}

func list(items ...*tree) *tree { return &tree{list: true, items: items} }

func (g *shapes) meta(apiVersion, kind string) *tree {
	return object("apiVersion", apiVersion, "kind", kind, "metadata", object("name", g.word(), "namespace", pick(g.r, "default", "flux-system", "приложение")))
}

func (g *shapes) helmRelease() *tree {
	t := g.meta(pick(g.r, "helm.toolkit.fluxcd.io/v2", "helm.toolkit.fluxcd.io/v2beta1"), "HelmRelease")
	chart := object("chart", g.word(), "version", g.scalar(), "sourceRef", object("kind", "HelmRepository", "name", g.word()))
	spec := object("interval", "30m", "chart", object("spec", chart), "values", g.values(3))
	if g.r.IntN(3) == 0 {
		spec.pairs = append(spec.pairs, branch{"postRenderers", list(object("kustomize", object("patches", list(g.inlinePatch()))))})
	}
	t.pairs = append(t.pairs, branch{"spec", spec})
	return t
}

func (g *shapes) deployment() *tree {
	container := func() *tree {
		return object("name", g.word(), "image", g.scalar(), "args", list(g.scalar(), g.scalar()), "env", list(object("name", "A_B", "value", g.scalar())))
	}
	t := g.meta("apps/v1", "Deployment")
	t.pairs = append(t.pairs, branch{"spec", object("replicas", "2", "template", object("spec", object("initContainers", list(container()), "containers", list(container(), container()))))})
	return t
}

func (g *shapes) kustomization() *tree {
	t := object("apiVersion", "kustomize.config.k8s.io/v1beta1", "kind", "Kustomization", "resources", list(&tree{text: "../base"}, &tree{text: "app.yaml"}))
	if g.r.IntN(2) == 0 {
		t.pairs = append(t.pairs, branch{"images", list(object("name", "app", "newTag", g.scalar()), object("name", g.word(), "newTag", g.scalar()))})
	}
	if g.r.IntN(2) == 0 {
		t.pairs = append(t.pairs, branch{"patches", list(g.inlinePatch(), object("path", "patch.yaml"))})
	}
	return t
}

func (g *shapes) fluxKustomization() *tree {
	t := g.meta("kustomize.toolkit.fluxcd.io/v1", "Kustomization")
	t.pairs = append(t.pairs, branch{"spec", object("path", "./apps", "prune", "true", "postBuild", object("substitute", object("VERSION", g.scalar(), "NAME", "${OTHER:=x}")), "patches", list(g.inlinePatch()), "wait", "false")})
	return t
}

func (g *shapes) configMap() *tree {
	t := g.meta("v1", "ConfigMap")
	t.pairs = append(t.pairs, branch{"data", object("values.yaml", g.inner(func() *tree { return g.values(2) }), "run.sh", &tree{block: "|", text: "#!/bin/sh\n\nexec app:v1 \"$@\" # v1\n"}, "plain", g.scalar())})
	return t
}

func (g *shapes) jsonPatch() *tree {
	operation := func() *tree { return object("op", "replace", "path", "/spec/x/0", "value", g.scalar()) }
	return list(operation(), operation())
}

func (g *shapes) inlinePatch() *tree {
	patch := g.inner(pick(g.r, g.jsonPatch, g.helmRelease))
	return object("patch", patch, "target", object("kind", "HelmRelease", "name", g.word()))
}

// inner is a document within a block of text; it has anchors of its own.
func (g *shapes) inner(draw func() *tree) *tree {
	outside := g.anchors
	g.anchors = nil
	var b strings.Builder
	g.write(&b, draw(), 0, false)
	g.anchors = outside
	// A block's first line must not be indented deeper than the others.
	return &tree{block: pick(g.r, "|", "|-", "|+"), text: strings.TrimLeft(b.String(), "\n ")}
}

// values draws what stands below a release's values.
func (g *shapes) values(depth int) *tree {
	t := &tree{}
	for i := range g.r.IntN(4) + 1 {
		key := pick(g.r, "image", "tag", "ключ", "q k", "a.b/c", "😀", "env", "on", "8080", "x~y") + strconv.Itoa(i)
		t.pairs = append(t.pairs, branch{key, g.value(depth)})
	}
	return t
}

func (g *shapes) value(depth int) *tree {
	if depth == 0 {
		return g.scalar()
	}
	switch g.r.IntN(12) {
	case 0, 1, 2:
		return g.values(depth - 1)
	case 3:
		return object("repository", "r.dev/app", "tag", g.scalar())
	case 4:
		return list(g.scalar(), g.scalar(), g.scalar())
	case 5:
		return list(g.values(depth-1), g.values(depth-1))
	case 6:
		return list(list(g.scalar(), g.scalar()), g.scalar())
	case 7:
		return pick(g.r, &tree{}, list(), &tree{text: "null"}, &tree{text: "~"}, &tree{text: ""})
	case 8:
		return &tree{block: pick(g.r, "|", "|-", ">-", "|+"), text: pick(g.r, "v1", "one: v1", "6.5.3")}
	case 9:
		name := fmt.Sprintf("a%d", len(g.anchors))
		t := pick(g.r, g.scalar(), g.values(0))
		if t.ref == "" {
			t.ref = "&" + name
			g.anchors = append(g.anchors, name)
		}
		return t
	case 10:
		if len(g.anchors) > 0 {
			return &tree{ref: "*" + pick(g.r, g.anchors...)}
		}
	}
	return g.scalar()
}

func (g *shapes) word() string { return pick(g.r, "app", "podinfo", "web-1", "база") }

func (g *shapes) version() string {
	return pick(g.r, "v1", "6.5.3", "r.dev:5000/app:1.0", "41", "1.10", "true", "null", "é", "x-y_z", "sha256:ab", "v1@sha256:cd", "${TAG}", "1.2.3-rc.1+build")
}

// scalar draws a word with the quotes it may have.
func (g *shapes) scalar() *tree {
	w := g.version()
	return &tree{text: pick(g.r, w, w, "'"+w+"'", `"`+w+`"`, "!!str "+w, `"say \"`+w+`\" # x"`, "'it''s "+w+"'")}
}
