package github

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func getRateLimit(c *call) (reply, error) {
	now := c.srv.opts.Now()
	resources := record{}
	for _, resource := range []string{"core", "graphql"} {
		w := c.srv.limits.state(limitKey{c.secret, resource}, now)
		resources[resource] = rateOf(w, c.srv.opts.HourlyLimit)
	}
	resources["search"] = rateOf(window{reset: now.Add(time.Minute)}, 30)
	return reply{json: record{"resources": resources, "rate": resources["core"]}}, nil
}

func rateOf(w window, limit int) record {
	used := min(w.used, limit)
	return record{"limit": limit, "used": used, "remaining": limit - used, "reset": w.reset.Unix()}
}

func getUser(c *call) (reply, error) {
	if c.secret == "" {
		return reply{}, fail(http.StatusUnauthorized, "Requires authentication")
	}
	if c.who.app {
		return reply{}, fail(http.StatusForbidden, "Resource not accessible by integration")
	}
	u := user(c.host, c.who.Login, c.who.id(), "User")
	name, email := c.who.signature()
	for k, v := range (record{
		"name": name, "email": email, "company": nil, "blog": "", "location": nil, "hireable": nil, "bio": nil,
		"public_repos": 0, "public_gists": 0, "followers": 0, "following": 0,
		"created_at": "2020-01-01T00:00:00Z", "updated_at": "2020-01-01T00:00:00Z",
	}) {
		u[k] = v
	}
	return reply{json: u}, nil
}

// user is GitHub's "simple user".
func user(host, login string, id int, kind string) record {
	at := host + "/api/v3/users/" + login
	return record{
		"login": login, "id": id, "node_id": nodeID("U", login), "type": kind, "site_admin": false,
		"avatar_url": host + "/avatars/u/" + fmt.Sprint(id), "gravatar_id": "",
		"url": at, "html_url": host + "/" + login,
		"followers_url": at + "/followers", "following_url": at + "/following{/other_user}",
		"gists_url": at + "/gists{/gist_id}", "starred_url": at + "/starred{/owner}{/repo}",
		"subscriptions_url": at + "/subscriptions", "organizations_url": at + "/orgs", "repos_url": at + "/repos",
		"events_url": at + "/events{/privacy}", "received_events_url": at + "/received_events",
	}
}

// repoLinks are the addresses of a repository's resources, by the name of their field less "_url".
func repoLinks() map[string]string {
	return map[string]string{
		"archive": "/{archive_format}{/ref}", "assignees": "/assignees{/user}", "blobs": "/git/blobs{/sha}",
		"branches": "/branches{/branch}", "collaborators": "/collaborators{/collaborator}", "comments": "/comments{/number}",
		"commits": "/commits{/sha}", "compare": "/compare/{base}...{head}", "contents": "/contents/{+path}",
		"contributors": "/contributors", "deployments": "/deployments", "downloads": "/downloads", "events": "/events",
		"forks": "/forks", "git_commits": "/git/commits{/sha}", "git_refs": "/git/refs{/sha}", "git_tags": "/git/tags{/sha}",
		"hooks": "/hooks", "issue_comment": "/issues/comments{/number}", "issue_events": "/issues/events{/number}",
		"issues": "/issues{/number}", "keys": "/keys{/key_id}", "labels": "/labels{/name}", "languages": "/languages",
		"merges": "/merges", "milestones": "/milestones{/number}", "notifications": "/notifications{?since,all,participating}",
		"pulls": "/pulls{/number}", "releases": "/releases{/id}", "stargazers": "/stargazers",
		"statuses": "/statuses/{sha}", "subscribers": "/subscribers", "subscription": "/subscription", "tags": "/tags",
		"teams": "/teams", "trees": "/git/trees{/sha}",
	}
}

func getRepo(c *call) (reply, error) {
	out, err := c.repoRecord()
	return reply{json: out}, err
}

