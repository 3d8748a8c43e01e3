package github

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

func invalidPull(errs ...any) error {
	return &apiError{status: http.StatusUnprocessableEntity, message: "Validation Failed", errors: errs, docs: "https://docs.github.com/rest/pulls/pulls"}
}

// number is the pull request that the path names.
func (c *call) number(variable string) int {
	n, err := strconv.Atoi(c.PathValue(variable))
	if err != nil {
		return 0
	}
	return n
}

func stampOrNull(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return stamp(t)
}

// simplePull is GitHub's "pull request simple", as lists have it.
func (c *call) simplePull(p pull) (record, error) {
	repo, err := c.repoRecord()
	if err != nil {
		return nil, err
	}
	n := strconv.Itoa(p.number)
	at, issue := c.url("pulls", n), c.url("issues", n)
	owner := user(c.host, c.repo.Owner, Token{Login: c.repo.Owner}.id(), "Organization")
	end := func(branch string, id OID) record {
		return record{"label": c.repo.Owner + ":" + branch, "ref": branch, "sha": id, "repo": repo, "user": owner}
	}
	link := func(href string) record { return record{"href": href} }
	state := "closed"
	if p.open {
		state = "open"
	}
	out := record{
		"url": at, "id": 100_000 + p.number, "node_id": nodeID("PR", c.repo.fullName(), n), "number": p.number, "state": state, "locked": false,
		"html_url": c.html("pull", n), "diff_url": c.html("pull", n+".diff"), "patch_url": c.html("pull", n+".patch"), "issue_url": issue,
		"commits_url": at + "/commits", "review_comments_url": at + "/comments", "review_comment_url": c.url("pulls", "comments{/number}"),
		"comments_url": issue + "/comments", "statuses_url": c.url("statuses", string(p.headSHA)),
		"title": p.title, "body": nil, "user": c.person(p.author), "labels": c.labels(p.labels), "milestone": nil,
		"created_at": stamp(p.created), "updated_at": stamp(p.updated), "closed_at": stampOrNull(p.closed), "merged_at": stampOrNull(p.merged),
		"merge_commit_sha": nil, "assignee": nil, "assignees": list{}, "draft": p.draft, "author_association": "COLLABORATOR", "auto_merge": nil,
		"head": end(p.head, p.headSHA), "base": end(p.base, p.baseSHA),
		"_links": record{
			"self": link(at), "html": link(c.html("pull", n)), "issue": link(issue), "comments": link(issue + "/comments"),
			"review_comments": link(at + "/comments"), "review_comment": link(c.url("pulls", "comments{/number}")),
			"commits": link(at + "/commits"), "statuses": link(c.url("statuses", string(p.headSHA))),
		},
	}
	if p.body != "" {
		out["body"] = p.body
	}
	if p.mergeCommit != "" {
		out["merge_commit_sha"] = p.mergeCommit
	}
	people, teams := list{}, list{}
	for _, login := range p.reviewers {
		people = append(people, user(c.host, login, Token{Login: login}.id(), "User"))
	}
	for _, slug := range p.teams {
		teams = append(teams, c.team(slug))
	}
	out["requested_reviewers"], out["requested_teams"] = people, teams
	if a := p.auto; a != nil {
		out["auto_merge"] = record{"enabled_by": c.person(a.who), "merge_method": a.method, "commit_title": a.headline, "commit_message": a.body}
	}
	return out, nil
}

// person is the user record of a token.
func (c *call) person(t Token) record {
	kind := "User"
	if strings.HasSuffix(t.Login, "[bot]") {
		kind = "Bot"
	}
	return user(c.host, t.Login, t.id(), kind)
}

func (c *call) team(slug string) record {
	at := c.host + "/api/v3/organizations/1/team/" + slug
	return record{
		"id": Token{Login: slug}.id(), "node_id": nodeID("T", slug), "name": slug, "slug": slug, "description": nil, "privacy": "closed",
		"notification_setting": "notifications_enabled", "permission": "push", "url": at, "html_url": c.host + "/orgs/" + c.repo.Owner + "/teams/" + slug,
		"members_url": at + "/members{/member}", "repositories_url": at + "/repos", "parent": nil, "type": "organization", "organization_id": 1,
	}
}

func (c *call) labels(names []string) list {
	out := list{}
	for _, name := range names {
		out = append(out, record{
			"id": Token{Login: "label " + name}.id(), "node_id": nodeID("LA", name), "url": c.url("labels", escapePath(name)), "name": name,
			"description": "", "color": "ededed", "default": false,
		})
	}
	return out
}

