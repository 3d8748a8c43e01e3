package child

import (
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"ferry/plugins/kubectl/guard"
	"ferry/plugins/kubectl/rules"
)

// kubectl reads words with kubectl's own flags and returns the verb that it would
// run, its words and the values of all flags.
func kubectl(t *testing.T, words []string) (verb string, args []string, values map[string]string, err error) {
	t.Helper()
	job := Job{Kubeconfig: []byte(`{clusters: [{name: c, cluster: {server: "http://127.0.0.1:1"}}], contexts: [{name: c, context: {cluster: c}}], current-context: c}`)}
	command, err := job.command(discard())
	if err != nil {
		t.Fatal(err)
	}
	var found *cobra.Command
	found, rest, err := command.Find(words)
	if err != nil {
		return "", nil, nil, err
	}
	if err := found.ParseFlags(rest); err != nil {
		return "", nil, nil, err
	}
	values = map[string]string{}
	found.Flags().VisitAll(func(f *pflag.Flag) { values[f.Name] = f.Value.String() })
	return strings.TrimPrefix(found.CommandPath(), "kubectl "), found.Flags().Args(), values, nil
}

// agree checks one line: what the guard lets through kubectl has to read as the
// guard did, in the words that were written and in those that it is given.
func agree(t *testing.T, line string) (through bool) {
	t.Helper()
	c, err := guard.Parse(line)
	if err != nil {
		return false
	}
	cfg := rules.Config{Namespace: "home", Impersonate: rules.Impersonate{Nobody: true}, Rules: []rules.Rule{{
		Users: []string{"*"}, Verbs: append(guard.Names(true), "*"), Clusters: []string{"*"},
		Scope: rules.Scope{Resources: []string{"*", "secrets"}, ClusterResources: []string{"*"}, Namespaces: []string{"*"}},
	}}}
	d, err := guard.Decide(c, cfg, rules.Person{ID: "U"}, append(slices.Clone(c.Targets), "only")[:max(1, len(c.Targets))])
	if err != nil {
		return false
	}
	argv := d.Runs[0].Argv
	verb, args, values, err := kubectl(t, argv)
	if err != nil {
		// A value out of range is refused by kubectl, which does nothing then.
		if !strings.Contains(err.Error(), "invalid argument") {
			t.Errorf("%q: kubectl does not read %q: %v", line, argv, err)
		}
		return false
	}
	if verb != c.Verb.Name {
		t.Errorf("%q: the guard takes it for %s, kubectl for %s", line, c.Verb.Name, verb)
	}
	if want := c.Args[len(strings.Fields(c.Verb.Name)):]; !slices.Equal(args, want) {
		t.Errorf("%q: the guard read the words %q, kubectl %q", line, want, args)
	}
	_, _, defaults, err := kubectl(t, strings.Fields(c.Verb.Name))
	if err != nil {
		t.Fatal(err)
	}
	said := map[string]bool{"namespace": true, "all-namespaces": true}
	for _, s := range c.Set {
		said[s.Flag] = true
	}
	for name, value := range values {
		if !said[name] && value != defaults[name] {
			t.Errorf("%q: the guard knows nothing of --%s, which kubectl sets to %q", line, name, value)
		}
	}
	asWritten(t, line, verb, args, values)
	return true
}

// asWritten holds what kubectl makes of the words as they were written against
// what it makes of those that the guard gives it.
func asWritten(t *testing.T, line, verb string, args []string, values map[string]string) {
	t.Helper()
	words := []string{}
	split, err := guard.Split(line)
	if err != nil {
		t.Fatal(err)
	}
	for i, w := range split {
		if w.Bare && w.Text == "on" {
			break
		}
		if i > 0 || w.Text != "kubectl" || !w.Bare {
			words = append(words, w.Text)
		}
	}
	rawVerb, rawArgs, rawValues, err := kubectl(t, words)
	if err != nil || rawVerb != verb {
		t.Errorf("%q: kubectl reads the words as they are as %q, %v; the guard as %q", line, rawVerb, err, verb)
		return
	}
	if verb == "cordon" || verb == "uncordon" { // node/x is given as x
		rawArgs = []string{strings.TrimPrefix(strings.TrimPrefix(rawArgs[0], "nodes/"), "node/")}
	}
	if !slices.Equal(rawArgs, args) {
		t.Errorf("%q: kubectl reads the words %q as they are, and %q from the guard", line, rawArgs, args)
	}
	for name, value := range rawValues {
		if name == "namespace" && value == "" {
			value = values[name] // the configuration's
		}
		if values[name] != value {
			t.Errorf("%q: --%s is %q as it was written, and %q from the guard", line, name, value, values[name])
		}
	}
}

