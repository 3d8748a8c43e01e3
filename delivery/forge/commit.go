package forge

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"ferry/internal/fault"
)

// NewCommit is a commit to be made on an exact head.
type NewCommit struct {
	On       string // the head it is made on
	Headline string
	Body     string
	Files    map[string][]byte // new contents by path; nil takes the file away
	// Modes are those of files that are no plain ones, as git writes them. Without
	// any, the commit is one request.
	Modes map[string]string
	Job   string
}

// Made is a commit that exists.
type Made struct {
	SHA, URL string
	// Tree is the SHA of its tree; empty for a commit that was found.
	Tree string
	At   time.Time
}

const commitMutation = `mutation($input:CreateCommitOnBranchInput!){createCommitOnBranch(input:$input){commit{oid url committedDate tree{oid}}}}`

// ErrNeedsPullRequest is in the chain of a Refused commit that a rule of the
// branch forbids, and a pull request would not.
var ErrNeedsPullRequest = errors.New("changes must be made through a pull request")

// Commit makes a commit if the branch's head is still the given one; else the
// error is Moved. An Unavailable error says nothing about whether it was made.
// ErrNeedsPullRequest is in the error's chain where a rule wants one.
func (r *Repository) Commit(ctx context.Context, c NewCommit) (Made, error) {
	made, err := r.commitOn(ctx, r.o.Branch, c)
	switch {
	case errors.Is(err, ErrNeedsPullRequest):
		r.rules.forget()
	case fault.Is(err, fault.Moved):
		r.passed.forget()
	case err == nil:
		r.passed.made(c.On, made, r.o.Clock())
	}
	return made, err
}

func (r *Repository) commitOn(ctx context.Context, branch string, c NewCommit) (Made, error) {
	if len(c.Modes) > 0 {
		return r.commitModes(ctx, branch, c)
	}
	type addition struct {
		Path     string `json:"path"`
		Contents string `json:"contents"`
	}
	add := []addition{}
	remove := []map[string]string{}
	for p, data := range c.Files {
		if data == nil {
			remove = append(remove, map[string]string{"path": p})
			continue
		}
		add = append(add, addition{p, base64.StdEncoding.EncodeToString(data)})
	}
	slices.SortFunc(add, func(a, b addition) int { return strings.Compare(a.Path, b.Path) })
	slices.SortFunc(remove, func(a, b map[string]string) int { return strings.Compare(a["path"], b["path"]) })
	changes := map[string]any{"additions": add}
	if len(remove) > 0 {
		changes["deletions"] = remove
	}
	input := map[string]any{
		"branch":           map[string]string{"repositoryNameWithOwner": r.Full(), "branchName": branch},
		"expectedHeadOid":  c.On,
		"message":          map[string]string{"headline": c.Headline, "body": c.Body},
		"fileChanges":      changes,
		"clientMutationId": c.Job,
	}
	var got struct {
		CreateCommitOnBranch struct {
			Commit struct {
				OID           string    `json:"oid"`
				URL           string    `json:"url"`
				CommittedDate time.Time `json:"committedDate"`
				Tree          struct {
					OID string `json:"oid"`
				} `json:"tree"`
			} `json:"commit"`
		} `json:"createCommitOnBranch"`
	}
	failed, err := r.graph(ctx, commitMutation, map[string]any{"input": input}, &got)
	if err != nil {
		return Made{}, r.explain(err, "commit on "+branch)
	}
	if len(failed) > 0 {
		return Made{}, r.refusal(branch, failed[0])
	}
	made := got.CreateCommitOnBranch.Commit
	if made.OID == "" {
		return Made{}, fault.New(fault.Unavailable, "GitHub's answer to a commit was empty", "").Because(errors.New("createCommitOnBranch without oid"))
	}
	return Made{SHA: made.OID, URL: made.URL, Tree: made.Tree.OID, At: made.CommittedDate}, nil
}

// refusal turns GitHub's no to a commit into what it means.
func (r *Repository) refusal(branch string, e graphError) error {
	cause := fmt.Errorf("commit on %s: %s: %s", branch, e.Type, e.Message)
	text := strings.ToLower(e.Message)
	has := func(parts ...string) bool {
		return slices.ContainsFunc(parts, func(p string) bool { return strings.Contains(text, p) })
	}
	switch {
	case e.Type == "STALE_DATA" || has("expected branch to point to", "is at ", "but expected"):
		return fault.Newf(fault.Moved, "%s moved while ferry was committing", branch).Because(cause)
	case has("rule violations", "through a pull request"):
		return fault.Newf(fault.Refused, "a ruleset of %s does not let ferry push to %s", r.Full(), branch).
			WithHelp("let ferry's account bypass the ruleset, or let it promote through pull requests").
			Because(fmt.Errorf("%w: %w", ErrNeedsPullRequest, cause))
	case has("protected branch", "status check", "approving review", "is protected"):
		return fault.Newf(fault.Refused, "the branch %s of %s is protected against direct pushes", branch, r.Full()).
			WithHelp("let ferry's account bypass the protection, or let it promote through pull requests").
			Because(fmt.Errorf("%w: %w", ErrNeedsPullRequest, cause))
	case e.Type == "FORBIDDEN" || has("not accessible", "must have push access", "permission"):
		return fault.Newf(fault.Denied, "ferry's token may not write to %s", r.Full()).
			WithHelp("an operator has to give it write access to the contents of the repository").Because(cause)
	case e.Type == "NOT_FOUND":
		return fault.Newf(fault.NotFound, "the branch %s of %s does not exist, or ferry's token cannot see it", branch, r.Full()).Because(cause)
	}
	return fault.Newf(fault.Unavailable, "GitHub did not take the commit").Because(cause)
}
