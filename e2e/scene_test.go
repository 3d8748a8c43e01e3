package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"ferry/playground/github"
)

const (
	// patience is how long a script waits for what should come soon.
	patience = 30 * time.Second
	// pollEvery is short because everything that is polled is on this machine.
	pollEvery = 20 * time.Millisecond
)

// scene is what one script sees: the shared world, a Slack of its own, and its own ferry with its own state.
type scene struct {
	*world
	t        *testing.T
	dir      string
	clusters []string // that ferry is told of
	bot      *bot
	room     *room
	outsider *outsider
	updater  *updater   // nil while there is none
	mark     github.OID // what ferry commits is counted from here
	atEnd    []func()
}

var errUsage = errors.New("no such use of the command; the comments in e2e tell what there is")

// newScene prepares what a script needs before its first line.
func newScene(t *testing.T, w *world, binary, dir string) (*scene, error) {
	s := &scene{world: w, t: t, dir: dir, clusters: []string{"prod", "stage"}, outsider: &outsider{repo: w.repo}}
	var err error
	if s.room, err = newRoom(s.defers); err != nil {
		return nil, err
	}
	if s.bot, err = newBot(binary, dir); err != nil {
		return nil, err
	}
	return s, s.gitMark()
}

// defers arranges for f to be called when the script has ended, the latest first.
func (s *scene) defers(f func()) { s.atEnd = append(s.atEnd, f) }

// end stops what the script left running and gives the world back as it was.
func (s *scene) end() {
	if s.t.Failed() {
		s.t.Logf("%s", s.room.transcript())
		s.t.Logf("ferry's log ends:\n%s", s.bot.tail(60))
	}
	if err := s.bot.kill(); err != nil {
		s.t.Error(err)
	}
	if err := s.bot.keepLog(s.t.Name()); err != nil {
		s.t.Error(err)
	}
	if err := errors.Join(s.updater.end(), s.outsider.end()); err != nil {
		s.t.Error(err)
	}
	s.meddle.disarm()
	for i := len(s.atEnd) - 1; i >= 0; i-- {
		s.atEnd[i]()
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	if err := s.restore(ctx); err != nil {
		s.t.Errorf("restore: %v", err)
	}
}

// commands are what a script may say beside testscript's own commands.
func commands() map[string]func(*testscript.TestScript, bool, []string) {
	plain := func(run func(*scene, []string) error) func(*testscript.TestScript, bool, []string) {
		return func(ts *testscript.TestScript, neg bool, args []string) {
			if neg {
				ts.Fatalf("! has no meaning here")
			}
			ts.Check(run(sceneOf(ts), args))
		}
	}
	either := func(run func(*scene, bool, []string) error) func(*testscript.TestScript, bool, []string) {
		return func(ts *testscript.TestScript, neg bool, args []string) { ts.Check(run(sceneOf(ts), neg, args)) }
	}
	return map[string]func(*testscript.TestScript, bool, []string){
		"ferry":    plain((*scene).ferryCmd),
		"slack":    either((*scene).slackCmd),
		"github":   plain((*scene).githubCmd),
		"pull":     plain((*scene).pullCmd),
		"git":      either((*scene).gitCmd),
		"outsider": plain((*scene).outsiderCmd),
		"cluster":  either((*scene).clusterCmd),
		"updater":  plain((*scene).updaterCmd),
	}
}

type sceneKey struct{}

func sceneOf(ts *testscript.TestScript) *scene { return ts.Value(sceneKey{}).(*scene) }

// until calls holds again and again until it returns nil; what it returned last is the error when time is up.
func (s *scene) until(most time.Duration, holds func() error) error {
	ctx, cancel := context.WithTimeout(s.t.Context(), most)
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		err := holds()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waited %s: %w", most, err)
		case <-tick.C:
		}
	}
}

// negated turns a finding around: with neg, that something holds is the error.
func negated(neg bool, err error) error {
	switch {
	case !neg:
		return err
	case err == nil:
		return errors.New("it does, and it should not")
	default:
		return nil
	}
}

// number is the first argument, if there is one.
func number(args []string, otherwise int) (int, error) {
	if len(args) == 0 {
		return otherwise, nil
	}
	return strconv.Atoi(args[0])
}

// takeFlag removes a leading "-name value" from args and returns the value.
func takeFlag(args []string, name string) (value string, rest []string) {
	for i := 0; i+1 < len(args) && len(args[i]) > 1 && args[i][0] == '-'; i += 2 {
		if args[i] == "-"+name {
			return args[i+1], append(append([]string(nil), args[:i]...), args[i+2:]...)
		}
	}
	return "", args
}

// takeTimeout is takeFlag for -timeout.
func takeTimeout(args []string) (time.Duration, []string, error) {
	text, rest := takeFlag(args, "timeout")
	if text == "" {
		return patience, rest, nil
	}
	most, err := time.ParseDuration(text)
	return most, rest, err
}

// result counts scenarios; the run ends by saying it.
type result struct{ passed, failed int }

func (r *result) String() string { return fmt.Sprintf("%d passed, %d failed", r.passed, r.failed) }

// oneByOne lets testscript run its scripts in turn, because they share clusters, and counts them.
type oneByOne struct {
	*testing.T
	result *result
}

// Parallel implements testscript.T and does not.
func (oneByOne) Parallel() {}

// Verbose implements testscript.T.
func (oneByOne) Verbose() bool { return testing.Verbose() }

// Run implements testscript.T.
func (t oneByOne) Run(name string, f func(testscript.T)) {
	t.T.Run(name, func(t1 *testing.T) {
		defer func() {
			if t1.Failed() {
				t.result.failed++
			} else {
				t.result.passed++
			}
		}()
		f(oneByOne{t1, t.result})
	})
}

// TestScenarios runs the conversations in testdata/scenarios against real clusters.
func TestScenarios(t *testing.T) {
	if testing.Short() {
		t.Skip("real clusters take more than -short allows")
	}
	binary := buildFerry(t)
	w := newWorld(t, "prod", "stage")
	tally := &result{}
	t.Cleanup(func() { ran = tally })
	deadline, _ := t.Deadline()
	testscript.RunT(oneByOne{t, tally}, testscript.Params{
		Dir:      filepath.Join("testdata", "scenarios"),
		Cmds:     commands(),
		Deadline: deadline,
		Setup: func(env *testscript.Env) error {
			own := env.T().(oneByOne).T
			s, err := newScene(own, w, binary, env.WorkDir)
			if err != nil {
				return err
			}
			env.Defer(s.end)
			env.Values[sceneKey{}] = s
			env.Setenv("PATH", filepath.Dir(binary)+string(os.PathListSeparator)+env.Getenv("PATH"))
			return s.environment(env)
		},
	})
}

// ran is what TestScenarios counted, for TestMain to say after everything else: the one thing the two have in common.
var ran *result

// TestMain ends a run of the scenarios with how many passed and failed, alone on a line.
func TestMain(m *testing.M) {
	code := m.Run()
	if ran != nil {
		fmt.Println(ran)
	}
	os.Exit(code)
}
