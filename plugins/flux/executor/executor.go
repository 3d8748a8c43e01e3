// Package executor answers flux lines for ferry: it reads them, asks before it stops
// or starts Flux, works on all clusters at once and tells what becomes of it.
//
//	line → line.Parse → line.Decide → confirmed? → work per cluster → wall → cluster
//
// A cluster that does not answer, or says no, holds up and hides none of the others.
package executor

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"ferry/plugins/api"
	"ferry/plugins/flux/line"
	"ferry/plugins/flux/work"
	"ferry/plugins/kubectl/asked"
	"ferry/plugins/kubectl/guard"
	"ferry/plugins/kubectl/rules"
	"ferry/plugins/kubectl/turns"
)

//go:embed schema.json
var schema []byte

// Executor is the flux executor.
type Executor struct {
	version string
	asked   *asked.Questions
	turns   turns.Turns // of the clusters that are read for all lines
}

// New returns an executor.
func New(version string) *Executor {
	return &Executor{version: version, asked: asked.New()}
}

// tooLate answers who presses a button that stands for nothing any more.
const tooLate = "nothing was done: it was asked too long ago, or would do something else now\nSay the line again, and press the button below the answer"

// Info says what it is.
func (e *Executor) Info() api.Info {
	return api.Info{
		Name: "flux", Version: e.version, Schema: schema,
		Description: "Flux from chat: reconcile, suspend, resume, tree and get, as the rules allow and as whom they say",
		Help:        help,
	}
}

const help = "`flux get kustomizations on prod`, on several clusters `on prod,stage`, on all `on *`.\n" +
	"It reads: get kustomizations, helmreleases, sources, images or all (-A, -n, -l, --status-selector ready=false); tree kustomization NAME (--compact).\n" +
	"Where a rule names them: reconcile (--with-source), suspend and resume of a kustomization, helmrelease, source git, oci, helm, chart or bucket, image repository or update.\n" +
	"reconcile and resume wait for Flux (--timeout)."

// Check implements api.Checker: what no line can have is no rule's to allow.
func (e *Executor) Check(_ context.Context, r api.CheckRequest) error {
	cfg, err := line.ReadConfig(r.Config)
	if err != nil {
		return err
	}
	return cfg.Verbs([]string{line.Get, line.Tree}, []string{line.Reconcile, line.Suspend, line.Resume})
}

// Execute runs a line.
func (e *Executor) Execute(ctx context.Context, r api.ExecuteRequest, out io.Writer) (api.Result, error) {
	if word := strings.TrimSpace(r.Line); word == "" || word == "help" {
		_, err := io.WriteString(out, help+"\n")
		return api.Result{Title: "What flux can do here"}, err
	}
	cfg, err := line.ReadConfig(r.Config)
	if err != nil {
		return api.Result{}, err
	}
	command, err := line.Parse(r.Line)
	if err != nil {
		return api.Result{}, api.Refuse(err)
	}
	ways, names := map[string][]byte{}, []string{}
	for _, c := range r.Clusters {
		ways[c.Name] = c.Kubeconfig
		names = append(names, c.Name)
	}
	who := rules.Person{ID: r.User.ID, Groups: r.User.Groups, Roles: r.User.Roles}
	d, err := line.Decide(command, cfg, who, names)
	if err != nil {
		return api.Result{}, api.Refuse(err)
	}
	if d.Confirm != "" && !r.Confirmed {
		e.asked.Ask("", d.Meaning())
		return api.Result{Confirm: d.Confirm}, nil
	}
	if d.Confirm != "" && !e.asked.Take("", d.Meaning()) {
		return api.Result{}, api.Refuse(errors.New(tooLate))
	}
	return e.run(ctx, d, ways, cfg.Limits, out)
}

