package guard

import (
	"slices"
	"strings"

	"ferry/plugins/kubectl/rules"
)

// Run is what is to be done on one cluster.
type Run struct {
	Cluster string
	// Argv is what kubectl gets, without its own name: the verb, names, and each
	// flag as --flag=value.
	Argv  []string
	Grant rules.Grant
}

// Decision is what comes of a command.
type Decision struct {
	Runs []Run
	// Left are clusters that `on *` meant and the rules do not let this person ask.
	Left []string
	// Confirm asks, in one sentence, before anything is changed; "" if nothing is.
	Confirm string
}

// Decide says what a command does for a person on which of the clusters there
// are, in their order. A cluster that is named and may not be asked refuses the
// whole line; with `on *` it is left out.
func Decide(c Command, cfg rules.Config, who rules.Person, clusters []string) (Decision, error) {
	targets, err := c.choose(clusters)
	if err != nil {
		return Decision{}, err
	}
	as, err := cfg.Impersonate.Identity(who)
	if err != nil {
		return Decision{}, err
	}
	namespace := c.Namespace
	if namespace == "" {
		namespace = cfg.Namespace
	}
	at := rules.Place{Namespace: namespace, None: c.All}
	var d Decision
	for _, cluster := range targets {
		allowed := cfg.For(who, c.Verb.Name, c.Verb.Changes, cluster)
		if err := c.allowed(allowed, cluster, at); err != nil {
			if !c.Everywhere {
				return Decision{}, err
			}
			d.Left = append(d.Left, cluster)
			continue
		}
		d.Runs = append(d.Runs, Run{Cluster: cluster, Argv: c.argv(namespace), Grant: c.grant(allowed, as, namespace)})
	}
	if len(d.Runs) == 0 {
		return Decision{}, refuse("your rules let you %s that on none of %s", c.Verb.Name, strings.Join(targets, ", "))
	}
	if c.Verb.Changes {
		d.Confirm = c.question(d.Runs, namespace)
	}
	return d, nil
}

// choose returns the clusters that a line means.
func (c Command) choose(clusters []string) ([]string, error) {
	switch {
	case len(clusters) == 0:
		return nil, refuse("no cluster is configured for this")
	case c.Everywhere && c.Verb.Changes:
		return nil, refuse("what is changed is changed on clusters that are named: … on %s", clusters[0])
	case c.Everywhere:
		return clusters, nil
	case len(c.Targets) == 0 && len(clusters) == 1:
		return clusters, nil
	case len(c.Targets) == 0:
		return nil, refuse("on which cluster? End the line with `on` and one or more of %s, or with `on *`", strings.Join(clusters, ", "))
	}
	for _, t := range c.Targets {
		if !slices.Contains(clusters, t) {
			return nil, refuse("there is no cluster %q here; there is %s", t, strings.Join(clusters, ", "))
		}
	}
	return slices.DeleteFunc(slices.Clone(clusters), func(name string) bool { return !slices.Contains(c.Targets, name) }), nil
}

// allowed says why rules do not let a command be run.
func (c Command) allowed(of []rules.Rule, cluster string, at rules.Place) error {
	if len(of) == 0 {
		return refuse("no rule lets you %s on %s", c.Verb.Name, cluster)
	}
	for _, k := range c.Kinds {
		ok := slices.ContainsFunc(of, func(r rules.Rule) bool {
			switch {
			case !k.Known:
				return r.Might(at)
			case k.Cluster:
				return r.Allows(k, rules.Place{None: true})
			}
			return r.Allows(k, at)
		})
		if !ok {
			return refuse("no rule lets you %s %s %s on %s", c.Verb.Name, k, c.where(k, at), cluster)
		}
	}
	return nil
}

// where says where objects of a kind are asked for.
func (c Command) where(k rules.Kind, at rules.Place) string {
	switch {
	case k.Cluster:
		return "(which are in no namespace, and have to be named in cluster_resources)"
	case at.None:
		return "in all namespaces"
	}
	return "in namespace " + at.Namespace
}

// argv is what kubectl gets: every word of it is one that was understood, and
// flags stand in the one form that cannot be read in two ways.
func (c Command) argv(namespace string) []string {
	out := slices.Clone(c.Args)
	has := func(flag string) bool {
		return slices.ContainsFunc(c.Verb.Flags, func(f Flag) bool { return f.Long == flag })
	}
	switch {
	case c.All:
		out = append(out, "--all-namespaces=true")
	case has("namespace"):
		out = append(out, "--namespace="+namespace)
	}
	for _, s := range c.Set {
		out = append(out, s.String())
	}
	return out
}

// grant is what the wall lets through for a command.
func (c Command) grant(of []rules.Rule, as rules.Identity, namespace string) rules.Grant {
	g := rules.Grant{As: as, Along: c.Verb.Along, Subresources: c.Verb.Subresources}
	for _, r := range of {
		g.Scopes = append(g.Scopes, r.Scope)
	}
	for _, o := range c.Objects {
		for _, w := range c.Verb.Writes {
			method, sub, _ := strings.Cut(w, "/")
			write := rules.Write{Method: method, Resource: o.Kind.String(), Subresource: sub, Namespace: namespace, Name: o.Name}
			if o.Kind.Known && o.Kind.Cluster {
				write.Namespace = ""
			}
			g.Writes = append(g.Writes, write)
			if !o.Kind.Known { // only the cluster knows whether it is in a namespace
				write.Namespace = ""
				g.Writes = append(g.Writes, write)
			}
		}
	}
	return g
}

// question says in one sentence what would be done, where, to what, and in another one
// what may become of it.
func (c Command) question(runs []Run, namespace string) string {
	objects, clusters := []string{}, []string{}
	inNamespace := false
	for _, o := range c.Objects {
		objects = append(objects, o.Kind.Plural+"/"+o.Name)
		inNamespace = inNamespace || !o.Kind.Cluster
	}
	for _, r := range runs {
		clusters = append(clusters, r.Cluster)
	}
	effect := strings.Replace(c.Verb.Effect, "%s", and(objects), 1)
	effect = strings.Replace(effect, "%s", c.value(), 1)
	place := ""
	if inNamespace {
		place = " in namespace " + namespace
	}
	q := []string{"Shall I " + effect + place + " on " + and(clusters)}
	if c.Verb.Name == "delete" {
		q = append(q, "for good")
	}
	if f, _ := get(c.Set, "force"); f == "true" {
		q = append(q, "by force")
	}
	asks := strings.Join(q, ", ") + "?"
	if c.Verb.Undone {
		asks += "\nFlux takes it back where it applies that from Git."
	}
	return asks
}

// value is what a change sets.
func (c Command) value() string {
	if n, ok := get(c.Set, "replicas"); ok {
		return n
	}
	if c.Verb.Name == "rollout undo" {
		if n, ok := get(c.Set, "to-revision"); ok && n != "0" {
			return "revision " + n
		}
		return "the revision before"
	}
	return strings.Join(c.Pairs, " ")
}

func and(list []string) string {
	if len(list) < 2 {
		return strings.Join(list, "")
	}
	return strings.Join(list[:len(list)-1], ", ") + " and " + list[len(list)-1]
}
