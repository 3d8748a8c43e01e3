package arch

import (
	"fmt"
	"go/ast"
	"go/token"
	"path"
	"slices"
	"strings"
)

// leaves are words that every room shares.
var leaves = []string{"internal/chat", "internal/deploy", "internal/event", "internal/fault", "internal/job", "internal/near"}

// siblings are the rooms that know leaves alone.
var siblings = []string{"bot", "delivery", "dispatcher", "jobs", "k8s", "plugins", "storage"}

// honest are what a room's tests may use instead of fakes: the emulated
// services, and the real store.
var honest = []string{"playground", "storage"}

// longest is how many lines a file may have.
const longest = 450

// vague are names that say nothing about what a package provides.
var vague = []string{"util", "utils", "common", "helper", "helpers", "service", "services", "manager", "managers", "misc", "shared"}

// file is a parsed file; path is relative to the root, with slashes.
type file struct {
	path string
	tree *ast.File
	fset *token.FileSet
}

func (f file) dir() string { return path.Dir(f.path) }
func (f file) test() bool  { return strings.HasSuffix(f.path, "_test.go") }
func (f file) main() bool  { return f.tree.Name.Name == "main" }
func (f file) forTest() bool { // also packages made for tests, such as k8stest
	return f.test() || strings.HasSuffix(f.dir(), "test")
}

// check returns everything that goes against the plan, sorted.
func check(files []file) []string {
	var out []string
	comments := map[string]int{}
	for _, f := range files {
		if !f.test() {
			comments[f.dir()] += docs(f)
		}
		for _, spec := range f.tree.Imports {
			if why := forbidden(f, strings.Trim(spec.Path.Value, `"`)); why != "" {
				out = append(out, fmt.Sprintf("%s imports %s: %s", f.fset.Position(spec.Pos()), spec.Path.Value, why))
			}
		}
		out = append(out, style(f)...)
	}
	for dir, n := range comments {
		switch n {
		case 1:
		case 0:
			out = append(out, dir+" has no package comment: it is the architecture text of that room")
		default:
			out = append(out, fmt.Sprintf("%s has %d package comments: one is enough, the others contradict it in time", dir, n))
		}
	}
	slices.Sort(out)
	return out
}

// docs returns 1 if the file has a package comment.
func docs(f file) int {
	if f.tree.Doc == nil || strings.TrimSpace(f.tree.Doc.Text()) == "" {
		return 0
	}
	return 1
}

// forbidden says why a file may not import a path; "" if it may.
func forbidden(f file, target string) string {
	ours, inside := strings.CutPrefix(target, "ferry/")
	external := !inside && strings.Contains(strings.SplitN(target, "/", 2)[0], ".")
	leaf := inside && slices.Contains(leaves, ours)
	room := roomOf(f.dir())
	own := inside && (ours == room || strings.HasPrefix(ours, room+"/"))
	switch {
	case !inside && !external: // the standard library
		return ""
	case slices.Contains(leaves, room):
		if own && f.test() {
			return ""
		}
		return "a leaf imports the standard library alone, so that no room gets more than words with it"
	case room == ".":
		if ours == "internal/app" || f.test() && external {
			return ""
		}
		return "main.go is flags and signals; everything else is internal/app's"
	case room == "plugins/api":
		if external || own {
			return ""
		}
		return "a stranger's plugin requires it without requiring ferry"
	case room == "internal/config":
		if leaf || target == "gopkg.in/yaml.v3" || own {
			return ""
		}
		return "internal/config knows the standard library, yaml.v3 and leaves; what a room makes of a setting is wired in internal/app"
	case slices.Contains(siblings, room):
		if external || leaf || own || f.forTest() && slices.Contains(honest, roomOf(ours)) {
			return ""
		}
		return "rooms import leaves, third parties and their own sub-packages, never each other: declare a small interface, internal/app wires it"
	case room == "playground":
		if external || leaf || own {
			return ""
		}
		return "the playground runs the unmodified ferry beside it; it knows leaves alone"
	case room == "internal/app":
		if inside && (roomOf(ours) == "playground" || roomOf(ours) == "e2e") {
			return "internal/app wires rooms, not what tests them"
		}
		return ""
	case room == "e2e", room == "docs", room == "internal/arch":
		return ""
	default:
		return "" // style complains about the room itself
	}
}

// roomOf returns the room that a folder belongs to.
func roomOf(dir string) string {
	parts := strings.Split(dir, "/")
	if parts[0] == "internal" || len(parts) > 1 && parts[0] == "plugins" && parts[1] == "api" {
		return strings.Join(parts[:min(2, len(parts))], "/")
	}
	return parts[0]
}

// style returns what goes against the rules that a single file can break.
func style(f file) []string {
	var out []string
	add := func(pos token.Pos, format string, args ...any) {
		out = append(out, fmt.Sprintf("%s: %s", f.fset.Position(pos), fmt.Sprintf(format, args...)))
	}
	if room := roomOf(f.dir()); !known(room) {
		add(f.tree.Package, "the plan has no room of that name: %s", room)
	}
	if name := strings.TrimSuffix(f.tree.Name.Name, "_test"); slices.Contains(vague, name) || slices.Contains(vague, path.Base(f.dir())) {
		add(f.tree.Package, "package %s in %s: the name says nothing about what it provides", f.tree.Name.Name, f.dir())
	}
	if n := f.fset.File(f.tree.Package).LineCount(); n > longest && !ast.IsGenerated(f.tree) {
		add(f.tree.Package, "%d lines; %d are the most: it holds two things", n, longest)
	}
	for _, decl := range f.tree.Decls {
		if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" && !ast.IsGenerated(f.tree) {
			add(fn.Pos(), "init runs where nobody called it: make it a function and call it")
		}
	}
	imported := map[string]string{} // name in this file → path
	for _, spec := range f.tree.Imports {
		p := strings.Trim(spec.Path.Value, `"`)
		name := path.Base(p)
		if spec.Name != nil {
			name = spec.Name.Name
		}
		imported[name] = p
	}
	_, bubble := imported["synctest"]
	uses(f.tree, imported, func(p, name string, pos token.Pos, loop bool) {
		switch {
		case (p == "os" && name == "Exit" || p == "log" && strings.HasPrefix(name, "Fatal")) && !f.main() && !f.test():
			add(pos, "%s.%s outside of main: return an error, so that what was started is stopped", p, name)
		case p == "time" && name == "Sleep" && f.test() && !bubble && !loop:
			add(pos, "time.Sleep in a test, outside of a loop that looks for something: it waits for luck")
		}
	})
	return out
}

// uses calls fn with every name of another package that a file uses, and
// whether that happens within a loop.
func uses(tree *ast.File, imported map[string]string, fn func(path, name string, pos token.Pos, loop bool)) {
	var above []ast.Node
	ast.Inspect(tree, func(n ast.Node) bool {
		if n == nil {
			above = above[:len(above)-1]
			return true
		}
		above = append(above, n)
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if x, ok := sel.X.(*ast.Ident); ok && imported[x.Name] != "" {
			loop := slices.ContainsFunc(above, func(n ast.Node) bool {
				_, plain := n.(*ast.ForStmt)
				_, ranges := n.(*ast.RangeStmt)
				return plain || ranges
			})
			fn(imported[x.Name], sel.Sel.Name, sel.Pos(), loop)
		}
		return true
	})
}

func known(room string) bool {
	others := []string{".", "docs", "e2e", "internal/app", "internal/arch", "internal/config", "playground", "plugins/api", "tools"}
	return slices.Contains(leaves, room) || slices.Contains(siblings, room) || slices.Contains(others, room)
}
