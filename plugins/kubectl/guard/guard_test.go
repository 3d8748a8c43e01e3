package guard_test

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"ferry/plugins/kubectl/guard"
	"ferry/plugins/kubectl/rules"
)

const config = `
namespace: podinfo
impersonate: {user: "ferry:{{.ID}}", groups: ["{{.Group}}"]}
rules:
  - {users: [U1], clusters: [prod, stage], resources: ["*"], namespaces: [podinfo, "team-*"]}
  - {users: [U1], clusters: [prod], verbs: [scale, rollout restart, delete, label], resources: [pods, deployments], namespaces: [podinfo]}
  - {users: [SECRETS], clusters: ["*"], resources: ["*", secrets], namespaces: [podinfo]}
  - {roles: [admins], clusters: ["*"], verbs: ["*", cordon], resources: ["*"], cluster_resources: [nodes, namespaces], namespaces: ["*"]}
  - {groups: [S1], clusters: [prod], verbs: [get], resources: [certificates.cert-manager.io], namespaces: [podinfo]}
`

func decide(t *testing.T, line string, who rules.Person, clusters ...string) (guard.Decision, error) {
	t.Helper()
	cfg, err := rules.Parse([]byte(config))
	if err != nil {
		t.Fatal(err)
	}
	c, err := guard.Parse(line)
	if err != nil {
		return guard.Decision{}, err
	}
	if len(clusters) == 0 {
		clusters = []string{"stage", "prod", "lab"}
	}
	return guard.Decide(c, cfg, who, clusters)
}

func TestOrdinaryLines(t *testing.T) {
	u1 := rules.Person{ID: "U1"}
	admin := rules.Person{ID: "U9", Roles: []string{"admins"}}
	group := rules.Person{ID: "U8", Groups: []string{"S1"}}
	for _, c := range []struct {
		line string
		who  rules.Person
		want string // cluster: argv; joined with |
	}{
		{"get pods on prod", u1, "prod: get pods --namespace=podinfo"},
		{"kubectl get po -n team-a on prod", u1, "prod: get po --namespace=team-a"},
		{"get pods -owide -n=team-a on stage,prod", u1, "stage: get pods --namespace=team-a --output=wide|prod: get pods --namespace=team-a --output=wide"},
		{"get pods on prod, stage", u1, "stage: get pods --namespace=podinfo|prod: get pods --namespace=podinfo"},
		{"get pods on *", u1, "stage: get pods --namespace=podinfo|prod: get pods --namespace=podinfo"},
		{"get pods -Aowide on lab", admin, "lab: get pods --all-namespaces=true --output=wide"},
		{"get nodes on lab", admin, "lab: get nodes --namespace=podinfo"},
		{"get pods,svc web on prod", u1, "prod: get pods,svc web --namespace=podinfo"},
		{"get pod/a deploy/b on prod", u1, "prod: get pod/a deploy/b --namespace=podinfo"},
		{`get pods -l "app in (web, api)" on prod`, u1, "prod: get pods --namespace=podinfo --selector=app in (web, api)"},
		{"get pods -o “jsonpath={.items[*].metadata.name}” on prod", u1, "prod: get pods --namespace=podinfo --output=jsonpath={.items[*].metadata.name}"},
		{"logs web-1 -c app --tail=-1 on prod", u1, "prod: logs web-1 --namespace=podinfo --container=app --tail=-1"},
		{"logs -f deploy/web on prod", u1, "prod: logs deploy/web --namespace=podinfo --follow=true"},
		{"top pods on prod", u1, "prod: top pod --namespace=podinfo"},
		{"top node node on prod", admin, "prod: top node node"},
		{"explain pods.spec --recursive on prod", u1, "prod: explain pods.spec --recursive=true"},
		{"version on prod", u1, "prod: version"},
		{"rollout status deploy/web --timeout 10s on prod", u1, "prod: rollout status deploy/web --namespace=podinfo --timeout=10s"},
		{"get certificates on prod", group, "prod: get certificates --namespace=podinfo"},
		{"get <http://certificates.cert-manager.io|certificates.cert-manager.io> on prod", group, "prod: get certificates.cert-manager.io --namespace=podinfo"},
		{"get pods 'on' prod on stage", u1, "stage: get pods on prod --namespace=podinfo"},
		{"scale deploy/web --replicas 3 on prod", u1, "prod: scale deploy/web --namespace=podinfo --replicas=3"},
		{"cordon node/a on prod", admin, "prod: cordon a"},
	} {
		d, err := decide(t, c.line, c.who)
		got := []string{}
		for _, r := range d.Runs {
			got = append(got, r.Cluster+": "+strings.Join(r.Argv, " "))
		}
		if err != nil || strings.Join(got, "|") != c.want {
			t.Errorf("%s:\n got %q, %v\nwant %q", c.line, got, err, c.want)
		}
	}
}

