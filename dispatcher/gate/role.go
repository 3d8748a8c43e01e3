package gate

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"ferry/internal/chat"
	"ferry/internal/deploy"
)

// Scope is what a rule is about. The lists are patterns as path.Match knows them
// ("*" for all); an empty one means all. A target without a cluster (deploy.Everywhere),
// an app or a namespace of its own is about all of them: only what means all covers it.
type Scope struct {
	Commands, Clusters, Apps, Namespaces []string
}

func (s *Scope) about(verb chat.Verb) bool { return matches(s.Commands, string(verb)) }

func (s *Scope) covers(t *deploy.Target) bool {
	if t.Cluster == deploy.Everywhere && len(s.Clusters) > 0 && !slices.Contains(s.Clusters, "*") {
		return false
	}
	return matches(s.Clusters, string(t.Cluster)) && matches(s.Apps, t.App.Name) && matches(s.Namespaces, t.App.Namespace)
}

// Covers reports whether a rule is about a target.
func (s *Scope) Covers(t deploy.Target) bool { return s.covers(&t) }

func matches(patterns []string, name string) bool {
	if len(patterns) == 0 {
		return true
	}
	for _, p := range patterns {
		if p == name || p == "*" {
			return true
		}
		if ok, err := path.Match(p, name); err == nil && ok {
			return true
		}
	}
	return false
}

// Grant is a role: it lets people use commands on targets. Without commands it
// lets them use none.
type Grant struct {
	Name string
	People
	Scope
	// Passes are the gates that its commands may pass with a reason.
	Passes []Kind
}

// names reports whether the role gives somebody the verb, on some target.
func (g *Grant) names(who *chat.Person, verb chat.Verb) bool {
	return len(g.Commands) > 0 && g.have(who) && g.about(verb)
}

// roles notes each target on which whoever asks may not use the verb.
func (v *Verdict) roles(r *Rules, f *Facts) {
	if r.Admins.have(&f.Who) {
		return
	}
	if len(f.Targets)+len(f.Plan.Touched) == 0 {
		if !r.grants(f, nil) {
			v.denied(r, f, nil)
		}
		return
	}
	for i := range len(f.Targets) + len(f.Plan.Touched) {
		if t, fresh := f.target(i); fresh && !r.grants(f, t) {
			v.denied(r, f, t)
		}
	}
}

func (r *Rules) grants(f *Facts, t *deploy.Target) bool {
	for i := range r.Roles {
		if g := &r.Roles[i]; g.names(&f.Who, f.Verb) && (t == nil || g.covers(t)) {
			return true
		}
	}
	return false
}

// passes reports whether whoever asks may pass a gate before a target.
func (r *Rules) passes(f *Facts, k Kind, t *deploy.Target) bool {
	if r.Admins.have(&f.Who) {
		return true
	}
	for i := range r.Roles {
		if g := &r.Roles[i]; slices.Contains(g.Passes, k) && g.names(&f.Who, f.Verb) && g.covers(t) {
			return true
		}
	}
	return false
}

// place names a target, also one that is no single app: a silence may be about all of
// a cluster, or about all of them.
func place(t *deploy.Target) string {
	out, on := "", " on "+string(t.Cluster)
	if t.Cluster == deploy.Everywhere {
		on = " on all clusters"
	}
	switch {
	case t.App.Name != "":
		out = " " + t.App.Name
	case t.App.Namespace != "":
		on = " in " + t.App.Namespace + on
	}
	return out + on
}

func (v *Verdict) denied(r *Rules, f *Facts, t *deploy.Target) {
	reason := Reason{Kind: Role, Says: fmt.Sprintf("you may not use `%s`", f.Verb)}
	if t != nil {
		reason.Target = *t
		reason.Says = fmt.Sprintf("you may not %s%s", f.Verb, place(t))
	}
	var roles []string
	for i := range r.Roles {
		g := &r.Roles[i]
		if len(g.Commands) > 0 && g.about(f.Verb) && (t == nil || g.covers(t)) {
			roles = append(roles, "`"+g.Name+"`")
		}
	}
	switch {
	case len(roles) > 0:
		reason.Help = fmt.Sprintf("the roles with that right are %s\nask one of their members, or whoever runs ferry to add you", strings.Join(roles, ", "))
	case len(r.Admins.Users)+len(r.Admins.Groups) > 0:
		reason.Help = "only ferry's admins may\nask one of them, or whoever runs ferry to give you a role"
	default:
		reason.Help = "nobody may: the configuration names neither admins nor roles for it"
	}
	v.Reasons = append(v.Reasons, reason)
}
