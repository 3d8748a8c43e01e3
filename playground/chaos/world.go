package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"ferry/playground/chaos/point"
	"ferry/playground/chaos/process"
	"ferry/playground/cluster"
	"ferry/playground/cluster/workload"
	"ferry/playground/github"
	"ferry/playground/slack"
)

// What the world is called by those who live in it.
const (
	owner, name, branch = "acme", "fleet", "main"

	asker       = "U0ADA"
	lead        = "U0BEA"
	leadToo     = "U0CEM"
	channels    = 96 // one for each command: Slack takes one message a second in each
	elsewhere   = "C0ELSE"
	botToken    = "xoxb-chaos-bot"
	appToken    = "xapp-chaos-app"
	githubToken = "chaos"
)

// world is one Slack, one GitHub, two clusters, and ferry.
type world struct {
	options
	account  *account
	rand     *rand.Rand
	number   int
	size     size
	home     string
	listener net.Listener
	hooks    net.Listener
	url      string
	slack    *slack.Server
	github   *github.Server
	clusters map[string]*cluster.Cluster
	killer   *point.Killer
	ferry    *process.Process
	faults   *faults // nil in mode kill
	targets  map[target]*version
	serial   int          // of versions and commands
	drawn    int          // how many episodes were
	kills    []point.Kill // of this episode
	felled   atomic.Int64 // how many of them there were

	// Alarms are drawn from a chance of their own.
	chance  *rand.Rand
	alarms  []*alarm // all that there ever were
	alarmed int
	poster  *http.Client
	posting string // where alarms are posted
	ear     *ear
	held    *held
}

// size is how much there is of a world.
type size struct {
	plain   int // apps; half as many of each kind that needs approval
	episode int // commands between two looks at the state file
	alone   int // every how many episodes is of what needs the world for itself
}

// sizes are those of the modes. What fails lasts for seconds, whatever is asked for
// meanwhile; a kill hits all that is under way.
func sizes(mode string) size {
	if mode == modeWorst {
		return size{plain: 24, episode: 40, alone: 2}
	}
	return size{plain: 12, episode: 15, alone: 4}
}

// target is an app on a cluster.
type target struct{ cluster, app string }

// version is what is known of a target: what it should run now, and what ferry
// brought before that, healthy; "" if that is not known. What was there at first
// ferry remembers only if it looked while nothing was on its way.
type version struct {
	now, before string
	// unpinned is set once it has no version of its own any more, doubted while
	// nobody has seen whether what runs is healthy.
	unpinned, doubted bool
}

func newWorld(o options, n int, a *account) (w *world, err error) {
	w = &world{
		options: o, account: a, number: n, size: sizes(o.mode), rand: rand.New(rand.NewPCG(o.seed, uint64(n))), home: filepath.Join(o.dir, fmt.Sprintf("world%d", n)),
		clusters: map[string]*cluster.Cluster{}, targets: map[target]*version{},
		chance: rand.New(rand.NewPCG(o.seed, uint64(n)+1<<34)), ear: &ear{},
	}
	w.held = newHeld(w.home)
	if err := checkPlays(plays()); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(w.home, 0o700); err != nil {
		return nil, fmt.Errorf("make a directory: %w", err)
	}
	if w.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	if w.hooks, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	w.url = "http://" + w.listener.Addr().String()
	log, err := os.Create(filepath.Join(w.home, "ferry.log"))
	if err != nil {
		return nil, fmt.Errorf("open ferry's log: %w", err)
	}
	w.ferry = &process.Process{Binary: o.ferry, Log: log}
	every := func(string) bool { return true }
	w.killer = point.NewKiller(a.kills, a.table.Spots(every), [2]uint64{o.seed, uint64(n) + 1<<32}, func() {
		_ = w.ferry.End(syscall.SIGKILL) // the next start tells
	})
	if o.mode == modeWorst {
		w.faults = &faults{account: a, rand: rand.New(rand.NewPCG(o.seed, uint64(n)+1<<33)), push: w.push}
	}
	return w, w.open()
}

