package guard

import (
	"fmt"
	"slices"
	"strings"

	"ferry/plugins/kubectl/rules"
)

// Shape is what follows a verb.
type Shape int

// The shapes.
const (
	Nothing Shape = iota
	Objects       // TYPE[,TYPE…] [NAME…] or TYPE/NAME…
	Named         // as Objects, with at least one name
	Log           // POD or TYPE/NAME
	Noun          // a name of the verb's one kind, if any
	Field         // TYPE.field.field
	Pairs         // as Named, followed by key=value and key-
	Images        // as Named, followed by container=image
)

// Verb is one that kubectl has and people may use, with all that is taken with it.
type Verb struct {
	Name  string // "get", "rollout restart"
	Shape Shape
	Flags []Flag
	// Changes is true for one that changes something.
	Changes bool
	// Kinds are the only ones it takes; nil for all.
	Kinds []string
	// Along and Subresources are what it reads beside its objects.
	Along        []rules.Along
	Subresources []string
	// Writes are its requests: METHOD or METHOD/subresource.
	Writes []string
	// Effect says what it does, in the words of a question.
	Effect string
	// Undone is true for what Flux takes back where it applies the object.
	Undone bool
}

// The outputs that read nothing but what the cluster answers.
const (
	outputs   = `wide|yaml|json|kyaml|name|(?:jsonpath|jsonpath-as-json|go-template|template|custom-columns)=.+`
	selector  = `[A-Za-z0-9!][A-Za-z0-9 ._/=!,()-]*`
	fieldPath = `[A-Za-z0-9.][A-Za-z0-9 ._/=!,-]*`
)

// verbs returns every verb. What is not here is refused.
func verbs() []Verb {
	return slices.Concat(reading(), changing())
}

// around are the flags that most reading verbs have.
func around(more ...Flag) []Flag {
	return append([]Flag{
		valued("namespace", "n", kubeSpace), switched("all-namespaces", "A"), valued("selector", "l", selector),
	}, more...)
}

func along(resources ...string) []rules.Along {
	out := []rules.Along{}
	for _, r := range resources {
		resource, namespace, _ := strings.Cut(r, "@")
		out = append(out, rules.Along{Resource: resource, Namespace: namespace})
	}
	return out
}

