package executor

import (
	"testing"

	"ferry/plugins/flux/line"
)

// TestFiles: what is too long for a message has a name that says what it is.
func TestFiles(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"get kustomizations -A on prod":    "flux-get-kustomizations-prod.txt",
		"get all -A on prod,stage,lab":     "flux-get-10-kinds-3-clusters.txt",
		"tree ks podinfo on prod":          "flux-tree-kustomizations-podinfo-prod.txt",
		"get source git fleet on prod,lab": "flux-get-gitrepositories-fleet-prod-lab.txt",
		"reconcile hr web.x -n a on prod":  "flux-reconcile-helmreleases-web-x-prod.txt",
	} {
		c, err := line.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		d := line.Decision{Command: c}
		for _, cluster := range c.Aim.Targets {
			d.Runs = append(d.Runs, line.Run{Cluster: cluster})
		}
		if got := file(d); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}
