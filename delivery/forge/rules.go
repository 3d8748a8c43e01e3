package forge

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// Rules say how the branch may be changed.
type Rules struct {
	// PullRequest: a commit has to come through a pull request.
	PullRequest bool
	// Checks that have to pass before it is merged, by name.
	Checks []string
	// Blocked is why even a merged pull request is out of the question, for people;
	// empty if it is not.
	Blocked string
	// Source says where the rules are from: "branch protection", "the ruleset “main”".
	Source string
}

// rulesFor is how long rules are taken as read. A rule that is made meanwhile
// refuses the commit, and makes ferry forget what it read.
const rulesFor = 10 * time.Minute

type rulesCache struct {
	mu    sync.Mutex
	rules Rules
	until time.Time
}

func (c *rulesCache) get(now time.Time) (Rules, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rules, now.Before(c.until)
}

func (c *rulesCache) put(rules Rules, until time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rules, c.until = rules, until
}

func (c *rulesCache) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.until = time.Time{}
}

// Rules reads what the branch demands of a change, of rulesets and of branch
// protection: at GitHub neither shows the other. What ferry's account may bypass
// is no demand. Rules are kept for some minutes; reading them again then costs
// one request that GitHub counts, if the head moved, and none otherwise.
//
// What the token may not read is not known: then the commit itself is refused,
// with ErrNeedsPullRequest.
func (r *Repository) Rules(ctx context.Context) (Rules, error) {
	now := r.o.Clock()
	if known, ok := r.rules.get(now); ok {
		return known, nil
	}
	var out Rules
	if err := r.rulesets(ctx, &out); err != nil {
		return Rules{}, err
	}
	if err := r.protection(ctx, &out); err != nil {
		return Rules{}, err
	}
	slices.Sort(out.Checks)
	out.Checks = slices.Compact(out.Checks)
	r.rules.put(out, now.Add(rulesFor))
	return out, nil
}

// demand notes what a source of rules wants.
func (r *Rules) demand(source string) {
	r.PullRequest = true
	if r.Source == "" {
		r.Source = source
	} else if !strings.Contains(r.Source, source) {
		r.Source += " and " + source
	}
}

// rule is one rule of a ruleset.
type rule struct {
	Type       string `json:"type"`
	RulesetID  int64  `json:"ruleset_id"`
	Parameters struct {
		RequiredStatusChecks []struct {
			Context string `json:"context"`
		} `json:"required_status_checks"`
	} `json:"parameters"`
}

// throughPullRequest reports whether a rule refuses commits that did not come
// through a pull request. Checks are among them: what was never pushed cannot
// have passed any. Signatures are not: GitHub signs what ferry commits.
func (x rule) throughPullRequest() bool {
	switch x.Type {
	case "pull_request", "required_status_checks", "merge_queue", "update", "required_deployments", "workflows", "code_scanning":
		return true
	}
	return false
}

func (r *Repository) rulesets(ctx context.Context, out *Rules) error {
	var rules []rule
	at := fmt.Sprintf("repos/%s/rules/branches/%s?per_page=100", r.Full(), url.PathEscape(r.o.Branch))
	if _, err := r.read(ctx, at, &rules); hidden(err) {
		return nil // a plan or a GitHub without rulesets
	} else if err != nil {
		return r.explain(err, "read rules of "+r.o.Branch)
	}
	type known struct {
		name   string
		bypass bool
	}
	sets := map[int64]known{}
	for _, x := range rules {
		if !x.throughPullRequest() {
			continue
		}
		set, ok := sets[x.RulesetID]
		if !ok {
			var err error
			if set.name, set.bypass, err = r.ruleset(ctx, x.RulesetID); err != nil {
				return err
			}
			sets[x.RulesetID] = set
		}
		if set.bypass {
			continue
		}
		out.demand(set.name)
		for _, c := range x.Parameters.RequiredStatusChecks {
			out.Checks = append(out.Checks, c.Context)
		}
	}
	return nil
}

