package executor

import (
	"regexp"
	"strings"
	"testing"

	"ferry/plugins/kubectl/guard"
)

// TestFiles: what is too long for a message has a name that says what it is.
func TestFiles(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"get pods -n podinfo on prod":                                "kubectl-get-pods-prod.txt",
		"get pods -o yaml on prod":                                   "kubectl-get-pods-prod.yaml",
		"get pods -okyaml on prod":                                   "kubectl-get-pods-prod.yaml",
		"get pods -o=json on prod":                                   "kubectl-get-pods-prod.json",
		"get pods -o wide on prod":                                   "kubectl-get-pods-prod.txt",
		"get pods -o jsonpath={.items} on prod":                      "kubectl-get-pods-prod.txt",
		"get pods -o yaml on prod,stage":                             "kubectl-get-pods-prod-stage.txt", // below headings
		"get pods,svc on prod":                                       "kubectl-get-pods-services-prod.txt",
		"get pods,svc,cm on *":                                       "kubectl-get-3-kinds-3-clusters.txt",
		"get pods web-1 on prod":                                     "kubectl-get-pods-web-1-prod.txt",
		"get kustomizations.kustomize.toolkit.fluxcd.io a.b on lab_": "kubectl-get-kustomizations-a-b-lab.txt",
		"get pods a b on prod":                                       "kubectl-get-pods-prod.txt",
		"logs deploy/web on prod":                                    "kubectl-logs-deployments-web-prod.txt",
		"logs web-1 on prod":                                         "kubectl-logs-pods-web-1-prod.txt",
		"rollout history deploy/web on prod":                         "kubectl-rollout-history-deployments-web-prod.txt",
		"version -o json on prod":                                    "kubectl-version-prod.json",
		"get pods " + strings.Repeat("a", 200) + " on prod":          "kubectl-get-pods-" + strings.Repeat("a", 83) + ".txt",
	} {
		c, err := guard.Parse(line)
		if err != nil {
			t.Fatal(err)
		}
		var d guard.Decision
		clusters := c.Targets
		if c.Everywhere {
			clusters = []string{"prod", "stage", "lab"}
		}
		for _, cluster := range clusters {
			d.Runs = append(d.Runs, guard.Run{Cluster: cluster})
		}
		got := file(c, d)
		if got != want || !regexp.MustCompile(`^[A-Za-z0-9-]+\.(txt|yaml|json)$`).MatchString(got) {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
	c, err := guard.Parse("get pods -o yaml on *")
	if err != nil {
		t.Fatal(err)
	}
	if got := file(c, guard.Decision{Runs: []guard.Run{{Cluster: "prod"}}, Left: []string{"lab"}}); got != "kubectl-get-pods-prod.txt" {
		t.Errorf("with a line about another cluster it is %s", got)
	}
}
