package dispatcher

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"sync/atomic"

	"ferry/internal/chat"
	"ferry/internal/deploy"
	"ferry/internal/fault"
)

// Role lets people use commands on targets. The lists of names are patterns as
// path.Match knows them ("*" for all); an empty list of clusters, apps or
// namespaces means all of them, an empty list of commands none.
type Role struct {
	Name       string
	Users      []chat.UserID
	Commands   []string
	Clusters   []string
	Apps       []string
	Namespaces []string
}

// Rules are all that a decision depends on.
type Rules struct {
	// Admins may do everything.
	Admins []chat.UserID
	Roles  []Role
	// Changes are the verbs that need a right; all others are open to every
	// member of the workspace.
	Changes []chat.Verb
}

// Policy decides by the latest rules. The zero value allows nothing that
// changes anything only if its rules name the verbs: use NewPolicy.
type Policy struct{ rules atomic.Pointer[Rules] }

// NewPolicy returns a policy of rules.
func NewPolicy(r Rules) *Policy {
	p := new(Policy)
	p.rules.Store(&r)
	return p
}

// Set replaces the rules; decisions from then on are by the new ones.
func (p *Policy) Set(r Rules) { p.rules.Store(&r) }

// Allow returns nil if the user may use the verb on all the targets, else a
// Denied fault that says which right is missing and who has it.
func (p *Policy) Allow(user chat.UserID, verb chat.Verb, targets []deploy.Target) error {
	return decide(p.rules.Load(), user, verb, targets)
}

func decide(r *Rules, user chat.UserID, verb chat.Verb, targets []deploy.Target) error {
	if !slices.Contains(r.Changes, verb) || slices.Contains(r.Admins, user) {
		return nil
	}
	if len(targets) == 0 && !slices.ContainsFunc(r.Roles, func(role Role) bool { return role.names(user, verb) }) {
		return denied(r, verb, "")
	}
	for _, t := range targets {
		allowed := slices.ContainsFunc(r.Roles, func(role Role) bool {
			return role.names(user, verb) && role.covers(t)
		})
		if !allowed {
			return denied(r, verb, fmt.Sprintf(" %s on %s", t.App.Name, t.Cluster))
		}
	}
	return nil
}

// names reports whether the role gives the user the verb, on some target.
func (r Role) names(user chat.UserID, verb chat.Verb) bool {
	return slices.Contains(r.Users, user) && len(r.Commands) > 0 && matches(r.Commands, string(verb))
}

// covers reports whether the role reaches a target.
func (r Role) covers(t deploy.Target) bool {
	return matches(r.Clusters, string(t.Cluster)) && matches(r.Apps, t.App.Name) && matches(r.Namespaces, t.App.Namespace)
}

func matches(patterns []string, name string) bool {
	if len(patterns) == 0 {
		return true
	}
	return slices.ContainsFunc(patterns, func(p string) bool {
		ok, err := path.Match(p, name)
		return err == nil && ok
	})
}

func denied(r *Rules, verb chat.Verb, what string) error {
	f := fault.Newf(fault.Denied, "you may not %s%s", verb, what)
	var roles []string
	for _, role := range r.Roles {
		if slices.Contains(role.Commands, string(verb)) || slices.Contains(role.Commands, "*") {
			roles = append(roles, "`"+role.Name+"`")
		}
	}
	switch {
	case len(roles) > 0:
		return f.WithHelp("the roles with that right are %s\nask one of their members, or whoever runs ferry to add you", strings.Join(roles, ", "))
	case len(r.Admins) > 0:
		return f.WithHelp("only ferry's admins may\nask one of them, or whoever runs ferry to give you a role")
	default:
		return f.WithHelp("nobody may: the configuration names neither admins nor roles")
	}
}
