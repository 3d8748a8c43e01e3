package delivery

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"ferry/delivery/flux"
	"ferry/delivery/forge"
	"ferry/internal/deploy"
	"ferry/internal/fault"
)

// Proposals say what pull requests look like. The zero value is one whose branch
// begins with ferry/, which people merge.
type Proposals struct {
	// Prefix of their branches; empty is ferry/.
	Prefix                           string
	Labels, Reviewers, TeamReviewers []string
	AutoMerge                        string // merge, squash or rebase; empty: people merge
	Draft                            bool
}

// demand is a rule of which only a refused commit told.
type demand struct {
	why   string
	until time.Time
}

// demandFor is how long a refused commit is taken for a rule: as long as rules
// that were read.
const demandFor = 10 * time.Minute

// noteDemand remembers that a commit was refused for want of a pull request.
func (d *Delivery) noteDemand(err error) {
	e, ok := errors.AsType[*fault.Error](err)
	if !ok || !errors.Is(err, forge.ErrNeedsPullRequest) {
		return
	}
	d.known.Lock()
	defer d.known.Unlock()
	d.demand = demand{why: e.Says, until: d.now().Add(demandFor)}
}

// Way says whether changes of a cluster go through pull requests, and if that is
// not because somebody configured it, why. Rules of the branch are read once in
// some minutes. Rules that cannot be read are met by the commit: if that is
// refused for them, Way knows it from then on.
//
// The error is Refused where not even a pull request helps.
func (d *Delivery) Way(ctx context.Context, c deploy.Cluster) (pull bool, why string, err error) {
	rules, err := d.repo.Rules(ctx)
	switch {
	case fault.Is(err, fault.Unavailable) || ctx.Err() != nil:
		return false, "", err
	case err != nil:
		d.log.Warn("the rules of the branch could not be read", "error", err)
	case rules.Blocked != "":
		return false, "", fault.New(fault.Refused, rules.Blocked, "unlock it, or let Flux and ferry use another branch")
	}
	if slices.Contains(d.o.Proposing, c) {
		return true, "", nil
	}
	if rules.PullRequest {
		return true, rules.Source + " wants one", nil
	}
	d.known.Lock()
	defer d.known.Unlock()
	if d.now().Before(d.demand.until) {
		return true, d.demand.why, nil
	}
	return false, "", nil
}

// Propose plans a change, hands the plan to onPlan, and opens a pull request for
// it, which is no other change's. An error of onPlan ends it without one. With
// plan.Already there is none.
//
// Every step is looked for before it is taken: told again for the same job, after
// a lost answer or a crash, it ends with one branch, one commit, one pull request.
func (d *Delivery) Propose(ctx context.Context, c deploy.Change, declared func() []deploy.Declared, by deploy.Authorship,
	onPlan func(deploy.Plan) error,
) (deploy.Plan, deploy.Proposal, error) {
	plan, w, err := d.planAt(ctx, c, declared())
	if err != nil {
		return plan, deploy.Proposal{}, err
	}
	if err := onPlan(plan); err != nil || plan.Already {
		return plan, deploy.Proposal{}, err
	}
	p, err := d.repo.Propose(ctx, d.proposal(w, plan, by))
	if err != nil {
		return plan, deploy.Proposal{}, err
	}
	return plan, d.proposed(p), nil
}

// Renew holds an open pull request against where the branch is now. As long as
// the same plan can be made there, it is still good; one that conflicts, or has to
// be brought up to date, gets a commit on that head. The plan returned has the
// head as its base; Already means that somebody else brought the version. If the
// change became another one, the error is Refused with the code Conflict, names
// both sides, and the pull request stays as it is.
func (d *Delivery) Renew(ctx context.Context, old deploy.Proposal, first deploy.Plan, declared func() []deploy.Declared, by deploy.Authorship) (deploy.Plan, deploy.Proposal, error) {
	head, err := d.repo.Head(ctx)
	if err != nil {
		return first, old, err
	}
	stuck := old.Conflict || old.Behind
	if head.SHA == first.Base && !stuck {
		return first, old, nil
	}
	plan, w, err := d.planAt(ctx, first.Change, declared())
	switch {
	case first.Change.Unpin && fault.Is(err, fault.Already): // somebody else took the pin away
		plan.Already = true
		return plan, old, nil
	case err != nil:
		return first, old, err
	case plan.Already:
		return plan, old, nil
	case plan.Hash != first.Hash:
		in := intent{change: first.Change}
		e := in.conflict(first.From, plan.From)
		return first, old, e.WithHelp("%s", conflictHelp(first, plan, old.Number))
	case !stuck:
		return plan, old, nil
	}
	p, err := d.repo.UpdateProposal(ctx, old.Number, d.proposal(w, plan, by))
	if err != nil {
		return first, old, err
	}
	return plan, d.proposed(p), nil
}

