package forge

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"ferry/internal/fault"
)

// NewProposal is a change to be proposed.
type NewProposal struct {
	On       string // the commit it was planned on
	Branch   string // to be made for it, such as ferry/prod/podinfo-j12; nobody else's
	Headline string // of the commit
	Body     string // as Headline; trailers last
	Files    map[string][]byte
	Modes    map[string]string // as in NewCommit
	Job      string
	// Title and Text of the pull request; trailers last. The job's trailer is added
	// to Body and Text where it is missing.
	Title, Text string
	// What does not exist or may not be asked is a warning.
	Labels, Reviewers, TeamReviewers []string
	// AutoMerge is merge, squash or rebase: GitHub merges it so as soon as the rules
	// of the branch are met; at once if they are. Empty: people do.
	AutoMerge string
	Draft     bool
}

// longestTitle is what GitHub takes.
const longestTitle = 256

// complete returns n with what every proposal must have.
func (n NewProposal) complete() (NewProposal, error) {
	switch {
	case n.On == "" || n.Branch == "" || n.Job == "" || len(n.Files) == 0:
		return n, errors.New("propose: a commit to start from, a branch, a job and files are needed")
	case n.AutoMerge != "" && n.AutoMerge != "merge" && n.AutoMerge != "squash" && n.AutoMerge != "rebase":
		return n, fmt.Errorf("propose: auto-merge %q is none of merge, squash, rebase", n.AutoMerge)
	}
	n.Body, n.Text = withTrailer(n.Body, n.Job), withTrailer(n.Text, n.Job)
	if n.Title == "" {
		n.Title = n.Headline
	}
	if t := []rune(n.Title); len(t) > longestTitle {
		n.Title = string(t[:longestTitle-1]) + "…"
	}
	return n, nil
}

func (n NewProposal) commit() NewCommit {
	return NewCommit{On: n.On, Headline: n.Headline, Body: n.Body, Files: n.Files, Modes: n.Modes, Job: n.Job}
}

// message is the commit's, as GitHub gives it back.
func (n NewProposal) message() string {
	return strings.TrimSpace(n.Headline + "\n\n" + strings.TrimSpace(n.Body))
}

// Propose makes a branch at the commit that was planned on, one commit on it and
// a pull request, and gives that its labels, reviewers and auto-merge. Every step
// is looked for before it is taken: told again with the same job and branch,
// after a lost answer or a crash, it ends with one branch, one commit, one pull
// request. If the pull request has ended meanwhile, it is returned as it is.
//
// Told again on a newer commit before there is a pull request, the branch starts
// anew there; once there is one, UpdateProposal does that.
func (r *Repository) Propose(ctx context.Context, n NewProposal) (Proposal, error) {
	n, err := n.complete()
	if err != nil {
		return Proposal{}, err
	}
	if n.Branch == r.o.Branch {
		return Proposal{}, fmt.Errorf("propose: the branch is %s itself", n.Branch)
	}
	p, ok, err := r.proposed(ctx, n)
	if err != nil {
		return Proposal{}, err
	}
	if !ok {
		if err := r.prepare(ctx, n); err != nil {
			return Proposal{}, err
		}
		if p, err = r.openPull(ctx, n); err != nil {
			return Proposal{}, err
		}
	}
	if p.state() != Open {
		return p.proposal(), nil
	}
	out := r.dress(ctx, p, n)
	if !ok && n.Draft && !p.Draft {
		out.Warnings = append(out.Warnings, "it is no draft: the repository does not have them")
	}
	return out, nil
}

