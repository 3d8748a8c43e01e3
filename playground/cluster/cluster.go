// Package cluster is a Kubernetes cluster for demos, tests and benchmarks: an
// API server of its own on a loopback port (package apiserver), workloads that
// roll out (package workload), and a Flux that follows a Git repository (package
// flux). What client-go can see of it is as on a real cluster; the suite that
// tests ferry's fleet passes on both.
//
// A Cluster listens from New on, lives in Run, and can be made unreachable or
// slow at any time. What runs inside goes on meanwhile, as in life. At rest it
// does nothing: ten of them with five hundred Deployments each cost no CPU.
package cluster

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"ferry/playground/cluster/apiserver"
	"ferry/playground/cluster/flux"
	"ferry/playground/cluster/workload"
)

// Options describe a cluster. Only Name is required.
type Options struct {
	Name string
	// Repository is what Flux follows; nil is a cluster without Flux, whose API
	// does not serve Flux's kinds.
	Repository flux.Repository
	URL        string // of the repository, as the GitRepository has it
	Branch     string // "main"
	Path       string // what Flux is bootstrapped with, "./clusters/NAME"
	Charts     flux.Charts
	Namespaces []string // made at the start, beside those of every cluster
	Users      []apiserver.User
	// UID is that of the namespace kube-system, by which clusters are told
	// apart; empty derives one from the name.
	UID  string
	Addr string // "127.0.0.1:0"

	PodStart         time.Duration // until a pod is ready, 1 s
	ProgressDeadline time.Duration // caps those of Deployments; zero does not
	FluxTimeout      time.Duration // caps health checks and Helm actions; zero does not
	FluxRetry        time.Duration // caps the time between attempts; zero does not
	Slow             time.Duration // what the state slow adds to each request, 2 s
	History          int           // changes per resource that watches can resume from, 1000
	Judge            func(image string) workload.Verdict
	// Around stands between the clients and the API; nil leaves nothing between.
	Around func(http.Handler) http.Handler
	Log    *slog.Logger
}

// Cluster is one simulated cluster.
type Cluster struct {
	options  Options
	store    *apiserver.Store
	workload *workload.Controller
	flux     *flux.Controller // or nil
	gate     *gate
	api      *apiserver.Server
	server   *http.Server
	identity identity
	users    []apiserver.User // the first may do everything
}

// New makes a cluster with what a fresh one has and listens for its API. Who
// calls New calls Run, or Close.
func New(o Options) (*Cluster, error) {
	o = o.withDefaults()
	c := &Cluster{options: o, store: apiserver.NewStore(o.History, apiserver.Builtin()...)}
	c.users = append([]apiserver.User{{Name: "admin", Token: token(o.Name, "admin")}}, o.Users...)
	for i, u := range c.users {
		if u.Token == "" {
			c.users[i].Token = token(o.Name, u.Name)
		}
	}
	if err := c.populate(); err != nil {
		return nil, fmt.Errorf("bootstrap cluster %s: %w", o.Name, err)
	}
	listener, err := net.Listen("tcp", o.Addr)
	if err != nil {
		return nil, fmt.Errorf("listen for cluster %s: %w", o.Name, err)
	}
	if c.identity, err = newIdentity(o.Name); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	c.api = apiserver.NewServer(c.store, c.users...)
	c.gate = newGate(listener, o.Slow)
	c.server = &http.Server{
		Handler:   c.gate.handler(o.Around(c.api)),
		TLSConfig: c.identity.config(), ErrorLog: log.New(io.Discard, "", 0), ReadHeaderTimeout: 10 * time.Second,
	}
	return c, nil
}

// populate makes what a cluster has from the start, and the controllers that see
// to it.
func (c *Cluster) populate() error {
	if err := c.bootstrap(); err != nil {
		return err
	}
	o := c.options
	c.workload = workload.New(c.store, workload.Options{
		Start: o.PodStart, ProgressDeadline: o.ProgressDeadline,
		Judge: o.Judge, Log: o.Log,
	})
	if o.Repository == nil {
		return nil
	}
	if err := c.defineFlux(); err != nil {
		return err
	}
	c.flux = flux.New(c.store, flux.Options{
		Repository: o.Repository, Charts: o.Charts, Timeout: o.FluxTimeout,
		Retry: o.FluxRetry, Log: o.Log,
	})
	return c.bootstrapFlux()
}

func (o Options) withDefaults() Options {
	orElse := func(s *string, value string) {
		if *s == "" {
			*s = value
		}
	}
	orElse(&o.URL, "https://github.com/acme/fleet.git")
	orElse(&o.Branch, "main")
	orElse(&o.Path, "./clusters/"+o.Name)
	orElse(&o.Addr, "127.0.0.1:0")
	orElse(&o.UID, stableUID(o.Name))
	if o.Slow <= 0 {
		o.Slow = 2 * time.Second
	}
	if o.Around == nil {
		o.Around = func(api http.Handler) http.Handler { return api }
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.Log = o.Log.With("cluster", o.Name)
	return o
}

func token(cluster, user string) string {
	sum := sha256.Sum256([]byte("token " + cluster + " " + user))
	return hex.EncodeToString(sum[:12])
}

func stableUID(name string) string {
	s := sha256.Sum256([]byte("cluster " + name))
	return fmt.Sprintf("%x-%x-4%x-8%x-%x", s[:4], s[4:6], s[6:8], s[8:10], s[10:16])[:36]
}

// Run serves the API and runs what lives in the cluster until ctx ends.
func (c *Cluster) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		if err := c.server.ServeTLS(c.gate, "", ""); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve cluster %s: %w", c.options.Name, err)
		}
		return nil
	})
	group.Go(func() error { return c.workload.Run(ctx) })
	if c.flux != nil {
		group.Go(func() error { return c.flux.Run(ctx) })
	}
	group.Go(func() error {
		<-ctx.Done()
		return c.Close()
	})
	return group.Wait()
}

// Close stops listening and cuts every connection.
func (c *Cluster) Close() error {
	c.gate.cut()
	if err := errors.Join(c.server.Close(), c.gate.Close()); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil // the server closes the listener that it serves
}

// Name is the name of the cluster and of its kubeconfig's context.
func (c *Cluster) Name() string { return c.options.Name }

// URL is the address of the API server.
func (c *Cluster) URL() string { return "https://" + c.gate.Addr().String() }

// Store is the content of the cluster, for tests that look or load behind the API.
func (c *Cluster) Store() *apiserver.Store { return c.store }

// Deny replaces what a user may not do from the next request on; watches that
// are open stay, as on a real server.
func (c *Cluster) Deny(user string, rules ...apiserver.Rule) { c.api.Deny(user, rules...) }

// Pushed tells the cluster's Flux that the repository moved, as a webhook would.
func (c *Cluster) Pushed() {
	if c.flux != nil {
		c.flux.Pushed()
	}
}

// State is how the API server can be reached.
func (c *Cluster) State() State { return c.gate.state() }

// SetState changes how the API server can be reached.
func (c *Cluster) SetState(state State) error { return c.gate.set(state) }

// CutConnections ends every connection, and with them all watches, once.
func (c *Cluster) CutConnections() { c.gate.cut() }
