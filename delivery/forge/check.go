package forge

import (
	"context"
	"fmt"
	"net/http"

	"github.com/google/go-github/v50/github"

	"ferry/internal/fault"
)

// Row is one thing that `ferry check` tried.
type Row struct {
	What   string
	OK     bool
	Detail string // what was found
	Help   string // what would help, if not OK
}

// Check tries everything that a promotion needs, without writing.
func (r *Repository) Check(ctx context.Context) []Row {
	ctx, cancel := r.bounded(ctx)
	defer cancel()
	repo, _, err := r.client.Repositories.Get(ctx, r.o.Owner, r.o.Name)
	if err != nil {
		return []Row{failed("repository "+r.Full(), r.explain(err, "read repository"))}
	}
	rows := []Row{{What: "repository " + r.Full(), OK: true, Detail: repo.GetHTMLURL()}}
	head, err := r.Head(ctx)
	if err != nil {
		return append(rows, failed("branch "+r.o.Branch, err))
	}
	rows = append(rows, Row{What: "branch " + r.o.Branch, OK: true, Detail: "at " + head.SHA[:min(12, len(head.SHA))]})
	push := Row{What: "push to " + r.Full(), OK: repo.GetPermissions()["push"], Detail: "the token may push"}
	if !push.OK {
		push.Detail, push.Help = "the token may not push", "give it read and write access to the contents of the repository"
	}
	return append(rows, push, r.checkRules(ctx))
}

func failed(what string, err error) Row {
	row := Row{What: what, Detail: err.Error()}
	if f, ok := err.(*fault.Error); ok { //nolint:errorlint // made by explain just now
		row.Detail, row.Help = f.Says, f.Help
	}
	return row
}

// checkRules looks for what forbids direct pushes: rulesets and branch
// protection are two things at GitHub, and neither shows the other.
func (r *Repository) checkRules(ctx context.Context) Row {
	row := Row{What: "direct pushes to " + r.o.Branch, OK: true, Detail: "no rule forbids them"}
	help := fmt.Sprintf("let ferry's account bypass it; ferry commits to %s directly", r.o.Branch)
	req, err := r.client.NewRequest(http.MethodGet, fmt.Sprintf("repos/%s/rules/branches/%s", r.Full(), r.o.Branch), nil)
	if err != nil {
		return failed(row.What, err)
	}
	var rules []struct {
		Type string `json:"type"`
	}
	if _, err := r.client.Do(ctx, req, &rules); err == nil {
		for _, rule := range rules {
			switch rule.Type {
			case "pull_request", "required_status_checks", "update", "required_signatures", "merge_queue":
				return Row{What: row.What, Detail: "a ruleset demands " + rule.Type, Help: help}
			}
		}
	}
	p, _, err := r.client.Repositories.GetBranchProtection(ctx, r.o.Owner, r.o.Name, r.o.Branch)
	if err != nil {
		return row // not protected, or not ours to read: the commit itself will tell
	}
	if demands := demanded(p); demands != "" {
		return Row{What: row.What, Detail: "the branch protection demands " + demands, Help: help}
	}
	return row
}

func demanded(p *github.Protection) string {
	switch {
	case p.GetRequiredPullRequestReviews() != nil:
		return "approving reviews"
	case p.GetRequiredStatusChecks() != nil:
		return "status checks"
	}
	return ""
}