// proposed looks for the pull request of a proposal by its branch. One whose text
// somebody rewrote without the trailer is ours too.
func (r *Repository) proposed(ctx context.Context, n NewProposal) (pull, bool, error) {
	all, _, err := r.pulls(ctx, url.Values{"head": {r.o.Owner + ":" + n.Branch}, "base": {r.o.Branch}, "state": {"all"}, "per_page": {fmt.Sprint(findPage)}})
	if err != nil {
		return pull{}, false, err
	}
	ours := func(p pull) bool { return r.ours(p) && p.Head.Ref == n.Branch }
	if p, ok := best(all, func(p pull) bool { return ours(p) && (p.job() == n.Job || p.job() == "") }); ok {
		return p, true, nil
	}
	if p, ok := best(all, func(p pull) bool { return ours(p) && p.state() == Open }); ok {
		return pull{}, false, fault.Newf(fault.Refused, "the branch %s has a pull request of another job, #%d", n.Branch, p.Number)
	}
	return pull{}, false, nil
}

// prepare makes the branch with its commit, or finds that they are there.
func (r *Repository) prepare(ctx context.Context, n NewProposal) error {
	made, err := r.createBranch(ctx, n.Branch, n.On)
	if err != nil {
		return err
	}
	if !made {
		done, err := r.takeUp(ctx, n)
		if err != nil || done {
			return err
		}
	}
	return r.commitHere(ctx, n.Branch, n)
}

// takeUp looks at a branch that was there before. done means that its commit is
// made; else the branch is at the commit to make it on.
func (r *Repository) takeUp(ctx context.Context, n NewProposal) (done bool, err error) {
	t, ok, err := r.tip(ctx, n.Branch)
	switch {
	case err != nil:
		return false, err
	case !ok:
		return false, fault.Newf(fault.Unavailable, "GitHub does not agree with itself on whether the branch %s exists", n.Branch).WithHelp("it is tried again")
	case t.SHA == n.On:
		return false, nil
	case t.ofJob(n.Job) && t.on(n.On):
		return true, nil
	case t.ofJob(n.Job):
		return true, r.restart(ctx, n, t.SHA) // it was planned on another commit
	}
	// Without a commit of ours it can only be where an earlier attempt started it.
	moved, err := r.forward(ctx, n.Branch, n.On)
	if err != nil {
		return false, err
	}
	if !moved {
		return false, fault.Newf(fault.Refused, "the branch %s is there already and is not of this job", n.Branch).
			WithHelp("delete it if nobody needs it, and ask again")
	}
	return false, nil
}

// commitHere makes the proposal's commit on a branch that is at n.On.
func (r *Repository) commitHere(ctx context.Context, branch string, n NewProposal) error {
	_, err := r.commitOn(ctx, branch, n.commit())
	switch {
	case fault.Is(err, fault.NotFound):
		// It was made a moment ago, and not every server of GitHub's knows yet.
		return fault.Newf(fault.Unavailable, "GitHub does not see the branch %s yet", branch).WithHelp("it is tried again").Because(err)
	case !fault.Is(err, fault.Moved):
		return err
	}
	t, ok, lookErr := r.tip(ctx, branch)
	if lookErr != nil {
		return lookErr
	}
	switch {
	case ok && t.ofJob(n.Job) && t.on(n.On):
		return nil // by an attempt whose answer was lost
	case ok && t.SHA == n.On:
		return fault.Newf(fault.Unavailable, "GitHub shows the branch %s where it was a moment ago", branch).WithHelp("it is tried again").Because(err)
	}
	return fault.Newf(fault.Refused, "somebody pushed to the branch %s while ferry was making it", branch).Because(err)
}

// restart puts a new commit on n.On in the place of the commit that the branch is
// at. It is made on a branch beside it first: a branch that is for a moment where
// its base is would have its pull request closed by GitHub.
func (r *Repository) restart(ctx context.Context, n NewProposal, was string) error {
	beside := n.Branch + "-next"
	made, err := r.createBranch(ctx, beside, n.On)
	if err != nil {
		return err
	}
	if !made { // by an attempt that was cut short
		t, ok, err := r.tip(ctx, beside)
		if err != nil {
			return err
		}
		if !ok || t.SHA != n.On {
			if err := r.deleteBranch(ctx, beside); err != nil {
				return err
			}
			if _, err := r.createBranch(ctx, beside, n.On); err != nil {
				return err
			}
		}
	}
	if err := r.commitHere(ctx, beside, n); err != nil {
		return err
	}
	t, ok, err := r.tip(ctx, beside)
	if err != nil {
		return err
	}
	if !ok {
		return fault.Newf(fault.Unavailable, "GitHub does not see the branch %s yet", beside).WithHelp("it is tried again")
	}
	err = r.replace(ctx, n.Branch, was, beside, t.SHA)
	if fault.Is(err, fault.Moved) { // somebody pushed to it meanwhile, and it is theirs
		return errors.Join(err, r.deleteBranch(ctx, beside))
	}
	return err
}

