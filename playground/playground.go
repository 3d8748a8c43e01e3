package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"ferry/playground/cluster"
	"ferry/playground/github"
	"ferry/playground/registry"
	"ferry/playground/seed"
	"ferry/playground/slack"
)

const (
	repoOwner = "acme"
	repoName  = "fleet"
	branch    = "main"
)

// Options say where the playground stands.
type Options struct {
	Addr  string // host:port; empty is 127.0.0.1:8080 or the next free port
	Ferry string // binary; empty starts none
	Dir   string // empty makes one that Run removes
	Fleet string // of seed.Fleets; empty is the demo
	Gates string // roles, freezes and approvals of the configuration; empty is the demo's
	// Settings are further lines of the configuration: plugins and alerts.
	Settings string
	Out      io.Writer
	Err      io.Writer
}

// Playground is all of it. What New opens, Run closes.
type Playground struct {
	options  Options
	fleet    seed.Fleet
	listener net.Listener
	url      string
	slack    *slack.Server
	github   *github.Server
	registry *registry.Server
	clusters []*cluster.Cluster
	ferry    *ferry // or nil
	stops    []func() error
}

// New makes the playground and listens; nothing answers before Run.
func New(o Options) (*Playground, error) {
	p := &Playground{options: o}
	if err := p.open(); err != nil {
		return nil, errors.Join(err, p.stop())
	}
	return p, nil
}

func (p *Playground) open() error {
	if p.options.Dir == "" {
		dir, err := os.MkdirTemp("", "playground-")
		if err != nil {
			return fmt.Errorf("make a directory: %w", err)
		}
		p.options.Dir = dir
		p.stops = append(p.stops, func() error { return os.RemoveAll(dir) })
	} else if err := os.MkdirAll(p.options.Dir, 0o700); err != nil {
		return fmt.Errorf("make the directory: %w", err)
	}
	var err error
	if p.fleet, err = seed.Find(cmp.Or(p.options.Fleet, "demo")); err != nil {
		return err
	}
	if p.listener, err = listen(p.options.Addr); err != nil {
		return err
	}
	p.stops = append(p.stops, func() error {
		if err := p.listener.Close(); !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	})
	p.url = "http://" + p.listener.Addr().String()
	if p.slack, err = slack.New(workspace(p.url, p.fleet.Name)); err != nil {
		return err
	}
	if err := p.openGitHub(); err != nil {
		return err
	}
	if p.registry, err = registry.New(); err != nil {
		return err
	}
	if err := p.openClusters(); err != nil {
		return err
	}
	config, err := p.writeConfig()
	if err != nil || p.options.Ferry == "" {
		return err
	}
	p.ferry, err = newFerry(p.options, config)
	return err
}

// listen takes the address that was asked for, or the first free one from 8080 on.
func listen(addr string) (net.Listener, error) {
	if addr != "" {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			return nil, fmt.Errorf("listen on PLAYGROUND_ADDR: %w", err)
		}
		return l, nil
	}
	var err error
	for port := 8080; port < 8180; port++ {
		var l net.Listener
		if l, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			return l, nil
		}
		if !errors.Is(err, syscall.EADDRINUSE) {
			break
		}
	}
	return nil, fmt.Errorf("find a free port from 8080 on: %w", err)
}

func (p *Playground) openGitHub() error {
	files, err := p.fleet.At(p.cloneURL())
	if err != nil {
		return err
	}
	p.github, err = github.New(github.Options{
		Dir: filepath.Join(p.options.Dir, "repositories"), AnonymousRead: true,
		Tokens: map[string]github.Token{
			githubToken: {Login: "ferry-bot", Name: "ferry", Access: github.WriteAccess, Scopes: []string{"repo"}},
			// Who clones and pushes by hand: git push http://you:you@...
			"you": {Login: "you", Name: "You", Email: "you@acme.example", Access: github.WriteAccess, Scopes: []string{"repo"}},
		},
		Repositories: []github.Repository{{Owner: repoOwner, Name: repoName, Seed: files, DefaultBranch: branch}},
	})
	if err != nil {
		return err
	}
	p.stops = append(p.stops, p.github.Close)
	return nil
}

func (p *Playground) cloneURL() string { return p.url + "/" + repoOwner + "/" + repoName + ".git" }

func (p *Playground) repo() *github.Repo { return p.github.Repo(repoOwner + "/" + repoName) }

func (p *Playground) openClusters() error {
	git := cluster.NewGit(p.repo().Dir())
	for _, name := range p.fleet.Clusters {
		c, err := cluster.New(cluster.Options{
			Name: name, Repository: git, Branch: branch,
			URL: p.cloneURL(),
			// Long enough to see why a pod waits before Kubernetes gives up, short
			// enough for who tries the version that fails.
			ProgressDeadline: 20 * time.Second, FluxTimeout: 20 * time.Second, FluxRetry: 15 * time.Second,
			Judge: judgeOn(name),
		})
		if err != nil {
			return err
		}
		if err := p.applyByHand(c); err != nil {
			return err
		}
		p.clusters = append(p.clusters, c)
		p.stops = append(p.stops, c.Close)
		p.repo().OnPush(func(ref string, _, _ github.OID) {
			if ref == "refs/heads/"+branch {
				c.Pushed()
			}
		})
	}
	return nil
}

// Run serves until ctx ends, or until ferry ends right after its start.
func (p *Playground) Run(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, p.stop()) }()
	server := &http.Server{Handler: p.handler(), ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0)}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		if err := server.Serve(p.listener); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve the page: %w", err)
		}
		return nil
	})
	group.Go(func() error {
		<-ctx.Done()
		if p.ferry != nil {
			<-p.ferry.ended // it says good-bye to Slack
		}
		return server.Close()
	})
	group.Go(func() error { return p.slack.Run(ctx) })
	for _, c := range p.clusters {
		group.Go(func() error { return c.Run(ctx) })
	}
	if p.ferry != nil {
		group.Go(func() error {
			p.settle(ctx) // what ferry sees first is what people see first
			if err := p.pushLater(); err != nil {
				return err
			}
			return p.ferry.Run(ctx)
		})
	}
	p.welcome()
	return group.Wait()
}

// settle waits, not for long, until the clusters run what the repository says.
func (p *Playground) settle(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	for _, c := range p.clusters {
		if err := c.Settled(ctx); err != nil {
			return // ferry copes with clusters that are still on their way
		}
	}
}

// stop closes in reverse what open opened.
func (p *Playground) stop() error {
	var errs []error
	for i := len(p.stops) - 1; i >= 0; i-- {
		errs = append(errs, p.stops[i]())
	}
	p.stops = nil
	return errors.Join(errs...)
}

func (p *Playground) welcome() {
	out := p.options.Out
	fmt.Fprintf(out, "\n  The playground is open: %s\n\n  Things to try in #deployments:\n\n", p.url)
	for _, h := range hints(p.fleet.Name) {
		fmt.Fprintf(out, "    %-44s %s\n", h.Text, h.Title)
	}
	fmt.Fprintf(out, "\n  The repository: git clone %s\n  (to push: %s)\n", p.repo().CloneURL(p.url),
		p.repo().CloneURL(strings.Replace(p.url, "://", "://you:you@", 1)))
	fmt.Fprintf(out, "  Everything else is in %s; Ctrl-C ends it all.\n\n", p.options.Dir)
}
