package line

import (
	"slices"
	"strings"
	"time"

	"ferry/plugins/kubectl/guard"
	"ferry/plugins/kubectl/rules"
)

// Run is what is to be done on one cluster.
type Run struct {
	Cluster string
	// Kinds are those of the command's that may be asked about, Left the others.
	Kinds, Left []Kind
	Access      Access
	// Undo says who may take back what is done; "" for nobody.
	Undo string
}

// Access is what one line may ask of one cluster, and as whom.
type Access struct {
	Scopes []rules.Scope
	As     rules.Identity
}

// May says whether objects of a kind may be asked about at a place.
func (a Access) May(k Kind, at rules.Place) bool {
	return slices.ContainsFunc(a.Scopes, func(s rules.Scope) bool { return s.Allows(k.Kind, at) })
}

// Grant is what the wall lets through: reading what may be asked about, and changes
// of the objects that are named.
func (a Access) Grant(change ...rules.Write) rules.Grant {
	return rules.Grant{Scopes: a.Scopes, As: a.As, Writes: change}
}

// Decision is what comes of a command. Command has its namespace filled in.
type Decision struct {
	Command Command
	Runs    []Run
	// Left are clusters that `on *` meant and the rules do not let this person ask.
	Left []string
	// Confirm asks, in one sentence, before anything is changed; "" for no question.
	Confirm string
}

// Decide says what a command does for a person on which of the clusters there are,
// in their order. A cluster that is named and may not be asked refuses the whole
// line; with `on *` it is left out.
func Decide(c Command, cfg Config, who rules.Person, clusters []string) (Decision, error) {
	// What asking Flux to look now does, Flux does by itself, and so it may be meant
	// for all clusters; what stops and starts Flux is not.
	targets, err := c.Aim.Choose(clusters, c.Verb == Suspend || c.Verb == Resume)
	if err != nil {
		return Decision{}, err
	}
	as, err := cfg.identity(who)
	if err != nil {
		return Decision{}, err
	}
	if c.Namespace == "" && !c.All {
		c.Namespace = cfg.Namespace
	}
	switch most := time.Duration(cfg.Wait); {
	case c.Timeout > most:
		return Decision{}, refuse("--timeout is at most %s here", most)
	case c.Timeout == 0:
		c.Timeout = most
	}
	d := Decision{Command: c}
	at := c.place()
	for _, cluster := range targets {
		run := Run{Cluster: cluster, Access: Access{As: as}}
		for _, r := range cfg.For(who, c.Verb, c.Changes, cluster) {
			run.Access.Scopes = append(run.Access.Scopes, r.Scope)
		}
		for _, k := range c.Kinds {
			if run.Access.May(k, at) {
				run.Kinds = append(run.Kinds, k)
			} else {
				run.Left = append(run.Left, k)
			}
		}
		switch {
		case len(run.Kinds) > 0:
			if c.Verb == Suspend {
				run.Undo = cfg.whoMay(Resume, c.Kinds[0], at, cluster)
			}
			d.Runs = append(d.Runs, run)
		case c.Aim.Everywhere:
			d.Left = append(d.Left, cluster)
		default:
			return Decision{}, c.forbidden(cluster)
		}
	}
	if len(d.Runs) == 0 {
		return Decision{}, refuse("your rules let you %s that on none of %s", c.Verb, strings.Join(targets, ", "))
	}
	if slices.Contains(cfg.Confirm, c.Verb) {
		d.Confirm = c.question(d.Runs)
	}
	return d, nil
}

// Meaning is what a question was about: what would be done to what, where. Whoever
// answers it is judged by their own rules and asks as themselves.
func (d Decision) Meaning() any {
	clusters := []string{}
	for _, r := range d.Runs {
		clusters = append(clusters, r.Cluster)
	}
	return struct {
		Command  Command
		Clusters []string
	}{d.Command, clusters}
}

// Selects says whether a line asks for some of what there is.
func (c Command) Selects() bool { return c.Labels != "" || c.Status != "" }

// place is where a command's objects are asked for.
func (c Command) place() rules.Place { return rules.Place{Namespace: c.Namespace, None: c.All} }

// forbidden says that no rule lets somebody do this on a cluster.
func (c Command) forbidden(cluster string) error {
	names := []string{}
	for _, k := range c.Kinds {
		names = append(names, k.String())
	}
	where := "in namespace " + c.Namespace
	if c.All {
		where = "in all namespaces"
	}
	return refuse("no rule lets you %s %s %s on %s", c.Verb, guard.And(names), where, cluster)
}

// question says in one sentence what would be done, where, to what.
func (c Command) question(runs []Run) string {
	clusters := []string{}
	for _, r := range runs {
		clusters = append(clusters, r.Cluster)
	}
	effect := map[string]string{
		Reconcile: "so that Flux looks at it now",
		Suspend:   "so that Flux leaves it as it is until somebody resumes it",
		Resume:    "so that Flux goes on with it, at once",
	}[c.Verb]
	return "Shall I " + c.Verb + " " + c.Kinds[0].Words + " " + guard.And(c.Names) + " in namespace " + c.Namespace + " on " + guard.And(clusters) + ", " + effect + "?"
}

// Line is a line of the same sort for the same objects on one cluster.
func (c Command) Line(verb, cluster string) string {
	return "flux " + verb + " " + c.Kinds[0].Words + " " + strings.Join(c.Names, " ") + " -n " + c.Namespace + " on " + cluster
}
