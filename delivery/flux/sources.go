package flux

import "ferry/internal/deploy"

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
