package forge

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"ferry/delivery/snapshot"
	"ferry/internal/fault"
)

// graphError is one of the errors that come with status 200.
type graphError struct {
	Type    string `json:"type"`
	Message string `json:"message"`
}

// graph sends one GraphQL request. The errors in its answer are the caller's.
func (r *Repository) graph(ctx context.Context, query string, variables, into any) ([]graphError, error) {
	ctx, cancel := r.bounded(ctx)
	defer cancel()
	req, err := r.client.NewRequest(http.MethodPost, r.graphql, map[string]any{"query": query, "variables": variables})
	if err != nil {
		return nil, fmt.Errorf("make GraphQL request: %w", err)
	}
	answer := struct {
		Data   any          `json:"data"`
		Errors []graphError `json:"errors"`
	}{Data: into}
	if _, err := r.client.Do(ctx, req, &answer); err != nil {
		return nil, err
	}
	return answer.Errors, nil
}

// How contents are fetched: so many in one GraphQL request, so many requests at
// once. GitHub's own time limit is what bounds the first.
const (
	perRequest = 100
	atOnce     = 4
)

// Blobs fetches contents by SHA, and checks them against it.
func (r *Repository) Blobs(ctx context.Context, shas []string) (map[string][]byte, error) {
	if len(shas) == 1 {
		data, err := r.blob(ctx, shas[0])
		return map[string][]byte{shas[0]: data}, err
	}
	parts := make([]map[string][]byte, 0, len(shas)/perRequest+1)
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	for chunk := range slices.Chunk(shas, perRequest) {
		part := map[string][]byte{}
		parts = append(parts, part)
		g.Go(func() error { return r.chunk(gctx, chunk, part) })
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	out := make(map[string][]byte, len(shas))
	for _, p := range parts {
		for sha, data := range p {
			out[sha] = data
		}
	}
	return out, nil
}

type graphBlob struct {
	Text        *string `json:"text"`
	IsTruncated *bool   `json:"isTruncated"`
}

// chunk fetches some contents in one request, and one by one what that did not
// give faithfully.
func (r *Repository) chunk(ctx context.Context, shas []string, into map[string][]byte) error {
	var q strings.Builder
	q.WriteString("query($owner:String!,$name:String!){repository(owner:$owner,name:$name){")
	for i, sha := range shas {
		fmt.Fprintf(&q, "b%d:object(oid:%q){...on Blob{text isTruncated}}", i, sha)
	}
	q.WriteString("}}")
	var got struct {
		Repository map[string]graphBlob `json:"repository"`
	}
	if _, err := r.graph(ctx, q.String(), map[string]any{"owner": r.o.Owner, "name": r.o.Name}, &got); err != nil {
		return r.explain(err, fmt.Sprintf("fetch %d blobs", len(shas)))
	}
	for i, sha := range shas {
		if b := got.Repository[fmt.Sprintf("b%d", i)]; b.Text != nil {
			if data := []byte(*b.Text); snapshot.HashBlob(data) == sha {
				into[sha] = data
				continue
			}
		}
		data, err := r.blob(ctx, sha)
		if err != nil {
			return err
		}
		into[sha] = data
	}
	return nil
}

// blob fetches one content by REST.
func (r *Repository) blob(ctx context.Context, sha string) ([]byte, error) {
	ctx, cancel := r.bounded(ctx)
	defer cancel()
	data, _, err := r.client.Git.GetBlobRaw(ctx, r.o.Owner, r.o.Name, sha)
	if err != nil {
		return nil, r.explain(err, "fetch blob "+sha)
	}
	if got := snapshot.HashBlob(data); got != sha {
		return nil, fmt.Errorf("fetch blob %s: its contents hash to %s", sha, got)
	}
	return data, nil
}

// NewCommit is a commit to be made on an exact head.
type NewCommit struct {
	On       string // the head it is made on
	Headline string
	Body     string
	Files    map[string][]byte // new contents by path
	Job      string
}

// Made is a commit that exists.
type Made struct {
	SHA, URL string
	At       time.Time
}

const commitMutation = `mutation($input:CreateCommitOnBranchInput!){createCommitOnBranch(input:$input){commit{oid url committedDate}}}`

// Commit makes a commit if the branch's head is still the given one; else the
// error is Moved. An Unavailable error says nothing about whether it was made.
func (r *Repository) Commit(ctx context.Context, c NewCommit) (Made, error) {
	type addition struct {
		Path     string `json:"path"`
		Contents string `json:"contents"`
	}
	var add []addition
	for p, data := range c.Files {
		add = append(add, addition{p, base64.StdEncoding.EncodeToString(data)})
	}
	slices.SortFunc(add, func(a, b addition) int { return strings.Compare(a.Path, b.Path) })
	input := map[string]any{
		"branch":           map[string]string{"repositoryNameWithOwner": r.Full(), "branchName": r.o.Branch},
		"expectedHeadOid":  c.On,
		"message":          map[string]string{"headline": c.Headline, "body": c.Body},
		"fileChanges":      map[string]any{"additions": add},
		"clientMutationId": c.Job,
	}
	var got struct {
		CreateCommitOnBranch struct {
			Commit struct {
				OID           string    `json:"oid"`
				URL           string    `json:"url"`
				CommittedDate time.Time `json:"committedDate"`
			} `json:"commit"`
		} `json:"createCommitOnBranch"`
	}
	failed, err := r.graph(ctx, commitMutation, map[string]any{"input": input}, &got)
	if err != nil {
		return Made{}, r.explain(err, "commit on "+r.o.Branch)
	}
	if len(failed) > 0 {
		return Made{}, r.refusal(failed[0])
	}
	made := got.CreateCommitOnBranch.Commit
	if made.OID == "" {
		return Made{}, fault.New(fault.Unavailable, "GitHub's answer to a commit was empty", "").Because(errors.New("createCommitOnBranch without oid"))
	}
	return Made{SHA: made.OID, URL: made.URL, At: made.CommittedDate}, nil
}

// refusal turns GitHub's no to a commit into what it means.
func (r *Repository) refusal(e graphError) error {
	cause := fmt.Errorf("commit on %s: %s: %s", r.o.Branch, e.Type, e.Message)
	text := strings.ToLower(e.Message)
	has := func(parts ...string) bool {
		return slices.ContainsFunc(parts, func(p string) bool { return strings.Contains(text, p) })
	}
	switch {
	case e.Type == "STALE_DATA" || has("expected branch to point to", "is at ", "but expected"):
		return fault.Newf(fault.Moved, "%s moved while ferry was committing", r.o.Branch).Because(cause)
	case has("rule violations", "through a pull request"):
		return fault.Newf(fault.Refused, "a ruleset of %s does not let ferry push to %s", r.Full(), r.o.Branch).
			WithHelp("let ferry's account bypass the ruleset, or promote through a pull request by hand").Because(cause)
	case has("protected branch", "status check", "approving review", "is protected"):
		return fault.Newf(fault.Refused, "the branch %s of %s is protected against direct pushes", r.o.Branch, r.Full()).
			WithHelp("let ferry's account bypass the protection, or promote through a pull request by hand").Because(cause)
	case e.Type == "FORBIDDEN" || has("not accessible", "must have push access", "permission"):
		return fault.Newf(fault.Denied, "ferry's token may not write to %s", r.Full()).
			WithHelp("an operator has to give it write access to the contents of the repository").Because(cause)
	case e.Type == "NOT_FOUND":
		return fault.Newf(fault.NotFound, "the branch %s of %s does not exist, or ferry's token cannot see it", r.o.Branch, r.Full()).Because(cause)
	}
	return fault.Newf(fault.Unavailable, "GitHub did not take the commit").Because(cause)
}
