package flux

import (
	"strings"

	"ferry/internal/deploy"
)

// MayBe reports whether a text in which variables are not known may be a value.
func MayBe(text, value string) bool {
	before, _, unknown := strings.Cut(text, unknownMark)
	return text == value || unknown && strings.HasPrefix(value, before)
}

// Readable is a text with the names of variables that are not known.
func Readable(text string) string {
	for {
		name := DependsOnUnknown(text)
		if name == "" {
			return text
		}
		text = strings.ReplaceAll(text, unknownMark+name+"__", "${"+name+"}")
	}
}

// Source returns what a GitRepository of a cluster reads, as the cluster or Git
// declares it.
func (w *World) Source(c deploy.Cluster, ref deploy.Ref) (deploy.Source, bool) {
	g := w.by[c]
	if g == nil {
		return deploy.Source{}, false
	}
	s, ok := g.sources[nameOf(ref)]
	return s, ok
}

// ReadBy reports which files' contents were read to render any cluster.
func (w *World) ReadBy() map[string]bool {
	out := map[string]bool{}
	for _, g := range w.graphs {
		for _, root := range g.sorted {
			if root.Rendering != nil {
				root.Rendering.Reads(func(file string) { out[file] = true })
			}
		}
	}
	return out
}
