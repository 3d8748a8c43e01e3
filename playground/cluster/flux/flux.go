// Package flux is a simulated Flux: the source-, kustomize- and helm-controller
// of one simulated cluster.
//
// Sources are fetched from a Repository. Kustomizations are really built, by
// kustomize itself, from the files of the fetched commit, as kustomize-controller
// does it: a generated kustomization.yaml where there is none, the patches,
// images and names of the object, substitution on the rendered text, labels,
// apply, prune, health. HelmReleases take their charts from a small catalogue
// (see Charts) whose templates are Go; what helm-controller would record of
// them, the history, the conditions, the remediation, is recorded here.
//
// Where Flux requeues on a timer because it cannot know better, this one is
// told: a dependency that becomes ready, a workload that becomes healthy or a
// push wakes whoever waits. Timers remain for intervals, retries and timeouts.
package flux

import (
	"context"
	"log/slog"
	"time"

	helmv2 "github.com/fluxcd/helm-controller/api/v2"
	kustomizev1 "github.com/fluxcd/kustomize-controller/api/v1"
	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/watch"

	"ferry/playground/cluster/apiserver"
	"ferry/playground/cluster/loop"
)

// Repository is what GitRepositories are fetched from, whatever their URL.
type Repository interface {
	// Head is the commit that a branch stands at.
	Head(ctx context.Context, branch string) (string, error)
	// Files are the contents of a commit by slash path. They are shared: nobody
	// changes them.
	Files(ctx context.Context, commit string) (map[string][]byte, error)
}

// Options say how Flux behaves.
type Options struct {
	Repository Repository
	Charts     Charts // zero: Catalogue()
	// Timeout caps the timeouts of health checks and of Helm actions, and
	// Retry the intervals between attempts; zero leaves them as they are.
	Timeout time.Duration
	Retry   time.Duration
	Log     *slog.Logger
}

// Controller is the Flux of one store.
type Controller struct {
	options Options
	store   *apiserver.Store
	work    loop.Loop[item]

	gits   apiserver.Table[sourcev1.GitRepository]
	ocis   apiserver.Table[sourcev1.OCIRepository]
	repos  apiserver.Table[sourcev1.HelmRepository]
	charts apiserver.Table[sourcev1.HelmChart]
	ks     apiserver.Table[kustomizev1.Kustomization]
	hrs    apiserver.Table[helmv2.HelmRelease]
	maps   apiserver.Table[corev1.ConfigMap]
	secret apiserver.Table[corev1.Secret]

	// Only Run's goroutine uses these.
	applied  map[apiserver.Key]*attempt // Kustomizations under way or done
	releases map[apiserver.Key]*release // Helm actions under way
	trees    tree
}

type item struct {
	kind string
	key  apiserver.Key
}

// New returns a controller that learns of changes from now on.
func New(store *apiserver.Store, options Options) *Controller {
	if options.Charts == nil {
		options.Charts = Catalogue()
	}
	if options.Log == nil {
		options.Log = slog.New(slog.DiscardHandler)
	}
	const source = "source.toolkit.fluxcd.io"
	c := &Controller{
		options: options, store: store,
		gits:     apiserver.In[sourcev1.GitRepository](store, source, "gitrepositories"),
		ocis:     apiserver.In[sourcev1.OCIRepository](store, source, "ocirepositories"),
		repos:    apiserver.In[sourcev1.HelmRepository](store, source, "helmrepositories"),
		charts:   apiserver.In[sourcev1.HelmChart](store, source, "helmcharts"),
		ks:       apiserver.In[kustomizev1.Kustomization](store, "kustomize.toolkit.fluxcd.io", "kustomizations"),
		hrs:      apiserver.In[helmv2.HelmRelease](store, "helm.toolkit.fluxcd.io", "helmreleases"),
		maps:     apiserver.In[corev1.ConfigMap](store, "", "configmaps"),
		secret:   apiserver.In[corev1.Secret](store, "", "secrets"),
		applied:  map[apiserver.Key]*attempt{},
		releases: map[apiserver.Key]*release{},
	}
	store.OnChange(c.changed)
	return c
}

// Pushed tells the controller, from any goroutine, that the repository moved, as
// a webhook receiver would.
func (c *Controller) Pushed() { c.work.Add(item{kind: "push"}) }

// changed queues what changed and who may be waiting for it.
func (c *Controller) changed(e apiserver.Event) {
	kind := e.Object.Resource.Kind
	switch kind {
	case "GitRepository", "OCIRepository", "HelmRepository", "HelmChart", "Kustomization", "HelmRelease":
		c.work.Add(item{kind, e.Object.Key})
		if e.Type == watch.Deleted {
			c.work.Add(item{"deleted " + kind, e.Object.Key})
		}
		if kind != "Kustomization" && kind != "HelmRelease" {
			c.work.Add(item{kind: "sources"})
		}
		c.work.Add(item{kind: "waiting"})
	case "Deployment", "StatefulSet", "DaemonSet":
		c.work.Add(item{kind: "waiting"})
	}
}

// Run works until ctx ends.
func (c *Controller) Run(ctx context.Context) error {
	c.work.Run(ctx, func(i item) {
		if err := c.reconcile(ctx, i); err != nil && ctx.Err() == nil {
			c.options.Log.Error("reconcile", "kind", i.kind, "object", i.key.String(), "err", err)
			c.work.After(i, time.Second)
		}
	})
	return nil
}

func (c *Controller) reconcile(ctx context.Context, i item) error {
	switch i.kind {
	case "push":
		for _, g := range c.gits.List("") {
			if err := c.git(ctx, key(g), true); err != nil {
				return err
			}
		}
	case "fetch":
		return c.git(ctx, i.key, true)
	case "GitRepository":
		return c.git(ctx, i.key, false)
	case "OCIRepository":
		return c.oci(i.key)
	case "HelmRepository":
		return c.helmRepository(i.key)
	case "HelmChart":
		return c.chart(i.key)
	case "Kustomization", "retry Kustomization":
		return c.kustomization(ctx, i.key, i.kind != "Kustomization")
	case "deleted Kustomization":
		return c.undo(i.key)
	case "HelmRelease", "retry HelmRelease":
		return c.helmRelease(i.key, i.kind != "HelmRelease")
	case "deleted HelmRelease":
		return c.uninstall(i.key)
	case "sources":
		c.wakeAll()
	case "waiting":
		c.wakeWaiting()
	}
	return nil
}

// wakeAll looks again at whoever has a source, of which one changed.
func (c *Controller) wakeAll() {
	for _, ks := range c.ks.List("") {
		c.work.Add(item{"Kustomization", key(ks)})
	}
	for _, hr := range c.hrs.List("") {
		c.work.Add(item{"HelmRelease", key(hr)})
	}
}

// wakeWaiting looks again at whoever waits for something else.
func (c *Controller) wakeWaiting() {
	for k, a := range c.applied {
		if a.waiting {
			c.work.Add(item{"Kustomization", k})
		}
	}
	for k, r := range c.releases {
		if r.waiting {
			c.work.Add(item{"HelmRelease", k})
		}
	}
}

func (c *Controller) timeout(wanted, fallback time.Duration) time.Duration {
	return capped(wanted, fallback, c.options.Timeout)
}

func (c *Controller) retry(wanted, fallback time.Duration) time.Duration {
	return capped(wanted, fallback, c.options.Retry)
}

func capped(wanted, fallback, limit time.Duration) time.Duration {
	if wanted <= 0 {
		wanted = fallback
	}
	if limit > 0 {
		wanted = min(wanted, limit)
	}
	return wanted
}
