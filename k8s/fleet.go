package k8s

import (
	"context"
	"strings"

	"golang.org/x/sync/errgroup"

	"ferry/internal/deploy"
	"ferry/internal/fault"
)

// Fleet is all configured clusters. Its reads are answered from memory: they
// neither block on a cluster nor fail, and what they return is shared and must
// not be changed.
type Fleet struct {
	options Options
	members []*controller
	byName  map[deploy.Cluster]*controller
	same    *identities
}

// New loads the kubeconfigs of all clusters; nothing is connected yet. Errors
// are Invalid and say what would work.
func New(o Options) (*Fleet, error) {
	o = o.withDefaults()
	f := &Fleet{options: o, byName: map[deploy.Cluster]*controller{}, same: newIdentities(o.AllowSame)}
	words := newInterner()
	for _, m := range o.Clusters {
		if f.byName[m.Name] != nil {
			return nil, fault.Newf(fault.Invalid, "two clusters are called %s", m.Name).WithHelp("give each its own name")
		}
		c, err := newController(m, o, words, f.same)
		if err != nil {
			return nil, err
		}
		f.members, f.byName[m.Name] = append(f.members, c), c
	}
	return f, nil
}

func invalidAccess(m Member, a access, err error) error {
	return fault.Newf(fault.Invalid, "cluster %s: the context %s of %s cannot be used", m.Name, a.context, m.Kubeconfig).
		WithHelp("compare with `kubectl --kubeconfig %s --context %s version`", m.Kubeconfig, a.context).Because(err)
}

// Run follows the clusters until ctx ends; then all it started has ended, and
// it returns nil.
func (f *Fleet) Run(ctx context.Context) error {
	var group errgroup.Group
	for _, c := range f.members {
		group.Go(func() error { c.run(ctx); return nil })
	}
	return group.Wait()
}

// CheckDistinct asks every cluster that can be reached who it is and returns
// Invalid if two are one API server, unless that is allowed. It is meant for
// the start, and takes no longer than the slowest answer.
func (f *Fleet) CheckDistinct(ctx context.Context) error {
	if f.options.AllowSame {
		return nil
	}
	var group errgroup.Group
	for _, c := range f.members {
		group.Go(func() error {
			_, _ = c.meet(ctx) // who does not answer now is checked when it does
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for _, c := range f.members {
		if other, _ := f.same.conflict(c.name); other != "" {
			return fault.Newf(fault.Invalid, "the clusters %s and %s are one API server (%s)", c.name, other, c.client.server).
				WithHelp("check the kubeconfig and the context of both; if it is meant, say so in the configuration")
		}
	}
	return ctx.Err()
}

// Clusters returns the state of each cluster, in the order of the options.
func (f *Fleet) Clusters() []deploy.ClusterState {
	all := make([]deploy.ClusterState, len(f.members))
	for i, c := range f.members {
		all[i] = c.now()
	}
	return all
}

// Apps returns the apps of a cluster as it was last seen, by namespace and
// name; none of a cluster that is not known.
func (f *Fleet) Apps(cluster deploy.Cluster) []deploy.AppState {
	c := f.byName[cluster]
	if c == nil {
		return nil
	}
	return c.store.snapshot(c.name, f.options.Namespaces)
}

// Find returns the apps of a cluster that are called name, or namespace/name.
func (f *Fleet) Find(cluster deploy.Cluster, name string) []deploy.AppState {
	namespace, short, qualified := strings.Cut(name, "/")
	var found []deploy.AppState
	for _, a := range f.Apps(cluster) {
		if qualified && a.App.Namespace == namespace && a.App.Name == short || !qualified && a.App.Name == name {
			found = append(found, a)
		}
	}
	return found
}

// Declared returns what each cluster declares to Flux, in the order of the
// options.
func (f *Fleet) Declared() []deploy.Declared {
	all := make([]deploy.Declared, len(f.members))
	for i, c := range f.members {
		all[i] = c.store.declared(c.name)
	}
	return all
}

// member returns a cluster's controller, or NotFound.
func (f *Fleet) member(name deploy.Cluster) (*controller, error) {
	if c := f.byName[name]; c != nil {
		return c, nil
	}
	return nil, fault.Newf(fault.NotFound, "there is no cluster %s", name)
}
