package executor

import (
	"ferry/plugins/flux/line"
	"ferry/plugins/kubectl/guard"
)

// file names the output of a line: flux-get-kustomizations-prod.txt.
func file(d line.Decision) string {
	var kinds, clusters []string
	for _, k := range d.Command.Kinds {
		kinds = append(kinds, k.Plural)
	}
	for _, r := range d.Runs {
		clusters = append(clusters, r.Cluster)
	}
	return guard.FileName(".txt", "flux", d.Command.Verb, guard.Several("kinds", kinds), guard.Several("objects", d.Command.Names), guard.Several("clusters", clusters))
}