func seeds(t testing.TB) []string {
	text, err := os.ReadFile("../testdata/attacks.txt")
	if err != nil {
		t.Fatal(err)
	}
	out := []string{
		"get pods -n podinfo on prod", "kubectl get po -owide", "get pods -A=false -o=yaml", "logs -f deploy/web -c app --tail=-1", "describe pods web -n x",
		"rollout status deploy/web --watch=false --timeout 1m", "rollout history deploy/web", "top pods --containers", "top node", "events --for pod/web --types=Warning",
		"explain pods.spec -R", "api-resources --namespaced=false", "version -oyaml", "scale deploy/web --replicas 3", "rollout undo deploy/web --to-revision=2",
		"label deploy/web a=b c- --overwrite", "annotate pod web x/y='a b'", "set image deploy/web app=nginx:1", "delete pod a b --grace-period=0 --force", "cordon node/a",
	}
	for row := range strings.Lines(string(text)) {
		if _, line, ok := strings.Cut(strings.TrimSuffix(row, "\n"), "\t"); ok {
			out = append(out, line)
		}
	}
	return out
}

// FuzzGuardReadsAsKubectl is the property that the guard stands on.
func FuzzGuardReadsAsKubectl(f *testing.F) {
	for _, line := range seeds(f) {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) { agree(t, line) })
}

// TestGuardReadsAsKubectl does the same with lines made of what matters: verbs,
// flags in all their forms, quotes and dashes, in any order.
func TestGuardReadsAsKubectl(t *testing.T) {
	const lines = 2500
	verbs := append(guard.Names(false), append(guard.Names(true), "top pods", "top no")...)
	pieces := strings.Split("pods|pod/web|deploy/web|web|nodes|node-1|a=b|a-|app=x:1|-n|x|-nx|-n=x|--namespace=x|--namespace x|-o|yaml|-oyaml|-o=yaml|-Aoyaml|-A|-A=true|-A=false|"+
		"--all-namespaces|--all-namespaces=false|-l|a=b|-la=b|-l=a|--selector=a|--tail=5|--tail 5|--tail -1|-f|-p|-fp|-pf|-fp=true|-c|-cx|-c=|--since=5m|'-o'|\"yaml\"|'pods'|--|-|--=|"+
		"--output=wide|--output wide|--replicas=2|--replicas 2|--overwrite|--overwrite=false|-R|-w|-w=false|--watch=false|--show-labels|-L|-La,b|--sort-by=.x|--no-headers|--wait=false|"+
		"--force|--now|--to-revision=1|''|\"\"|-=|-o=|-n=|-nn|-oo|pods,svc|x|on|prod|--for=pod/x|--client|-o'yaml'|--output''=name|--recursive|--containers|--sum", "|")
	r := rand.New(rand.NewPCG(1, 2))
	through := 0
	for range lines {
		words := []string{verbs[r.IntN(len(verbs))]}
		if r.IntN(3) > 0 {
			words = append(words, []string{"pods", "deploy/web", "pod web", "node", "web"}[r.IntN(5)])
		}
		for range r.IntN(5) {
			words = append(words, pieces[r.IntN(len(pieces))])
		}
		if agree(t, strings.Join(words, " ")) {
			through++
		}
	}
	if through < lines/20 {
		t.Errorf("only %d of %d lines get through: this proves little", through, lines)
	}
	t.Logf("%d of %d lines get through, all read alike", through, lines)
}
