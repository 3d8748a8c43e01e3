package flux

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"ferry/delivery/snapshot"
)

// TestWhatIsKeptIsNeverStale holds a Renderer that saw everything before against
// one that saw nothing, over pushes of every kind, with edits tried in between.
func TestWhatIsKeptIsNeverStale(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 4))
	specs := []Spec{{Path: "list"}, {Path: "made"}}
	different, hits := 0, 0
	for n := range 8 {
		texts, modes := randomList(rng), map[string]string{}
		texts["made/a/workload.yaml"] = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
		texts["made/b.yaml"] = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n"
		began, kept := maps.Clone(texts), NewRenderer()
		var last Files
		var seen map[ID]string
		for step := range 25 {
			if rng.IntN(3) == 0 { // what broke is mended
				maps.Copy(texts, began)
				clear(modes)
			}
			push(rng, step, texts, modes)
			f := filesWith(texts, modes)
			if last.Tree != nil && rng.IntN(5) > 0 { // not every move is told
				kept.Advance(last.Tree, f.Tree, last.Tree.Changes(f.Tree))
			}
			last = f
			edits := []Files{f, tryEdit(rng, f, texts), tryEdit(rng, f, texts), f}
			edits = append(edits, tryEdit(rng, edits[1], texts))
			for i, g := range edits {
				for _, spec := range specs {
					before := kept.Builds()
					got, want := rendered(t, kept, g, spec), rendered(t, NewRenderer(), g, spec)
					if !maps.Equal(got, want) {
						t.Fatalf("list %d, push %d, edit %d of %s: what was kept %v\nafresh %v\n%s", n, step, i, spec.Path, got, want, dump(texts))
					}
					if kept.Builds() == before {
						hits++
					}
					if i == 0 && spec.Path == "list" && !maps.Equal(got, seen) {
						different, seen = different+1, got
					}
				}
			}
		}
	}
	if different < 40 || hits < 600 {
		t.Errorf("%d pushes mattered and %d renderings were kept: the test tries too little", different, hits)
	}
}

// push changes one thing in a repository.
func push(rng *rand.Rand, step int, texts, modes map[string]string) {
	names := slices.Sorted(maps.Keys(texts))
	name := names[rng.IntN(len(names))]
	switch rng.IntN(8) {
	case 0:
		texts[".sourceignore"] = []string{"", "b.yaml\n", "made/a/\n", "/list/e1\n", "*.txt\n"}[rng.IntN(5)]
	case 1:
		delete(texts, ".sourceignore")
	case 2: // in a folder whose listing counts
		texts[fmt.Sprintf("made/new%d/more.yaml", step%4)] = fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: new%d}\n", step%4)
	case 3: // a folder gets a kustomization of its own, or of another name
		texts[[]string{"made/a/kustomization.yaml", "made/a/kustomization.yml", "list/e0/Kustomization"}[rng.IntN(3)]] = "resources: [workload.yaml]\nnameSuffix: -k\n"
	case 4:
		modes[name] = []string{snapshot.ModeFile, snapshot.ModeExecutable, snapshot.ModeLink, snapshot.ModeSubmodule}[rng.IntN(4)]
	case 5:
		if len(names) > 4 && name != "list/kustomization.yaml" {
			delete(texts, name)
		}
	default:
		texts[name] += fmt.Sprintf("\n# %d\n", step)
		texts[fmt.Sprintf("list/e%d/workload.yaml", step%2)] = fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: step%d}\n", step)
	}
}

// tryEdit replaces a file, or adds one, in memory.
func tryEdit(rng *rand.Rand, f Files, texts map[string]string) Files {
	names := slices.Sorted(maps.Keys(texts))
	name := names[rng.IntN(len(names))]
	switch rng.IntN(4) {
	case 0:
		return f.With("made/added.yaml", []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: added}\n"))
	case 1:
		return f.With("list/e1/kustomization.yml", []byte("resources: [workload.yaml]\nnameSuffix: -x\n"))
	}
	return f.With(name, fmt.Appendf(nil, "%s\n# tried %d\n", texts[name], rng.IntN(3)))
}

func filesWith(texts, modes map[string]string) Files {
	f := filesOf(texts)
	var entries []snapshot.Entry
	f.Tree.Files("", func(e snapshot.Entry) {
		if m := modes[e.Path]; m != "" {
			e.Mode = m
		}
		entries = append(entries, e)
	})
	f.Tree = snapshot.NewTree("x", entries)
	return f
}