func conflictHelp(first, now deploy.Plan, number int) string {
	sides := fmt.Sprintf("when it was opened Git had `%s`, now it has `%s`", first.From, now.From)
	if first.From == now.From {
		sides = fmt.Sprintf("Git still has `%s`, but it stands elsewhere or changes something else now", now.From)
	}
	return fmt.Sprintf("%s\npull request #%d stays open with `%s`: merge or close it by hand, or ask again", sides, number, first.Change.Version)
}

// FindProposal looks for the pull request of a job, opened since a time.
func (d *Delivery) FindProposal(ctx context.Context, job string, since time.Time) (deploy.Proposal, bool, error) {
	p, ok, err := d.repo.FindProposal(ctx, line(job), since)
	if err != nil || !ok {
		return deploy.Proposal{}, false, err
	}
	return d.proposed(p), true, nil
}

// Proposal reads a pull request. While nothing about it changes that costs
// nothing that GitHub counts.
func (d *Delivery) Proposal(ctx context.Context, number int) (deploy.Proposal, error) {
	p, err := d.repo.Proposal(ctx, number)
	if err != nil {
		return deploy.Proposal{}, err
	}
	return d.proposed(p), nil
}

// Withdraw closes a pull request with a comment and deletes its branch. It may be
// told as often as one likes; one that is merged is Already.
func (d *Delivery) Withdraw(ctx context.Context, number int, comment string) error {
	return d.repo.CloseProposal(ctx, number, comment)
}

// proposal writes down a plan, made on a world, for GitHub.
func (d *Delivery) proposal(w *flux.World, p deploy.Plan, by deploy.Authorship) forge.NewProposal {
	o := d.o.Proposals
	if o.Prefix == "" {
		o.Prefix = "ferry/"
	}
	t := p.Change.Target
	in := []*intent{{change: p.Change, by: by, plan: p}}
	m, shown := d.message(in), d.pullMessage(in)
	return forge.NewProposal{
		On: p.Base, Branch: fmt.Sprintf("%s%s/%s-%s", o.Prefix, t.Cluster, t.App.Name, by.Job),
		Headline: m.subject, Body: m.body(), Files: p.Files, Modes: modesOf(w.Files().Tree, p.Files), Job: by.Job,
		Title: shown.subject, Text: description(p, shown),
		Labels: o.Labels, Reviewers: o.Reviewers, TeamReviewers: o.TeamReviewers, AutoMerge: o.AutoMerge, Draft: o.Draft,
	}
}

// mostRendered is how much of the rendered diff a description shows.
const mostRendered = 40

// description is a pull request's text: what becomes what, what that changes in
// the clusters, the trailers.
func description(p deploy.Plan, m message) string {
	var b strings.Builder
	b.WriteString(m.text)
	if len(p.Affected) == 0 {
		return strings.TrimLeft(b.String()+"\n\nRendered for every cluster, this changes nothing.\n\n", "\n") + m.trailers
	}
	fmt.Fprintf(&b, "\n\nRendered for every cluster, this changes %s and nothing else:\n\n", touched(p.Affected))
	lines := strings.Split(strings.TrimSuffix(p.RenderedDiff, "\n"), "\n")
	if more := len(lines) - mostRendered; more > 0 {
		lines = append(lines[:mostRendered], fmt.Sprintf("… and %d lines more", more))
	}
	for _, l := range lines { // indented: no content can end the block or begin a trailer
		b.WriteString(strings.TrimRight("    "+l, " ") + "\n")
	}
	return strings.TrimLeft(b.String(), "\n") + "\n" + m.trailers
}

func touched(all []deploy.Affected) string {
	var names []string
	for _, a := range all {
		if name := fmt.Sprintf("%s on %s", line(a.Object.String()), line(string(a.Cluster))); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	const most = 5
	if more := len(names) - most; more > 0 {
		names = append(names[:most], fmt.Sprintf("%d more", more))
	}
	return strings.Join(names, ", ")
}

// proposed is a pull request in everybody's words.
func (d *Delivery) proposed(p forge.Proposal) deploy.Proposal {
	out := deploy.Proposal{
		Number: p.Number, URL: p.URL, Branch: p.Branch, State: deploy.ProposalState(p.State), MergedBy: p.MergedBy, ClosedBy: p.ClosedBy,
		Waits: p.Waits, Conflict: p.Conflict, Behind: p.Behind, Warnings: p.Warnings,
	}
	if p.State == forge.Merged {
		out.Merged = deploy.Commit{SHA: p.MergeCommit, At: p.MergedAt, Merged: true}
		if at := strings.LastIndex(p.URL, "/pull/"); at >= 0 && p.MergeCommit != "" {
			out.Merged.URL = p.URL[:at] + "/commit/" + p.MergeCommit
		}
	}
	return out
}
