package config

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestPullRequests(t *testing.T) {
	c, err := Load(write(t, `clusters:
  prod: {file: KUBECONFIG, delivery: pull_request}
  stage: {file: KUBECONFIG, delivery: direct}
namespaces: [podinfo]
timeouts: {merge: 48h}
repo:
  owner: o
  name: n
  pull_requests: {branch_prefix: promote-, labels: [promotion, "needs: review"], reviewers: [ana], team_reviewers: [platform], auto_merge: squash}
`), tokens, changing...)
	if err != nil {
		t.Fatal(err)
	}
	r := c.Repo.PullRequests
	if c.Clusters[0].Delivery != DeliveryPullRequest || c.Clusters[1].Delivery != DeliveryDirect || c.Timeouts.Merge != 48*time.Hour {
		t.Errorf("%+v, %s", c.Clusters, c.Timeouts.Merge)
	}
	if r.BranchPrefix != "promote-" || len(r.Labels) != 2 || !slices.Equal(r.Reviewers, []string{"ana"}) || !slices.Equal(r.TeamReviewers, []string{"platform"}) || r.AutoMerge != "squash" || r.Draft {
		t.Errorf("%+v", r)
	}
}

func TestPullRequestProblems(t *testing.T) {
	for text, want := range map[string]string{
		"branch_prefix: a..b":            `repo.pull_requests.branch_prefix: "a..b" cannot begin the name of a branch`,
		"branch_prefix: ''":              `repo.pull_requests.branch_prefix: "" cannot begin the name of a branch`,
		"labels: [' ']":                  `repo.pull_requests.labels[0]: " " is no label`,
		"reviewers: ['@ana']":            `repo.pull_requests.reviewers[0]: "@ana" is no login`,
		"team_reviewers: [acme/plat]":    `repo.pull_requests.team_reviewers[0]: "acme/plat" is no team`,
		"auto_merge: true-ish":           `repo.pull_requests.auto_merge: "true-ish" is unknown; write merge, squash or rebase`,
		"auto_merge: merge, draft: true": `repo.pull_requests.auto_merge does not go with draft`,
		"auto: merge":                    `unknown key "auto"`,
	} {
		_, err := Load(write(t, "clusters: {prod: {file: KUBECONFIG}}\nnamespaces: [a]\nrepo: {owner: o, name: n, pull_requests: {"+text+"}}\n"), tokens, changing...)
		if !strings.Contains(message(err), want) {
			t.Errorf("%s: %s", text, message(err))
		}
	}
	_, err := Load(write(t, "clusters: {prod: {file: KUBECONFIG, delivery: pr}}\nnamespaces: [a]\nrepo: {owner: o, name: n}\n"), tokens, changing...)
	if want := `clusters.prod.delivery: "pr" is unknown; write direct or pull_request`; !strings.Contains(message(err), want) {
		t.Error(message(err))
	}
}
