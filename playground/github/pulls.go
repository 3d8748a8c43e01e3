package github

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// pulls are the pull requests of one repository, and what is said of its commits. What they change is in the bare
// repository alone; here is who said what about it. A pull is replaced, never written to, so that whoever holds one
// may read it.
type pulls struct {
	mu       sync.Mutex
	all      []pull // number 1 first
	comments int
	statuses map[OID]map[string]CommitStatus
}

// pull is one pull request.
type pull struct {
	number           int
	title, body      string
	head, base       string // branches
	headSHA, baseSHA OID    // of the base when it was last looked at
	author           Token
	draft, open      bool
	created, updated time.Time
	closed, merged   time.Time
	mergeCommit      OID
	mergedBy         string
	labels           []string
	reviewers, teams []string
	comments         []comment
	reviews          []review
	auto             *autoMerge
}

type comment struct {
	id   int
	who  Token
	text string
	at   time.Time
}

type review struct {
	login string
	state string // APPROVED, CHANGES_REQUESTED, COMMENTED
	body  string
	on    OID
	at    time.Time
}

type autoMerge struct {
	who                    Token
	method, headline, body string
	at                     time.Time
}

// CommitStatus is what somebody says of a commit: State is success, failure, error or pending.
type CommitStatus struct {
	State, Description string
	At                 time.Time
}

// approvals counts those whose last word is yes.
func (p pull) approvals() int {
	last := map[string]string{}
	for _, r := range p.reviews {
		if r.state != "COMMENTED" {
			last[r.login] = r.state
		}
	}
	n := 0
	for _, state := range last {
		if state == "APPROVED" {
			n++
		}
	}
	return n
}

// get returns a pull request; errNotFound where there is none.
func (s *pulls) get(number int) (pull, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if number < 1 || number > len(s.all) {
		return pull{}, errNotFound
	}
	return s.all[number-1], nil
}

func (s *pulls) list() []pull {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.all)
}

// change replaces a pull request by what f makes of it.
func (s *pulls) change(number int, now time.Time, f func(*pull)) (pull, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if number < 1 || number > len(s.all) {
		return pull{}, errNotFound
	}
	p := s.all[number-1]
	p.labels, p.reviewers, p.teams = slices.Clone(p.labels), slices.Clone(p.reviewers), slices.Clone(p.teams)
	p.comments, p.reviews = slices.Clone(p.comments), slices.Clone(p.reviews)
	f(&p)
	p.updated = now
	s.all[number-1] = p
	return p, nil
}

// add numbers a new pull request, unless one between the same branches is open.
func (s *pulls) add(p pull) (pull, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.all {
		if o.open && o.head == p.head && o.base == p.base {
			return o, false
		}
	}
	p.number = len(s.all) + 1
	s.all = append(s.all, p)
	return p, true
}

func (s *pulls) status(id OID, name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.statuses[id][name].State
}

func (s *pulls) statusesOf(id OID) map[string]CommitStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]CommitStatus{}
	for name, st := range s.statuses[id] {
		out[name] = st
	}
	return out
}

// follow lets pull requests know of a branch that moved: theirs has new commits or is gone, or their commits have come
// to the base some other way.
func (r *Repo) follow(ref string, _, id OID) {
	branch := branchName(ref)
	if branch == ref {
		return
	}
	ctx := context.Background()
	for _, p := range r.prs.list() {
		if !p.open {
			continue
		}
		switch branch {
		case p.head:
			r.headMoved(ctx, p, id)
		case p.base:
			if in, err := r.isAncestor(ctx, p.headSHA, id); err == nil && in {
				r.endMerged(p.number, id, "")
			}
		}
	}
}

func (r *Repo) headMoved(ctx context.Context, p pull, id OID) {
	if id == zeroOID {
		r.end(p.number)
		return
	}
	base, err := r.Head(p.base)
	if err != nil {
		return
	}
	if in, err := r.isAncestor(ctx, id, base); err == nil && in {
		r.end(p.number) // nothing is left to merge, and GitHub closes it
		return
	}
	_, _ = r.prs.change(p.number, r.now(), func(p *pull) { p.headSHA, p.baseSHA = id, base })
	r.keepPull(ctx, p.number, id)
}

// keepPull leaves refs/pull/N/head, by which the commits are found after their branch is gone.
func (r *Repo) keepPull(ctx context.Context, number int, id OID) {
	_, _ = r.run(ctx, nil, "update-ref", fmt.Sprintf("refs/pull/%d/head", number), string(id))
}

func (r *Repo) end(number int) {
	_, _ = r.prs.change(number, r.now(), func(p *pull) {
		if p.open {
			p.open, p.closed, p.auto = false, r.now(), nil
		}
	})
}

// endMerged closes a pull request as merged. Who merges says so after the branch that moved has.
func (r *Repo) endMerged(number int, commit OID, login string) {
	_, _ = r.prs.change(number, r.now(), func(p *pull) {
		if p.merged.IsZero() {
			p.open, p.merged, p.closed = false, r.now(), r.now()
		}
		p.mergeCommit = commit
		if login != "" {
			p.mergedBy = login
		}
	})
}

