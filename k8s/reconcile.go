package k8s

import (
	"context"
	"errors"
	"fmt"
	"time"

	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"ferry/internal/deploy"
	"ferry/internal/fault"
)

// Reconcile asks Flux to look at the owner's sources at once: the repository
// that its Kustomization, and those that apply that one, read, and the
// repository that its release takes the chart from, so that a new chart version
// is in the index. It sets an annotation to at; repeating it does no harm.
//
// Denied means that ferry may not, Refused that Flux does not own the app: in
// both cases Flux goes on by itself, only later.
func (f *Fleet) Reconcile(ctx context.Context, cluster deploy.Cluster, owner deploy.Owner, at time.Time) error {
	c, err := f.member(cluster)
	if err != nil {
		return err
	}
	sources := c.sourcesOf(owner)
	if len(sources) == 0 {
		return fault.Newf(fault.Refused, "no source of Flux on %s is known to bring this app", cluster).
			WithHelp("only what a Kustomization or a HelmRelease applies can be asked for")
	}
	var failed []error
	for _, ref := range sources {
		failed = append(failed, c.request(ctx, ref, at))
	}
	return errors.Join(failed...)
}

// sourcesOf lists the sources an owner depends on, the chart's first: its index
// should be there when the release changes.
func (c *controller) sourcesOf(owner deploy.Owner) []deploy.Ref {
	st := c.store
	st.mu.RLock()
	defer st.mu.RUnlock()
	var all []deploy.Ref
	seen := map[deploy.Ref]bool{{}: true}
	add := func(ref deploy.Ref) {
		if !seen[ref] {
			seen[ref] = true
			all = append(all, ref)
		}
	}
	if r := st.releases[key{owner.Release.Namespace, owner.Release.Name}]; r != nil {
		add(r.source)
	}
	next := key{owner.Kustomization.Namespace, owner.Kustomization.Name}
	visited := map[key]bool{{}: true}
	for !visited[next] {
		visited[next] = true
		d := st.kustomizations[next]
		if d == nil {
			break
		}
		add(d.source)
		next = d.parent
	}
	return all
}

// request annotates one object.
func (c *controller) request(ctx context.Context, ref deploy.Ref, at time.Time) error {
	r, err := c.client.resourceOf(ctx, ref.Kind)
	if err != nil {
		return err
	}
	if r.Group != sourcev1.GroupVersion.Group {
		return fmt.Errorf("ask %s to reconcile: it is no source", ref)
	}
	patch := map[string]any{"metadata": map[string]any{"annotations": map[string]string{annotationRequested: at.UTC().Format(time.RFC3339Nano)}}}
	err = c.client.merge(ctx, r.path(ref.Namespace, ref.Name), patch)
	switch {
	case err == nil:
		return nil
	case apierrors.IsForbidden(err):
		return fault.Newf(fault.Denied, "ferry may not ask %s on %s to reconcile", ref, c.name).
			WithHelp("allow it to patch %s; until then Flux looks at its own interval", r.plural).Because(err)
	case apierrors.IsNotFound(err):
		return fault.Newf(fault.NotFound, "%s is not on %s", ref, c.name).Because(err)
	}
	return fault.Newf(fault.Unavailable, "%s did not take the request to reconcile %s", c.name, ref).Because(err)
}