func reading() []Verb {
	rollout := []string{"deployments.apps", "daemonsets.apps", "statefulsets.apps"}
	workloads := append([]string{"pods", "replicasets.apps", "controllerrevisions.apps"}, rollout...)
	one := []Flag{valued("namespace", "n", kubeSpace), valued("selector", "l", selector)}
	return []Verb{
		{Name: "get", Shape: Objects, Subresources: []string{"status", "scale"}, Flags: around(
			valued("output", "o", outputs), valued("field-selector", "", fieldPath), valued("label-columns", "L", listOf),
			valued("sort-by", "", anything), valued("chunk-size", "", `[0-9]{1,5}`), valued("subresource", "", "status|scale"),
			switched("show-labels", ""), switched("no-headers", ""), switched("ignore-not-found", ""), switched("show-kind", ""),
			switched("show-managed-fields", ""), switched("allow-missing-template-keys", ""))},
		{Name: "describe", Shape: Objects, Flags: around(switched("show-events", ""), valued("chunk-size", "", `[0-9]{1,5}`)), Along: along(
			"events", "pods", "replicasets.apps", "controllerrevisions.apps", "persistentvolumeclaims", "services", "endpoints",
			"endpointslices.discovery.k8s.io", "resourcequotas", "limitranges", "horizontalpodautoscalers.autoscaling",
			"leases.coordination.k8s.io@kube-node-lease")},
		{Name: "logs", Shape: Log, Subresources: []string{"log"}, Along: along(workloads...), Flags: append(one[:2:2],
			valued("container", "c", name), valued("tail", "", number), valued("since", "", duration), valued("since-time", "", `[0-9TZ:.+-]{10,40}`),
			valued("limit-bytes", "", `[0-9]{1,9}`), valued("max-log-requests", "", `[0-9]{1,2}`), switched("follow", "f"), switched("previous", "p"),
			switched("timestamps", ""), switched("all-containers", ""), switched("all-pods", ""), switched("prefix", ""), switched("ignore-errors", ""))},
		{Name: "top pod", Shape: Noun, Kinds: []string{"pods"}, Flags: around(valued("field-selector", "", fieldPath),
			valued("sort-by", "", "cpu|memory"), switched("containers", ""), switched("no-headers", ""), switched("sum", ""), switched("show-swap", ""))},
		{Name: "top node", Shape: Noun, Kinds: []string{"nodes"}, Flags: []Flag{
			valued("selector", "l", selector), valued("sort-by", "", "cpu|memory"),
			switched("no-headers", ""), switched("show-capacity", ""), switched("show-swap", ""),
		}},
		{Name: "events", Shape: Nothing, Flags: []Flag{
			valued("namespace", "n", kubeSpace), switched("all-namespaces", "A"), valued("for", "", `[A-Za-z][A-Za-z0-9.-]*/`+name),
			valued("types", "", `[A-Za-z,]{1,40}`), valued("output", "o", outputs), switched("no-headers", ""),
		}},
		{Name: "explain", Shape: Field, Flags: []Flag{switched("recursive", "R"), valued("api-version", "", listOf), valued("output", "o", "plaintext|plaintext-openapiv2")}},
		{Name: "api-resources", Flags: []Flag{
			valued("api-group", "", `[A-Za-z0-9.-]*`), switched("namespaced", ""), valued("verbs", "", listOf), valued("sort-by", "", "name|kind"),
			valued("categories", "", listOf), valued("output", "o", "wide|name"), switched("no-headers", ""),
		}},
		{Name: "api-versions"},
		{Name: "version", Flags: []Flag{switched("client", ""), valued("output", "o", "yaml|json")}},
		{Name: "rollout status", Shape: Objects, Kinds: rollout, Along: along(workloads...), Flags: append(one[:2:2],
			switched("watch", "w"), valued("revision", "", number), valued("timeout", "", duration))},
		{Name: "rollout history", Shape: Objects, Kinds: rollout, Along: along(workloads...), Flags: append(one[:2:2], valued("revision", "", number))},
	}
}

func changing() []Verb {
	rollout := []string{"deployments.apps", "daemonsets.apps", "statefulsets.apps"}
	scaled := []string{"deployments.apps", "statefulsets.apps", "replicasets.apps", "replicationcontrollers"}
	revisions := along("replicasets.apps", "controllerrevisions.apps", "pods")
	namespace := valued("namespace", "n", kubeSpace)
	return []Verb{
		{
			Name: "scale", Shape: Named, Changes: true, Kinds: scaled, Undone: true, Effect: "scale %s to %s replicas", Subresources: []string{"scale"},
			Writes: []string{"PATCH/scale", "PUT/scale"}, Flags: []Flag{namespace, valued("replicas", "", `[0-9]{1,4}`), valued("current-replicas", "", `[0-9]{1,4}`)},
		},
		{Name: "rollout restart", Shape: Named, Changes: true, Kinds: rollout, Effect: "restart every pod of %s", Writes: []string{"PATCH"}, Flags: []Flag{namespace}},
		{Name: "rollout pause", Shape: Named, Changes: true, Kinds: rollout[:1], Undone: true, Effect: "pause the rollout of %s", Writes: []string{"PATCH"}, Flags: []Flag{namespace}},
		{Name: "rollout resume", Shape: Named, Changes: true, Kinds: rollout[:1], Effect: "resume the rollout of %s", Writes: []string{"PATCH"}, Flags: []Flag{namespace}},
		{
			Name: "rollout undo", Shape: Named, Changes: true, Kinds: rollout, Undone: true, Effect: "take %s back to %s", Along: revisions,
			Writes: []string{"PATCH", "PUT"}, Flags: []Flag{namespace, valued("to-revision", "", `[0-9]{1,9}`)},
		},
		{Name: "delete", Shape: Named, Changes: true, Effect: "delete %s", Writes: []string{"DELETE"}, Flags: []Flag{
			namespace, valued("grace-period", "", number), switched("force", ""), switched("now", ""), switched("wait", ""), switched("ignore-not-found", ""),
		}},
		{Name: "label", Shape: Pairs, Changes: true, Undone: true, Effect: "label %s with %s", Writes: []string{"PATCH"}, Flags: []Flag{namespace, switched("overwrite", "")}},
		{Name: "annotate", Shape: Pairs, Changes: true, Undone: true, Effect: "annotate %s with %s", Writes: []string{"PATCH"}, Flags: []Flag{namespace, switched("overwrite", "")}},
		{Name: "cordon", Shape: Noun, Changes: true, Kinds: []string{"nodes"}, Effect: "let no new pods onto %s", Writes: []string{"PATCH"}},
		{Name: "uncordon", Shape: Noun, Changes: true, Kinds: []string{"nodes"}, Effect: "let new pods onto %s again", Writes: []string{"PATCH"}},
		{
			Name: "set image", Shape: Images, Changes: true, Undone: true, Kinds: slices.Concat(rollout, []string{"cronjobs.batch", "replicasets.apps"}),
			Effect: "run %s with %s", Writes: []string{"PATCH"}, Flags: []Flag{namespace},
		},
	}
}