// run works on every cluster and tells what becomes of it.
func (e *Executor) run(ctx context.Context, d line.Decision, ways map[string][]byte, limits rules.Limits, out io.Writer) (api.Result, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	board := newBoard(out, len(d.Runs)+len(d.Left) > 1, limits.Output, cancel)
	ends := make([]end, len(d.Runs))
	parts := make([]*part, len(d.Runs))
	var running sync.WaitGroup
	for i, run := range d.Runs {
		parts[i] = board.part(run.Cluster)
		running.Go(func() {
			task := work.Task{Command: d.Command, Run: run, Kubeconfig: ways[run.Cluster], Say: parts[i].say, Now: time.Now}
			ends[i] = e.do(ctx, &task, limits)
			if d.Command.Changes && ends[i].err != nil && ctx.Err() == nil {
				parts[i].last(ends[i].err.Error())
			}
			parts[i].end(ends[i])
		})
	}
	if !d.Command.Changes {
		board.tell(ctx, parts, patience)
	}
	running.Wait()
	if err := board.failed(); err != nil {
		return api.Result{}, err
	}
	if err := ctx.Err(); err != nil {
		return api.Result{}, err
	}
	if len(d.Left) > 0 {
		if _, err := fmt.Fprintf(out, "not asked, for no rule lets you: %s\n", strings.Join(d.Left, ", ")); err != nil {
			return api.Result{}, err
		}
	}
	return result(d, ends), nil
}

// end is how one cluster ended.
type end struct {
	text    string // of what reads
	count   work.Count
	outcome string // of what changes, in one sentence
	err     error
}

// do does a task: what waits for Flux has a time of its own and costs next to
// nothing meanwhile; everything else has limits.Time.
func (e *Executor) do(ctx context.Context, t *work.Task, limits rules.Limits) (done end) {
	switch t.Command.Verb {
	case line.Reconcile:
		done.outcome, done.err = t.Reconcile(ctx)
		return done
	case line.Resume:
		done.outcome, done.err = t.Resume(ctx)
		return done
	}
	ctx, stop := context.WithTimeout(ctx, time.Duration(limits.Time))
	defer stop()
	if t.Command.Verb == line.Suspend {
		done.outcome, done.err = t.Suspend(ctx)
		return done
	}
	return e.read(ctx, t, limits.Parallel)
}

// read reads when fewer than so many are read for all lines together: a cluster's
// objects lie in memory meanwhile.
func (e *Executor) read(ctx context.Context, t *work.Task, parallel int) (done end) {
	back, err := e.turns.Take(ctx, parallel)
	if err != nil {
		return end{err: err}
	}
	defer back()
	if t.Command.Verb == line.Tree {
		done.text, done.count, done.err = t.Tree(ctx)
	} else {
		done.text, done.count, done.err = t.Get(ctx)
	}
	return done
}

// result says in one line how it ended.
func result(d line.Decision, ends []end) api.Result {
	verb := "flux " + d.Command.Verb
	r := api.Result{File: file(d)}
	var good, bad []string
	var n work.Count
	for i, run := range d.Runs {
		if ends[i].err != nil {
			bad = append(bad, run.Cluster)
			continue
		}
		good = append(good, run.Cluster)
		n.All, n.NotReady, n.Suspended = n.All+ends[i].count.All, n.NotReady+ends[i].count.NotReady, n.Suspended+ends[i].count.Suspended
	}
	r.Failed = len(bad) > 0
	switch {
	case len(good) == 0:
		r.Title = verb + " failed on " + guard.And(bad)
	case len(bad) > 0:
		r.Title = fmt.Sprintf("%s failed on %s, and went well on %s", verb, guard.And(bad), guard.And(good))
	case !d.Command.Changes:
		r.Title = fmt.Sprintf("%s on %s: %s", verb, guard.And(good), inWords(n, d.Command.Selects()))
	case len(good) == 1 && len(d.Command.Names) == 1:
		r.Title = good[0] + ": " + ends[0].outcome
	default:
		r.Title = verb + " went well on " + guard.And(good)
	}
	return r
}

// inWords says what a table or tree shows.
func inWords(n work.Count, selected bool) string {
	out := fmt.Sprintf("all %d ready", n.All-n.Suspended)
	switch {
	case n.All == 0 && selected:
		return "nothing like that"
	case n.All == 0:
		return "nothing there"
	case n.NotReady > 0:
		out = fmt.Sprintf("%d of %d not ready", n.NotReady, n.All-n.Suspended)
	case n.All == n.Suspended:
		return fmt.Sprintf("all %d suspended", n.Suspended)
	}
	if n.Suspended > 0 {
		out += fmt.Sprintf(", %d suspended", n.Suspended)
	}
	return out
}
