package forge

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"ferry/delivery/snapshot"
)

// graphError is one of the errors that come with status 200.
type graphError struct {
	Type    string `json:"type"`
	Message string `json:"message"`
}

// graph sends one GraphQL request. The errors in its answer are the caller's.
func (r *Repository) graph(ctx context.Context, query string, variables, into any) ([]graphError, error) {
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
	if slices.ContainsFunc(answer.Errors, func(e graphError) bool { return e.Type == "RATE_LIMITED" }) {
		return nil, r.limits.spent()
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
	data, _, err := r.client.Git.GetBlobRaw(ctx, r.o.Owner, r.o.Name, sha)
	if err != nil {
		return nil, r.explain(err, "fetch blob "+sha)
	}
	if got := snapshot.HashBlob(data); got != sha {
		return nil, fmt.Errorf("fetch blob %s: its contents hash to %s", sha, got)
	}
	return data, nil
}
