package forge

import (
	"context"
	"strings"

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
	who := r.identity(ctx)
	if !who.OK {
		return []Row{who}
	}
	repo, _, err := r.client.Repositories.Get(ctx, r.o.Owner, r.o.Name)
	if err != nil {
		return []Row{who, failed("repository "+r.Full(), r.explain(err, "read repository"))}
	}
	rows := []Row{who, {What: "repository " + r.Full(), OK: true, Detail: repo.GetHTMLURL()}}
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

// checkRules says what forbids direct pushes, if anything does, and whether pull
// requests help.
func (r *Repository) checkRules(ctx context.Context) Row {
	row := Row{What: "changes of " + r.o.Branch, OK: true, Detail: "no rule forbids direct pushes"}
	rules, err := r.Rules(ctx)
	switch {
	case err != nil:
		return failed(row.What, err)
	case rules.Blocked != "":
		return Row{What: row.What, Detail: rules.Blocked, Help: "unlock it, or let Flux and ferry use another branch"}
	case rules.PullRequest:
		row.Detail = rules.Source + " wants pull requests"
		if len(rules.Checks) > 0 {
			row.Detail += " and checks: " + strings.Join(rules.Checks, ", ")
		}
		if !r.o.Proposes {
			row.OK, row.Help = false, "let ferry's account bypass it, or let ferry promote through pull requests"
		}
	}
	return row
}

// identity says who ferry is to GitHub.
func (r *Repository) identity(ctx context.Context) Row {
	row := Row{What: "identity", OK: true}
	if r.o.App != nil {
		if _, err := r.o.App.Token(ctx); err != nil {
			return failed(row.What, err)
		}
		row.Detail = r.o.App.String()
		return row
	}
	login, err := r.login(ctx)
	switch {
	case err != nil:
		return failed(row.What, err)
	case login == "":
		row.Detail = "a token without an account"
	default:
		row.Detail = "the token of " + login
	}
	return row
}
