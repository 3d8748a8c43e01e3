package e2e

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"ferry/e2e/testbed"
)

// clusterCmd is the script's command "cluster":
//
//	cluster NAME start                    one more cluster, for this script alone; ferry is told of it
//	cluster NAME down|up|freeze|thaw      its API server
//	cluster NAME image NS/APP TAG         the Deployment has that tag or digest and is rolled out, at this moment
//	cluster NAME wait NS/APP TAG          the same, soon
//	cluster NAME release NS/APP VERSION   Helm deployed that version of the chart, at this moment
//	cluster NAME waiting NS/APP TAG       the Deployment will have that tag soon, rolled out or not
func (s *scene) clusterCmd(neg bool, args []string) error {
	if len(args) < 2 {
		return errUsage
	}
	name, what, args := args[0], args[1], args[2:]
	ctx, cancel := context.WithTimeout(s.t.Context(), 2*patience)
	defer cancel()
	if what == "start" && len(args) == 0 {
		return s.another(name)
	}
	cluster := s.running()[name]
	if cluster == nil {
		return fmt.Errorf("cluster %q does not run", name)
	}
	switch {
	case len(args) == 0:
		return s.power(ctx, cluster, what)
	case len(args) != 2:
		return errUsage
	}
	switch app, version := args[0], args[1]; what {
	case "image":
		return negated(neg, runs(ctx, cluster, app, version))
	case "release":
		return negated(neg, released(ctx, cluster, app, version))
	case "wait":
		return s.until(patience, func() error { return runs(ctx, cluster, app, version) })
	case "waiting":
		return s.until(patience, func() error { return has(ctx, cluster, app, version) })
	}
	return errUsage
}

func (s *scene) another(name string) error {
	if _, err := s.start(s.t, name); err != nil {
		return err
	}
	s.clusters = append(s.clusters, name)
	s.defers(func() {
		if err := s.drop(name); err != nil {
			s.t.Error(err)
		}
	})
	return nil
}

func (s *scene) power(ctx context.Context, cluster *testbed.Cluster, what string) error {
	switch what {
	case "down":
		cluster.Down()
		s.defers(func() { s.bringBack(cluster) })
		return nil
	case "up":
		return cluster.Up(ctx)
	case "freeze":
		s.defers(func() { _ = cluster.Thaw() }) // one that was thawed already does not mind
		return cluster.Freeze()
	case "thaw":
		return cluster.Thaw()
	}
	return errUsage
}

// bringBack is for a script that failed while the cluster was down.
func (s *scene) bringBack(cluster *testbed.Cluster) {
	if cluster.Serving() {
		return
	}
	if err := cluster.Up(context.Background()); err != nil {
		s.t.Error(err)
	}
}

// has tells whether the Deployment's first container has the tag or digest.
func has(ctx context.Context, cluster *testbed.Cluster, app, version string) error {
	namespace, name, ok := strings.Cut(app, "/")
	if !ok {
		return fmt.Errorf("%q is no namespace/name", app)
	}
	image, err := cluster.DeploymentImage(ctx, namespace, name)
	if err != nil {
		return err
	}
	if !strings.HasSuffix(image, ":"+version) && !strings.HasSuffix(image, "@"+version) {
		return fmt.Errorf("%s runs %s", cluster.Name, image)
	}
	return nil
}

func runs(ctx context.Context, cluster *testbed.Cluster, app, version string) error {
	if err := has(ctx, cluster, app, version); err != nil {
		return err
	}
	namespace, name, _ := strings.Cut(app, "/")
	return cluster.RolledOut(ctx, namespace, name)
}

// released reads the newest entry of the HelmRelease's history.
func released(ctx context.Context, cluster *testbed.Cluster, app, version string) error {
	namespace, name, _ := strings.Cut(app, "/")
	obj, err := cluster.Get(ctx, testbed.HelmRelease, namespace, name)
	if err != nil {
		return err
	}
	history, _, err := unstructured.NestedSlice(obj.Object, "status", "history")
	if err != nil || len(history) == 0 {
		return errors.Join(err, errors.New("the HelmRelease has no history"))
	}
	newest, _ := history[0].(map[string]any)
	have, _ := newest["chartVersion"].(string)
	have, _, _ = strings.Cut(have, "+") // the digest of an OCI artifact
	if have != version || newest["status"] != "deployed" {
		return fmt.Errorf("newest release is %v, %v", newest["chartVersion"], newest["status"])
	}
	return nil
}

// without is a list without one of its elements.
func without(all []string, one string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(s string) bool { return s == one })
}