func (c *call) repoRecord() (record, error) {
	r := c.repo
	pushed, size := r.born, 0
	if head, err := r.resolve(r.DefaultBranch); err == nil {
		pushed = head.Committer.When
	} else if !errors.Is(err, errMissing) {
		return nil, err
	}
	visibility := "public"
	if r.private {
		visibility = "private"
	}
	out := record{
		"id": r.id, "node_id": r.nodeID(), "name": r.Name, "full_name": r.fullName(),
		"owner": user(c.host, r.Owner, Token{Login: r.Owner}.id(), "Organization"), "private": r.private, "visibility": visibility,
		"html_url": c.html(), "description": nil, "fork": false, "url": c.srv.repoURL(c.host, r),
		"git_url": "git" + strings.TrimPrefix(c.html(), "http") + ".git", "ssh_url": "git@" + c.Host + ":" + r.fullName() + ".git",
		"clone_url": r.CloneURL(c.host), "svn_url": c.html(), "mirror_url": nil, "homepage": nil, "language": nil,
		"forks_count": 0, "forks": 0, "stargazers_count": 0, "watchers_count": 0, "watchers": 0, "size": size,
		"default_branch": r.DefaultBranch, "open_issues_count": 0, "open_issues": 0, "is_template": false, "topics": list{},
		"has_issues": true, "has_projects": true, "has_wiki": true, "has_pages": false, "has_downloads": true, "has_discussions": false,
		"archived": false, "disabled": false, "pushed_at": stamp(pushed), "created_at": stamp(r.born), "updated_at": stamp(pushed),
		"permissions": record{"pull": true, "triage": c.who.Access == WriteAccess, "push": c.who.Access == WriteAccess, "maintain": false, "admin": false},
		"license":     nil, "allow_forking": true, "web_commit_signoff_required": false, "network_count": 0, "subscribers_count": 0,
	}
	for name, path := range repoLinks() {
		out[name+"_url"] = c.srv.repoURL(c.host, r) + path
	}
	return out, nil
}

func (r *Repo) nodeID() string { return nodeID("R", r.fullName()) }

func listBranches(c *call) (reply, error) {
	refs, err := c.repo.refs(c.Context(), headsPrefix)
	if err != nil {
		return reply{}, err
	}
	if want := c.URL.Query().Get("protected"); want != "" {
		kept := refs[:0]
		for _, at := range refs {
			if _, is := c.repo.protection(branchName(at.name)); fmt.Sprint(is) == want {
				kept = append(kept, at)
			}
		}
		refs = kept
	}
	from, to, header := c.page(len(refs))
	out := list{}
	for _, at := range refs[from:to] {
		out = append(out, c.branch(at))
	}
	return reply{json: out, header: header}, nil
}

func branchName(ref string) string { return strings.TrimPrefix(ref, headsPrefix) }

// branch is GitHub's "short branch".
func (c *call) branch(at ref) record {
	name := branchName(at.name)
	p, is := c.repo.protection(name)
	return record{
		"name": name, "commit": record{"sha": at.id, "url": c.url("commits", string(at.id))}, "protected": is,
		"protection":     record{"enabled": is && !p.Ruleset, "required_status_checks": c.checks(p)},
		"protection_url": c.url("branches", escapePath(name), "protection"),
	}
}

func (c *call) checks(p Protection) record {
	level, contexts, checks := "off", list{}, list{}
	if p.Ruleset {
		p.Checks = nil // they show elsewhere
	}
	for _, name := range p.Checks {
		level, contexts, checks = "everyone", append(contexts, name), append(checks, record{"context": name, "app_id": nil})
	}
	return record{"enforcement_level": level, "contexts": contexts, "checks": checks}
}

func getBranch(c *call) (reply, error) {
	name := c.PathValue("branch")
	at, err := c.repo.shown(headsPrefix + name)
	if errors.Is(err, errMissing) {
		return reply{}, fail(http.StatusNotFound, "Branch not found")
	}
	if err != nil {
		return reply{}, err
	}
	commit, err := c.repo.commit(at.id)
	if err != nil {
		return reply{}, err
	}
	out := c.branch(at)
	out["commit"] = c.commit(commit)
	out["_links"] = record{"html": c.html("tree", escapePath(name)), "self": c.url("branches", escapePath(name))}
	return reply{json: out}, nil
}
