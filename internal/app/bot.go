package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"time"

	"k8s.io/klog/v2"

	"ferry/bot"
	"ferry/bot/say"
	"ferry/delivery"
	"ferry/delivery/forge"
	"ferry/dispatcher"
	"ferry/internal/config"
	"ferry/internal/deploy"
	"ferry/internal/fault"
	"ferry/internal/job"
	"ferry/jobs"
	"ferry/k8s"
	"ferry/plugins"
	"ferry/plugins/api"
	"ferry/plugins/botkube"
	"ferry/storage"
	"ferry/storage/bolt"
)

// bot runs ferry until ctx ends.
func (p Process) bot(ctx context.Context, file string) int {
	c, ok := p.load(file)
	if !ok {
		return exitUsage
	}
	log := p.logger(c.Log)
	fleet, err := newFleet(c, log)
	if err != nil {
		p.complain(located(c, err))
		return exitUsage
	}
	if err := fleet.CheckDistinct(ctx); err != nil {
		if ctx.Err() != nil {
			return exitOK
		}
		p.complain(shared(err))
		return exitUsage
	}
	db, err := bolt.Open(c.State.File)
	if err != nil {
		p.complain(err)
		return exitUsage
	}
	// client-go reports to klog what ferry is told as an error anyway.
	klog.SetSlogLogger(slog.New(slog.DiscardHandler))
	log.Info("ferry starts", "version", p.version(), "config", c.File)
	err = p.assemble(ctx, c, log, fleet, db)
	err = errors.Join(err, db.Close())
	if err != nil {
		p.complain(err)
		return exitFailed
	}
	return exitOK
}

// assemble makes the rooms, hands them to each other, and serves.
func (p Process) assemble(ctx context.Context, c *config.Config, log *slog.Logger, fleet *k8s.Fleet, db *bolt.DB) error {
	numbers := newMetrics(fleet.Clusters)
	deliveries, err := newDelivery(c, log, numbers)
	if err != nil {
		return err
	}
	slack, kv := slackOptions(c, log), watched(db)
	slack.Journal, slack.Outbox = storage.NewJournal(kv, time.Now), storage.NewOutbox(kv, time.Now)
	slack.Observe = numbers.slack
	lines := storage.NewLines(kv, time.Now)
	trail := storage.NewTrail(kv, time.Now)
	rows, holds, approvals := storage.NewJobs(kv).Audited(trail), storage.NewHolds(kv, time.Now).Audited(trail), storage.NewApprovals(kv).Audited(trail)
	slack.Begun = begun(rows, lines)
	b, err := bot.New(slack)
	if err != nil {
		return err
	}
	policy := dispatcher.NewPolicy(rules(c, nil), dispatcher.Witnesses{People: b, Holds: holds, Approvals: approvals})
	past := storage.NewHistory(kv)
	if err := hint(ctx, past, log); err != nil {
		return err
	}
	alerting, err := newAlerts(ctx, c, alertNeeds{kv: kv, trail: trail, slack: b, out: p.Out, log: log, fleet: fleet, context: &surroundings{
		apps: fleet.Apps, records: past.Of, jobs: rows.Unfinished, within: c.Alerts.Blame, now: time.Now, log: log,
	}})
	if err != nil {
		return err
	}
	taking := alerting.events()
	hosting, err := newHost(c, log, taking)
	if err != nil {
		return err
	}
	alerting.hosted(hosting, numbers)
	var work *dispatcher.Dispatcher
	changes := prompt{deliveries, c.Timeouts.Plan}
	options := jobs.Options{
		Fleet: fleet, Cluster: bounded{fleet, c.Timeouts.Reconcile}, Delivery: changes, Proposer: changes, Proposals: changes, Git: changes, History: past, Rows: rows,
		Planner: changes, Sets: changes, Waves: wavesOf(c), Voices: approvals, Gate: policy, Holds: holds, Approvals: approvals, Approve: c.Timeouts.Approve,
		Canceller: rows, Rights: rights{policy}, Nudge: func(ctx context.Context, id job.ID) error { return work.Nudge(ctx, id) },
		Executor: plugins.Executors{Runner: hosting, Who: acquaintances{policy}.who, Aliases: c.Plugins.Aliases, Put: b.Put, Ready: hosting.Ready, Lines: lines, Abandon: abandon(b)}, Plugins: hosted{hosting}, People: authors{b, c.Repo}, Replier: b, Streamer: b, Log: log, Rollout: c.Timeouts.Rollout, Grace: c.Timeouts.Grace, Merge: c.Timeouts.Merge,
		May: policy.May, Retreat: retreats(c), Follower: later{&work}, Amender: amended{rows, numbers}, Suspender: bounded{fleet, c.Timeouts.Reconcile},
	}
	alerting.talk(&options)
	work = dispatcher.New(dispatcher.Options{
		Routes: routes(options), Store: rows, Replier: b, Policy: policy, Explain: say.Error, Deeds: deeds{trail}, Log: log,
		Drain: c.Timeouts.Drain, Ended: numbers.ended,
	})
	b.Serve(dispatcher.Recorder{Next: work, Trail: trail, Changes: changing(c)})

	people, err := namesOf(c, slack, policy, log)
	if err != nil {
		return err
	}
	services := slices.Concat([]service{
		{name: "clusters", run: fleet.Run, settled: patiently(firstLook, fleet.Settled)},
		{name: "names", run: people.run},
		// Notifiers end after those who have something to tell.
		{name: "notifiers", run: func(ctx context.Context) error { return hosting.Run(ctx, api.KindNotifier) }},
	}, alerting.services(), []service{
		{name: "plugins", run: func(ctx context.Context) error { return hosting.Run(ctx, api.KindSource, api.KindExecutor) }},
		{name: "jobs", run: work.Run, patience: c.Timeouts.Drain + defaultPatience},
		{name: "slack", run: b.Run},
	})
	services = append(keeping(ctx, c, db, log), services...)
	if c.HTTP.Address != "" {
		w, err := listen(ctx, c.HTTP.Address, numbers, []probe{{"slack", b.Ready}}, fleet.Clusters, log)
		if err != nil {
			return err
		}
		if taking.take != nil {
			w.mux.Handle(botkube.Path, botkube.Webhook{Ask: hosting.Ask, Take: taking.keep, Log: log})
		}
		log.Info("metrics and health are served", "address", w.listener.Addr().String())
		services = append([]service{{name: "web", run: w.run}}, services...)
	}
	return serve(ctx, log, services)
}

