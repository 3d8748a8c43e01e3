package forge

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/go-github/v50/github"
)

// JobTrailer is the trailer by which what a job made is found again.
const JobTrailer = "Ferry-Job"

// How far back something is looked for: so many pages of so many where no time is
// given, and where one is, as far as it says, within reason.
const (
	findPage     = 100
	findPages    = 10
	findPagesMax = 200
	// clockSkew is how much GitHub's clock and ours may differ.
	clockSkew = 10 * time.Minute
)

// Find looks on the branch for the commit whose message has a trailer. With since
// it looks at every commit made after that; without, at the last thousand. A
// branch with more than 20,000 commits since then is an error: whoever takes "not
// found" for "not made" must not be told so without having looked.
func (r *Repository) Find(ctx context.Context, key, value string, since time.Time) (m Made, ok bool, err error) {
	opts := &github.CommitsListOptions{SHA: r.o.Branch, ListOptions: github.ListOptions{PerPage: findPage}}
	pages := findPages
	if !since.IsZero() {
		opts.Since, pages = since.Add(-clockSkew), findPagesMax
	}
	for range pages {
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
	if !since.IsZero() {
		return m, false, fmt.Errorf("look for %s: %s on %s: more than %d commits since %s", key, value, r.o.Branch, findPagesMax*findPage, since.Format(time.RFC3339))
	}
	return m, false, nil
}

func (r *Repository) page(ctx context.Context, opts *github.CommitsListOptions) ([]*github.RepositoryCommit, int, error) {
	page, resp, err := r.client.Repositories.ListCommits(ctx, r.o.Owner, r.o.Name, opts)
	if err != nil {
		return nil, 0, r.explain(err, "list commits of "+r.o.Branch)
	}
	return page, resp.NextPage, nil
}

// HasTrailer reports whether a message has a trailer: a line that says exactly
// "key: value", in a paragraph below the first that consists of such lines
// alone. There may be several such paragraphs (a commit of several jobs), and
// others between and after them (GitHub writes a squashed commit's message out of
// those of its commits, and adds its own lines).
func HasTrailer(message, key, value string) bool {
	found := false
	trailers(message, func(k, v string) { found = found || strings.EqualFold(k, key) && v == value })
	return found
}

// trailer returns the first value of a trailer, "" for none.
func trailer(message, key string) (value string) {
	trailers(message, func(k, v string) {
		if value == "" && strings.EqualFold(k, key) {
			value = v
		}
	})
	return value
}

// trailers calls fn with each trailer of a message.
func trailers(message string, fn func(key, value string)) {
	message = strings.ReplaceAll(message, "\r\n", "\n")
	_, message, _ = strings.Cut(message, "\n\n")
	for paragraph := range strings.SplitSeq(message, "\n\n") {
		var found [][2]string
		prose := false
		for line := range strings.SplitSeq(strings.Trim(paragraph, "\n"), "\n") {
			k, v, ok := strings.Cut(line, ":")
			prose = prose || !ok || !token(k)
			found = append(found, [2]string{k, strings.TrimSpace(v)})
		}
		for _, f := range found {
			if !prose {
				fn(f[0], f[1])
			}
		}
	}
}

// token reports whether a text may be a trailer's key: letters, digits, dashes.
func token(s string) bool {
	for _, c := range s {
		if c != '-' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return s != ""
}

// withTrailer returns a text that ends in the job's trailer, if it has none yet.
func withTrailer(text, job string) string {
	if HasTrailer("\n\n"+text, JobTrailer, job) {
		return text
	}
	return strings.TrimLeft(strings.TrimRight(text, "\n ")+"\n\n"+JobTrailer+": "+job+"\n", "\n")
}
