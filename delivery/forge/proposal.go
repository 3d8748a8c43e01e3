package forge

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"ferry/internal/fault"
)

// ProposalState is how far a pull request has come.
type ProposalState string

// The states of a pull request. Closed is closed without being merged.
const (
	Open   ProposalState = "open"
	Merged ProposalState = "merged"
	Closed ProposalState = "closed"
)

// Proposal is a pull request of ferry's.
type Proposal struct {
	Number int
	URL    string
	Branch string // of its own
	Head   string // the commit that Branch is at
	State  ProposalState
	// MergeCommit is the commit on the base branch that brought the change. After a
	// squash or a rebase it is another one than Head.
	MergeCommit string
	MergedAt    time.Time
	MergedBy    string // login
	ClosedBy    string // login, of one that was closed without being merged
	// Waits says for people what an open one waits for; empty if GitHub has not
	// found out yet.
	Waits string
	// Conflict: it cannot be merged as it is; Behind: it has to be brought up to date
	// first. UpdateProposal helps against both.
	Conflict, Behind bool
	AutoMerge        bool // it is merged by GitHub as soon as it may be
	Job              string
	// Warnings say what was wanted and could not be done: labels, reviewers,
	// auto-merge.
	Warnings []string
}

// pull is a pull request as GitHub's API has it.
type pull struct {
	Number         int       `json:"number"`
	NodeID         string    `json:"node_id"`
	HTMLURL        string    `json:"html_url"`
	State          string    `json:"state"`
	Title          string    `json:"title"`
	Body           string    `json:"body"`
	Draft          bool      `json:"draft"`
	CreatedAt      time.Time `json:"created_at"`
	MergedAt       time.Time `json:"merged_at"`
	MergeCommitSHA string    `json:"merge_commit_sha"`
	MergeableState string    `json:"mergeable_state"`
	MergedBy       account   `json:"merged_by"`
	AutoMerge      *struct {
		MergeMethod string `json:"merge_method"`
	} `json:"auto_merge"`
	Head      end       `json:"head"`
	Base      end       `json:"base"`
	Labels    []named   `json:"labels"`
	Reviewers []account `json:"requested_reviewers"`
	Teams     []named   `json:"requested_teams"`
}

type (
	account struct {
		Login string `json:"login"`
	}
	named struct {
		Name string `json:"name"`
		Slug string `json:"slug"`
	}
	end struct {
		Ref  string `json:"ref"`
		SHA  string `json:"sha"`
		Repo struct {
			FullName string `json:"full_name"`
			NodeID   string `json:"node_id"`
		} `json:"repo"`
	}
)

func (p pull) job() string { return trailer("\n\n"+p.Body, JobTrailer) }

func (p pull) state() ProposalState {
	switch {
	case !p.MergedAt.IsZero():
		return Merged
	case p.State == "closed":
		return Closed
	}
	return Open
}

func (p pull) proposal() Proposal {
	out := Proposal{
		Number: p.Number, URL: p.HTMLURL, Branch: p.Head.Ref, Head: p.Head.SHA, State: p.state(), Job: p.job(), AutoMerge: p.AutoMerge != nil,
	}
	switch out.State {
	case Merged:
		// Before that it is GitHub's trial of merging.
		out.MergeCommit, out.MergedAt, out.MergedBy = p.MergeCommitSHA, p.MergedAt, p.MergedBy.Login
	case Open:
		out.Conflict, out.Behind = p.MergeableState == "dirty", p.MergeableState == "behind"
		out.Waits = p.waits()
	}
	return out
}

// waits puts GitHub's summary into words. Which checks and whose approval is on
// the page of the pull request; asking for that would cost requests each time.
func (p pull) waits() string {
	switch p.MergeableState {
	case "draft":
		return "it is a draft"
	case "dirty":
		return "it conflicts with " + p.Base.Ref
	case "behind":
		return p.Base.Ref + " moved, and it has to be brought up to date first"
	case "blocked":
		return "it waits for approval or for checks"
	case "unstable":
		return "checks fail or still run; none of them is required"
	case "clean", "has_hooks":
		return "nothing is in the way of merging it"
	}
	return ""
}

// ours reports whether a pull request is from a branch of this repository into
// the branch. Anybody may open one from a fork, and write any trailer into it.
func (r *Repository) ours(p pull) bool {
	return strings.EqualFold(p.Head.Repo.FullName, r.Full()) && p.Base.Ref == r.o.Branch
}

// Proposal reads a pull request. While nothing about it changes that costs
// nothing that GitHub counts.
func (r *Repository) Proposal(ctx context.Context, number int) (Proposal, error) {
	p, err := r.pull(ctx, number)
	out := p.proposal()
	if err == nil && out.State == Closed {
		out.ClosedBy = r.closer(ctx, number)
	}
	return out, err
}