// comeBack bounds the pause between looks at a cluster that does not answer:
// people wait for it.
const comeBack = 10 * time.Second

// firstLook is how long the start waits for clusters. Those that have not
// answered by then are stale, and followed as soon as they do.
const firstLook = 10 * time.Second

// patiently waits for something no longer than d; that it is not there by then
// is no error.
func patiently(d time.Duration, wait func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		timed, cancel := context.WithTimeout(ctx, d)
		defer cancel()
		if err := wait(timed); err != nil && timed.Err() == nil {
			return err
		}
		return ctx.Err()
	}
}

func newFleet(c *config.Config, log *slog.Logger) (*k8s.Fleet, error) {
	o := k8s.Options{AllowSame: c.AllowSharedAPIServer, Log: log, RetryMax: comeBack}
	if !c.AllNamespaces() {
		o.Namespaces = c.Namespaces
	}
	for _, m := range c.Clusters {
		o.Clusters = append(o.Clusters, k8s.Member{Name: m.Name, Kubeconfig: m.File, Context: m.Context})
	}
	return k8s.New(o)
}

// shared adds to an error about two clusters that are one how to allow it.
func shared(err error) error {
	if e, ok := errors.AsType[*fault.Error](err); ok {
		return e.WithHelp("check kubeconfig and context of both; if it is meant, set allow_shared_api_server: true")
	}
	return err
}

// located adds to an error about clusters where the configuration names them.
func located(c *config.Config, err error) error {
	e, ok := errors.AsType[*fault.Error](err)
	if !ok {
		return err
	}
	located := *e
	located.Says = c.At("clusters") + ": " + e.Says
	return &located
}

