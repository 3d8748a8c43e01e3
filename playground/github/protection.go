package github

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Protection of one branch. Who pushes directly is refused, the way the first demand that is set refuses; a pull
// request is merged when all are met. A classic protection without any demand demands a pull request.
type Protection struct {
	// Ruleset: "Changes must be made through a pull request", as a repository ruleset, which branch
	// protection does not show. Name is what the ruleset is called; empty: "protect <branch>".
	Ruleset bool
	Name    string
	// Reviews is how many approvals a pull request needs.
	Reviews int
	// Checks are the commit statuses that have to be "success".
	Checks []string
	// Strict wants a pull request brought up to date with its base first.
	Strict bool
	// Bypass are the logins of whom nothing of this is demanded.
	Bypass []string
	// Pushers, if not nil, are the logins that may push, by classic protection.
	Pushers []string
	// Locked makes the branch read-only, by classic protection.
	Locked bool
}

// Protect protects a branch from now on, in place of what protected it.
func (r *Repo) Protect(branch string, p Protection) {
	r.mu.Lock()
	if r.protect == nil {
		r.protect = map[string]Protection{}
	}
	r.protect[branch] = p
	r.mu.Unlock()
	r.settle()
}

// Unprotect lets everybody push to a branch.
func (r *Repo) Unprotect(branch string) {
	r.mu.Lock()
	delete(r.protect, branch)
	r.mu.Unlock()
	r.settle()
}

// Protection of a branch; the zero one for none.
func (r *Repo) Protection(branch string) Protection {
	p, _ := r.protection(branch)
	return p
}

func (r *Repo) protection(branch string) (Protection, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p, ok := r.protect[branch]
	return p, ok
}

// protected lists the branches that are.
func (r *Repo) protected() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Sorted(maps.Keys(r.protect))
}

// wantsPull tells whether a commit has to come through a pull request.
func (p Protection) wantsPull() bool {
	return p.Ruleset || p.Reviews > 0 || len(p.Checks) == 0 && p.Pushers == nil && !p.Locked
}

// named tells whether a login is among others; its letters may be cased otherwise.
func named(logins []string, login string) bool {
	return slices.ContainsFunc(logins, func(l string) bool { return strings.EqualFold(l, login) })
}

// violation is what protection says to a direct push; empty where the branch is free.
func (r *Repo) violation(branch, login string) (message string, ruleset bool) {
	p, ok := r.protection(branch)
	switch {
	case !ok || named(p.Bypass, login):
		return "", false
	case p.Ruleset:
		said := "Repository rule violations found\n\nChanges must be made through a pull request.\n\n"
		if checks := p.missing(p.Checks); checks != "" {
			said += checks + "\n\n"
		}
		return said, true
	case p.Locked:
		return "Cannot change this locked branch", false
	case p.Pushers != nil && !named(p.Pushers, login):
		return "You're not authorized to push to this branch. Visit https://docs.github.com/articles/about-protected-branches/ for more information.", false
	case p.Reviews > 0:
		return p.unapproved(), false
	case len(p.Checks) > 0:
		return p.missing(p.Checks), false
	case p.wantsPull():
		return "Changes must be made through a pull request.", false
	}
	return "", false
}

func (p Protection) unapproved() string {
	if p.Reviews == 1 {
		return "At least 1 approving review is required by reviewers with write access."
	}
	return fmt.Sprintf("At least %d approving reviews are required by reviewers with write access.", p.Reviews)
}

// missing is what is said of checks that did not pass.
func (p Protection) missing(names []string) string {
	switch len(names) {
	case 0:
		return ""
	case 1:
		return fmt.Sprintf("Required status check %q is expected.", names[0])
	}
	return fmt.Sprintf("%d of %d required status checks are expected.", len(names), len(p.Checks))
}

func (c *call) actors(logins []string) record {
	users := list{}
	for _, login := range logins {
		users = append(users, user(c.host, login, Token{Login: login}.id(), "User"))
	}
	return record{"users": users, "teams": list{}, "apps": list{}}
}