// open makes everybody whom ferry talks to, and its configuration.
func (w *world) open() (err error) {
	people := slack.Options{
		BaseURL: w.url, Users: []slack.User{{ID: asker, Name: "ada"}, {ID: lead, Name: "bea"}, {ID: leadToo, Name: "cem"}}, OnAck: w.killer.Ack,
		// Slack's minutes are too long to be waited for, and so few tries too few for
		// a ferry that is killed every second.
		Retries: slices.Repeat([]time.Duration{time.Second}, 100), DisconnectGrace: time.Second,
		Channels: []slack.Channel{{ID: elsewhere, Name: "elsewhere", Private: true, Members: []string{asker}}},
		Apps: []slack.App{{
			ID: "A0FERRY", Name: "ferry", BotUserID: "U0FERRY", BotToken: botToken, AppToken: appToken,
			Scopes: []string{
				"app_mentions:read", "channels:history", "channels:read", "chat:write", "commands", "files:write", "groups:history",
				"groups:read", "im:history", "im:read", "im:write", "team:read", "usergroups:read", "users:read",
			},
			Commands: []slack.Command{{Name: "/ferry", Escape: true}},
		}},
	}
	people.Channels = append(people.Channels, slack.Channel{ID: alarmChannel, Name: "alarms", Members: []string{asker, "U0FERRY"}})
	for i := range quietChannels {
		people.Channels = append(people.Channels, slack.Channel{ID: quietChannel(i), Name: fmt.Sprintf("quiet-%d", i), Members: []string{asker, lead, "U0FERRY"}})
	}
	for i := range channels {
		people.Channels = append(people.Channels, slack.Channel{ID: channel(i), Name: fmt.Sprintf("deploy-%d", i), Members: []string{asker, lead, leadToo, "U0FERRY"}})
	}
	if w.slack, err = slack.New(people); err != nil {
		return err
	}
	clone := w.url + "/" + owner + "/" + name + ".git"
	w.github, err = github.New(github.Options{
		Dir: filepath.Join(w.home, "repositories"), AnonymousRead: true, HourlyLimit: 1 << 30,
		Tokens:       map[string]github.Token{githubToken: {Login: "ferry-bot", Name: "ferry", Access: github.WriteAccess, Scopes: []string{"repo"}}},
		Repositories: []github.Repository{{Owner: owner, Name: name, Seed: seedAt(clone, w.size.plain), DefaultBranch: branch}},
	})
	if err != nil {
		return err
	}
	for _, c := range clusters() {
		if err := w.openCluster(c, clone); err != nil {
			return err
		}
	}
	for _, t := range retreating() {
		w.targets[t] = &version{now: first}
	}
	for _, c := range []string{direct, proposed} {
		for _, app := range ordinary(w.size.plain) {
			w.targets[target{c, app}] = &version{now: first}
		}
		for i := range shared {
			w.targets[target{c, fmt.Sprintf("p%02d", i)}] = &version{} // until it is pinned
			w.targets[target{c, fmt.Sprintf("u%02d", i)}] = &version{now: first}
		}
		for i := range together {
			w.targets[target{c, fmt.Sprintf("w%02d", i)}] = &version{now: first}
		}
	}
	return errors.Join(w.openAlarms(), w.configure())
}

func channel(i int) string { return fmt.Sprintf("C0DEPLOY%02d", i) }

func (w *world) repo() *github.Repo { return w.github.Repo(owner + "/" + name) }

// push is somebody else's commit, which has nothing to do with any app.
func (w *world) push() error {
	_, err := w.repo().Commit(branch, "Write a note", map[string]string{"notes.md": time.Now().String() + "\n"})
	return err
}

func (w *world) openCluster(called, clone string) error {
	judge := workload.Judge
	if called == canary || called == others {
		judge = sours
	}
	c, err := cluster.New(cluster.Options{
		Judge: judge, Name: called, Repository: cluster.NewGit(w.repo().Dir()), Branch: branch, URL: clone, PodStart: 100 * time.Millisecond,
		Around: func(api http.Handler) http.Handler { return w.killer.Around(point.OfCluster, api) },
	})
	if err != nil {
		return err
	}
	w.clusters[called] = c
	w.repo().OnPush(func(ref string, _, _ github.OID) {
		if ref == "refs/heads/"+branch {
			c.Pushed()
		}
	})
	return nil
}

