package plugins_test

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ferry/internal/chat"
	"ferry/internal/fault"
	"ferry/plugins"
	"ferry/plugins/api"
	"ferry/storage"
	"ferry/storage/bolt"
)

// runs is a Runner that counts; while it runs, during is called.
type runs struct {
	n, confirmed int
	during       func(ctx context.Context, out io.Writer) (api.Result, error)
}

func (*runs) Names(string) []string                { return []string{"do"} }
func (*runs) Info(string, string) (api.Info, bool) { return api.Info{}, false }
func (r *runs) Execute(ctx context.Context, _ string, q api.ExecuteRequest, out io.Writer) (api.Result, error) {
	r.n++
	if q.Confirmed {
		r.confirmed++
	}
	return r.during(ctx, out)
}

// killed is what happens to a process that is no more: nothing of it goes on.
var errKilled = errors.New("killed")

// world is what survives a ferry, and a ferry in it.
type world struct {
	*runs
	plugins.Executors
	abandoned []string
	stands    string // the title of an output that had ended
}

func newWorld(t *testing.T) *world {
	t.Helper()
	db, err := bolt.Open(filepath.Join(t.TempDir(), "state"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r, err := storage.Check(context.Background(), db)
		if err != nil || len(r.Problems) > 0 {
			t.Errorf("the store is damaged: %v, %v", r.Problems, err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	w := &world{runs: &runs{during: func(context.Context, io.Writer) (api.Result, error) { return api.Result{Title: "Done it"}, nil }}}
	w.Executors = plugins.Executors{
		Runner: w.runs, Lines: storage.NewLines(db, time.Now),
		Who: func(context.Context, chat.UserID) (api.User, error) { return api.User{}, nil },
		Abandon: func(_ context.Context, cmd chat.Command) (string, error) {
			w.abandoned = append(w.abandoned, cmd.Key)
			return w.stands, nil
		},
	}
	return w
}

// told has ferry told a command; a process that is killed in it is nil, nil.
func (w *world) told(ctx context.Context, cmd chat.Command, line string) (m chat.Message, err error) {
	defer func() {
		if p := recover(); p != nil && p != errKilled { //nolint:errorlint // it is thrown as it is
			panic(p)
		}
	}()
	return w.Executors.Execute(ctx, "do", line, cmd, nil)
}

// TestALineRunsOnce is told each command twice, with what can become of the first.
func TestALineRunsOnce(t *testing.T) {
	t.Parallel()
	stopping, stop := context.WithCancel(t.Context())
	for name, c := range map[string]struct {
		ctx         context.Context
		during      func(ctx context.Context, out io.Writer) (api.Result, error)
		runs        int
		first, then string // the answers
	}{
		"it ends": {runs: 1, first: "Done it", then: "Done it"},
		"it fails by itself": {runs: 1, first: "Broken", then: "Broken", during: func(context.Context, io.Writer) (api.Result, error) {
			return api.Result{Failed: true, Title: "Broken"}, nil
		}},
		"it breaks in the middle":    {runs: 1, first: "failed: in the middle", then: "failed: in the middle", during: fails(fault.New(fault.Failed, "in the middle", "h").Because(io.EOF))},
		"something else goes wrong":  {runs: 1, first: "internal: strange", then: "internal: strange", during: fails(errors.New("strange"))},
		"it was not begun":           {runs: 3, first: "unavailable: not yet", then: "unavailable: not yet", during: fails(fault.New(fault.Unavailable, "not yet", ""))},
		"ferry is killed meanwhile":  {runs: 1, then: unknown, during: func(context.Context, io.Writer) (api.Result, error) { panic(errKilled) }},
		"ferry is stopped meanwhile": {runs: 1, ctx: stopping, first: "internal: context canceled", then: unknown, during: func(ctx context.Context, _ io.Writer) (api.Result, error) { stop(); return api.Result{}, ctx.Err() }},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if c.during != nil {
				w.during = c.during
			}
			if c.ctx == nil {
				c.ctx = t.Context()
			}
			cmd := chat.Command{Key: "T1/C1/1", User: "U1"}
			for i, want := range []string{c.first, c.then, c.then} {
				ctx := t.Context()
				if i == 0 {
					ctx = c.ctx
				}
				if got := words(w.told(ctx, cmd, "rm -rf <x>")); got != want {
					t.Errorf("told for the %d. time: %q, want %q", i+1, got, want)
				}
			}
			if w.n != c.runs {
				t.Errorf("it ran %d times, want %d", w.n, c.runs)
			}
			if abandoned := len(w.abandoned); (c.then == unknown) != (abandoned == 1) {
				t.Errorf("its output was abandoned %d times", abandoned)
			}
		})
	}
}

// TestALineWaitsForItsExecutor: until it runs nothing of a line is begun, so that it is
// run when it is told again; an answer stands.
func TestALineWaitsForItsExecutor(t *testing.T) {
	t.Parallel()
	stopping, stop := context.WithCancel(t.Context())
	for name, c := range map[string]struct {
		ctx         context.Context
		ready       func(ctx context.Context) error
		runs        int
		first, then string
	}{
		"it runs":                        {runs: 1, first: "Done it", then: "Done it", ready: func(context.Context) error { return nil }},
		"ferry is killed meanwhile":      {runs: 1, then: "Done it", ready: func(context.Context) error { panic(errKilled) }},
		"ferry is stopped meanwhile":     {runs: 1, ctx: stopping, first: "internal: context canceled", then: "Done it", ready: func(ctx context.Context) error { stop(); return ctx.Err() }},
		"it comes in a moment":           {runs: 1, first: "unavailable: not yet", then: "Done it", ready: func(context.Context) error { return fault.New(fault.Unavailable, "not yet", "") }},
		"it does not run, nor will soon": {runs: 0, first: "failed: it was refused", then: "failed: it was refused", ready: func(context.Context) error { return fault.New(fault.Failed, "it was refused", "") }},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			waited := 0
			w.Ready = func(ctx context.Context, name string) error {
				if waited++; waited > 1 {
					return nil // by now it runs
				}
				if name != "real" {
					t.Errorf("%s is waited for, which is only an alias", name)
				}
				return c.ready(ctx)
			}
			w.Aliases = map[string]string{"do": "real thing"}
			if c.ctx == nil {
				c.ctx = t.Context()
			}
			cmd := chat.Command{Key: "T1/C1/1", User: "U1"}
			for i, want := range []string{c.first, c.then, c.then} {
				ctx := t.Context()
				if i == 0 {
					ctx = c.ctx
				}
				if got := words(w.told(ctx, cmd, "it")); got != want {
					t.Errorf("told for the %d. time: %q, want %q", i+1, got, want)
				}
			}
			if w.n != c.runs || len(w.abandoned) > 0 {
				t.Errorf("it ran %d times, want %d; its output was abandoned %d times", w.n, c.runs, len(w.abandoned))
			}
		})
	}
}

