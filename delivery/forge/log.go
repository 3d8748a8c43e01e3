package forge

import (
	"context"
	"strings"
	"time"

	"github.com/google/go-github/v50/github"
)

// Logged is a commit as the branch's log has it.
type Logged struct {
	Made
	Message string
}

// Log calls fn with the commits of the branch made since then, or with all of
// them, the newest first, until it returns false. A hundred are one request.
func (r *Repository) Log(ctx context.Context, since time.Time, fn func(Logged) (more bool)) error {
	opts := &github.CommitsListOptions{SHA: r.o.Branch, Since: since, ListOptions: github.ListOptions{PerPage: findPage}}
	for {
		page, next, err := r.page(ctx, opts)
		if err != nil {
			return err
		}
		for _, c := range page {
			made := Made{SHA: c.GetSHA(), URL: c.GetHTMLURL(), At: c.GetCommit().GetCommitter().GetDate().Time}
			if !fn(Logged{made, c.GetCommit().GetMessage()}) {
				return nil
			}
		}
		if next == 0 {
			return nil
		}
		opts.Page = next
	}
}

// Blocks returns the trailers of each job that a message tells of: a block begins
// with JobTrailer. Keys are in lower case; of a key that repeats, the first counts.
func Blocks(message string) []map[string]string {
	var out []map[string]string
	trailers(message, func(k, v string) {
		if k = strings.ToLower(k); k == strings.ToLower(JobTrailer) {
			out = append(out, map[string]string{})
		}
		if len(out) == 0 {
			return
		}
		if last := out[len(out)-1]; last[k] == "" {
			last[k] = v
		}
	})
	return out
}
