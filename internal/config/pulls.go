package config

import (
	"fmt"
	"regexp"
	"strings"
)

var (
	loginName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]*$`)
	teamSlug  = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]*$`)
)

// checkPullRequests finds what GitHub would only refuse when a change is proposed.
func checkPullRequests(r PullRequests, p *problems) {
	const key = "repo.pull_requests"
	prefix := r.BranchPrefix
	bad := !branchName.MatchString(prefix) || strings.HasPrefix(prefix, "/") || strings.HasPrefix(prefix, "-") ||
		strings.HasPrefix(prefix, "refs/") || strings.Contains(prefix, "//") || strings.Contains(prefix, "..") || strings.Contains(prefix, "@{")
	if bad {
		p.at(key+".branch_prefix", fmt.Sprintf("%s.branch_prefix: %q cannot begin the name of a branch", key, prefix), "write one such as ferry/")
	}
	checkNames(p, key+".labels", r.Labels, func(l string) bool { return strings.TrimSpace(l) != "" && len(l) <= 50 },
		"no label", "a name as GitHub shows it, at most 50 characters")
	checkNames(p, key+".reviewers", r.Reviewers, loginName.MatchString, "no login", "the name in the address of the person's page, without @; teams stand in team_reviewers")
	checkNames(p, key+".team_reviewers", r.TeamReviewers, teamSlug.MatchString, "no team", "the last part of the team's address, without the organisation")
	if r.AutoMerge != "" {
		oneOf(p, key+".auto_merge", r.AutoMerge, "merge", "squash", "rebase")
	}
	if r.AutoMerge != "" && r.Draft {
		p.at(key+".auto_merge", key+".auto_merge does not go with draft", "keep one: GitHub does not merge drafts")
	}
}
