// Command chaos breaks ferry on purpose and counts what people would notice. It
// starts the real binary, built with the tag chaos, beside the playground's
// Slack, GitHub and clusters, has people ask for things (script.go), and
//
//   - mode kill: ends it with SIGKILL before and after each durable step and each
//     outside call, and at random moments, and starts it again;
//   - mode worst: lets GitHub and Slack fail in every way that their fakes know,
//     lets reads lag, has somebody push before ferry does, ends Slack's sockets, and
//     watches what people see meanwhile (witness.go).
//
// Meanwhile alarms are posted to ferry's webhook source (alarms.go): of each that was answered
// with 2xx people have to be told, in one message, how it is in the end (told.go).
//
// Some things that are asked for have no job: silences, switches, notifications that are sent
// again, lines of an executor (deeds.go). Their answers, the store and what the executor began must agree.
//
// What may be asked for is a table (kinds.go). Some of it is about an earlier command:
// cancel, retry, approve, a button (chain.go). Each event is delivered one to four times, and who
// presses a button of which Slack heard nothing presses it again. After every episode ferry is stopped,
// and Slack, Git, the clusters and the state file must agree (verdict.go): for each
// command one commit with its trailers, one status message, one closing reply, one
// record of each target, what was asked for runs, no job is lost or stuck. What is found
// comes with the kills of its episode and the command that repeats it.
//
// Where to kill is not listed here. Every request and every transaction names
// itself (package point), and docs/effects.md says in its column "point" which names
// there are: one that the table does not know ends the run, and so does a row
// of which no point was met. A new effect is tested without being thought of.
//
//	chaos -ferry FILE -plugins FOLDER -effects FILE [-mode kill|worst] [-runs N] [-seed N] [-worlds N]
//
// A run is one command and, in mode kill, one kill. The seed decides what is asked,
// how often it is delivered, where ferry is killed and what fails; the machine
// decides in which order things happen meanwhile.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"ferry/playground/chaos/point"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(1)
	}
}

// options are what the command line says.
type options struct {
	ferry, plugins, effects, mode, dir string
	runs, worlds                       int
	seed                               uint64
	out                                io.Writer
}

// The modes.
const (
	modeKill  = "kill"
	modeWorst = "worst"
)

// From how many runs on ferry must have been killed at every row of the table, and
// from how many before and after every point.
const (
	enough = 200
	plenty = 1000
)

func run(ctx context.Context, args []string, out io.Writer) error {
	o := options{out: out}
	flags := flag.NewFlagSet("chaos", flag.ContinueOnError)
	flags.StringVar(&o.ferry, "ferry", "bin/ferry-chaos", "the ferry `binary`, built with -tags chaos")
	flags.StringVar(&o.plugins, "plugins", "bin/chaos-plugins", "the `folder` with the webhook source, the executor and their index")
	flags.StringVar(&o.effects, "effects", "docs/effects.md", "the `file` with the table of effects")
	flags.StringVar(&o.mode, "mode", modeKill, "kill or worst")
	flags.StringVar(&o.dir, "dir", "", "`directory` for all that is made; kept. Empty makes one and removes it, unless something was found")
	flags.IntVar(&o.runs, "runs", 200, "how many `commands`, and kills")
	flags.IntVar(&o.worlds, "worlds", 2, "how many worlds at once")
	flags.Uint64Var(&o.seed, "seed", 1, "what is drawn follows from it")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if o.mode != modeKill && o.mode != modeWorst {
		return fmt.Errorf("unknown mode %q: kill or worst", o.mode)
	}
	table, err := point.Read(o.effects)
	if err != nil {
		return err
	}
	own := o.dir == ""
	if own {
		if o.dir, err = os.MkdirTemp("", "chaos-"); err != nil {
			return fmt.Errorf("make a directory: %w", err)
		}
	}
	err = o.all(ctx, table)
	switch {
	case err == nil && own:
		return os.RemoveAll(o.dir)
	case err == nil:
		return nil
	}
	return fmt.Errorf("%w\nseed %d; what is left of it is in %s", err, o.seed, o.dir)
}

// all runs the worlds and tells what was found.
func (o options) all(ctx context.Context, t *point.Table) error {
	began := time.Now()
	found := newAccount(t)
	group, ctx := errgroup.WithContext(ctx)
	for n := range o.worlds {
		share := o.runs / o.worlds
		if n < o.runs%o.worlds {
			share++
		}
		group.Go(func() error { return o.world(ctx, n, share, found) })
	}
	err := group.Wait()
	found.report(o.out, o.mode, time.Since(began))
	if err == nil && o.mode == modeKill && o.runs >= enough {
		err = found.kills.Complete(o.runs >= plenty)
	}
	return errors.Join(err, found.flawless(), found.kills.Unknown())
}

// world runs its share of the commands in one world, episode by episode.
func (o options) world(ctx context.Context, n, runs int, found *account) (err error) {
	w, err := newWorld(o, n, found)
	if err != nil {
		return err
	}
	ctx, end := context.WithCancel(ctx)
	defer end()
	defer func() { err = errors.Join(err, w.ferry.End(syscall.SIGKILL)) }()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return w.serve(ctx) })
	group.Go(func() error {
		defer end()
		for _, c := range w.clusters {
			if err := c.Settled(ctx); err != nil {
				return err
			}
		}
		for left, number := runs, 0; left > 0; number++ {
			done, err := w.episode(ctx, number, min(left, w.size.episode))
			if err != nil {
				return w.found(err, number, runs-left+w.size.episode)
			}
			left -= done
		}
		return nil
	})
	return group.Wait()
}

// found tells what an episode found and how to come there again.
func (w *world) found(err error, number, runs int) error {
	again := fmt.Sprintf("make chaos MODE=%s SEED=%d RUNS=%d", w.mode, w.seed, min(w.options.runs, runs*w.worlds))
	return fmt.Errorf("world %d, episode %d: %w\nkilled: %s\nagain: %s", w.number, number, err, struck(w.kills), again)
}
