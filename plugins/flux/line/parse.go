package line

import (
	"slices"
	"strings"
	"time"

	"ferry/plugins/kubectl/guard"
)

// Command is a line, read.
type Command struct {
	Verb string
	// Changes is true for one that changes something in a cluster.
	Changes bool
	Kinds   []Kind
	Names   []string
	// Namespace is "" where none is named; All is true for -A.
	Namespace string
	All       bool
	// Labels selects by label, Status by a condition: ready=false.
	Labels, Status string
	// WithSource asks for what it is made of first, Compact leaves out what is none
	// of Flux's kinds.
	WithSource, Compact bool
	// Timeout is how long Flux is waited for; 0 is the configuration's.
	Timeout time.Duration
	Aim     guard.Aim
}

// The verbs.
const (
	Get       = "get"
	Tree      = "tree"
	Reconcile = "reconcile"
	Suspend   = "suspend"
	Resume    = "resume"
)

const (
	object = `[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*`
	space  = `[a-z0-9](?:[a-z0-9-]*[a-z0-9])?`
)

// verbs returns every verb. What is not here is refused.
func verbs() []guard.Verb {
	namespace := guard.Valued("namespace", "n", space)
	timeout := guard.Valued("timeout", "", `(?:[0-9]{1,4}[smh])+`)
	return []guard.Verb{
		{Name: Get, Flags: []guard.Flag{
			namespace, guard.Switched("all-namespaces", "A"), guard.Valued("label-selector", "l", `[A-Za-z0-9!][A-Za-z0-9 ._/=!,()-]*`),
			guard.Valued("status-selector", "", `[A-Za-z]{1,40}=(?i:true|false|unknown)`),
		}},
		{Name: Tree, Flags: []guard.Flag{namespace, guard.Switched("compact", "")}},
		{Name: Reconcile, Changes: true, Flags: []guard.Flag{namespace, guard.Switched("with-source", ""), timeout}},
		{Name: Suspend, Changes: true, Flags: []guard.Flag{namespace}},
		{Name: Resume, Changes: true, Flags: []guard.Flag{namespace, timeout}},
	}
}

// Parse reads a line: what follows `flux`, or all of it. What it returns is made of
// words that are understood; whatever is not is refused.
func Parse(line string) (Command, error) {
	words, err := guard.Split(line)
	if err != nil {
		return Command{}, err
	}
	if len(words) > 0 && words[0].Bare && words[0].Text == "flux" {
		words = words[1:]
	}
	words, aim, err := guard.TakeAim(words)
	if err != nil {
		return Command{}, err
	}
	verb, err := find(words)
	if err != nil {
		return Command{}, err
	}
	c := Command{Verb: verb.Name, Changes: verb.Changes, Aim: aim}
	if err := never(words[1:]); err != nil {
		return Command{}, err
	}
	args, set, err := guard.ReadFlags(&verb, words[1:])
	if err != nil {
		return Command{}, err
	}
	if err := c.settings(set); err != nil {
		return Command{}, err
	}
	return c, c.named(args)
}

// settings takes what the flags say.
func (c *Command) settings(set []guard.Setting) error {
	on := func(flag string) bool { v, _ := guard.Get(set, flag); return v == "true" }
	c.All, c.WithSource, c.Compact = on("all-namespaces"), on("with-source"), on("compact")
	c.Namespace, _ = guard.Get(set, "namespace")
	c.Labels, _ = guard.Get(set, "label-selector")
	c.Status, _ = guard.Get(set, "status-selector")
	if c.All && c.Namespace != "" {
		return refuse("either --namespace or --all-namespaces")
	}
	if text, ok := guard.Get(set, "timeout"); ok {
		timeout, err := time.ParseDuration(text)
		if err != nil || timeout <= 0 {
			return refuse("--timeout is a time such as 90s or 5m, not %q", text)
		}
		c.Timeout = timeout
	}
	return nil
}

// named reads kinds and names.
func (c *Command) named(args []guard.Word) error {
	texts := []string{}
	for _, a := range args {
		texts = append(texts, a.Text)
	}
	kinds, n, err := readKinds(c.Verb, texts)
	if err != nil {
		return err
	}
	c.Kinds, c.Names = kinds, texts[n:]
	for _, name := range c.Names {
		if !guard.Fits(object, name) {
			return refuse("%q is no name of an object", name)
		}
	}
	return c.suits()
}

// suits checks that a verb has what it needs and no more.
func (c *Command) suits() error {
	switch {
	case c.Verb != Get && len(c.Kinds) > 1:
		return refuse("%s one kind at a time: %s", c.Verb, strings.Join(words(c.Verb), ", "))
	case c.Verb == Get && len(c.Kinds) > 1 && len(c.Names) > 0:
		return refuse("a name is looked for among one kind: get kustomization %s", c.Names[0])
	case c.Verb == Get && len(c.Names) > 1, (c.Verb == Tree || c.Verb == Reconcile) && len(c.Names) > 1:
		return refuse("%s takes one name, and %q is another", c.Verb, c.Names[1])
	case c.Verb == Get && len(c.Names) == 1 && (c.All || c.Labels != "" || c.Status != ""):
		return refuse("either a name or a selection")
	case c.Verb == Get:
		return nil
	case c.Verb == Tree && c.Kinds[0].Name != "Kustomization":
		return refuse("tree shows what a kustomization has made: tree kustomization NAME")
	case c.Kinds[0].Reads:
		return refuse("%s has nothing to %s: it follows its image repository", c.Kinds[0].Words, c.Verb)
	case len(c.Names) == 0:
		return refuse("%s which %s? Name it", c.Verb, c.Kinds[0].Words)
	case c.WithSource && c.Kinds[0].Group != Kustomize && c.Kinds[0].Group != Helm:
		return refuse("--with-source is for kustomizations and helmreleases: %s has no source to ask first", c.Kinds[0].Words)
	}
	seen := slices.Sorted(slices.Values(c.Names))
	if len(slices.Compact(seen)) < len(c.Names) {
		return refuse("a name stands there twice")
	}
	return nil
}
