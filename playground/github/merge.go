package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// merging is how a pull request is to be merged. always asks no protection.
type merging struct {
	who            Token
	method         string // merge, squash, rebase; empty is merge
	headline, body string // of the commit; empty as GitHub's defaults are
	sha            OID    // the head that is meant; empty for any
	always         bool
}

// mergeable is GitHub's mergeable_state.
func (r *Repo) mergeable(ctx context.Context, p pull, login string) string {
	base, err := r.Head(p.base)
	if err != nil {
		return "unknown"
	}
	_, conflict, err := r.mergeTrees(ctx, base, p.headSHA)
	rules, _ := r.protection(p.base)
	switch {
	case err != nil:
		return "unknown"
	case p.draft:
		return "draft"
	case conflict:
		return "dirty"
	case r.unmet(p, login) != "":
		return "blocked"
	case rules.Strict && !r.contains(ctx, p.headSHA, base):
		return "behind"
	}
	for _, s := range r.prs.statusesOf(p.headSHA) {
		if s.State != "success" {
			return "unstable"
		}
	}
	return "clean"
}

func (r *Repo) contains(ctx context.Context, id, part OID) bool {
	in, err := r.isAncestor(ctx, part, id)
	return err == nil && in
}

// mergeTrees merges two commits and returns the tree.
func (r *Repo) mergeTrees(ctx context.Context, ours, theirs OID) (tree OID, conflict bool, err error) {
	out, err := r.run(ctx, nil, "merge-tree", "--write-tree", "--no-messages", string(ours), string(theirs))
	if said := (*gitError)(nil); errors.As(err, &said) && said.stderr == "" {
		return "", true, nil // its status is 1 for a conflict, and it complains of nothing
	}
	if err != nil {
		return "", false, fmt.Errorf("merge %s into %s: %w", theirs, ours, err)
	}
	return OID(strings.TrimSpace(string(out))), false, nil
}

// merge merges a pull request, one at a time, on the base as it is then.
func (r *Repo) merge(ctx context.Context, number int, how merging) (OID, error) {
	r.merging.Lock()
	defer r.merging.Unlock()
	for {
		p, err := r.prs.get(number)
		if err != nil {
			return "", err
		}
		if err := r.mayMerge(ctx, p, how); err != nil {
			return "", err
		}
		base, err := r.Head(p.base)
		if err != nil {
			return "", err
		}
		var id OID
		switch how.method {
		case "", "merge":
			id, err = r.mergeCommit(ctx, p, base, how)
		case "squash":
			id, err = r.squash(ctx, p, base, how)
		case "rebase":
			id, err = r.rebase(ctx, p, base, how)
		default:
			return "", invalid("PullRequest", "merge_method", "invalid")
		}
		if err != nil {
			return "", err
		}
		err = r.moveRefs(ctx, move{headsPrefix + p.base, base, id})
		if lost := (*movedError)(nil); errors.As(err, &lost) {
			continue
		}
		if err != nil {
			return "", err
		}
		r.endMerged(number, id, how.who.Login)
		return id, nil
	}
}

func (r *Repo) mayMerge(ctx context.Context, p pull, how merging) error {
	no := func(format string, args ...any) error { return fail(http.StatusMethodNotAllowed, format, args...) }
	switch {
	case !p.merged.IsZero():
		return no("Pull Request is not mergeable")
	case !p.open:
		return no("Pull Request is not mergeable")
	case how.sha != "" && how.sha != p.headSHA:
		return fail(http.StatusConflict, "Head branch was modified. Review and try the merge again.")
	case how.always:
		return nil
	}
	switch r.mergeable(ctx, p, how.who.Login) {
	case "draft":
		return no("Pull Request is still a draft")
	case "dirty":
		return no("Pull Request is not mergeable")
	case "blocked":
		return no("%s", r.unmet(p, how.who.Login))
	case "behind":
		return no("Head branch is out of date. Review and try the merge again.")
	}
	return nil
}

var errConflict = &apiError{status: http.StatusMethodNotAllowed, message: "Pull Request is not mergeable"}

func (r *Repo) byHub(t Token) (author, committer Signature) {
	name, email := t.signature()
	return Signature{name, email, r.now()}, Signature{"GitHub", "noreply@github.com", r.now()}
}

