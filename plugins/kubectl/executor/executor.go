// Package executor answers kubectl's lines for ferry: it reads them (guard), asks
// before it changes anything, starts one child per cluster and tells what they
// say, each under its heading, in the clusters' order.
//
//	line → guard.Parse → guard.Decide → confirmed? → child per cluster → wall → cluster
//
// A line passes two walls that know nothing of each other's ways: the guard reads
// words, the wall reads requests. What one of them gets wrong the other does not
// let through, and the cluster's own RBAC, asked as whoever the configuration says,
// is the third.
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
	"ferry/plugins/kubectl/asked"
	"ferry/plugins/kubectl/child"
	"ferry/plugins/kubectl/guard"
	"ferry/plugins/kubectl/rules"
	"ferry/plugins/kubectl/turns"
)

//go:embed schema.json
var schema []byte

// patience is how long one cluster's silence holds up what others have said.
const patience = 3 * time.Second

// Executor is the kubectl executor.
type Executor struct {
	// Self is the program that is a child when it is started with child.Arg.
	Self    string
	version string
	asked   *asked.Questions
	turns   turns.Turns // of the clusters of all lines
}

// New returns an executor whose children are started from the program self.
func New(self, version string) *Executor {
	return &Executor{Self: self, version: version, asked: asked.New()}
}

// tooLate answers who presses a button that stands for nothing any more.
const tooLate = "nothing was done: it was not you who was asked, or too long ago\nSay the line again, and press the button below the answer"

// Info says what it is.
func (e *Executor) Info() api.Info {
	return api.Info{
		Name: "kubectl", Version: e.version, Schema: schema,
		Description: "kubectl from chat: what the rules allow, as whom they say, and no secret's data",
		Help:        help(),
	}
}

func help() string {
	return "`kubectl get pods -n podinfo on prod`, on several clusters `on prod,stage`, on all `on *`.\n" +
		"It reads: " + strings.Join(guard.Names(false), ", ") + ".\n" +
		"Where a rule names them, and after a confirmation: " + strings.Join(guard.Names(true), ", ") + ".\n" +
		"Secrets show their keys and sizes, never their data."
}

// Check implements api.Checker: what no line can have is no rule's to allow.
func (e *Executor) Check(_ context.Context, r api.CheckRequest) error {
	cfg, err := rules.Parse(r.Config)
	if err != nil {
		return err
	}
	return cfg.Verbs(guard.Names(false), guard.Names(true))
}

// Execute runs a line.
func (e *Executor) Execute(ctx context.Context, r api.ExecuteRequest, out io.Writer) (api.Result, error) {
	if word := strings.TrimSpace(r.Line); word == "" || word == "help" {
		_, err := io.WriteString(out, help()+"\n")
		return api.Result{Title: "What kubectl can do here"}, err
	}
	cfg, err := rules.Parse(r.Config)
	if err != nil {
		return api.Result{}, err
	}
	command, err := guard.Parse(r.Line)
	if err != nil {
		return api.Result{}, api.Refuse(err)
	}
	clusters, names := map[string]api.Cluster{}, []string{}
	for _, c := range r.Clusters {
		clusters[c.Name] = c
		names = append(names, c.Name)
	}
	who := rules.Person{ID: r.User.ID, Groups: r.User.Groups, Roles: r.User.Roles}
	d, err := guard.Decide(command, cfg, who, names)
	if err != nil {
		return api.Result{}, api.Refuse(err)
	}
	if d.Confirm != "" && !r.Confirmed {
		e.asked.Ask(r.User.ID, d.Runs)
		return api.Result{Confirm: d.Confirm}, nil
	}
	if d.Confirm != "" && !e.asked.Take(r.User.ID, d.Runs) {
		return api.Result{}, api.Refuse(errors.New(tooLate))
	}
	result, err := e.run(ctx, d, clusters, cfg.Limits, out)
	result.File = file(command, d)
	return result, err
}

// outcome is how one cluster ended.
type outcome struct {
	code int
	err  error
}

// run asks every cluster and tells what they say.
func (e *Executor) run(ctx context.Context, d guard.Decision, clusters map[string]api.Cluster, limits rules.Limits, out io.Writer) (api.Result, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	parts, ends := make([]*part, len(d.Runs)), make([]outcome, len(d.Runs))
	var running sync.WaitGroup
	for i, run := range d.Runs {
		parts[i] = &part{sink: newSink(limits.Output)}
		if len(d.Runs)+len(d.Left) > 1 {
			parts[i].heading = "== " + run.Cluster + " =="
		}
		running.Go(func() {
			job := child.Job{Argv: run.Argv, Kubeconfig: clusters[run.Cluster].Kubeconfig, Grant: run.Grant}
			ends[i] = e.inTurn(ctx, job, limits, parts[i].sink)
			parts[i].end(lastWord(run.Cluster, ends[i].err, time.Duration(limits.Time)))
		})
	}
	err := tell(out, parts, patience)
	if err != nil {
		cancel()
	}
	running.Wait()
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return api.Result{}, err
	}
	if len(d.Left) > 0 {
		if _, err := fmt.Fprintf(out, "not asked, for no rule lets you: %s\n", strings.Join(d.Left, ", ")); err != nil {
			return api.Result{}, err
		}
	}
	return result(d.Runs, ends), nil
}

// inTurn runs a job when fewer than limits.Parallel are run for all lines together: a
// child is a process of 100 MiB.
func (e *Executor) inTurn(ctx context.Context, job child.Job, limits rules.Limits, out io.Writer) outcome {
	back, err := e.turns.Take(ctx, limits.Parallel)
	if err != nil {
		return outcome{err: err}
	}
	defer back()
	limited, stop := context.WithTimeout(ctx, time.Duration(limits.Time))
	defer stop()
	code, err := e.process(limited, job, out)
	return outcome{code, err}
}

// lastWord is what is said below a cluster's output that did not end by itself.
func lastWord(cluster string, err error, limit time.Duration) string {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, errLate):
		return fmt.Sprintf("%s: ended after %s, which is the limit", cluster, limit)
	}
	return cluster + ": " + err.Error()
}

// result says in one line how it ended.
func result(runs []guard.Run, ends []outcome) api.Result {
	verb := strings.Split(runs[0].Argv[0], " ")[0]
	var r api.Result
	var good, bad []string
	for i, run := range runs {
		if ends[i].err == nil && ends[i].code == 0 {
			good = append(good, run.Cluster)
		} else {
			bad = append(bad, run.Cluster)
		}
	}
	r.Failed = len(bad) > 0
	switch {
	case len(bad) == 0 && len(good) == 1:
		r.Title = "kubectl " + verb + " on " + good[0]
	case len(bad) == 0:
		r.Title = fmt.Sprintf("kubectl %s on %d clusters", verb, len(good))
	case len(good) == 0:
		r.Title = "kubectl " + verb + " failed on " + strings.Join(bad, ", ")
	default:
		r.Title = fmt.Sprintf("kubectl %s failed on %s, and went well on %s", verb, strings.Join(bad, ", "), strings.Join(good, ", "))
	}
	return r
}
