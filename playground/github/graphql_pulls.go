package github

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/graphql-go/graphql"
)

// pullNode is a pull request with its repository.
type pullNode struct {
	repo *Repo
	pull
}

func enum(name string, values ...string) *graphql.Enum {
	config := graphql.EnumValueConfigMap{}
	for _, v := range values {
		config[v] = &graphql.EnumValueConfig{Value: v}
	}
	return graphql.NewEnum(graphql.EnumConfig{Name: name, Values: config})
}

// pullTypes makes the types of pull requests and the mutations on them.
func (t *types) pullTypes() graphql.Fields {
	str, yes, id := graphql.String, graphql.Boolean, graphql.ID
	method := enum("PullRequestMergeMethod", "MERGE", "REBASE", "SQUASH")
	state := enum("PullRequestState", "CLOSED", "MERGED", "OPEN")
	auto := newObjectType("AutoMergeRequest", func() graphql.Fields {
		return graphql.Fields{
			"enabledAt":      plain(t.dateTime, func(a *autoMerge) any { return a.at }),
			"mergeMethod":    plain(must(method), func(a *autoMerge) any { return strings.ToUpper(a.method) }),
			"commitHeadline": plain(str, func(a *autoMerge) any { return a.headline }),
			"commitBody":     plain(str, func(a *autoMerge) any { return a.body }),
		}
	})
	pull := newObjectType("PullRequest", func() graphql.Fields {
		return graphql.Fields{
			"id":          plain(must(id), func(n pullNode) any { return nodeID("PR", n.repo.fullName(), strconv.Itoa(n.number)) }),
			"number":      plain(must(graphql.Int), func(n pullNode) any { return n.number }),
			"title":       plain(must(str), func(n pullNode) any { return n.title }),
			"body":        plain(must(str), func(n pullNode) any { return n.body }),
			"state":       plain(must(state), func(n pullNode) any { return strings.ToUpper(n.shown().State) }),
			"merged":      plain(must(yes), func(n pullNode) any { return !n.merged.IsZero() }),
			"isDraft":     plain(must(yes), func(n pullNode) any { return n.draft }),
			"headRefName": plain(must(str), func(n pullNode) any { return n.head }),
			"headRefOid":  plain(must(t.oid), func(n pullNode) any { return n.headSHA }),
			"baseRefName": plain(must(str), func(n pullNode) any { return n.base }),
			"baseRefOid":  plain(must(t.oid), func(n pullNode) any { return n.baseSHA }),
			"mergeCommit": field(t.commit, func(n pullNode, _ graphql.ResolveParams) (any, error) {
				if n.mergeCommit == "" {
					return nil, nil
				}
				return n.repo.node(n.mergeCommit, "")
			}),
			"autoMergeRequest": field(auto, func(n pullNode, _ graphql.ResolveParams) (any, error) {
				if n.auto == nil {
					return nil, nil
				}
				return n.auto, nil
			}),
			"url": field(must(t.uri), func(n pullNode, p graphql.ResolveParams) (any, error) {
				return callOf(p).host + "/" + n.repo.fullName() + "/pull/" + strconv.Itoa(n.number), nil
			}),
		}
	})
	t.pull = pull
	in := input("EnablePullRequestAutoMergeInput", graphql.InputObjectConfigFieldMap{
		"pullRequestId": {Type: must(id)}, "mergeMethod": {Type: method, DefaultValue: "MERGE"}, "commitHeadline": {Type: str},
		"commitBody": {Type: str}, "expectedHeadOid": {Type: t.oid}, "clientMutationId": {Type: str},
	})
	payload := graphql.NewObject(graphql.ObjectConfig{Name: "EnablePullRequestAutoMergePayload", Fields: graphql.Fields{
		"clientMutationId": {Type: str}, "pullRequest": {Type: pull},
	}})
	return graphql.Fields{"enablePullRequestAutoMerge": {Type: payload, Args: arg("input", must(in)), Resolve: enableAutoMerge}}
}

// enableAutoMerge refuses what could be merged at once, and what never can.
func enableAutoMerge(p graphql.ResolveParams) (any, error) {
	c := callOf(p)
	in, _ := p.Args["input"].(map[string]any)
	gone := &gqlError{"NOT_FOUND", "Could not resolve to a node with the global id of '" + word(in, "pullRequestId") + "'"}
	parts, ok := fromNodeID("PR", word(in, "pullRequestId"))
	if !ok || len(parts) != 2 {
		return nil, gone
	}
	repo, err := c.gqlRepo(parts[0], WriteAccess)
	if err != nil {
		return nil, err
	}
	number, _ := strconv.Atoi(parts[1]) // 0 is no number of any
	pr, err := repo.prs.get(number)
	if err != nil {
		return nil, gone
	}
	refuse := func(format string, args ...any) error {
		return &gqlError{"UNPROCESSABLE", "Pull request " + fmt.Sprintf(format, args...)}
	}
	state := repo.mergeable(c.Context(), pr, c.who.Login)
	switch {
	case repo.options.NoAutoMerge:
		return nil, refuse("Auto merge is not allowed for this repository")
	case !pr.open:
		return nil, refuse("Pull request is closed")
	case word(in, "expectedHeadOid") != "" && word(in, "expectedHeadOid") != string(pr.headSHA):
		return nil, refuse("Head SHA did not match expected SHA")
	case slices.Contains([]string{"clean", "unstable", "dirty"}, state):
		return nil, refuse("Pull request is in %s status", state)
	}
	pr, err = repo.prs.change(number, c.srv.opts.Now(), func(p *pull) {
		p.auto = &autoMerge{c.who, strings.ToLower(word(in, "mergeMethod")), word(in, "commitHeadline"), word(in, "commitBody"), c.srv.opts.Now()}
	})
	if err != nil {
		return nil, &gqlError{"INTERNAL", http.StatusText(http.StatusInternalServerError)}
	}
	return record{"clientMutationId": in["clientMutationId"], "pullRequest": pullNode{repo, pr}}, nil
}