func (w *world) configure() error {
	var b, approvals strings.Builder
	approvals.WriteString("approvals:\n")
	b.WriteString("clusters:\n")
	for _, c := range clusters() {
		file := filepath.Join(w.home, c+".kubeconfig")
		if err := os.WriteFile(file, []byte(w.clusters[c].Kubeconfig()), 0o600); err != nil {
			return fmt.Errorf("write the kubeconfig of %s: %w", c, err)
		}
		way := "direct"
		if c == proposed {
			way = "pull_request"
		}
		fmt.Fprintf(&b, "  %s: {file: %q, delivery: %s}\n", c, file, way)
	}
	fmt.Fprintf(&b, "namespaces: [%s]\nrepo: {owner: %s, name: %s, branch: %s, pull_requests: {labels: [promotion], reviewers: [ada]}}\n", space, owner, name, branch)
	fmt.Fprintf(&b, "bot: {admins: [%s]}\nslack: {base_url: %q}\ngithub: {base_url: %q}\n", asker, w.url+"/api/", w.url+"/api/v3/")
	for _, who := range []struct {
		name, apps string
		quorum     int
	}{{"lead", gatedApps, 1}, {"leads", doubleApps, 2}} {
		fmt.Fprintf(&approvals, "- {name: %s, from: [%s, %s], quorum: %d, clusters: [\"*\"], apps: [\"%s*\"]}\n", who.name, lead, leadToo, who.quorum, who.apps)
	}
	b.WriteString(approvals.String())
	b.WriteString(policies)
	alarms, err := w.alarmSection()
	if err != nil {
		return err
	}
	b.WriteString(alarms)
	fmt.Fprintf(&b, "registries: {lookup: \"off\"}\nstate: {file: %q}\ntimeouts: {drain: 500ms, grace: 1s}\n", w.state())
	file := filepath.Join(w.home, "config.yaml")
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		return fmt.Errorf("write the configuration: %w", err)
	}
	w.ferry.Env = append(os.Environ(), "SLACK_BOT_TOKEN="+botToken, "SLACK_APP_TOKEN="+appToken, "GITHUB_API_TOKEN="+githubToken,
		"SERVICE_CONFIG_FILE_PATH="+file, "FERRY_CHAOS=http://"+w.hooks.Addr().String())
	return nil
}

// policies are what becomes of what does not last, and the waves of sets.
const policies = `rollbacks:
- {name: back, clusters: ["*"], apps: ["` + backApps + `*", "` + setApps + `*"], on_failure: auto}
- {name: watched, clusters: ["*"], apps: ["` + soakApps + `*"], on_failure: auto, soak: 1m}
waves:
- {name: sets, clusters: ["` + waves + `"], order: [[` + canary + `], [` + others + `]], soak: 1s}
`

func (w *world) state() string { return filepath.Join(w.home, "ferry.db") }

// handler is Slack and GitHub, with kills or failures in between.
func (w *world) handler() http.Handler {
	slack, github := w.killer.Around(point.OfSlack, w.slack), w.killer.Around(point.OfGitHub, w.github)
	if w.faults != nil {
		slack, github = w.faults.slack(slack), w.faults.github(github)
	}
	mux := http.NewServeMux()
	mux.Handle("/", github)
	for _, path := range []string{"/api/{method}", "/upload/", "/files/", "/actions/"} {
		mux.Handle(path, slack)
	}
	mux.Handle("/link/", w.slack)
	mux.Handle(earPath, w.killer.Around(func(*http.Request) string { return point.Telling }, w.ear))
	mux.Handle(deafPath, w.killer.Around(func(*http.Request) string { return point.Telling }, &w.held.deaf))
	mux.Handle("/api/graphql", github)
	return mux
}

// serve runs everybody but ferry until ctx ends.
func (w *world) serve(ctx context.Context) error {
	quiet := log.New(io.Discard, "", 0)
	group, ctx := errgroup.WithContext(ctx)
	for l, h := range map[net.Listener]http.Handler{w.listener: w.handler(), w.hooks: w.killer} {
		server := &http.Server{Handler: h, ErrorLog: quiet}
		group.Go(func() error {
			if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				return err
			}
			return nil
		})
		group.Go(func() error {
			<-ctx.Done()
			return server.Close()
		})
	}
	group.Go(func() error { return w.slack.Run(ctx) })
	for _, c := range w.clusters {
		group.Go(func() error { return c.Run(ctx) })
	}
	return errors.Join(group.Wait(), w.github.Close())
}
