package kubectl

import (
	"encoding/base64"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"ferry/e2e/testbed"
)

const config = `
namespace: podinfo
impersonate: {user: "ferry:{{.ID}}", groups: [people]}
limits: {time: 60s}
rules:
  - {users: [READER, POOR], clusters: ["*"], resources: ["*", secrets, gadgets.example.com], cluster_resources: ["*"], namespaces: ["*"]}
  - {users: [WRITER], clusters: [prod], namespaces: [podinfo], resources: [pods, deployments], cluster_resources: [nodes],
     verbs: ["*", scale, rollout restart, rollout undo, delete, label, annotate, set image, cordon, uncordon]}
  - {users: [SECRETS], clusters: [prod], resources: ["*", secrets], namespaces: [podinfo]}
  - {users: [U1], clusters: [prod], resources: [pods, configmaps, deployments], namespaces: [podinfo]}
`

// ordinary are lines whose output is kubectl's own, byte for byte.
var ordinary = []string{
	"get pods", "get pods -o wide", "get po -n podinfo", "get pods -A", "get pods -A -o wide --no-headers", "get pods --show-labels", "get pods -l app=web", "get pods -l app=none",
	"get deployments", "get deploy web -o yaml", "get deploy/web -o json", "get deploy web -o name", "get deploy web -o jsonpath={.spec.replicas}", "get rs -o wide",
	"get pods -o custom-columns=NAME:.metadata.name,IMAGE:.spec.containers[0].image", "get pods -o go-template='{{range .items}}{{.metadata.name}}{{\"\\n\"}}{{end}}'",
	"get pods --sort-by=.metadata.name", "get svc,deploy", "get deploy/web cm/settings", "get cm settings -o yaml", "get configmaps -L app", "get nodes", "get nodes -o wide", "get node node -o yaml",
	"get ns", "get crd", "get secrets", "get secret plain", "get secrets -o name", "get clusterroles --no-headers", "get endpointslices", "get events", "get pods missing",
	"get nonsense", "get pods -n nowhere", "get deploy web --subresource=scale", "get deploy web --show-managed-fields -o yaml", "get pods --field-selector=status.phase=Running",
	"get gadgets", "get gadgets -o wide", "get gadgets -A", "get gadgets --sort-by=.spec.size", "get gadget one", "get gadgets --show-labels -L app", "get gadgets,cm", "get gadgets -o yaml",
	"get gadgets --no-headers --chunk-size=1", "get gadget missing", "get gadgets -l app=none", "describe gadget one",
	"describe deploy web", "describe pods", "describe svc web", "describe cm settings", "describe node node", "describe ns podinfo", "describe secret plain", "describe rs", "describe pod missing",
	"events", "events --for deployment/web", "events --types=Warning", "explain pods.spec.containers", "explain deployment --recursive", "api-resources", "api-resources --namespaced=false -o name",
	"api-versions", "version", "version -o yaml", "version --client", "rollout status deploy/web", "rollout history deploy/web", "rollout history deploy/web --revision=1", "top pods", "top nodes",
	"logs deploy/web", "logs missing",
}

func TestKubectl(t *testing.T) {
	cluster, err := testbed.Start(t.Context(), testbed.Options{Name: "prod", NoFlux: true, Progress: t.Output()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cluster.Stop(); err != nil {
			t.Error(err)
		}
	})
	for _, file := range []string{"testdata/objects.yaml", "testdata/others.yaml"} {
		manifests, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := cluster.Apply(t.Context(), string(manifests)); err != nil {
			t.Fatal(err)
		}
	}
	if err := cluster.WaitRollout(t.Context(), "podinfo", "web"); err != nil {
		t.Fatal(err)
	}
	b := build(t, cluster.Kubeconfig(), "prod", "stage")
	t.Run("alike", b.alike)
	t.Run("several clusters", b.several)
	t.Run("RBAC has the last word", b.lastWord)
	t.Run("attacks", b.attacked)
	t.Run("columns", b.columns)
	t.Run("changes", b.changes)
}

// alike holds the executor's output against kubectl's own. Ages and times move on
// between two runs, so each pair may be tried again.
func (b *bench) alike(t *testing.T) {
	same := 0
	for _, line := range ordinary {
		var mine, theirs string
		for range 6 {
			a := b.say(t, "READER", line+" on prod", false)
			if a.Error != "" {
				t.Errorf("%s: %s", line, a.Error)
				break
			}
			mine = string(a.Output)
			var failed bool
			theirs, failed = b.kubectl(t, "READER", append(split(line), "--namespace="+namespaceOf(line))...)
			if mine == theirs && a.Result.Failed == failed {
				same++
				break
			}
		}
		if mine != theirs {
			t.Errorf("%s:\n%s\nkubectl itself says\n%s", line, mine, theirs)
		}
	}
	a := b.say(t, "READER", "get pods on prod", false)
	begin := time.Now()
	b.kubectl(t, "READER", "get", "pods", "--namespace=podinfo")
	t.Logf("%d of %d lines alike; get pods takes %d ms (kubectl itself %d ms), and children %d MiB at most",
		same, len(ordinary), a.Took.Milliseconds(), time.Since(begin).Milliseconds(), a.Peak>>20)
}

// split makes words of a line with single quotes.
func split(line string) []string {
	head, quoted, ok := strings.Cut(line, "'")
	if !ok {
		return strings.Fields(line)
	}
	words := strings.Fields(head)
	words[len(words)-1] += strings.TrimSuffix(quoted, "'")
	return words
}