func (r *Repo) mergeCommit(ctx context.Context, p pull, base OID, how merging) (OID, error) {
	tree, conflict, err := r.mergeTrees(ctx, base, p.headSHA)
	if err != nil || conflict {
		return "", errors.Join(err, ifConflict(conflict))
	}
	c := Commit{Tree: tree, Parents: []OID{base, p.headSHA}}
	c.Author, c.Committer = r.byHub(how.who)
	c.Message = text2(how, fmt.Sprintf("Merge pull request #%d from %s/%s", p.number, r.Owner, p.head), p.title)
	return r.writeCommit(c)
}

func ifConflict(is bool) error {
	if is {
		return errConflict
	}
	return nil
}

// text2 is a commit's message of two parts, each GitHub's where nothing else was said.
func text2(how merging, headline, body string) string {
	if how.headline != "" {
		headline = how.headline
	}
	if how.body != "" || how.headline != "" {
		body = how.body
	}
	return strings.TrimSpace(headline+"\n\n"+body) + "\n"
}

// branchCommits are the commits of a pull request, the oldest first.
func (r *Repo) branchCommits(ctx context.Context, p pull, base OID) ([]Commit, error) {
	ids, err := r.ids(ctx, "rev-list", "--reverse", "--no-merges", string(base)+".."+string(p.headSHA))
	if err != nil {
		return nil, err
	}
	var out []Commit
	for _, id := range ids {
		c, err := r.commit(id)
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

// squash makes one commit of all, with the only commit's message, or all of them in a list.
func (r *Repo) squash(ctx context.Context, p pull, base OID, how merging) (OID, error) {
	tree, conflict, err := r.mergeTrees(ctx, base, p.headSHA)
	if err != nil || conflict {
		return "", errors.Join(err, ifConflict(conflict))
	}
	commits, err := r.branchCommits(ctx, p, base)
	if err != nil {
		return "", err
	}
	title, body := p.title, ""
	if len(commits) == 1 {
		title, body = headline(commits[0].Message), messageBody(commits[0].Message)
	} else {
		for _, c := range commits {
			body += "* " + strings.TrimSpace(c.Message) + "\n\n"
		}
	}
	c := Commit{Tree: tree, Parents: []OID{base}, Message: text2(how, fmt.Sprintf("%s (#%d)", title, p.number), body)}
	c.Author, c.Committer = r.byHub(how.who)
	return r.writeCommit(c)
}

// rebase puts the commits on the base one by one. Each is merged with what is there, its parent being the base of that:
// commits that stand for the three trees say so to a git that cannot be told otherwise (before 2.40).
func (r *Repo) rebase(ctx context.Context, p pull, base OID, how merging) (OID, error) {
	commits, err := r.branchCommits(ctx, p, base)
	if err != nil {
		return "", err
	}
	at := base
	for _, c := range commits {
		onto, err := r.commit(at)
		if err != nil {
			return "", err
		}
		if !slices.Equal(c.Parents, []OID{at}) {
			if c.Tree, err = r.replay(ctx, c, onto); err != nil {
				return "", err
			}
		}
		c.Parents = []OID{at}
		_, c.Committer = r.byHub(how.who)
		if at, err = r.writeCommit(c); err != nil {
			return "", err
		}
	}
	return at, nil
}

func (r *Repo) replay(ctx context.Context, c, onto Commit) (OID, error) {
	if len(c.Parents) == 0 {
		return "", errConflict
	}
	parent, err := r.commit(c.Parents[0])
	if err != nil {
		return "", err
	}
	stand := func(tree OID, parents ...OID) (OID, error) {
		return r.writeCommit(Commit{Tree: tree, Parents: parents, Author: r.outsider(), Committer: r.outsider(), Message: "stands for a tree\n"})
	}
	root, err := stand(parent.Tree)
	if err != nil {
		return "", err
	}
	ours, err := stand(onto.Tree, root)
	if err != nil {
		return "", err
	}
	theirs, err := stand(c.Tree, root)
	if err != nil {
		return "", err
	}
	tree, conflict, err := r.mergeTrees(ctx, ours, theirs)
	if err != nil || conflict {
		return "", errors.Join(err, ifConflict(conflict))
	}
	return tree, nil
}