const unknown = "ferry ended while `do rm -rf <x>` ran, and nobody knows how far it came"

func fails(err error) func(context.Context, io.Writer) (api.Result, error) {
	return func(context.Context, io.Writer) (api.Result, error) { return api.Result{}, err }
}

func words(m chat.Message, err error) string {
	if err != nil {
		return string(fault.KindOf(err)) + ": " + strings.TrimSuffix(err.Error(), ": EOF")
	}
	return m.Title
}

// TestAButtonRunsItAgain: what is not known is run again by somebody's word alone, with
// the confirmation that it had; and a press that failed does not stand for the next.
func TestAButtonRunsItAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.during = func(context.Context, io.Writer) (api.Result, error) { return api.Result{Confirm: "Really?"}, nil }
	question, err := w.told(t.Context(), chat.Command{Key: "T1/C1/1"}, "rm a&b <x>")
	if err != nil || len(question.Buttons) != 1 {
		t.Fatalf("%+v, %v", question, err)
	}
	asked := question.Buttons[0].Command
	w.during = func(context.Context, io.Writer) (api.Result, error) { panic(errKilled) }
	cmd := chat.Command{Key: "click/op", Press: "U1/1", User: "U1"}
	typed := strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&")
	_, as, _ := strings.Cut(typed.Replace(asked), " ")
	if m, err := w.told(t.Context(), cmd, as); err != nil || m.Title != "" {
		t.Fatalf("it was not killed: %v, %v", m, err)
	}
	m, err := w.told(t.Context(), cmd, as)
	if err != nil || len(m.Buttons) != 1 || m.Buttons[0].Label != "Run it again" || !m.Buttons[0].Danger || m.Buttons[0].Confirm == "" || m.Buttons[0].Command != asked {
		t.Fatalf("%+v, %v; want the button %q", m, err, asked)
	}
	w.during = fails(fault.New(fault.Failed, "it broke", ""))
	press := chat.Command{Key: "click/op2", Press: "U2/1", User: "U2"}
	if got := words(w.told(t.Context(), press, as)); got != "failed: it broke" {
		t.Errorf("pressed: %s", got)
	}
	w.during = func(context.Context, io.Writer) (api.Result, error) { return api.Result{Title: "Done it"}, nil }
	press.Press = "U2/2"
	if got := words(w.told(t.Context(), press, as)); got != "Done it" {
		t.Errorf("pressed again: %s", got)
	}
	if w.n != 4 || w.confirmed != 3 {
		t.Errorf("it ran %d times, of which %d confirmed", w.n, w.confirmed)
	}
}