func (r *Repository) openPull(ctx context.Context, n NewProposal) (pull, error) {
	var p pull
	body := map[string]any{"title": n.Title, "body": n.Text, "head": n.Branch, "base": r.o.Branch, "draft": n.Draft}
	err := r.write(ctx, http.MethodPost, fmt.Sprintf("repos/%s/pulls", r.Full()), body, &p)
	status, says := refused(err)
	switch {
	case err == nil:
		return p, nil
	case status == http.StatusUnprocessableEntity && strings.Contains(says, "already exists"):
		p, ok, err := r.proposed(ctx, n)
		if err == nil && !ok {
			err = fault.New(fault.Unavailable, "GitHub has a pull request and does not show it yet", "it is tried again")
		}
		return p, err
	case status == http.StatusUnprocessableEntity && n.Draft && strings.Contains(strings.ToLower(says), "draft"):
		n.Draft = false
		return r.openPull(ctx, n)
	case status == http.StatusUnprocessableEntity && strings.Contains(says, "No commits between"):
		return p, fault.Newf(fault.Already, "%s holds already what was to be proposed", r.o.Branch).Because(err)
	case status == http.StatusUnprocessableEntity:
		return p, fault.Newf(fault.Refused, "GitHub does not take the pull request: %s", says).Because(err)
	}
	return p, r.explain(err, "open pull request")
}

// UpdateProposal brings an open pull request to another commit of the base, or to
// other contents: a new commit takes the place of ferry's own on the branch, at
// once and only if it is still there, and title and text follow. It is still one
// commit, so that what is merged is what was proven. Reviews may have to be given
// again; that is for the rules of the branch to say. If somebody else pushed to
// the branch, it is theirs, and the error is Refused.
//
// For another version, rather propose anew and CloseProposal the old one with a
// comment that names the new: so each pull request is what its reviewers saw. It
// may be told as often as one likes.
func (r *Repository) UpdateProposal(ctx context.Context, number int, n NewProposal) (Proposal, error) {
	p, err := r.pull(ctx, number)
	if err != nil {
		return Proposal{}, err
	}
	if s := p.state(); s != Open {
		return p.proposal(), fault.Newf(fault.Already, "pull request #%d is %s already", number, s)
	}
	n.Branch = p.Head.Ref
	if n, err = n.complete(); err != nil {
		return p.proposal(), err
	}
	t, ok, err := r.tip(ctx, n.Branch)
	if err != nil {
		return p.proposal(), err
	}
	if !ok || !r.ours(p) || !t.ofAnyJob() {
		return p.proposal(), fault.Newf(fault.Refused, "somebody else pushed to the branch of pull request #%d", number).
			WithHelp("merge it or close it by hand")
	}
	if !t.on(n.On) || t.Commit.Message != n.message() {
		if err := r.restart(ctx, n, t.SHA); err != nil {
			return p.proposal(), err
		}
	}
	at := fmt.Sprintf("repos/%s/pulls/%d", r.Full(), number)
	if err := r.write(ctx, http.MethodPatch, at, map[string]string{"title": n.Title, "body": n.Text}, &p); err != nil {
		return p.proposal(), r.explain(err, fmt.Sprintf("change pull request %d", number))
	}
	return r.dress(ctx, p, n), nil
}
