package forge

import (
	"context"
	"strings"
	"time"

	"github.com/google/go-github/v50/github"
)

// How far back a commit is looked for.
const (
	findPages = 10
	findPage  = 100
	// clockSkew is how much GitHub's clock and ours may differ.
	clockSkew = 10 * time.Minute
)

// Find looks on the branch for the commit whose message has a trailer, since a
// time. ok is false if it is not among the last thousand commits.
func (r *Repository) Find(ctx context.Context, key, value string, since time.Time) (m Made, ok bool, err error) {
	opts := &github.CommitsListOptions{SHA: r.o.Branch, ListOptions: github.ListOptions{PerPage: findPage}}
	if !since.IsZero() {
		opts.Since = since.Add(-clockSkew)
	}
	for range findPages {
		page, next, err := r.page(ctx, opts)
		if err != nil {
			return m, false, err
		}
		for _, c := range page {
			if HasTrailer(c.GetCommit().GetMessage(), key, value) {
				return Made{SHA: c.GetSHA(), URL: c.GetHTMLURL(), At: c.GetCommit().GetCommitter().GetDate().Time}, true, nil
			}
		}
		if next == 0 {
			return m, false, nil
		}
		opts.Page = next
	}
	return m, false, nil
}

func (r *Repository) page(ctx context.Context, opts *github.CommitsListOptions) ([]*github.RepositoryCommit, int, error) {
	ctx, cancel := r.bounded(ctx)
	defer cancel()
	page, resp, err := r.client.Repositories.ListCommits(ctx, r.o.Owner, r.o.Name, opts)
	if err != nil {
		return nil, 0, r.explain(err, "list commits of "+r.o.Branch)
	}
	return page, resp.NextPage, nil
}

// HasTrailer reports whether the last paragraph of a message has a trailer.
func HasTrailer(message, key, value string) bool {
	message = strings.TrimRight(strings.ReplaceAll(message, "\r\n", "\n"), "\n ")
	i := strings.LastIndex(message, "\n\n")
	if i < 0 {
		return false
	}
	message = message[i+2:]
	for line := range strings.SplitSeq(message, "\n") {
		if k, v, ok := strings.Cut(line, ":"); ok && strings.EqualFold(k, key) && strings.TrimSpace(v) == value {
			return true
		}
	}
	return false
}