func getProtection(c *call) (reply, error) {
	name := c.PathValue("branch")
	if _, err := c.repo.shown(headsPrefix + name); errors.Is(err, errMissing) {
		return reply{}, fail(http.StatusNotFound, "Branch not found")
	} else if err != nil {
		return reply{}, err
	}
	p, ok := c.repo.protection(name)
	if !ok || p.Ruleset {
		return reply{}, fail(http.StatusNotFound, "Branch not protected")
	}
	at := c.url("branches", escapePath(name), "protection")
	off := record{"enabled": false}
	out := record{
		"url": at, "enforce_admins": record{"url": at + "/enforce_admins", "enabled": true},
		"required_linear_history": off, "allow_force_pushes": off, "allow_deletions": off, "block_creations": off,
		"required_conversation_resolution": off, "lock_branch": record{"enabled": p.Locked}, "allow_fork_syncing": off,
		"required_signatures": record{"url": at + "/required_signatures", "enabled": false},
	}
	if p.wantsPull() {
		reviews := record{
			"url": at + "/required_pull_request_reviews", "dismiss_stale_reviews": false,
			"require_code_owner_reviews": false, "require_last_push_approval": false, "required_approving_review_count": p.Reviews,
		}
		if len(p.Bypass) > 0 {
			reviews["bypass_pull_request_allowances"] = c.actors(p.Bypass)
		}
		out["required_pull_request_reviews"] = reviews
	}
	if p.Pushers != nil {
		pushers := c.actors(p.Pushers)
		for _, of := range []string{"users", "teams", "apps"} {
			pushers[of+"_url"] = at + "/restrictions/" + of
		}
		pushers["url"] = at + "/restrictions"
		out["restrictions"] = pushers
	}
	if len(p.Checks) > 0 {
		checks := c.checks(p)
		delete(checks, "enforcement_level")
		checks["url"], checks["strict"] = at+"/required_status_checks", p.Strict
		checks["contexts_url"] = at + "/required_status_checks/contexts"
		out["required_status_checks"] = checks
	}
	return reply{json: out}, nil
}

// rules are the rules of a ruleset; a branch's show their ruleset, the ruleset's own do not.
func (c *call) rules(p Protection, id int) list {
	out := list{record{"type": "pull_request", "parameters": record{
		"dismiss_stale_reviews_on_push": false, "require_code_owner_review": false,
		"require_last_push_approval": false, "required_approving_review_count": p.Reviews, "required_review_thread_resolution": false,
	}}}
	if len(p.Checks) > 0 {
		checks := list{}
		for _, name := range p.Checks {
			checks = append(checks, record{"context": name})
		}
		out = append(out, record{"type": "required_status_checks", "parameters": record{
			"required_status_checks": checks, "strict_required_status_checks_policy": p.Strict,
		}})
	}
	for _, x := range out {
		if rule, ok := x.(record); ok && id != 0 {
			rule["ruleset_source_type"], rule["ruleset_source"], rule["ruleset_id"] = "Repository", c.repo.fullName(), id
		}
	}
	return out
}

func getRules(c *call) (reply, error) {
	branch := c.PathValue("branch")
	p, ok := c.repo.protection(branch)
	if !ok || !p.Ruleset {
		return reply{json: list{}}, nil
	}
	return reply{json: c.rules(p, slices.Index(c.repo.protected(), branch)+1)}, nil
}

func getRuleset(c *call) (reply, error) {
	id, err := strconv.Atoi(c.PathValue("ruleset_id"))
	branches := c.repo.protected()
	if err != nil || id < 1 || id > len(branches) {
		return reply{}, errNotFound
	}
	branch := branches[id-1]
	p, ok := c.repo.protection(branch)
	if !ok || !p.Ruleset {
		return reply{}, errNotFound
	}
	name, bypass := p.Name, "never"
	if name == "" {
		name = "protect " + branch
	}
	if named(p.Bypass, c.who.Login) {
		bypass = "always"
	}
	self := c.url("rulesets", strconv.Itoa(id))
	return reply{json: record{
		"id": id, "node_id": nodeID("RRS", c.repo.fullName(), branch), "name": name, "target": "branch", "source_type": "Repository",
		"source": c.repo.fullName(), "enforcement": "active", "current_user_can_bypass": bypass,
		"conditions": record{"ref_name": record{"include": list{headsPrefix + branch}, "exclude": list{}}}, "rules": c.rules(p, 0),
		"created_at": stamp(c.repo.born), "updated_at": stamp(c.repo.born),
		"_links": record{"self": record{"href": self}, "html": record{"href": c.html("rules", strconv.Itoa(id))}},
	}}, nil
}

// unmet is what protection says to merging a pull request; empty where nothing is in the way.
func (r *Repo) unmet(p pull, login string) string {
	rules, ok := r.protection(p.base)
	switch {
	case !ok || named(rules.Bypass, login):
		return ""
	case rules.Locked:
		return "Cannot change this locked branch"
	case rules.Pushers != nil && !named(rules.Pushers, login):
		return "You're not authorized to push to this branch. Visit https://docs.github.com/articles/about-protected-branches/ for more information."
	}
	var said []string
	if p.approvals() < rules.Reviews {
		said = append(said, rules.unapproved())
	}
	var missing []string
	for _, name := range rules.Checks {
		if r.prs.status(p.headSHA, name) != "success" {
			missing = append(missing, name)
		}
	}
	if text := rules.missing(missing); text != "" {
		said = append(said, text)
	}
	if rules.Ruleset && said != nil {
		return "Repository rule violations found\n\n" + strings.Join(said, "\n\n") + "\n\n"
	}
	return strings.Join(said, " ")
}