// closer is the login of who closed a pull request, "" if GitHub does not tell. A
// pull request has no such field; as an issue, which every one of them is too, it has
// (https://docs.github.com/rest/issues/issues#get-an-issue: closed_by).
func (r *Repository) closer(ctx context.Context, number int) string {
	var issue struct {
		ClosedBy account `json:"closed_by"`
	}
	if _, err := r.read(ctx, fmt.Sprintf("repos/%s/issues/%d", r.Full(), number), &issue); err != nil {
		return "" // worth a word, not a failure: the token may not be let read issues
	}
	return issue.ClosedBy.Login
}

func (r *Repository) pull(ctx context.Context, number int) (pull, error) {
	var p pull
	if _, err := r.read(ctx, fmt.Sprintf("repos/%s/pulls/%d", r.Full(), number), &p); err != nil {
		return p, r.explain(err, fmt.Sprintf("read pull request %d", number))
	}
	if p.Number == 0 {
		p.Number = number
	}
	return p, nil
}

// FindProposal looks for the pull request of a job, opened since a time: the
// merged one if there are several, else the open one, else the newest.
func (r *Repository) FindProposal(ctx context.Context, job string, since time.Time) (Proposal, bool, error) {
	q := url.Values{"state": {"all"}, "base": {r.o.Branch}, "sort": {"created"}, "direction": {"desc"}, "per_page": {fmt.Sprint(findPage)}}
	for page := 1; ; {
		q.Set("page", fmt.Sprint(page))
		all, next, err := r.pulls(ctx, q)
		if err != nil {
			return Proposal{}, false, err
		}
		if p, ok := best(all, func(p pull) bool { return r.ours(p) && p.job() == job }); ok {
			return p.proposal(), true, nil
		}
		past := len(all) > 0 && !since.IsZero() && all[len(all)-1].CreatedAt.Before(since.Add(-clockSkew))
		if next == 0 || past || page >= findPages {
			return Proposal{}, false, nil
		}
		page = next
	}
}

func (r *Repository) pulls(ctx context.Context, q url.Values) (all []pull, next int, err error) {
	if next, err = r.read(ctx, fmt.Sprintf("repos/%s/pulls?%s", r.Full(), q.Encode()), &all); err != nil {
		return nil, 0, r.explain(err, "list pull requests")
	}
	return all, next, nil
}

// best picks of those that fit the merged one, else the open one, else the first.
func best(all []pull, fits func(pull) bool) (pull, bool) {
	worth := map[ProposalState]int{Merged: 3, Open: 2, Closed: 1}
	var found pull
	most := 0
	for _, p := range all {
		if w := worth[p.state()]; fits(p) && w > most {
			found, most = p, w
		}
	}
	return found, most > 0
}

// CloseProposal closes a pull request without merging it, says why, and deletes
// its branch, unless somebody pushed to that: then the branch stays. It may be
// told as often as one likes. A merged one is Already.
func (r *Repository) CloseProposal(ctx context.Context, number int, comment string) error {
	p, err := r.pull(ctx, number)
	if err != nil {
		return err
	}
	if p.state() == Merged {
		return fault.Newf(fault.Already, "pull request #%d is merged already", number)
	}
	if p.state() == Open {
		if err := r.comment(ctx, number, comment); err != nil {
			return err
		}
		at := fmt.Sprintf("repos/%s/pulls/%d", r.Full(), number)
		if err := r.write(ctx, http.MethodPatch, at, map[string]string{"state": "closed"}, &p); err != nil {
			return r.explain(err, fmt.Sprintf("close pull request %d", number))
		}
		if p.state() == Merged { // between our reading and our closing
			return fault.Newf(fault.Already, "pull request #%d is merged already", number)
		}
	}
	if !r.ours(p) || p.Head.Ref == r.o.Branch {
		return nil
	}
	t, ok, err := r.tip(ctx, p.Head.Ref)
	if err != nil || !ok || !t.ofAnyJob() {
		return err
	}
	return r.deleteBranch(ctx, p.Head.Ref)
}

// comment says something once below a pull request.
func (r *Repository) comment(ctx context.Context, number int, text string) error {
	if strings.TrimSpace(text) == "" {
		return nil
	}
	at := fmt.Sprintf("repos/%s/issues/%d/comments", r.Full(), number)
	var said []struct {
		Body string `json:"body"`
	}
	if _, err := r.read(ctx, at+"?per_page=100", &said); err != nil {
		return r.explain(err, "read comments")
	}
	for _, s := range said {
		if strings.TrimSpace(s.Body) == strings.TrimSpace(text) {
			return nil
		}
	}
	if err := r.write(ctx, http.MethodPost, at, map[string]string{"body": text}, nil); err != nil {
		return r.explain(err, "comment")
	}
	return nil
}