// TestAQuestionIsItsFirstLine: what else there is to know before a button is pressed
// stands below it.
func TestAQuestionIsItsFirstLine(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.during = func(context.Context, io.Writer) (api.Result, error) {
		return api.Result{Confirm: "Shall I scale web?\nFlux takes it back."}, nil
	}
	m, err := w.told(t.Context(), chat.Command{Key: "T1/C1/1", User: "U1"}, "scale web")
	if err != nil || m.Title != "Shall I scale web?" || len(m.Lines) != 2 || m.Lines[0] != "Flux takes it back." || len(m.Buttons) != 1 {
		t.Errorf("%+v, %v", m, err)
	}
}

// TestHelpOfAnAlias: who asks what a word does is told what it stands for.
func TestHelpOfAnAlias(t *testing.T) {
	t.Parallel()
	e := plugins.Executors{Runner: &runs{}, Aliases: map[string]string{"kgp": "do get pods"}}
	if got := e.Help("kgp"); got != "`kgp` stands for `do get pods`." {
		t.Errorf("%q", got)
	}
}

// grown is an output that remembers whether it was told to look failed, and if that was
// before it was closed.
type grown struct {
	strings.Builder
	failed, closed bool
}

func (g *grown) Fail() { g.failed = !g.closed }

func (g *grown) Close() error {
	g.closed = true
	return nil
}

// TestOutputOfWhatFailedLooksLikeThat: who sees the output first need not read on to know.
func TestOutputOfWhatFailedLooksLikeThat(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		result api.Result
		err    error
		failed bool
	}{
		"it ends":            {},
		"it fails by itself": {result: api.Result{Failed: true}, failed: true},
		"it breaks":          {err: fault.New(fault.Failed, "in the middle", ""), failed: true},
	} {
		w, g := newWorld(t), &grown{}
		w.during = func(_ context.Context, out io.Writer) (api.Result, error) {
			_, _ = io.WriteString(out, "error: no such thing")
			return c.result, c.err
		}
		_, _ = w.Executors.Execute(t.Context(), "do", "it", chat.Command{Key: "T1/C1/1", User: "U1"}, func(string) (io.WriteCloser, error) { return g, nil })
		if g.failed != c.failed || !g.closed {
			t.Errorf("%s: failed %v, want %v; closed %v", name, g.failed, c.failed, g.closed)
		}
	}
}
