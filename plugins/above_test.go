package plugins_test

import (
	"context"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ferry/internal/chat"
	"ferry/plugins"
	"ferry/plugins/api"
)

// paper is an output with what stands above it.
type paper struct {
	strings.Builder

	title  string
	failed bool
}

func (p *paper) Title(outcome string) { p.title = outcome }
func (p *paper) Fail()                { p.failed = true }
func (*paper) Close() error           { return nil }

// TestALineIsToldOnce: how a line ended stands above its output if that is recent, and
// otherwise is told below, never both.
func TestALineIsToldOnce(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		prints       string
		takes        time.Duration
		how          api.Result
		above, below string
	}{
		"soon":          {prints: "x", how: api.Result{Title: "do get on prod"}, above: "do get on prod"},
		"it says not":   {prints: "x", takes: 9 * time.Second, above: "`do it` is done"},
		"it failed":     {prints: "x", how: api.Result{Title: "do get failed on prod", Failed: true}, above: "do get failed on prod"},
		"later":         {prints: "x", takes: 10 * time.Second, how: api.Result{Title: "do get on prod"}, below: "do get on prod"},
		"without words": {how: api.Result{Title: "do get on prod"}, below: "do get on prod"},
		"a question":    {prints: "x", how: api.Result{Confirm: "Really?"}, below: "Really?"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				out := &paper{}
				e := plugins.Executors{
					Runner: &runs{during: func(_ context.Context, out io.Writer) (api.Result, error) {
						time.Sleep(c.takes)
						_, err := io.WriteString(out, c.prints)
						return c.how, err
					}},
					Who: func(context.Context, chat.UserID) (api.User, error) { return api.User{}, nil },
				}
				m, err := e.Execute(t.Context(), "do", "it", chat.Command{Key: "k"}, func(string) (io.WriteCloser, error) { return out, nil })
				if m.Title != c.below || out.title != c.above || out.failed != c.how.Failed || err != nil {
					t.Errorf("above %q, failed %v; below %q, %v; want %q and %q", out.title, out.failed, m.Title, err, c.above, c.below)
				}
			})
		})
	}
}

// TestWhatStandsAboveAnOutputIsTheAnswer also if ferry died right after it was put there.
// That of an earlier press of the same button is not.
func TestWhatStandsAboveAnOutputIsTheAnswer(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ stands, press, want string }{
		"it ended":                {stands: "It took a while", want: ""},
		"it did not":              {stands: "", want: unknown},
		"it broke":                {stands: "do rm -rf <x>", want: unknown},
		"an earlier press had it": {stands: "It took a while", press: "p", want: unknown},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.stands = c.stands
			w.during = func(context.Context, io.Writer) (api.Result, error) { panic(errKilled) }
			cmd := chat.Command{Key: "T1/C1/1", User: "U1", Press: c.press}
			for i, want := range []string{"", c.want, c.want} {
				if got := words(w.told(t.Context(), cmd, "rm -rf <x>")); got != want {
					t.Errorf("told for the %d. time: %q, want %q", i+1, got, want)
				}
			}
			if w.n != 1 {
				t.Errorf("it ran %d times", w.n)
			}
		})
	}
}
