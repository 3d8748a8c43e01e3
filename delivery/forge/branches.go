package forge

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"ferry/internal/fault"
)

// tip is the commit that a branch is at.
type tip struct {
	SHA    string `json:"sha"`
	Commit struct {
		Message string `json:"message"`
	} `json:"commit"`
	Parents []struct {
		SHA string `json:"sha"`
	} `json:"parents"`
}

// on reports whether it is a commit right on top of another.
func (t tip) on(sha string) bool { return len(t.Parents) == 1 && t.Parents[0].SHA == sha }

func (t tip) ofJob(job string) bool { return HasTrailer(t.Commit.Message, JobTrailer, job) }

func (t tip) ofAnyJob() bool { return trailer(t.Commit.Message, JobTrailer) != "" }

// tip reads where a branch is; ok is false if there is no such branch.
func (r *Repository) tip(ctx context.Context, branch string) (t tip, ok bool, err error) {
	_, err = r.read(ctx, fmt.Sprintf("repos/%s/commits/%s", r.Full(), url.PathEscape("heads/"+branch)), &t)
	if status, _ := refused(err); status == http.StatusNotFound || status == http.StatusUnprocessableEntity {
		return t, false, nil
	}
	if err != nil {
		return t, false, r.explain(err, "read branch "+branch)
	}
	return t, true, nil
}

// createBranch starts a branch at a commit. made is false if it exists.
func (r *Repository) createBranch(ctx context.Context, branch, at string) (made bool, err error) {
	err = r.write(ctx, http.MethodPost, fmt.Sprintf("repos/%s/git/refs", r.Full()), map[string]string{"ref": "refs/heads/" + branch, "sha": at}, nil)
	status, says := refused(err)
	switch {
	case err == nil:
		return true, nil
	case status == http.StatusUnprocessableEntity && strings.Contains(says, "already exists"):
		return false, nil
	case status == http.StatusUnprocessableEntity:
		return false, fault.Newf(fault.Refused, "GitHub does not let ferry make the branch %s: %s", branch, says).
			WithHelp("look at the rulesets of %s for new branches, or let ferry's branches be called otherwise", r.Full()).Because(err)
	}
	return false, r.explain(err, "make branch "+branch)
}

// deleteBranch deletes a branch. One that is gone is no error.
func (r *Repository) deleteBranch(ctx context.Context, branch string) error {
	err := r.write(ctx, http.MethodDelete, fmt.Sprintf("repos/%s/git/refs/%s", r.Full(), url.PathEscape("heads/"+branch)), nil, nil)
	if status, _ := refused(err); err == nil || status == http.StatusUnprocessableEntity || status == http.StatusNotFound {
		return nil
	}
	return r.explain(err, "delete branch "+branch)
}

// forward moves a branch ahead to a commit. ok is false if it is not behind it.
func (r *Repository) forward(ctx context.Context, branch, to string) (ok bool, err error) {
	at := fmt.Sprintf("repos/%s/git/refs/%s", r.Full(), url.PathEscape("heads/"+branch))
	err = r.write(ctx, http.MethodPatch, at, map[string]any{"sha": to, "force": false}, nil)
	if status, _ := refused(err); status == http.StatusUnprocessableEntity || status == http.StatusConflict {
		return false, nil
	}
	if err != nil {
		return false, r.explain(err, "move branch "+branch)
	}
	return true, nil
}

const refsMutation = `mutation($input:UpdateRefsInput!){updateRefs(input:$input){clientMutationId}}`

// zero is where a reference is that does not exist.
const zero = "0000000000000000000000000000000000000000"

// replace moves a branch from one commit to another, whatever is between them,
// and deletes the branch that led there: both or neither, and only if the branches
// are where they are said to be. The error is Moved if not.
func (r *Repository) replace(ctx context.Context, branch, was, by, is string) error {
	repository, err := r.nodeID(ctx)
	if err != nil {
		return err
	}
	input := map[string]any{"repositoryId": repository, "refUpdates": []map[string]any{
		{"name": "refs/heads/" + branch, "beforeOid": was, "afterOid": is, "force": true},
		{"name": "refs/heads/" + by, "beforeOid": is, "afterOid": zero},
	}}
	failed, err := r.graph(ctx, refsMutation, map[string]any{"input": input}, nil)
	if err != nil {
		return r.explain(err, "move branch "+branch)
	}
	if len(failed) > 0 {
		r.node.Store(nil) // in case it is another repository of that name
		return r.refusal(branch, failed[0])
	}
	return nil
}
