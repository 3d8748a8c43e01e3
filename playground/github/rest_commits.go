package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

func sigRecord(s Signature) record {
	return record{"name": s.Name, "email": s.Email, "date": stamp(s.When)}
}

func unverified() record {
	return record{"verified": false, "reason": "unsigned", "signature": nil, "payload": nil, "verified_at": nil}
}

// account finds the user whom a signature names, as GitHub does by mail; nil for a stranger.
func (c *call) account(s Signature) any {
	for _, t := range c.srv.opts.Tokens {
		if _, email := t.signature(); email == s.Email {
			return user(c.host, t.Login, t.id(), "User")
		}
	}
	return nil
}

// commit is GitHub's "commit" without its difference.
func (c *call) commit(x Commit) record {
	parents := list{}
	for _, p := range x.Parents {
		parents = append(parents, record{"sha": p, "url": c.url("commits", string(p)), "html_url": c.html("commit", string(p))})
	}
	id := string(x.OID)
	return record{
		"sha": id, "node_id": c.repo.objectID(x.OID), "url": c.url("commits", id), "html_url": c.html("commit", id),
		"comments_url": c.url("commits", id, "comments"), "parents": parents,
		"author": c.account(x.Author), "committer": c.account(x.Committer),
		"commit": record{
			"url": c.url("git", "commits", id), "message": strings.TrimSuffix(x.Message, "\n"), "comment_count": 0, "verification": unverified(),
			"author": sigRecord(x.Author), "committer": sigRecord(x.Committer),
			"tree": record{"sha": x.Tree, "url": c.url("git", "trees", string(x.Tree))},
		},
	}
}

func (r *Repo) objectID(id OID) string { return nodeID("O", r.fullName(), string(id)) }

// empty tells whether the repository has no branch at all; GitHub says so with a 409.
func (r *Repo) empty(ctx context.Context) error {
	refs, err := r.refs(ctx, headsPrefix)
	if err == nil && len(refs) == 0 {
		return fail(http.StatusConflict, "Git Repository is empty.")
	}
	return err
}

func getCommit(c *call) (reply, error) {
	word := c.PathValue("ref")
	x, err := c.repo.resolve(word)
	if errors.Is(err, errMissing) {
		if err := c.repo.empty(c.Context()); err != nil {
			return reply{}, err
		}
		return reply{}, fail(http.StatusUnprocessableEntity, "No commit found for SHA: %s", word)
	}
	if err != nil {
		return reply{}, err
	}
	if c.wants("sha") {
		return reply{raw: []byte(x.OID), contentType: "application/vnd.github.sha; charset=utf-8", etag: `"` + string(x.OID) + `"`}, nil
	}
	base := OID("")
	if len(x.Parents) > 0 {
		base = x.Parents[0]
	}
	files, err := c.repo.diff(c.Context(), base, x.OID)
	if err != nil {
		return reply{}, err
	}
	out := c.commit(x)
	out["files"], out["stats"] = c.files(files, x.OID)
	return reply{json: out}, nil
}

func listCommits(c *call) (reply, error) {
	q := c.URL.Query()
	word := q.Get("sha")
	if word == "" {
		word = c.repo.DefaultBranch
	}
	x, err := c.repo.resolve(word)
	if errors.Is(err, errMissing) {
		if err := c.repo.empty(c.Context()); err != nil {
			return reply{}, err
		}
	}
	if err != nil {
		return reply{}, err
	}
	args := []string{"rev-list", string(x.OID)}
	for _, bound := range []string{"since", "until"} {
		if q.Get(bound) == "" {
			continue
		}
		at, err := time.Parse(time.RFC3339, q.Get(bound))
		if err != nil {
			return reply{}, invalid("Commit", bound, "invalid")
		}
		args = append(args, fmt.Sprintf("--%s=%d", bound, at.Unix()))
	}
	if who := q.Get("author"); who != "" {
		args = append(args, "--fixed-strings", "--author="+who)
	}
	args = append(args, "--")
	if path := q.Get("path"); path != "" {
		args = append(args, ":(literal)"+strings.Trim(path, "/"))
	}
	ids, err := c.repo.ids(c.Context(), args...)
	if err != nil {
		return reply{}, err
	}
	from, to, header := c.page(len(ids))
	out, err := c.commits(ids[from:to])
	return reply{json: out, header: header}, err
}

