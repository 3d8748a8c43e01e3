package forge

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// dress gives an open pull request its labels, reviewers and auto-merge, as far
// as it lacks them. What cannot be done is a warning: the change is proposed.
func (r *Repository) dress(ctx context.Context, p pull, n NewProposal) Proposal {
	out := p.proposal()
	warn := func(format string, args ...any) { out.Warnings = append(out.Warnings, fmt.Sprintf(format, args...)) }
	labels := without(n.Labels, p.Labels, func(l named) string { return l.Name })
	each(labels, func(some []string) error {
		return r.write(ctx, http.MethodPost, fmt.Sprintf("repos/%s/issues/%d/labels", r.Full(), p.Number), map[string]any{"labels": some}, nil)
	}, func(one string, err error) { warn("the label %q could not be set: %s", one, r.words(err)) })

	reviewers := without(n.Reviewers, p.Reviewers, func(a account) string { return a.Login })
	each(reviewers, func(some []string) error {
		return r.ask(ctx, p.Number, map[string]any{"reviewers": some})
	}, func(one string, err error) { warn("%s could not be asked for a review: %s", one, r.words(err)) })
	teams := without(n.TeamReviewers, p.Teams, func(t named) string { return t.Slug })
	each(teams, func(some []string) error {
		return r.ask(ctx, p.Number, map[string]any{"team_reviewers": some})
	}, func(one string, err error) {
		warn("the team %s could not be asked for a review: %s", one, r.words(err))
	})

	if n.AutoMerge != "" && p.AutoMerge == nil {
		if says := r.autoMerge(ctx, p, n, &out); says != "" {
			warn("it is not merged automatically: %s", says)
		}
	}
	return out
}

func (r *Repository) ask(ctx context.Context, number int, whom map[string]any) error {
	return r.write(ctx, http.MethodPost, fmt.Sprintf("repos/%s/pulls/%d/requested_reviewers", r.Full(), number), whom, nil)
}

// without returns the wanted that are not there yet. GitHub ignores case.
func without[T any](wanted []string, there []T, name func(T) string) []string {
	var out []string
	for _, w := range wanted {
		if !slices.ContainsFunc(there, func(t T) bool { return strings.EqualFold(name(t), w) }) {
			out = append(out, w)
		}
	}
	return out
}

// each does something with all names at once, and if that is refused, because
// GitHub refuses all for one, with each alone.
func each(names []string, do func([]string) error, failed func(one string, err error)) {
	if len(names) == 0 {
		return
	}
	err := do(names)
	if err == nil {
		return
	}
	for _, one := range names {
		alone := err
		if status, _ := refused(err); len(names) > 1 && status != 0 {
			alone = do([]string{one})
		}
		if alone != nil {
			failed(one, alone)
		}
	}
}

// words is what people read of an error that stops nothing.
func (r *Repository) words(err error) string {
	if _, says := refused(err); says != "" {
		return says
	}
	return "GitHub did not answer"
}

const autoMergeMutation = `mutation($input:EnablePullRequestAutoMergeInput!){enablePullRequestAutoMerge(input:$input){pullRequest{number}}}`

// autoMerge lets GitHub merge a pull request as soon as its rules are met, or
// merges it if they are: auto-merge is only for what has to wait. It returns why
// not, if neither was done. A pull request whose checks fail or run without being
// required is not merged: whoever wants to wait for them has to require them.
//
// Headline and body are given along, so that the trailers are in the commit
// whatever the repository's settings make of it.
func (r *Repository) autoMerge(ctx context.Context, p pull, n NewProposal, out *Proposal) (why string) {
	input := map[string]any{"pullRequestId": p.NodeID, "mergeMethod": strings.ToUpper(n.AutoMerge), "expectedHeadOid": p.Head.SHA}
	if n.AutoMerge != "rebase" {
		input["commitHeadline"], input["commitBody"] = n.Headline, n.Body
	}
	failed, err := r.graph(ctx, autoMergeMutation, map[string]any{"input": input}, nil)
	switch {
	case err != nil:
		return r.words(err)
	case len(failed) == 0:
		out.AutoMerge = true
		return ""
	case !strings.Contains(strings.ToLower(failed[0].Message), "clean status"):
		return failed[0].Message
	}
	body := map[string]any{"sha": p.Head.SHA, "merge_method": n.AutoMerge}
	if n.AutoMerge != "rebase" {
		body["commit_title"], body["commit_message"] = n.Headline, n.Body
	}
	var got struct {
		SHA    string `json:"sha"`
		Merged bool   `json:"merged"`
	}
	if err := r.write(ctx, http.MethodPut, fmt.Sprintf("repos/%s/pulls/%d/merge", r.Full(), p.Number), body, &got); err != nil {
		return r.words(err)
	}
	if !got.Merged {
		return "GitHub did not merge it"
	}
	out.State, out.MergeCommit, out.Waits = Merged, got.SHA, ""
	return ""
}
