// Package forge is one branch of one repository on GitHub, as far as a
// promotion needs it: the head, the listing and contents of a commit, one commit
// written by compare-and-swap, the way back to a commit by its trailer, the rules
// of the branch, and pull requests into it.
//
// Reads are conditional or content-addressed, so that asking again costs
// nothing that GitHub counts: a head that did not move is a 304, contents are
// fetched once by their hash and checked against it. Many contents come in one
// GraphQL request; what GraphQL does not give faithfully (not UTF-8, too large)
// is fetched one by one.
//
// Contents change by one request alone, GraphQL's createCommitOnBranch with
// expectedHeadOid: it happens on exactly the head that was planned on, or not at
// all. Executable files, which would lose their mode by it, are committed as
// objects, and updateRefs moves the branch as exactly (modes.go). It may happen although its answer is lost; then the answer is
// Unavailable, and whoever repeats it must look for the commit first (Find).
//
// Where rules of the repository want it (Rules), or people do, the commit is made
// on a branch of its own and proposed (propose.go): branch, commit, pull request,
// labels, reviewers, auto-merge. Each step is looked for before it is taken, by
// the branch's name and the job's trailer, so that Propose may be told as often
// as one likes.
//
// Limits are kept in one place, the transport (limits.go) with its Pace; who
// ferry is to GitHub is a token, or an App that gets tokens (app.go).
package forge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/go-github/v50/github"

	"ferry/delivery/snapshot"
	"ferry/internal/fault"
)

// Options name a branch and how to reach it.
type Options struct {
	Owner, Name, Branch string
	// Proposes says that changes go through pull requests where rules want it: then
	// such a rule is nothing for Check to complain of.
	Proposes bool
	// BaseURL of the REST API; empty is https://api.github.com/.
	BaseURL string
	// Token returns what is sent as bearer token; it is asked for each request.
	Token func(context.Context) (string, error)
	// App, if set, takes the place of Token: ferry acts as a GitHub App.
	App *App
	// Pace is shared by repositories that are reached with the same token, whose
	// limits are GitHub's limits of that token; nil is one of its own.
	Pace *Pace
	// Transport carries requests; nil is http.DefaultTransport.
	Transport http.RoundTripper
	// Timeout of one request, from when it is sent; 0 is 15 s. What it waits for
	// before is bounded by its context, and by half a minute where it is a limit.
	Timeout time.Duration
	// Clock is nil for the real one.
	Clock func() time.Time
	// OnRequest is called after each request that was sent.
	OnRequest func(Request)
}

// Request is one request that was sent to GitHub.
type Request struct {
	Method, Path string
	Status       int // 0 without an answer
	Took         time.Duration
}

// Repository is the branch. It is safe for concurrent use.
type Repository struct {
	o       Options
	client  *github.Client
	limits  *limits
	graphql string
	heads   headCache
	passed  passed
	answers answers
	rules   rulesCache
	node    atomic.Pointer[string]
}

