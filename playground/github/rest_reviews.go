package github

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

func addLabels(c *call) (reply, error) {
	var in struct{ Labels []string }
	if err := c.read(&in); err != nil {
		return reply{}, err
	}
	exist := c.repo.options.Labels
	for _, name := range in.Labels {
		if exist != nil && !slices.Contains(exist, name) {
			return reply{}, &apiError{
				status: http.StatusForbidden, message: "You do not have permission to create labels on this repository.",
				errors: list{record{"resource": "Repository", "field": "label", "code": "unauthorized"}},
			}
		}
	}
	p, err := c.repo.prs.change(c.number("issue_number"), c.srv.opts.Now(), func(p *pull) {
		for _, name := range in.Labels {
			if !slices.Contains(p.labels, name) {
				p.labels = append(p.labels, name)
			}
		}
	})
	return reply{json: c.labels(p.labels)}, err
}

func (c *call) comment(p pull, x comment) record {
	at := c.url("issues", "comments", strconv.Itoa(x.id))
	return record{
		"id": x.id, "node_id": nodeID("IC", strconv.Itoa(x.id)), "url": at, "html_url": c.html("pull", fmt.Sprintf("%d#issuecomment-%d", p.number, x.id)),
		"issue_url": c.url("issues", strconv.Itoa(p.number)), "user": c.person(x.who), "body": x.text, "author_association": "COLLABORATOR",
		"created_at": stamp(x.at), "updated_at": stamp(x.at),
	}
}

func listComments(c *call) (reply, error) {
	p, err := c.repo.prs.get(c.number("issue_number"))
	if err != nil {
		return reply{}, err
	}
	from, to, header := c.page(len(p.comments))
	out := list{}
	for _, x := range p.comments[from:to] {
		out = append(out, c.comment(p, x))
	}
	return reply{json: out, header: header}, nil
}

func createComment(c *call) (reply, error) {
	var in struct{ Body string }
	if err := c.read(&in); err != nil {
		return reply{}, err
	}
	if strings.TrimSpace(in.Body) == "" {
		return reply{}, invalid("IssueComment", "data", "unprocessable")
	}
	c.repo.prs.mu.Lock()
	c.repo.prs.comments++
	x := comment{c.repo.prs.comments, c.who, in.Body, c.srv.opts.Now()}
	c.repo.prs.mu.Unlock()
	p, err := c.repo.prs.change(c.number("issue_number"), x.at, func(p *pull) { p.comments = append(p.comments, x) })
	if err != nil {
		return reply{}, err
	}
	return reply{status: http.StatusCreated, json: c.comment(p, x)}, nil
}

// requestReviewers takes all of them or none. Who may be asked has a token here, or is a team of the repository.
func requestReviewers(c *call) (reply, error) {
	var in struct {
		Reviewers []string `json:"reviewers"`
		Teams     []string `json:"team_reviewers"`
	}
	if err := c.read(&in); err != nil {
		return reply{}, err
	}
	p, err := c.repo.prs.get(c.number("pull_number"))
	if err != nil {
		return reply{}, err
	}
	known := map[string]bool{}
	for _, t := range c.srv.opts.Tokens {
		known[t.Login] = t.Access >= ReadAccess
	}
	for _, login := range in.Reviewers {
		if login == p.author.Login {
			return reply{}, fail(http.StatusUnprocessableEntity, "Review cannot be requested from pull request author.")
		}
	}
	stranger := func(login string) bool { return !known[login] }
	noTeam := func(slug string) bool { return !slices.Contains(c.repo.options.Teams, slug) }
	if slices.ContainsFunc(in.Reviewers, stranger) || slices.ContainsFunc(in.Teams, noTeam) {
		return reply{}, fail(http.StatusUnprocessableEntity, "Reviews may only be requested from collaborators. One or more of the users or teams you specified is not a collaborator of the %s repository.", c.repo.fullName())
	}
	p, err = c.repo.prs.change(p.number, c.srv.opts.Now(), func(p *pull) {
		p.reviewers = append(p.reviewers, fresh(in.Reviewers, p.reviewers)...)
		p.teams = append(p.teams, fresh(in.Teams, p.teams)...)
	})
	if err != nil {
		return reply{}, err
	}
	out, err := c.simplePull(p)
	return reply{status: http.StatusCreated, json: out}, err
}