func namespaceOf(line string) string {
	if strings.Contains(line, "-n nowhere") {
		return "nowhere"
	}
	return "podinfo"
}

func (b *bench) several(t *testing.T) {
	a := b.say(t, "READER", "get deploy -o name on stage,prod", false)
	if want := "== prod ==\ndeployment.apps/web\n== stage ==\ndeployment.apps/web\n"; string(a.Output) != want || a.Error != "" {
		t.Errorf("%s%s, want %s", a.Output, a.Error, want)
	}
}

// lastWord asks as somebody whom the rules let and the cluster does not.
func (b *bench) lastWord(t *testing.T) {
	a := b.say(t, "POOR", "get deploy on prod", false)
	want, _ := b.kubectl(t, "POOR", "get", "deploy", "-n", "podinfo")
	if string(a.Output) != want || !a.Result.Failed || !strings.Contains(want, `User "ferry:POOR" cannot list resource`) {
		t.Errorf("%s, want %s", a.Output, want)
	}
}

const canary = "hunter2-canary"

func leaks(out string) bool {
	return strings.Contains(out, canary) || strings.Contains(out, base64.StdEncoding.EncodeToString([]byte(canary)))
}

// attacked tries the whole list. Of those that run kubectl itself has to show the
// secret for some, or nothing would be proven.
func (b *bench) attacked(t *testing.T) {
	all := b.clusters
	defer func() { b.clusters = all }()
	b.clusters = all[:1]
	refused := attacks(t, "refused")
	for _, line := range refused {
		if a := b.say(t, "U1", line, false); a.Error == "" && a.Result.Confirm == "" || len(a.Output) > 0 {
			t.Errorf("%q gets through: %s", line, a.Output)
		}
	}
	blind, shown := attacks(t, "blind"), 0
	for _, line := range blind {
		a := b.say(t, "SECRETS", line, false)
		if a.Error != "" || leaks(string(a.Output)) {
			t.Errorf("%q: %s%s", line, a.Output, a.Error)
		}
		if words := split(line); !strings.Contains(line, " on ") && !strings.Contains(line, `"`) {
			if out, _ := b.kubectl(t, "SECRETS", append(words, "-n", "podinfo")...); leaks(out) {
				shown++
			}
		}
	}
	if shown < 15 {
		t.Errorf("kubectl itself shows the secret in %d of them: this proves little", shown)
	}
	t.Logf("%d refused; %d ran and showed nothing, where kubectl itself shows the secret in %d", len(refused), len(blind), shown)
}

// columns of other kinds hide what is secret, and nothing else.
func (b *bench) columns(t *testing.T) {
	for line, want := range map[string]string{
		"get secretcopies --no-headers on prod":         "copy Opaque *** *** 3",
		"get secretcopies --no-headers -o wide on prod": "copy Opaque *** *** *** *** 3",
	} {
		a := b.say(t, "SECRETS", line, false)
		words := strings.Fields(string(a.Output))
		if a.Error != "" || len(words) == 0 || strings.Join(slices.DeleteFunc(words, func(w string) bool { return strings.HasSuffix(w, "s") && w != "Opaque" }), " ") != want {
			t.Errorf("%s: %s%s, want %s and an age", line, a.Output, a.Error, want)
		}
	}
}

// changes are done after they were confirmed, and not before.
func (b *bench) changes(t *testing.T) {
	pod, _ := b.kubectl(t, "", "get", "pods", "-n", "podinfo", "-o", "name")
	pod = strings.Fields(pod)[0]
	for _, c := range []struct{ line, path, before, after string }{
		{"delete " + pod + " on prod", pod + " {.metadata.deletionTimestamp}", "", "gone"},
		{"scale deploy/web --replicas=3 on prod", "deploy/web {.spec.replicas}", "2", "3"},
		{"set image deploy/web app=example.com/web:2 on prod", "deploy/web {.spec.template.spec.containers[0].image}", "example.com/web:1", "example.com/web:2"},
		{"rollout undo deploy/web on prod", "deploy/web {.spec.template.spec.containers[0].image}", "example.com/web:2", "example.com/web:1"},
		{"label deploy web tier=front on prod", "deploy/web {.metadata.labels.tier}", "", "front"},
		{"annotate deploy/web why='a reason' on prod", "deploy/web {.metadata.annotations.why}", "", "a reason"},
		{"rollout restart deploy/web on prod", "deploy/web {.metadata.name}", "web", "web"},
		{"cordon node on prod", "node/node {.spec.unschedulable}", "", "true"},
		{"uncordon node on prod", "node/node {.spec.unschedulable}", "true", ""},
	} {
		object, path, _ := strings.Cut(c.path, " ")
		read := func() string {
			out, failed := b.kubectl(t, "", "get", object, "-n", "podinfo", "-o", "jsonpath="+path)
			if failed {
				return "gone"
			}
			return out
		}
		if got := read(); got != c.before {
			t.Errorf("before %s it is %q, want %q", c.line, got, c.before)
		}
		a := b.say(t, "WRITER", c.line, false)
		if !strings.HasPrefix(a.Result.Confirm, "Shall I ") || read() != c.before {
			t.Errorf("%s: asked %q%s, and it is %q", c.line, a.Result.Confirm, a.Error, read())
		}
		a = b.say(t, "WRITER", c.line, true)
		if got := read(); a.Error != "" || a.Result.Failed || got != c.after {
			t.Errorf("%s: %s%s, and it is %q, want %q", c.line, a.Output, a.Error, got, c.after)
		}
		t.Logf("%s: %s", c.line, slices.Collect(strings.Lines(string(a.Output))))
	}
}
