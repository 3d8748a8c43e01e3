package guard

import (
	"slices"
	"strings"

	"ferry/plugins/kubectl/rules"
)

// Command is a line, read.
type Command struct {
	Verb *Verb
	// Kinds are what it asks about, Objects what it names. A kind of Objects is
	// among Kinds.
	Kinds   []rules.Kind
	Objects []Object
	// Pairs are what label, annotate and set image set.
	Pairs []string
	// Args are the words for kubectl that are no flags, the verb's included.
	Args []string
	Set  []Setting
	// Namespace is "" where none is named; All is true for -A.
	Namespace string
	All       bool
	// Targets are the clusters that are named; Everywhere is true for `on *`.
	Targets    []string
	Everywhere bool
}

// Object is one that is named.
type Object struct {
	Kind rules.Kind
	Name string
}

func (o Object) String() string { return o.Kind.String() + "/" + o.Name }

// Parse reads a line: what follows `kubectl`, or all of it. What it returns is
// made of words that are understood; whatever is not is refused.
func Parse(line string) (Command, error) {
	words, err := Split(line)
	if err != nil {
		return Command{}, err
	}
	if len(words) > 0 && words[0].Bare && words[0].Text == "kubectl" {
		words = words[1:]
	}
	var c Command
	if words, err = c.targets(words); err != nil {
		return Command{}, err
	}
	verb, n, err := find(words)
	if err != nil {
		return Command{}, err
	}
	c.Verb = verb
	c.Args = strings.Fields(verb.Name)
	args, set, err := readFlags(verb, words[n:])
	if err != nil {
		return Command{}, err
	}
	c.Set = set
	if err := c.place(); err != nil {
		return Command{}, err
	}
	if err := c.shape(args); err != nil {
		return Command{}, err
	}
	if err := c.suits(); err != nil {
		return Command{}, err
	}
	return c, nil
}

// targets takes the clusters from the end of a line: everything behind the
// bare `on`, which is one list with commas or a star.
func (c *Command) targets(words []Word) ([]Word, error) {
	on := slices.Index(words, Word{Text: "on", Bare: true})
	if on < 0 {
		return words, nil
	}
	if slices.Contains(words[on+1:], words[on]) {
		return nil, refuse("`on` stands there twice: quote it if it is a name")
	}
	list := ""
	for i, w := range words[on+1:] {
		if i > 0 && !strings.HasSuffix(list, ",") && !strings.HasPrefix(w.Text, ",") {
			return nil, refuse("`on` and its clusters end a line, with commas between them: … on prod,stage")
		}
		list += w.Text
	}
	if list == "*" {
		c.Everywhere = true
		return words[:on], nil
	}
	for target := range strings.SplitSeq(list, ",") {
		if target == "" || strings.ContainsRune(target, '*') {
			return nil, refuse("`on` is followed by clusters, with commas between them, or by * for all: … on prod,stage")
		}
		if slices.Contains(c.Targets, target) {
			return nil, refuse("%s is named twice", target)
		}
		c.Targets = append(c.Targets, target)
	}
	return words[:on], nil
}

// place takes the namespace out of the flags.
func (c *Command) place() error {
	all, _ := get(c.Set, "all-namespaces")
	c.Namespace, _ = get(c.Set, "namespace")
	c.All = all == "true"
	if c.All && c.Namespace != "" {
		return refuse("either --namespace or --all-namespaces")
	}
	c.Set = slices.DeleteFunc(c.Set, func(s Setting) bool { return s.Flag == "namespace" || s.Flag == "all-namespaces" })
	return nil
}

func (c *Command) shape(args []Word) error {
	texts := []string{}
	for _, a := range args {
		texts = append(texts, a.Text)
	}
	switch c.Verb.Shape {
	case Nothing:
		if len(texts) > 0 {
			return refuse("%s takes no names, and %q is one", c.Verb.Name, texts[0])
		}
		return nil
	case Field:
		return c.field(texts)
	case Log:
		return c.log(texts)
	case Noun:
		return c.noun(texts)
	case Pairs, Images:
		return c.pairs(texts)
	default:
		return c.objects(texts)
	}
}

// objects reads TYPE[,TYPE…] [NAME…] or TYPE/NAME….
func (c *Command) objects(args []string) error {
	if len(args) == 0 {
		return refuse("%s what? Name a kind, such as pods, or an object, such as pod/web", c.Verb.Name)
	}
	if strings.Contains(args[0], "/") {
		for _, a := range args {
			if err := c.tuple(a); err != nil {
				return err
			}
		}
		return nil
	}
	kinds := strings.Split(args[0], ",")
	for _, text := range kinds {
		if err := c.kind(text); err != nil {
			return err
		}
	}
	for _, n := range args[1:] {
		if !fits(name, n) {
			return refuse("%q is no name of an object", n)
		}
		for _, k := range c.Kinds {
			c.Objects = append(c.Objects, Object{Kind: k, Name: n})
		}
	}
	c.Args = append(c.Args, args...)
	return nil
}

