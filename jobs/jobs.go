// Package jobs holds what ferry can be asked for: one file per command. Each
// declares how it is written (chat.Syntax, from which parser, help and
// documentation are made) next to the code that answers it, and List names them
// all, in one place.
//
// Queries (list, diff, status, history, events, help) read the fleet's cache and the
// store. Hold, release, approve, reject and silence are deeds: they write to the store
// and nothing else. Promote, rollback and unpin are work: all make a change (change.go)
// and differ in where the version comes from, and in that unpin has none of its own.
// A change waits for approval where the rules want that (approve.go). It is planned and committed
// by delivery, or proposed and merged by people (propose.go), then followed on its
// cluster until judge, a pure function of what the cluster shows, says that it has
// arrived, failed or been replaced. What becomes of a version that did not last is
// decided by retreat (retreat.go), and what has arrived is watched for a time where a
// rule says so (soak.go). Whatever has to survive a crash stands in the job's row
// before it happens.
//
// The rooms behind this one are known by the small interfaces below.
package jobs

import (
	"context"
	"io"
	"log/slog"
	"time"

	"ferry/internal/chat"
	"ferry/internal/deploy"
	"ferry/internal/job"
)

// Fleet is what is known of the clusters, from a cache: its methods neither
// block nor fail. Lists are sorted by namespace and name.
type Fleet interface {
	Clusters() []deploy.ClusterState
	Apps(deploy.Cluster) []deploy.AppState
	Declared() []deploy.Declared
}

// Cluster follows and nudges one target.
type Cluster interface {
	// Observe calls fn with what the target shows now and after each change,
	// one call at a time, until fn returns false (then it returns nil) or ctx
	// ends.
	Observe(ctx context.Context, t deploy.Target, o deploy.Owner, s deploy.Site, fn func(deploy.Observation) (more bool)) error
	// Reconcile asks Flux to look at the owner's source at once. Repeating it
	// does no harm.
	Reconcile(ctx context.Context, c deploy.Cluster, o deploy.Owner, at time.Time) error
}

// Delivery changes the repository.
type Delivery interface {
	// Apply plans the change, hands the plan to onPlan, and commits it with a
	// compare-and-swap; a moved branch is planned again. An error of onPlan
	// ends it without a commit. With plan.Already there is no commit.
	Apply(ctx context.Context, c deploy.Change, declared func() []deploy.Declared, by deploy.Authorship,
		onPlan func(deploy.Plan) error) (deploy.Plan, deploy.Commit, error)
	// Find looks for the commit that a job made since then.
	Find(ctx context.Context, job string, since time.Time) (c deploy.Commit, ok bool, err error)
	// Holding says whether a revision as Flux writes it still has what the
	// commit brought.
	Holding(ctx context.Context, p deploy.Plan, c deploy.Commit, revision string, declared []deploy.Declared) (deploy.Holding, error)
}

// Proposer changes the repository through pull requests.
type Proposer interface {
	// Way says whether changes of a cluster have to be proposed, and why, if that
	// is not because somebody configured it.
	Way(ctx context.Context, c deploy.Cluster) (pull bool, why string, err error)
	// Propose plans the change, hands the plan to onPlan, and opens a pull request.
	// Told again for the same job it ends with one. With plan.Already there is none.
	Propose(ctx context.Context, c deploy.Change, declared func() []deploy.Declared, by deploy.Authorship,
		onPlan func(deploy.Plan) error) (deploy.Plan, deploy.Proposal, error)
	// Renew holds an open one against the branch as it is now, and brings it there
	// if it has to be. With plan.Already it is not needed any more; it is Refused if
	// it became another change.
	Renew(ctx context.Context, old deploy.Proposal, first deploy.Plan, declared func() []deploy.Declared, by deploy.Authorship) (deploy.Plan, deploy.Proposal, error)
}

// Proposals are the pull requests that there are.
type Proposals interface {
	// FindProposal looks for the one that a job opened since then.
	FindProposal(ctx context.Context, job string, since time.Time) (p deploy.Proposal, ok bool, err error)
	Proposal(ctx context.Context, number int) (deploy.Proposal, error)
	// Withdraw closes one with a comment; repeating it does no harm. One that is
	// merged is Already.
	Withdraw(ctx context.Context, number int, comment string) error
}