func newDelivery(c *config.Config, log *slog.Logger, m *metrics) (*delivery.Delivery, error) {
	token, pulls := c.GitHub.Token.Reveal(), c.Repo.PullRequests
	o := delivery.Options{
		Log: log,
		Proposals: delivery.Proposals{
			Prefix: pulls.BranchPrefix, Labels: pulls.Labels, Reviewers: pulls.Reviewers, TeamReviewers: pulls.TeamReviewers,
			AutoMerge: pulls.AutoMerge, Draft: pulls.Draft,
		},
		Repository: forge.Options{
			Owner: c.Repo.Owner, Name: c.Repo.Name, Branch: c.Repo.Branch, BaseURL: c.GitHub.BaseURL, Proposes: true,
			Token: func(context.Context) (string, error) { return token, nil },
		},
	}
	if a := c.GitHub.App; a.IsSet() {
		app, err := forge.NewApp(forge.AppOptions{
			ID: string(a.ID), Installation: a.Installation, BaseURL: c.GitHub.BaseURL,
			Key: func() ([]byte, error) { return os.ReadFile(a.KeyFile) },
		})
		if err != nil {
			return nil, fmt.Errorf("use the GitHub App: %w", err)
		}
		o.Repository.App = app
	}
	if m != nil {
		o.Repository.OnRequest = func(r forge.Request) { m.requests.WithLabelValues(strconv.Itoa(r.Status)).Inc() }
	}
	for _, m := range c.Clusters {
		if m.Delivery == config.DeliveryPullRequest {
			o.Proposing = append(o.Proposing, m.Name)
		}
		if m.Path != "" {
			if o.Paths == nil {
				o.Paths = folders{}
			}
			o.Paths[m.Name] = m.Path
		}
	}
	versions, err := newRegistry(c, log)
	if err != nil {
		return nil, err
	}
	if o.Wording, err = wording(c.Repo); err != nil {
		return nil, err
	}
	o.CommitEach, o.Fields = c.Repo.CommitEach, fieldsOf(c.Repo.Fields)
	o.WarnAutomated = c.Repo.Automated == config.AutomatedWarn
	if versions != nil {
		o.Versions, o.RequireVersions = versions, c.Registries.Lookup == config.LookupRequire
	}
	d, err := delivery.New(o)
	if err != nil {
		return nil, fmt.Errorf("make delivery: %w", err)
	}
	return d, nil
}

// fieldsOf looks up which version of an app is meant.
func fieldsOf(fields map[string]string) func(deploy.App) deploy.FieldKind {
	return func(a deploy.App) deploy.FieldKind {
		return deploy.FieldKind(cmp.Or(fields[a.String()], fields[a.Name]))
	}
}

func slackOptions(c *config.Config, log *slog.Logger) bot.Options {
	o := bot.Options{
		BotToken: bot.Token(c.Slack.BotToken.Reveal()), AppToken: bot.Token(c.Slack.AppToken.Reveal()), BaseURL: c.Slack.BaseURL,
		Commands: syntaxes(c), SlashCommand: c.Slack.Command, Teams: c.Slack.Teams, Channels: c.Slack.Channels, Log: log,
		Emails: c.Repo.CoAuthor,
	}
	if len(c.Plugins.Executors) > 0 {
		o.Files = c.State.File + ".output"
	}
	all := rules(c, nil)
	o.Groups = all.Groups()
	for _, m := range c.Clusters {
		o.Clusters = append(o.Clusters, string(m.Name))
	}
	for _, r := range c.Alerts.Receivers {
		for i := range r.Sinks {
			if to := chatChannel(&r.Sinks[i]); to != "" && !slices.Contains(o.Told, to) {
				o.Told = append(o.Told, to)
			}
		}
	}
	return o
}

func routes(o jobs.Options) []dispatcher.Route {
	var out []dispatcher.Route
	for _, c := range jobs.List(o) {
		out = append(out, dispatcher.Route{Verb: c.Syntax.Verb, Query: c.Query, Work: c.Work, Deed: c.Deed, Again: c.Again})
	}
	for _, c := range jobs.Own(o) {
		out = append(out, dispatcher.Route{Verb: c.Syntax.Verb, Work: c.Work, Apart: true})
	}
	return out
}