func (c *Command) tuple(text string) error {
	kind, n, ok := strings.Cut(text, "/")
	if !ok {
		return refuse("%q among names with their kind: write kind/%s", text, text)
	}
	if !fits(name, n) {
		return refuse("%q is no name of an object", n)
	}
	if err := c.kind(kind); err != nil {
		return err
	}
	c.Objects = append(c.Objects, Object{Kind: rules.Word(kind), Name: n})
	c.Args = append(c.Args, text)
	return nil
}

// kind reads a kind, alone or with its group.
func (c *Command) kind(text string) error {
	if !fits(`[A-Za-z][A-Za-z0-9-]*(?:\.[A-Za-z0-9-]+)*`, text) {
		return refuse("%q is no kind of objects", text)
	}
	k := rules.Word(text)
	if k.Plural == "all" && k.Group == "" {
		return refuse("`all` is whatever a cluster finds it to be: name the kinds, such as pods,deployments,services")
	}
	if !slices.Contains(c.Kinds, k) {
		c.Kinds = append(c.Kinds, k)
	}
	return nil
}

// log reads POD or TYPE/NAME.
func (c *Command) log(args []string) error {
	selected, _ := get(c.Set, "selector")
	switch {
	case len(args) > 1:
		return refuse("logs of one pod at a time; a container is named with -c")
	case len(args) == 0 && selected == "":
		return refuse("logs of which pod? Name it, or a workload such as deployment/web, or select with -l")
	case len(args) == 1 && selected != "":
		return refuse("logs of what is named or of what is selected, not both")
	case len(args) == 1 && strings.Contains(args[0], "/"):
		if err := c.tuple(args[0]); err != nil {
			return err
		}
	case len(args) == 1:
		if !fits(name, args[0]) {
			return refuse("%q is no name of a pod", args[0])
		}
		c.Objects = append(c.Objects, Object{Kind: rules.Word("pods"), Name: args[0]})
		c.Args = append(c.Args, args[0])
	}
	if pods := rules.Word("pods"); !slices.Contains(c.Kinds, pods) {
		c.Kinds = append(c.Kinds, pods)
	}
	return nil
}

// noun reads the name of an object of the verb's one kind; a change needs it.
func (c *Command) noun(args []string) error {
	kind := rules.Word(c.Verb.Kinds[0])
	c.Kinds = []rules.Kind{kind}
	if len(args) == 0 && !c.Verb.Changes {
		return nil
	}
	if len(args) != 1 {
		return refuse("%s takes one name", c.Verb.Name)
	}
	n := args[0]
	if c.Verb.Changes {
		n = strings.TrimPrefix(strings.TrimPrefix(n, "nodes/"), "node/")
	}
	if !fits(name, n) {
		return refuse("%q is no name of one of the %s", n, kind)
	}
	c.Objects = []Object{{Kind: kind, Name: n}}
	c.Args = append(c.Args, n)
	return nil
}

// field reads TYPE.field.field.
func (c *Command) field(args []string) error {
	if len(args) != 1 || !fits(`[A-Za-z][A-Za-z0-9.-]*`, args[0]) {
		return refuse("explain one kind or one of its fields, such as pods.spec.containers")
	}
	c.Args = append(c.Args, args[0])
	return nil
}

// pairs reads objects and what is set on them.
func (c *Command) pairs(args []string) error {
	isPair := func(s string) bool {
		return strings.Contains(s, "=") || c.Verb.Shape == Pairs && strings.HasSuffix(s, "-")
	}
	at := slices.IndexFunc(args, isPair)
	if at < 0 {
		return refuse("%s what with what? For example: %s deployment/web key=value", c.Verb.Name, c.Verb.Name)
	}
	shape := `[A-Za-z0-9](?:[A-Za-z0-9./_-]*[A-Za-z0-9])?(?:=.*|-)`
	if c.Verb.Shape == Images {
		shape = kubeSpace + `=[A-Za-z0-9][A-Za-z0-9._:/@-]*`
	}
	for _, p := range args[at:] {
		if !fits(shape, p) {
			return refuse("%q is nothing that %s could set", p, c.Verb.Name)
		}
	}
	if err := c.objects(args[:at]); err != nil {
		return err
	}
	c.Pairs = args[at:]
	c.Args = append(c.Args, c.Pairs...)
	return nil
}

// suits checks what a line has to name for its verb.
func (c *Command) suits() error {
	if c.Verb.Name == "events" {
		c.Kinds = []rules.Kind{rules.Word("events")}
	}
	for _, k := range c.Kinds {
		log := c.Verb.Shape == Log && k.Plural == "pods"
		if c.Verb.Kinds != nil && !log && !slices.Contains(c.Verb.Kinds, k.String()) {
			return refuse("%s is for %s, not for %s", c.Verb.Name, strings.Join(c.Verb.Kinds, ", "), k)
		}
		if c.Verb.Changes && !k.Known && k.Group == "" {
			return refuse("write %s with its group, as plural.group: it is to be changed", k)
		}
		if c.Verb.Changes && k.Plural == rules.Secrets && c.Verb.Name != "delete" {
			return refuse("a secret is not changed from here")
		}
	}
	if c.Verb.Changes && len(c.Objects) == 0 {
		return refuse("%s what? What is changed is named, each object by its name", c.Verb.Name)
	}
	if _, ok := get(c.Set, "replicas"); c.Verb.Name == "scale" && !ok {
		return refuse("scale to how many? --replicas=3")
	}
	return nil
}