// openPull opens a pull request. What is wrong with it is said in GitHub's words.
func (r *Repo) openPull(ctx context.Context, p pull) (pull, error) {
	base, err := r.ref(headsPrefix + p.base)
	if errors.Is(err, errMissing) {
		return p, invalidPull(record{"resource": "PullRequest", "field": "base", "code": "invalid"})
	} else if err != nil {
		return p, err
	}
	head, err := r.ref(headsPrefix + p.head)
	if errors.Is(err, errMissing) {
		return p, invalidPull(record{"resource": "PullRequest", "field": "head", "code": "invalid"})
	} else if err != nil {
		return p, err
	}
	if in, err := r.isAncestor(ctx, head.id, base.id); err != nil {
		return p, err
	} else if in {
		return p, invalidPull(record{"resource": "PullRequest", "code": "custom", "message": fmt.Sprintf("No commits between %s and %s", p.base, p.head)})
	}
	p.open, p.created, p.updated = true, r.now(), r.now()
	p.headSHA, p.baseSHA = head.id, base.id
	made, ok := r.prs.add(p)
	if !ok {
		return p, invalidPull(record{"resource": "PullRequest", "code": "custom", "message": fmt.Sprintf("A pull request already exists for %s:%s.", r.Owner, p.head)})
	}
	r.keepPull(ctx, made.number, head.id)
	return made, nil
}

// Pull is a pull request as people see it. State is open, closed or merged.
type Pull struct {
	Number                    int
	Title, Body, Branch, Base string
	State                     string
	Head, MergeCommit         OID
	Start                     OID // of the base, when Head was made
	Labels, Reviewers, Teams  []string
	Comments                  []string
	Draft                     bool
	AutoMerge                 string // method, if GitHub is to merge it
}

func (p pull) shown() Pull {
	out := Pull{
		Number: p.number, Title: p.title, Body: p.body, Branch: p.head, Base: p.base, Start: p.baseSHA, State: "open", Head: p.headSHA, MergeCommit: p.mergeCommit,
		Labels: p.labels, Reviewers: p.reviewers, Teams: p.teams, Draft: p.draft,
	}
	for _, c := range p.comments {
		out.Comments = append(out.Comments, c.text)
	}
	if p.auto != nil {
		out.AutoMerge = p.auto.method
	}
	if !p.merged.IsZero() {
		out.State = "merged"
	} else if !p.open {
		out.State = "closed"
	}
	return out
}

// Pulls lists the pull requests, the oldest first.
func (r *Repo) Pulls() []Pull {
	var out []Pull
	for _, p := range r.prs.list() {
		out = append(out, p.shown())
	}
	return out
}

// MergePull is somebody with every right who presses the button: method is merge, squash or rebase.
func (r *Repo) MergePull(number int, method, login string) (OID, error) {
	return r.merge(context.Background(), number, merging{who: Token{Login: login}, method: method, always: true})
}

// ClosePull closes a pull request without merging it.
func (r *Repo) ClosePull(number int) error {
	p, err := r.prs.get(number)
	if err != nil {
		return fmt.Errorf("close #%d: %w", number, err)
	}
	if !p.open {
		return fmt.Errorf("close #%d: it is not open", number)
	}
	r.end(number)
	return nil
}

// ApprovePull is somebody's yes.
func (r *Repo) ApprovePull(number int, login string) error {
	_, err := r.prs.change(number, r.now(), func(p *pull) {
		p.reviews = append(p.reviews, review{login, "APPROVED", "", p.headSHA, r.now()})
		p.reviewers = slices.DeleteFunc(p.reviewers, func(l string) bool { return l == login })
	})
	if err != nil {
		return fmt.Errorf("approve #%d: %w", number, err)
	}
	r.settle()
	return nil
}

// SetStatus is a check's word on a commit.
func (r *Repo) SetStatus(id OID, name string, s CommitStatus) {
	if s.At.IsZero() {
		s.At = r.now()
	}
	r.prs.mu.Lock()
	if r.prs.statuses == nil {
		r.prs.statuses = map[OID]map[string]CommitStatus{}
	}
	if r.prs.statuses[id] == nil {
		r.prs.statuses[id] = map[string]CommitStatus{}
	}
	r.prs.statuses[id][name] = s
	r.prs.mu.Unlock()
	r.settle()
}

// settle merges what was to be merged once nothing is in the way.
func (r *Repo) settle() {
	ctx := context.Background()
	for _, p := range r.prs.list() {
		if p.open && p.auto != nil && r.mergeable(ctx, p, p.auto.who.Login) == "clean" {
			_, _ = r.merge(ctx, p.number, merging{who: p.auto.who, method: p.auto.method, headline: p.auto.headline, body: p.auto.body})
		}
	}
}