func fresh(names, there []string) []string {
	var out []string
	for _, n := range names {
		if !slices.Contains(there, n) {
			out = append(out, n)
		}
	}
	return out
}

func createReview(c *call) (reply, error) {
	var in struct{ Event, Body string }
	if err := c.read(&in); err != nil {
		return reply{}, err
	}
	p, err := c.repo.prs.get(c.number("pull_number"))
	if err != nil {
		return reply{}, err
	}
	state, ok := map[string]string{"APPROVE": "APPROVED", "REQUEST_CHANGES": "CHANGES_REQUESTED", "COMMENT": "COMMENTED"}[in.Event]
	switch {
	case !ok:
		return reply{}, invalid("PullRequestReview", "event", "invalid")
	case p.author.Login == c.who.Login && state == "APPROVED":
		return reply{}, &apiError{status: http.StatusUnprocessableEntity, message: "Unprocessable Entity", errors: list{"Can not approve your own pull request"}}
	}
	x := review{c.who.Login, state, in.Body, p.headSHA, c.srv.opts.Now()}
	p, err = c.repo.prs.change(p.number, x.at, func(p *pull) { p.reviews = append(p.reviews, x) })
	if err != nil {
		return reply{}, err
	}
	c.repo.settle()
	n, id := strconv.Itoa(p.number), len(p.reviews)
	html := c.html("pull", fmt.Sprintf("%d#pullrequestreview-%d", p.number, id))
	return reply{json: record{
		"id": id, "node_id": nodeID("PRR", n, strconv.Itoa(id)), "user": c.person(c.who), "body": x.body, "state": state, "html_url": html,
		"pull_request_url": c.url("pulls", n), "commit_id": x.on, "author_association": "COLLABORATOR", "submitted_at": stamp(x.at),
		"_links": record{"html": record{"href": html}, "pull_request": record{"href": c.url("pulls", n)}},
	}}, nil
}

func (c *call) status(id OID, name string, s CommitStatus) record {
	n := Token{Login: string(id) + name}.id()
	out := record{
		"id": n, "node_id": nodeID("SC", string(id), name), "state": s.State, "description": nil, "target_url": nil, "context": name,
		"avatar_url": c.host + "/avatars/u/1", "url": c.url("statuses", string(id)), "created_at": stamp(s.At), "updated_at": stamp(s.At),
	}
	if s.Description != "" {
		out["description"] = s.Description
	}
	return out
}

func createStatus(c *call) (reply, error) {
	var in struct{ State, Description, Context string }
	if err := c.read(&in); err != nil {
		return reply{}, err
	}
	id := OID(c.PathValue("sha"))
	if _, err := c.repo.commit(id); err != nil {
		return reply{}, fail(http.StatusUnprocessableEntity, "No commit found for SHA: %s", id)
	}
	if !slices.Contains([]string{"error", "failure", "pending", "success"}, in.State) {
		return reply{}, invalid("Status", "state", "invalid")
	}
	if in.Context == "" {
		in.Context = "default"
	}
	s := CommitStatus{in.State, in.Description, c.srv.opts.Now()}
	c.repo.SetStatus(id, in.Context, s)
	out := c.status(id, in.Context, s)
	out["creator"] = c.person(c.who)
	return reply{status: http.StatusCreated, json: out}, nil
}

// combinedStatus is the worst of them: pending also where nobody said anything.
func combinedStatus(c *call) (reply, error) {
	x, err := c.repo.resolve(c.PathValue("ref"))
	if err != nil {
		return reply{}, err
	}
	repo, err := c.repoRecord()
	if err != nil {
		return reply{}, err
	}
	all := c.repo.prs.statusesOf(x.OID)
	state, out := "success", list{}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		s := all[name]
		out = append(out, c.status(x.OID, name, s))
		switch {
		case s.State == "failure" || s.State == "error":
			state = "failure"
		case s.State == "pending" && state == "success":
			state = "pending"
		}
	}
	if len(out) == 0 {
		state = "pending"
	}
	return reply{json: record{
		"state": state, "statuses": out, "sha": x.OID, "total_count": len(out), "repository": repo,
		"commit_url": c.url("commits", string(x.OID)), "url": c.url("commits", string(x.OID), "status"),
	}}, nil
}
