package app

import (
	"context"

	"ferry/dispatcher"
	"ferry/dispatcher/gate"
	"ferry/internal/chat"
	"ferry/internal/config"
	"ferry/internal/deploy"
)

// rules makes the gates' rules of the configuration. Names that are not among the
// known ones give nobody a right.
func rules(c *config.Config, known map[string]chat.UserID) gate.Rules {
	r := gate.Rules{Admins: identified(c.Bot.Admins, known), Changes: changing(c)}
	for _, s := range syntaxes(c) {
		if s.Gated {
			r.Gated = append(r.Gated, s.Verb)
		}
	}
	for _, role := range c.Roles {
		g := gate.Grant{
			Name: role.Name, People: identified(role.Users, known),
			Scope: gate.Scope{Commands: role.Commands, Clusters: role.Clusters, Apps: role.Apps, Namespaces: role.Namespaces},
		}
		for _, kind := range role.Passes {
			g.Passes = append(g.Passes, gate.Kind(kind))
		}
		r.Roles = append(r.Roles, g)
	}
	for _, f := range c.Freezes {
		r.Freezes = append(r.Freezes, gate.Calendar{
			Name: f.Name, Zone: f.Location, When: f.Windows,
			Scope: gate.Scope{Commands: f.Commands, Clusters: f.Clusters, Apps: f.Apps, Namespaces: f.Namespaces},
		})
	}
	for _, a := range c.Approvals {
		r.Approvals = append(r.Approvals, gate.Quorum{
			Name: a.Name, From: identified(a.From, nil), Needs: int(a.Quorum), Expires: a.Expires,
			Scope: gate.Scope{Commands: a.Commands, Clusters: a.Clusters, Apps: a.Apps, Namespaces: a.Namespaces},
		})
	}
	return r
}

// identified are people and groups by their identifiers.
func identified(people []config.Person, known map[string]chat.UserID) gate.People {
	var out gate.People
	for _, p := range people {
		if id, ok := p.ID(); ok {
			out.Users = append(out.Users, id)
		} else if id, ok := p.Group(); ok {
			out.Groups = append(out.Groups, id)
		} else if id, ok := known[p.Name()]; ok {
			out.Users = append(out.Users, id)
		}
	}
	return out
}

// rights are the roles of a policy: to cancel a job, or to be offered a command,
// needs no more.
type rights struct{ *dispatcher.Policy }

// Allow implements jobs.Rights.
func (r rights) Allow(ctx context.Context, user chat.UserID, verb chat.Verb, targets []deploy.Target) error {
	return r.May(ctx, user, verb, targets)
}