func TestRefusalsSayWhatWouldWork(t *testing.T) {
	u1 := rules.Person{ID: "U1"}
	for line, want := range map[string]string{
		"":                                  "what shall kubectl do? It can get, describe, logs",
		"get pods":                          "on which cluster? End the line with `on` and one or more of stage, prod, lab",
		"get pods on lab":                   "no rule lets you get on lab",
		"get pods on dev":                   `there is no cluster "dev" here; there is stage, prod, lab`,
		"get pods -n kube-system on prod":   "no rule lets you get pods in namespace kube-system on prod",
		"get pods -A on prod":               "no rule lets you get pods in all namespaces on prod",
		"get nodes on prod":                 "no rule lets you get nodes (which are in no namespace, and have to be named in cluster_resources) on prod",
		"get secrets on prod":               "no rule lets you get secrets in namespace podinfo on prod",
		"get pods --context x on prod":      "`--context` is not to be had here\nWhich cluster is meant stands at the end of the line: … on prod",
		"get pods | grep x on prod":         "there is no shell here, so | does nothing",
		"get pods —all-namespaces on prod":  "write two short ones",
		"exec -it web -- sh on prod":        "`kubectl exec` is not to be had here\nIt opens a way into a container",
		"rollout foo on prod":               "of kubectl rollout there is rollout status, rollout history",
		"get pods -o file on prod":          "-o does not take \"file\": wide, yaml, json",
		"scale deploy/web on prod":          "scale to how many? --replicas=3",
		"scale deploy/web --replicas=1":     "on which cluster?",
		"rollout restart ds/web on prod":    "no rule lets you rollout restart daemonsets.apps",
		"delete pod web-1 on stage":         "no rule lets you delete on stage",
		"scale deploy/a --replicas=1 on *":  "what is changed is changed on clusters that are named",
		"frobnicate on prod":                `"frobnicate" is nothing that kubectl does here`,
		"get pods --tail -1 on prod":        "get does not take --tail here; it takes --namespace",
		"logs web-1 --tail -1 on prod":      "written as --tail=-1",
		"get pods on prod stage":            "with commas between them",
		"uncordon node on prod":             "no rule lets you uncordon on prod",
		"delete certificates/x on prod":     "write certificates with its group",
		"label deploy/web a=b on prod,dev":  `there is no cluster "dev"`,
		"get pods -n a -n b on prod":        "-n is said twice",
		"get pods on prod -o wide":          "with commas between them",
		"label pod/web-1 on prod":           "label what with what?",
		"get pods --all-namespaces=1 on *":  "--all-namespaces is true or false",
		"version --client=maybe on prod":    "true or false",
		"get pods \"x on prod":              "a quote (\") is opened and never closed",
		"delete pod -l app=web on prod":     "`-l` is not to be had here\nWhat is changed is named",
		"top services on prod":              "of kubectl top there is top pod, top node",
		"describe on prod":                  "describe what?",
		"rollout status pod/web on prod":    "rollout status is for deployments.apps, daemonsets.apps, statefulsets.apps, not for pods",
		"label pod/web-1 a=é on prod":       "outside of quotes only plain letters are read, and é is none",
		"get pods on prod,prod":             "prod is named twice",
		"set image deploy/web app=x on lab": "no rule lets you set image on lab",
	} {
		if _, err := decide(t, line, u1); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s:\n got %v\nwant %s", line, err, want)
		}
	}
}

// TestOtherWordsForWhatIsReadBeside: describing reads more than is described; no word
// makes that what is asked for.
func TestOtherWordsForWhatIsReadBeside(t *testing.T) {
	cfg, err := rules.Parse([]byte(`
impersonate: {nobody: true}
rules: [{users: ["*"], clusters: ["*"], resources: ["*.fluxcd.io"], namespaces: [default], verbs: [describe, get]}]`))
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{
		"rs", "replicasets.apps", "replicasets.app", "rs.a", "ReplicaSet.v1.apps", "controllerrevisions.ap", "hpa.autoscal", "ep.v1", "endpointslices.discovery",
		"events.events.k8s.io", "events.events", "ev.v1.events.k8s.io", "pods.metrics.k8s.io", "pod.metrics", "leases.coord", "pvc.v1",
	} {
		c, err := guard.Parse("describe " + kind + " on prod")
		if err == nil {
			_, err = guard.Decide(c, cfg, rules.Person{ID: "U1"}, []string{"prod"})
		}
		if err == nil || !strings.Contains(err.Error(), "no rule lets you describe") {
			t.Errorf("describe %s: %v", kind, err)
		}
	}
}

