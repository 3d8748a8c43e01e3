package yamledit_test

import (
	"slices"
	"strconv"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"ferry/delivery/yamledit"
)

// spot is a place in a file, as the judges' parser sees it.
type spot struct {
	doc      int
	path     string
	node     *yaml.Node
	parents  []*yaml.Node
	refuses  bool // below or in something that aliases show elsewhere, or that merges
	inBraces bool
}

// spots lists all places of a file.
func spots(t fataler, src []byte) []spot {
	t.Helper()
	var out []spot
	dec := yaml.NewDecoder(strings.NewReader(string(src)))
	for doc := 0; ; doc++ {
		var n yaml.Node
		if err := dec.Decode(&n); err != nil {
			return out
		}
		var walk func(s spot)
		walk = func(s spot) {
			n := s.node
			s.refuses = s.refuses || n.Anchor != "" || n.Kind == yaml.AliasNode
			s.inBraces = s.inBraces || n.Style&yaml.FlowStyle != 0 && n.Kind != yaml.ScalarNode
			out = append(out, s)
			below := spot{doc: s.doc, refuses: s.refuses, inBraces: s.inBraces, parents: append(slices.Clone(s.parents), n)}
			for i, c := range n.Content {
				below.node = c
				switch {
				case n.Kind == yaml.SequenceNode:
					below.path = s.path + "/" + strconv.Itoa(i)
					walk(below)
				case i%2 == 1:
					below.path = s.path + "/" + yamledit.EscapePointer(keyText(n.Content[i-1]))
					walk(below)
				}
			}
		}
		walk(spot{doc: doc, node: n.Content[0]})
	}
}

// put is plain data with a value put in: the judge's own idea of it.
func put(v any, path string, keys []string, data any) any {
	if path == "" {
		switch old := v.(type) {
		case map[string]any:
			old[keys[0]] = data
			return old
		case []any:
			return append(old, data)
		}
		if keys != nil {
			return map[string]any{keys[0]: data}
		}
		return []any{data}
	}
	step, rest, more := strings.Cut(path[1:], "/")
	if more {
		rest = "/" + rest
	}
	step = strings.NewReplacer("~1", "/", "~0", "~").Replace(step)
	switch old := v.(type) {
	case map[string]any:
		old[step] = put(old[step], rest, keys, data)
	case []any:
		i, err := strconv.Atoi(step)
		if err != nil {
			panic(err)
		}
		old[i] = put(old[i], rest, keys, data)
	}
	return v
}

// without is plain data with a value taken out: the judge's own idea of it.
func without(v any, path string) any {
	step, rest, more := strings.Cut(path[1:], "/")
	step = strings.NewReplacer("~1", "/", "~0", "~").Replace(step)
	switch old := v.(type) {
	case map[string]any:
		if more {
			old[step] = without(old[step], "/"+rest)
		} else {
			delete(old, step)
		}
	case []any:
		i, err := strconv.Atoi(step)
		if err != nil {
			panic(err)
		}
		if !more {
			return slices.Delete(old, i, i+1)
		}
		old[i] = without(old[i], "/"+rest)
	}
	return v
}