// fullPull is GitHub's "pull request".
func (c *call) fullPull(p pull) (record, error) {
	out, err := c.simplePull(p)
	if err != nil {
		return nil, err
	}
	state, can := "unknown", any(nil)
	if p.open {
		state = c.repo.mergeable(c.Context(), p, c.who.Login)
		can = state != "dirty"
	}
	changed, err := c.repo.diff(c.Context(), p.baseSHA, p.headSHA)
	if err != nil {
		return nil, err
	}
	_, stats := c.files(changed, p.headSHA)
	commits, err := c.repo.branchCommits(c.Context(), p, p.baseSHA)
	if err != nil {
		return nil, err
	}
	for k, v := range (record{
		"merged": !p.merged.IsZero(), "mergeable": can, "rebaseable": can, "mergeable_state": state, "merged_by": nil, "comments": len(p.comments),
		"review_comments": 0, "maintainer_can_modify": false, "commits": len(commits), "additions": stats["additions"],
		"deletions": stats["deletions"], "changed_files": len(changed),
	}) {
		out[k] = v
	}
	if p.mergedBy != "" {
		out["merged_by"] = c.person(Token{Login: p.mergedBy})
	}
	return out, nil
}

func (c *call) answerPull(status int, p pull) (reply, error) {
	out, err := c.fullPull(p)
	return reply{status: status, json: out}, err
}

func getPull(c *call) (reply, error) {
	p, err := c.repo.prs.get(c.number("pull_number"))
	if err != nil {
		return reply{}, err
	}
	return c.answerPull(0, p)
}

func listPulls(c *call) (reply, error) {
	q := c.URL.Query()
	owner, head, _ := strings.Cut(q.Get("head"), ":")
	var found []pull
	for _, p := range c.repo.prs.list() {
		state := cmp.Or(q.Get("state"), "open")
		switch {
		case state != "all" && (state == "open") != p.open:
		case q.Get("base") != "" && q.Get("base") != p.base:
		case head != "" && (head != p.head || !strings.EqualFold(owner, c.repo.Owner)):
		default:
			found = append(found, p)
		}
	}
	if q.Get("sort") == "updated" {
		slices.SortStableFunc(found, func(a, b pull) int { return a.updated.Compare(b.updated) })
	}
	if q.Get("direction") == "desc" || q.Get("direction") == "" && q.Get("sort") != "updated" {
		slices.Reverse(found)
	}
	from, to, header := c.page(len(found))
	out := list{}
	for _, p := range found[from:to] {
		one, err := c.simplePull(p)
		if err != nil {
			return reply{}, err
		}
		out = append(out, one)
	}
	return reply{json: out, header: header}, nil
}

const longestTitle = 256

func createPull(c *call) (reply, error) {
	var in struct {
		Title, Body, Head, Base string
		Draft                   bool
	}
	if err := c.read(&in); err != nil {
		return reply{}, err
	}
	switch {
	case in.Title == "":
		return reply{}, invalidPull(record{"resource": "PullRequest", "field": "title", "code": "missing_field"})
	case len([]rune(in.Title)) > longestTitle:
		return reply{}, invalidPull(record{"resource": "PullRequest", "field": "title", "code": "custom", "message": fmt.Sprintf("title is too long (maximum is %d characters)", longestTitle)})
	}
	head := in.Head
	if owner, name, ok := strings.Cut(head, ":"); ok && strings.EqualFold(owner, c.repo.Owner) {
		head = name
	}
	p, err := c.repo.openPull(c.Context(), pull{title: in.Title, body: in.Body, head: head, base: in.Base, draft: in.Draft, author: c.who})
	if err != nil {
		return reply{}, err
	}
	return c.answerPull(http.StatusCreated, p)
}

func updatePull(c *call) (reply, error) {
	var in struct{ Title, Body, State, Base *string }
	if err := c.read(&in); err != nil {
		return reply{}, err
	}
	number := c.number("pull_number")
	p, err := c.repo.prs.get(number)
	if err != nil {
		return reply{}, err
	}
	if in.State != nil && *in.State == "open" && !p.open {
		if _, err := c.repo.ref(headsPrefix + p.head); err != nil || !p.merged.IsZero() {
			return reply{}, invalidPull(record{"resource": "PullRequest", "code": "invalid", "field": "state", "message": "state cannot be changed. The " + p.head + " branch has been deleted."})
		}
	}
	p, err = c.repo.prs.change(number, c.srv.opts.Now(), func(p *pull) {
		if in.Title != nil {
			p.title = *in.Title
		}
		if in.Body != nil {
			p.body = *in.Body
		}
		if in.Base != nil {
			p.base = *in.Base
		}
		switch {
		case in.State == nil || !p.merged.IsZero():
		case *in.State == "closed" && p.open:
			p.open, p.closed, p.auto = false, c.srv.opts.Now(), nil
		case *in.State == "open":
			p.open, p.closed = true, time.Time{}
		}
	})
	if err != nil {
		return reply{}, err
	}
	return c.answerPull(0, p)
}

func mergePull(c *call) (reply, error) {
	var in struct {
		Title   string `json:"commit_title"`
		Message string `json:"commit_message"`
		SHA     OID    `json:"sha"`
		Method  string `json:"merge_method"`
	}
	if err := c.read(&in); err != nil {
		return reply{}, err
	}
	id, err := c.repo.merge(c.Context(), c.number("pull_number"), merging{who: c.who, method: in.Method, headline: in.Title, body: in.Message, sha: in.SHA})
	if err != nil {
		return reply{}, err
	}
	return reply{json: record{"sha": id, "merged": true, "message": "Pull Request successfully merged"}}, nil
}