func TestQuestions(t *testing.T) {
	cfg, err := rules.Parse([]byte(`
impersonate: {nobody: true}
rules: [{users: ["*"], clusters: ["*"], resources: ["*"], cluster_resources: ["*"], namespaces: ["*"], verbs: [scale, rollout restart, rollout undo, delete, label, cordon, set image]}]`))
	if err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]string{
		"scale deploy/web --replicas=0 -n podinfo on prod":  "Shall I scale deployments/web to 0 replicas in namespace podinfo on prod?\nFlux takes it back where it applies that from Git.",
		"rollout restart deploy/web sts/db on stage,prod":   "Shall I restart every pod of deployments/web and statefulsets/db in namespace default on prod and stage?",
		"rollout undo deploy/web --to-revision=3 on prod":   "Shall I take deployments/web back to revision 3 in namespace default on prod?\nFlux takes it back where it applies that from Git.",
		"delete pod web-1 web-2 --force on prod":            "Shall I delete pods/web-1 and pods/web-2 in namespace default on prod, for good, by force?",
		"cordon n1 on prod":                                 "Shall I let no new pods onto nodes/n1 on prod?",
		"label deploy/web %s=x a=b on prod":                 "",
		"label deploy/web a=%s b- on prod":                  "Shall I label deployments/web with a=%s b- in namespace default on prod?\nFlux takes it back where it applies that from Git.",
		"set image deploy/web app=nginx:1 -n x on prod":     "Shall I run deployments/web with app=nginx:1 in namespace x on prod?\nFlux takes it back where it applies that from Git.",
		"delete certificates.cert-manager.io/tls on prod":   "Shall I delete certificates/tls in namespace default on prod, for good?",
		"delete namespace podinfo on prod":                  "Shall I delete namespaces/podinfo on prod, for good?",
		"get deploy/web on prod":                            "",
		"rollout status deploy/web --watch=false -n x on *": "",
	} {
		got := ""
		if c, err := guard.Parse(line); err == nil {
			d, err := guard.Decide(c, cfg, rules.Person{ID: "U1"}, []string{"prod", "stage"})
			if err == nil {
				got = d.Confirm
			}
		}
		if got != want {
			t.Errorf("%s:\n got %s\nwant %s", line, got, want)
		}
	}
}

// Attacks reads the list of attempts.
func attacks(t *testing.T, sort string) []string {
	t.Helper()
	text, err := os.ReadFile("../testdata/attacks.txt")
	if err != nil {
		t.Fatal(err)
	}
	out := []string{}
	for row := range strings.Lines(string(text)) {
		kind, line, ok := strings.Cut(strings.TrimSuffix(row, "\n"), "\t")
		if !ok || kind != sort {
			continue
		}
		if strings.HasPrefix(line, `"`) {
			if line, err = strconv.Unquote(line); err != nil {
				t.Fatalf("%s: %v", row, err)
			}
		}
		out = append(out, line)
	}
	if len(out) < 45 {
		t.Fatalf("only %d attempts: the list is not read", len(out))
	}
	return out
}

// TestAttacksAreRefused tries each with and without a cluster at its end, as
// somebody who may do a lot, and what needs no rule to be refused also as somebody
// who may do everything.
func TestAttacksAreRefused(t *testing.T) {
	for _, line := range attacks(t, "refused") {
		for _, end := range []string{"", " on prod", " on prod,stage", " on *"} {
			for _, clusters := range [][]string{{"prod"}, {"prod", "stage"}} {
				if d, err := decide(t, line+end, rules.Person{ID: "U1"}, clusters...); err == nil && d.Confirm == "" {
					t.Errorf("%q gets through as %q", line+end, d.Runs[0].Argv)
				}
			}
		}
	}
}

// TestTheLineDecides checks that the attempts of the list fail by what they say,
// not because some rule happens to be missing.
func TestTheLineDecides(t *testing.T) {
	byRule := 0
	for _, line := range attacks(t, "refused") {
		if _, err := guard.Parse(line); err == nil {
			byRule++
		}
	}
	if all := len(attacks(t, "refused")); byRule > all/6 {
		t.Errorf("%d of %d are refused by rules alone", byRule, all)
	}
}

func TestBlindLinesGetThrough(t *testing.T) {
	for _, line := range attacks(t, "blind") {
		if _, err := decide(t, line, rules.Person{ID: "SECRETS"}, "prod"); err != nil {
			t.Errorf("%q is refused, so that it shows nothing of the wall: %v", line, err)
		}
	}
}

func TestGrantNamesEachObject(t *testing.T) {
	d, err := decide(t, "delete pod a b on prod", rules.Person{ID: "U1", Groups: []string{"S7", "S9"}})
	if err != nil {
		t.Fatal(err)
	}
	g := d.Runs[0].Grant
	want := []rules.Write{
		{Method: "DELETE", Resource: "pods", Namespace: "podinfo", Name: "a"},
		{Method: "DELETE", Resource: "pods", Namespace: "podinfo", Name: "b"},
	}
	if !slices.Equal(g.Writes, want) || g.As.User != "ferry:U1" || !slices.Equal(g.As.Groups, []string{"S7", "S9"}) {
		t.Errorf("grant = %+v", g)
	}
	if len(g.Scopes) != 1 || slices.Contains(g.Scopes[0].Resources, "*") {
		t.Errorf("scopes = %+v, want those of the rule that names the verb", g.Scopes)
	}
}
