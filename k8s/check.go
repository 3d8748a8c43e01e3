package k8s

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"ferry/internal/deploy"
)

// Row is one thing that ferry needs of a cluster, and whether it has it.
type Row struct {
	Cluster deploy.Cluster
	What    string
	OK      bool
	// Needed is false for what ferry can do without; Detail then says what is
	// lost.
	Needed bool
	Detail string
	Help   string // what would work; empty if OK
}

// need is a permission.
type need struct {
	verbs    []string
	resource resource
	scopes   scope
	needed   bool
	lost     string // what does not work without it
}

// Check tries everything that ferry needs of each cluster and returns a row for
// each, in the order of the options. It needs no Run.
func (f *Fleet) Check(ctx context.Context) []Row {
	rows := make([][]Row, len(f.members))
	var group errgroup.Group
	for i, c := range f.members {
		group.Go(func() error { rows[i] = c.check(ctx); return nil })
	}
	_ = group.Wait() // what fails is a row
	var all []Row
	for i, c := range f.members {
		all = append(all, rows[i]...)
		if other, _ := f.same.conflict(c.name); other != "" {
			all = append(all, Row{
				Cluster: c.name, What: "is a cluster of its own", Needed: true,
				Detail: fmt.Sprintf("it is the same API server as %s", other),
				Help:   "check kubeconfig and context of both; if it is meant, say so in the configuration",
			})
		}
	}
	return all
}

func (c *controller) check(ctx context.Context) []Row {
	version, err := c.meet(ctx)
	reach := Row{Cluster: c.name, What: "answers", OK: err == nil, Needed: true, Detail: fmt.Sprintf("%s, context %s", c.client.server, c.context)}
	if err != nil {
		reach.Detail += ": " + reasonOf(err)
		reach.Help = fmt.Sprintf("compare with `kubectl --context %s version`", c.context)
		return []Row{reach}
	}
	reach.Detail += ", " + version
	rows := []Row{reach}
	all := needs(c.options.Namespaces)
	if r, err := c.client.imageAutomations(ctx); err == nil { // else there is nothing to suspend
		all = append(all, need{[]string{"patch"}, r, nil, false, "image automation that a rollback suspends may write once more before Git's word arrives"})
	}
	for _, n := range all {
		scopes := n.scopes
		if len(scopes) == 0 {
			scopes = scope{""}
		}
		for _, namespace := range scopes {
			rows = append(rows, c.may(ctx, n, namespace))
		}
	}
	return rows
}

func needs(namespaces scope) []need {
	look := []string{"list", "watch"}
	sources := gitRepositories().GroupVersion
	return []need{
		{look, deployments(), namespaces, true, "apps are not seen"},
		{look, kustomizations(), nil, true, "nothing can be promoted: what Flux applies from where is not known"},
		{look, gitRepositories(), nil, true, "nothing can be promoted: which repository Flux reads is not known"},
		{look, helmReleases(), nil, false, "apps of Helm are of unknown health and cannot be promoted"},
		{look, pods(), namespaces, false, "a failure is told without the containers' reasons"},
		{look, replicaSets(), namespaces, false, "pods of old and new versions are told apart by their images only"},
		{look, statefulSets(), namespaces, false, "StatefulSets of releases are not waited for"},
		{look, daemonSets(), namespaces, false, "DaemonSets of releases are not waited for"},
		{look, configMaps(), nil, false, "Kustomizations that substitute from ConfigMaps cannot be rendered"},
		{[]string{"patch"}, gitRepositories(), nil, false, "Flux looks at its own interval, not at once"},
		{[]string{"patch"}, resource{sources, "HelmRepository", "helmrepositories"}, nil, false, "a new chart version may take Flux an interval to find"},
	}
}

// may asks for a permission: one row for all of its verbs.
func (c *controller) may(ctx context.Context, n need, namespace string) Row {
	what := n.resource.plural
	if namespace != "" {
		what += " in " + namespace
	}
	row := Row{Cluster: c.name, OK: true, Needed: n.needed}
	for i, verb := range n.verbs {
		if i > 0 {
			row.What += " and "
		}
		row.What += verb
		allowed, err := c.allowed(ctx, n.resource, verb, namespace)
		if err != nil {
			row.OK, row.Detail = false, reasonOf(err)
		} else if !allowed {
			row.OK, row.Detail = false, n.lost
		}
	}
	row.What += " " + what
	if !row.OK {
		row.Help = fmt.Sprintf("bind a role with %s on %s to the user of context %s", n.verbs, n.resource.plural, c.context)
	}
	return row
}

func (c *controller) allowed(ctx context.Context, r resource, verb, namespace string) (bool, error) {
	type attributes struct {
		Namespace string `json:"namespace,omitempty"`
		Verb      string `json:"verb"`
		Group     string `json:"group"`
		Version   string `json:"version"`
		Resource  string `json:"resource"`
	}
	review := map[string]any{
		"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
		"spec": map[string]any{"resourceAttributes": attributes{namespace, verb, r.Group, r.Version, r.plural}},
	}
	var answer struct {
		Status struct {
			Allowed         bool   `json:"allowed"`
			EvaluationError string `json:"evaluationError"`
		} `json:"status"`
	}
	if err := c.client.post(ctx, "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review, &answer); err != nil {
		return false, fmt.Errorf("ask whether ferry may %s %s on %s: %w", verb, r.plural, c.name, err)
	}
	if answer.Status.EvaluationError != "" && !answer.Status.Allowed {
		return false, errors.New(answer.Status.EvaluationError)
	}
	return answer.Status.Allowed, nil
}