func (c *call) commits(ids []OID) (list, error) {
	out := list{}
	for _, id := range ids {
		x, err := c.repo.commit(id)
		if err != nil {
			return nil, err
		}
		out = append(out, c.commit(x))
	}
	return out, nil
}

// ids runs a git command that prints one object ID per line.
func (r *Repo) ids(ctx context.Context, args ...string) ([]OID, error) {
	out, err := r.run(ctx, nil, args...)
	if err != nil {
		return nil, fmt.Errorf("walk history: %w", err)
	}
	var ids []OID
	for f := range strings.FieldsSeq(string(out)) {
		ids = append(ids, OID(f))
	}
	return ids, nil
}

// splitRange reads BASE...HEAD. Two dots do not do, and neither part may be empty.
func splitRange(s string) (base, head string, ok bool) {
	base, head, ok = strings.Cut(s, "...")
	return base, head, ok && base != "" && head != "" && head[0] != '.'
}

func compareCommits(c *call) (reply, error) {
	baseWord, headWord, ok := splitRange(c.PathValue("basehead"))
	if !ok {
		return reply{}, errNotFound
	}
	base, err := c.repo.resolve(baseWord)
	if err != nil {
		return reply{}, err
	}
	head, err := c.repo.resolve(headWord)
	if err != nil {
		return reply{}, err
	}
	ctx, r := c.Context(), c.repo
	bases, err := r.ids(ctx, "merge-base", string(base.OID), string(head.OID))
	if said := (*gitError)(nil); errors.As(err, &said) && said.stderr == "" || err == nil && len(bases) == 0 {
		return reply{}, fail(http.StatusNotFound, "No common ancestor between %s and %s.", baseWord, headWord)
	}
	if err != nil {
		return reply{}, err
	}
	fork, err := r.commit(bases[0])
	if err != nil {
		return reply{}, err
	}
	ahead, err := r.ids(ctx, "rev-list", "--reverse", string(base.OID)+".."+string(head.OID))
	if err != nil {
		return reply{}, err
	}
	behind, err := r.ids(ctx, "rev-list", string(head.OID)+".."+string(base.OID))
	if err != nil {
		return reply{}, err
	}
	changed, err := r.diff(ctx, fork.OID, head.OID)
	if err != nil {
		return reply{}, err
	}
	from, to, header := c.page(len(ahead))
	if c.URL.Query().Get("per_page") == "" && c.URL.Query().Get("page") == "" {
		from, to, header = 0, min(len(ahead), 250), nil
	}
	commits, err := c.commits(ahead[from:to])
	if err != nil {
		return reply{}, err
	}
	files, _ := c.files(changed, head.OID)
	names := string(base.OID) + "..." + string(head.OID)
	return reply{header: header, json: record{
		"url": c.url("compare", escapePath(c.PathValue("basehead"))), "html_url": c.html("compare", escapePath(c.PathValue("basehead"))),
		"permalink_url": c.html("compare", names), "diff_url": c.html("compare", names+".diff"), "patch_url": c.html("compare", names+".patch"),
		"base_commit": c.commit(base), "merge_base_commit": c.commit(fork), "status": rangeStatus(len(ahead), len(behind)),
		"ahead_by": len(ahead), "behind_by": len(behind), "total_commits": len(ahead), "commits": commits, "files": files,
	}}, nil
}

func rangeStatus(ahead, behind int) string {
	switch {
	case ahead > 0 && behind > 0:
		return "diverged"
	case ahead > 0:
		return "ahead"
	case behind > 0:
		return "behind"
	}
	return "identical"
}