// find returns the verb that a line begins with, and how many words it has.
func find(words []Word) (*Verb, int, error) {
	if len(words) == 0 {
		return nil, 0, refuse("what shall kubectl do? It can %s", strings.Join(Names(false), ", "))
	}
	one := words[0].Text
	two := one
	if len(words) > 1 {
		two += " " + same(words[1].Text)
	}
	known := verbs()
	for i := range known {
		switch v := &known[i]; v.Name {
		case one:
			return v, 1, nil
		case two:
			return v, 2, nil
		}
	}
	if strings.HasPrefix(one, "-") {
		return nil, 0, refuse("a line begins with what is to be done, such as get, and flags follow")
	}
	if why := never(one); why != "" {
		return nil, 0, Never("kubectl "+one, why)
	}
	if of := under(one, known); len(of) > 0 {
		return nil, 0, refuse("of kubectl %s there is %s", one, strings.Join(of, ", "))
	}
	return nil, 0, refuse("%s is nothing that kubectl does here; it can %s", fmt.Sprintf("%q", one), strings.Join(Names(false), ", "))
}

// same returns a word of kubectl's own for the verb top in its first form.
func same(word string) string {
	switch word {
	case "pods", "po":
		return "pod"
	case "nodes", "no":
		return "node"
	}
	return word
}

// under returns the verbs that begin with a word.
func under(word string, known []Verb) []string {
	out := []string{}
	for _, v := range known {
		if strings.HasPrefix(v.Name, word+" ") {
			out = append(out, v.Name)
		}
	}
	return out
}

// never says why a verb of kubectl is nobody's.
func never(verb string) string {
	for _, group := range []struct{ names, why string }{
		{"exec attach debug run", "it opens a way into a container; logs, events and describe tell what is to be seen from outside"},
		{"cp port-forward proxy", "it reaches the machine that ferry runs on"},
		{"edit config kuberc completion options alpha plugin plugins kustomize help", "it is about the machine that ferry runs on, or needs somebody at a keyboard"},
		{"apply create replace patch expose autoscale diff taint", "manifests come from Git: change them there, or ask ferry to promote"},
		{"auth certificate", "who may do what is not asked and not changed here"},
		{"drain", "it takes longer than anybody watches; cordon the node, if your role has that"},
		{"wait", "use rollout status, or ask again"},
		{"cluster-info", "use version, or get nodes"},
	} {
		if slices.Contains(strings.Fields(group.names), verb) {
			return group.why
		}
	}
	return ""
}

// Names returns the names of the verbs that read, or of those that change something.
func Names(changes bool) []string {
	out := []string{}
	for _, v := range verbs() {
		if v.Changes == changes {
			out = append(out, v.Name)
		}
	}
	return out
}
