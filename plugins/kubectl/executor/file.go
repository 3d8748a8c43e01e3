package executor

import "ferry/plugins/kubectl/guard"

// file names the output of a line: kubectl-get-pods-prod.txt. Several clusters are told
// below headings, which no YAML and no JSON has.
func file(c guard.Command, d guard.Decision) string {
	var kinds, clusters []string
	for _, k := range c.Kinds {
		kinds = append(kinds, k.Plural)
	}
	for _, r := range d.Runs {
		clusters = append(clusters, r.Cluster)
	}
	name := ""
	if len(c.Objects) == 1 {
		kinds, name = []string{c.Objects[0].Kind.Plural}, c.Objects[0].Name
	}
	ending := ".txt"
	if len(d.Runs)+len(d.Left) == 1 {
		switch output, _ := guard.Get(c.Set, "output"); output {
		case "yaml", "kyaml":
			ending = ".yaml"
		case "json":
			ending = ".json"
		}
	}
	return guard.FileName(ending, "kubectl", c.Verb.Name, guard.Several("kinds", kinds), name, guard.Several("clusters", clusters))
}