// New checks the options. It sends nothing.
func New(o Options) (*Repository, error) {
	if o.Owner == "" || o.Name == "" || o.Branch == "" {
		return nil, errors.New("repository owner, name and branch must be set")
	}
	if o.Timeout <= 0 {
		o.Timeout = 15 * time.Second
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Transport == nil {
		o.Transport = http.DefaultTransport
	}
	if o.Pace == nil {
		o.Pace = NewPace()
	}
	l := newLimits(o)
	r := &Repository{o: o, client: github.NewClient(&http.Client{Transport: l}), limits: l, graphql: "graphql"}
	if o.BaseURL != "" {
		base, err := url.Parse(strings.TrimSuffix(o.BaseURL, "/") + "/")
		if err != nil {
			return nil, fmt.Errorf("GitHub's address %q: %w", o.BaseURL, err)
		}
		r.client.BaseURL = base
		if strings.HasSuffix(base.Path, "/api/v3/") { // GitHub Enterprise has it beside, not below
			r.graphql = "../graphql"
		}
	}
	return r, nil
}

// WebHost is the host on which the repository is cloned and read by people.
func (r *Repository) WebHost() string {
	if host := r.client.BaseURL.Hostname(); host != "api.github.com" {
		return host
	}
	return "github.com"
}

// Full is "owner/name".
func (r *Repository) Full() string { return r.o.Owner + "/" + r.o.Name }

// Branch is the branch's name.
func (r *Repository) Branch() string { return r.o.Branch }

// Head is a commit and its tree.
type Head struct {
	SHA, Tree string
	At        time.Time
}

// Head reads the branch's head. Where it did not move GitHub counts nothing. It is
// never older than a commit that was made or read through here a moment before.
func (r *Repository) Head(ctx context.Context) (Head, error) {
	h, err := r.commit(ctx, r.o.Branch)
	if fault.Is(err, fault.NotFound) {
		return h, fault.New(fault.NotFound, fmt.Sprintf("the branch %s of %s does not exist, or ferry's token cannot read it", r.o.Branch, r.Full()),
			"check repo.owner, repo.name, repo.branch and the token's access with `ferry check`").Because(err)
	}
	if err != nil {
		return h, err
	}
	return r.passed.latest(h, r.o.Clock()), nil
}

// At reads a commit.
func (r *Repository) At(ctx context.Context, sha string) (Head, error) { return r.commit(ctx, sha) }

func (r *Repository) commit(ctx context.Context, ref string) (Head, error) {
	req, err := r.client.NewRequest(http.MethodGet, fmt.Sprintf("repos/%s/commits/%s", r.Full(), url.PathEscape(ref)), nil)
	if err != nil {
		return Head{}, fmt.Errorf("read commit %s: %w", ref, err)
	}
	known, etag := r.heads.get(ref)
	if etag != "" {
		req.Header.Set("If-None-Match", etag)
	}
	var c github.RepositoryCommit
	resp, err := r.client.Do(ctx, req, &c)
	if resp != nil && resp.StatusCode == http.StatusNotModified {
		return known, nil
	}
	if err != nil {
		return Head{}, r.explain(err, "read commit "+ref)
	}
	h := Head{SHA: c.GetSHA(), Tree: c.GetCommit().GetTree().GetSHA(), At: c.GetCommit().GetCommitter().GetDate().Time}
	if h.SHA == "" || h.Tree == "" {
		return h, fmt.Errorf("read commit %s: GitHub's answer has no SHA", ref)
	}
	r.heads.put(ref, h, resp.Header.Get("Etag"))
	return h, nil
}

// Entries lists a tree with everything below it. A listing that GitHub cuts
// short is walked folder by folder.
func (r *Repository) Entries(ctx context.Context, tree string) ([]snapshot.Entry, error) {
	return r.entries(ctx, tree, "", true)
}

func (r *Repository) entries(ctx context.Context, tree, at string, recursive bool) ([]snapshot.Entry, error) {
	got, err := r.list(ctx, tree, recursive)
	if err != nil {
		return nil, err
	}
	if got.truncated {
		if !recursive {
			return nil, fmt.Errorf("list %q: one folder is more than GitHub lists", at)
		}
		return r.entries(ctx, tree, at, false)
	}
	out := got.files
	for i := range out {
		out[i].Path = at + out[i].Path
	}
	if recursive {
		return out, nil
	}
	for _, folder := range got.folders {
		below, err := r.entries(ctx, folder.SHA, at+folder.Path+"/", true)
		if err != nil {
			return nil, err
		}
		out = append(out, below...)
	}
	return out, nil
}

// Relation says how one commit stands to another.
type Relation string

// The relations of head to base.
const (
	Identical Relation = "identical"
	Ahead     Relation = "ahead"  // base is an ancestor of head
	Behind    Relation = "behind" // head is an ancestor of base
	Diverged  Relation = "diverged"
)

// Compare says how head stands to base.
func (r *Repository) Compare(ctx context.Context, base, head string) (Relation, error) {
	got, _, err := r.client.Repositories.CompareCommits(ctx, r.o.Owner, r.o.Name, base, head, &github.ListOptions{PerPage: 1})
	if err != nil {
		return "", r.explain(err, "compare "+base+" with "+head)
	}
	return Relation(got.GetStatus()), nil
}

// explain gives an error of GitHub a kind and words.
func (r *Repository) explain(err error, what string) error {
	wrapped := fmt.Errorf("%s: %w", what, err)
	if f, ok := errors.AsType[*fault.Error](err); ok {
		if f.Err == nil {
			return f.Because(errors.New(what))
		}
		return f.Because(fmt.Errorf("%s: %w", what, f.Err))
	}
	resp, ok := asResponse(err)
	if !ok {
		if errors.Is(err, context.Canceled) {
			return wrapped
		}
		return fault.New(fault.Unavailable, "GitHub did not answer", "it is tried again; `ferry check` shows what is wrong").Because(wrapped)
	}
	status := resp.Response.StatusCode
	switch {
	case status == http.StatusUnauthorized:
		renew := "GITHUB_API_TOKEN"
		if r.o.App != nil {
			renew = "the GitHub App's installation: `ferry check` says more"
		}
		return fault.New(fault.Denied, "GitHub does not accept ferry's token", "an operator has to renew "+renew).Because(wrapped)
	case status == http.StatusForbidden:
		return fault.New(fault.Denied, "ferry's token may not do that on "+r.Full(),
			"it needs read and write access to the repository's contents, and to its pull requests where ferry opens them").Because(wrapped)
	case status == http.StatusNotFound:
		return fault.Newf(fault.NotFound, "%s has nothing of that name", r.Full()).Because(wrapped)
	case status == http.StatusConflict && !strings.Contains(err.Error(), "empty"):
		return fault.New(fault.Unavailable, "GitHub is busy with another change", "it is tried again").Because(wrapped)
	case status == http.StatusConflict:
		return fault.Newf(fault.NotFound, "%s is empty", r.Full()).Because(wrapped)
	case status >= 500:
		return fault.New(fault.Unavailable, "GitHub has trouble answering", "it is tried again; see githubstatus.com").Because(wrapped)
	}
	return wrapped
}

// asResponse returns GitHub's own no, if err is one.
func asResponse(err error) (*github.ErrorResponse, bool) {
	e, ok := errors.AsType[*github.ErrorResponse](err)
	return e, ok && e.Response != nil
}

// drain lets a connection be used again.
func drain(body io.ReadCloser) {
	_, _ = io.Copy(io.Discard, io.LimitReader(body, 1<<16))
	_ = body.Close()
}