// Wanted tells what Git wants of the apps that clusters declare.
type Wanted interface {
	Wanted(ctx context.Context, declared []deploy.Declared) ([]deploy.Wanted, error)
}

// History remembers what became of versions; both readers start with the newest
// record and go on until fn returns false.
type History interface {
	Append(ctx context.Context, r *deploy.Record) error
	Of(ctx context.Context, t deploy.Target, fn func(deploy.Record) (more bool)) error
	// Among reads the records of the targets that it is asked for; of tells which.
	Among(ctx context.Context, of func(deploy.Target) bool, fn func(deploy.Record) (more bool)) error
}

// Rows reads the jobs there are.
type Rows interface {
	Get(ctx context.Context, id job.ID) (*job.Job, error)
	Recent(ctx context.Context, n int) ([]*job.Job, error)
	// Unfinished returns those without an outcome, the oldest first.
	Unfinished(ctx context.Context) ([]*job.Job, error)
	// ByKey finds the job that a command's key made.
	ByKey(ctx context.Context, key string) (j *job.Job, ok bool, err error)
}

// Executor runs command lines with plugins and writes what they print to out.
// Names are the verbs that there are plugins for; Help is what one says of
// itself, which may be nothing. A line does not run again when Execute is told the
// same command again.
type Executor interface {
	Names() []string
	Help(plugin string) string
	Execute(ctx context.Context, plugin, line string, cmd chat.Command, out func(title string) (io.WriteCloser, error)) (chat.Message, error)
}

// People tells who somebody is, for the record in Git.
type People interface {
	// Author returns a display name and an e-mail address; either may be empty.
	Author(ctx context.Context, u chat.UserID) (name, email string)
}

// Options are what the commands need. Now, Log and the times have defaults.
type Options struct {
	Fleet    Fleet
	Cluster  Cluster
	Delivery Delivery
	// Proposer may be nil: then every change is committed. Proposals goes with it.
	Proposer  Proposer
	Proposals Proposals
	Git       Wanted
	History   History
	// Sets may be nil: then nothing but one app at a time is promoted. Waves are the
	// order of clusters, and Voices tells who confirmed a plan.
	Sets   Sets
	Waves  []Waves
	Voices Voices
	// Planner makes the plans of dry runs.
	Planner Planner
	// Gate is asked before a commit; nil for what only admission decides about.
	Gate  Gate
	Holds Holds
	// Approvals may be nil: then what needs approval is refused.
	Approvals Approvals
	Rows      Rows
	// Executor and Plugins may be nil: then there are none.
	Executor Executor
	Plugins  Plugins
	// Alerts and what goes with it may be nil: then nothing is made of events.
	Alerts        Alerts
	Silences      Silences
	Notifications Notifications
	Letters       Letters
	People        People
	// Canceller, Rights and Nudge, which tells the job of a wish that was stored,
	// are for cancel and retry.
	Canceller Canceller
	Rights    Rights
	Nudge     func(context.Context, job.ID) error
	Replier   chat.Replier
	Streamer  chat.Streamer
	Log       *slog.Logger
	Now       func() time.Time
	// Rollout is how long a change may take from its commit until it is healthy
	// (default 10 min).
	Rollout time.Duration
	// Grace is how long a reported failure must last to be believed (default
	// 15 s): a registry may stumble, a controller may try again.
	Grace time.Duration
	// May says whether somebody may use a command on targets; nil lets everybody.
	// It decides on what is offered alone: whoever takes an offer is asked again.
	May func(context.Context, chat.UserID, chat.Verb, []deploy.Target) error
	// Retreat is the rule for what does not last on a target; nil offers the way back.
	// Follower and Amender go with it; without the first nothing is done by itself.
	Retreat  func(deploy.Target) deploy.Retreat
	Follower Follower
	Amender  Amender
	// Suspender may be nil: then image automations are suspended in Git alone.
	Suspender Suspender
	// Merge is how long a pull request may wait to be merged (default 24 h).
	Merge time.Duration
	// Approve is how long a change may wait for approval (default 24 h).
	Approve time.Duration
	// Answer is how long a job waits for something that does not answer before it is
	// given up (default 1 h).
	Answer time.Duration
}