// ruleset returns what people call a ruleset, and whether ferry may pass it by.
func (r *Repository) ruleset(ctx context.Context, id int64) (name string, bypass bool, err error) {
	var set struct {
		Name   string `json:"name"`
		Bypass string `json:"current_user_can_bypass"`
	}
	if _, err := r.read(ctx, fmt.Sprintf("repos/%s/rulesets/%d", r.Full(), id), &set); hidden(err) {
		return "a ruleset", false, nil
	} else if err != nil {
		return "", false, r.explain(err, "read ruleset")
	}
	return "the ruleset “" + set.Name + "”", set.Bypass == "always" || set.Bypass == "exempt", nil
}

// protection of a branch, as GitHub's API has it. Absent is not demanded.
type protection struct {
	Checks *struct {
		Contexts []string `json:"contexts"`
	} `json:"required_status_checks"`
	Reviews *struct {
		Bypass actors `json:"bypass_pull_request_allowances"`
	} `json:"required_pull_request_reviews"`
	Pushers *actors `json:"restrictions"`
	Lock    struct {
		Enabled bool `json:"enabled"`
	} `json:"lock_branch"`
}

// actors are those whom a protection names.
type actors struct {
	Users []struct {
		Login string `json:"login"`
	} `json:"users"`
	Apps []struct {
		ID       int64  `json:"id"`
		ClientID string `json:"client_id"`
	} `json:"apps"`
}

func (r *Repository) protection(ctx context.Context, out *Rules) error {
	const source = "branch protection"
	branch := fmt.Sprintf("repos/%s/branches/%s", r.Full(), url.PathEscape(r.o.Branch))
	var b struct {
		Protected  bool `json:"protected"`
		Protection struct {
			Enabled *bool `json:"enabled"`
			Checks  struct {
				Contexts []string `json:"contexts"`
			} `json:"required_status_checks"`
		} `json:"protection"`
	}
	if _, err := r.read(ctx, branch, &b); err != nil {
		return r.explain(err, "read branch "+r.o.Branch)
	}
	if on := b.Protection.Enabled; !b.Protected || on != nil && !*on {
		return nil // free, or protected by rulesets alone
	}
	var p protection
	if _, err := r.read(ctx, branch+"/protection", &p); hidden(err) {
		// Everybody who reads the branch sees its checks, only admins see the rest.
		if checks := b.Protection.Checks.Contexts; len(checks) > 0 {
			out.demand(source)
			out.Checks = append(out.Checks, checks...)
		}
		return nil
	} else if err != nil {
		return r.explain(err, "read protection of "+r.o.Branch)
	}
	if p.Lock.Enabled {
		out.demand(source)
		out.Blocked = fmt.Sprintf("the branch %s is locked: it is read-only for everybody", r.o.Branch)
	}
	if p.Checks != nil {
		out.demand(source)
		out.Checks = append(out.Checks, p.Checks.Contexts...)
	}
	if p.Reviews != nil {
		passes, err := r.among(ctx, p.Reviews.Bypass)
		if err != nil {
			return err
		}
		if !passes {
			out.demand(source)
		}
	}
	if p.Pushers != nil {
		may, err := r.among(ctx, *p.Pushers)
		if err != nil {
			return err
		}
		if !may {
			out.demand(source)
		}
	}
	return nil
}

// among reports whether ferry's account is named. Membership in teams is not
// looked up: who relies on it is asked for a pull request instead.
func (r *Repository) among(ctx context.Context, a actors) (bool, error) {
	if app := r.o.App; app != nil {
		for _, x := range a.Apps {
			if app.o.ID == x.ClientID || app.o.ID == fmt.Sprint(x.ID) {
				return true, nil
			}
		}
		return false, nil
	}
	if len(a.Users) == 0 {
		return false, nil
	}
	login, err := r.login(ctx)
	if err != nil {
		return false, err
	}
	for _, u := range a.Users {
		if strings.EqualFold(u.Login, login) {
			return true, nil
		}
	}
	return false, nil
}

// login is the account of the token; "" if it has none.
func (r *Repository) login(ctx context.Context) (string, error) {
	var u struct {
		Login string `json:"login"`
	}
	if _, err := r.read(ctx, "user", &u); hidden(err) {
		return "", nil
	} else if err != nil {
		return "", r.explain(err, "read the token's account")
	}
	return u.Login, nil
}