// Query and Work are what the dispatcher calls; see there.
type (
	Query interface {
		Answer(ctx context.Context, cmd chat.Command) (chat.Message, error)
	}
	Work interface {
		Admit(ctx context.Context, cmd chat.Command) (title string, targets []deploy.Target, err error)
		Run(ctx context.Context, cmd chat.Command, j *job.Job, save func(context.Context) error) (chat.Message, error)
	}
)

// Deed is what the dispatcher calls; see there.
type Deed interface {
	Admit(ctx context.Context, cmd chat.Command) (title string, targets []deploy.Target, err error)
	Do(ctx context.Context, cmd chat.Command) (chat.Message, error)
}

// Command is a syntax and what answers it: exactly one of Query, Work, Deed and
// Again, which turns the command into an earlier one.
type Command struct {
	Syntax chat.Syntax
	Query  Query
	Work   Work
	Deed   Deed
	Again  func(ctx context.Context, cmd chat.Command) (chat.Command, error)
}

// List returns every command there is, in the order in which help shows them.
func List(o Options) []Command {
	o = o.withDefaults()
	h := &help{executor: o.Executor}
	commands := []Command{
		{Syntax: listSyntax, Query: list{o}},
		{Syntax: diffSyntax, Query: diff{o}},
		{Syntax: promoteSyntax, Work: promote{changer{o}}},
		{Syntax: rollbackSyntax, Work: rollback{changer{o}}},
		{Syntax: unpinSyntax, Work: unpin{changer{o}}},
		{Syntax: approveSyntax, Deed: approve{changer{o}}},
		{Syntax: rejectSyntax, Deed: reject{changer{o}}},
		{Syntax: confirmSyntax, Deed: confirm{changer{o}}},
		{Syntax: holdSyntax, Deed: hold{changer{o}}},
		{Syntax: releaseSyntax, Deed: release{changer{o}}},
		{Syntax: holdsSyntax, Query: holds{o}},
		{Syntax: statusSyntax, Query: status{o}},
		{Syntax: cancelSyntax, Query: cancel{o}},
		{Syntax: retrySyntax, Again: retry{o}.again},
		{Syntax: historySyntax, Query: history{o}},
		{Syntax: whoSyntax, Query: who{o}},
		{Syntax: driftSyntax, Query: drift{o}},
	}
	var executors []string
	if o.Executor != nil {
		executors = o.Executor.Names()
	}
	for _, s := range executorSyntaxes(executors) {
		commands = append(commands, Command{Syntax: s, Query: executor{o}})
	}
	commands = append(commands,
		Command{Syntax: eventsSyntax, Query: events{o}},
		Command{Syntax: silenceSyntax, Deed: silence{o}},
		Command{Syntax: unsilenceSyntax, Deed: unsilence{o}},
		Command{Syntax: silencesSyntax, Query: silences{o}},
		Command{Syntax: notifySyntax, Deed: notify{o}},
		Command{Syntax: undeliveredSyntax, Query: undelivered{o}},
		Command{Syntax: resendSyntax, Deed: resend{o}},
	)
	commands = append(commands, Command{Syntax: pluginsSyntax, Query: plugins{o}}, Command{Syntax: helpSyntax, Query: h})
	for _, c := range commands {
		h.commands = append(h.commands, c.Syntax)
	}
	return commands
}

// Own returns what ferry alone asks itself for. None of it can be written.
func Own(o Options) []Command {
	return []Command{{Syntax: chat.Syntax{Verb: soakVerb}, Work: soak{changer{o.withDefaults()}}}}
}

func (o Options) withDefaults() Options {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Rollout <= 0 {
		o.Rollout = 10 * time.Minute
	}
	if o.Merge <= 0 {
		o.Merge = 24 * time.Hour
	}
	if o.Approve <= 0 {
		o.Approve = 24 * time.Hour
	}
	if o.Answer <= 0 {
		o.Answer = time.Hour
	}
	if o.Grace <= 0 {
		o.Grace = 15 * time.Second
	}
	return o
}

// Syntaxes returns how every command is written, where these executors are.
func Syntaxes(executors ...string) []chat.Syntax {
	var out []chat.Syntax
	for _, c := range List(Options{Executor: named(executors)}) {
		out = append(out, c.Syntax)
	}
	return out
}
