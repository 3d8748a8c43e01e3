package jobs

import (
	"context"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"ferry/internal/chat"
	"ferry/internal/fault"
)

type zoo []Plugin

func (z zoo) Plugins() []Plugin { return z }

func TestPluginsSay(t *testing.T) {
	b := newBench(t, fleet())
	b.options.Now = func() time.Time { return noon }
	soon := noon.Add(8 * time.Second)
	for _, c := range []struct {
		plugins zoo
		title   string
		row     []string // of the first
		lines   []string
	}{
		{nil, "No plugins are configured", nil, []string{"Whoever runs ferry can add some: `plugins` in its configuration."}},
		{
			zoo{{Name: "kubectl", Kind: "executor", Version: "v1", Running: true, Since: noon.Add(-time.Hour), Calls: 3, Memory: 30 << 20}},
			"The only plugin runs",
			[]string{"kubectl", "executor", "v1", "runs 60 min, 3 calls", "30 MiB", "0"},
			nil,
		},
		{
			zoo{{Name: "events", Kind: "source", Running: true, Since: noon.Add(-time.Hour), Events: 30, Restarts: 2, Err: "it ended: exit status 2, panic: boom"}, {Name: "x", Running: true}},
			"All 2 plugins run",
			[]string{"events", "source", "–", "runs 60 min, 30 events", "–", "2"},
			[]string{"`events` runs again; before, it ended: exit status 2, panic: boom."},
		},
		{
			zoo{
				{Name: "events", Kind: "source", Running: true, Why: "stream ended: no route", Err: "no route", Until: soon},
				{Name: "a", Why: "it ended", Until: soon, Err: "it ended"},
				{Name: "b", Refused: true, Why: "its checksum is 1…, not 2…", Until: noon.Add(5 * time.Minute)},
				{Name: "c", Starting: true},
				{Name: "d", Starting: true, Err: "it ended"},
				{Name: "e", Why: "nothing takes its events"},
			},
			"1 of 6 plugins run",
			[]string{"events", "source", "–", "stream pauses", "–", "0"},
			[]string{
				"`events`: stream ended: no route; it is opened again in 8.0 s.", "`a` does not run: it ended. It is started again in 8.0 s.",
				"`b` is refused: its checksum is 1…, not 2…. It is tried again in 5 min.", "`d` starts again; before, it ended.", "`e` is off: nothing takes its events.",
			},
		},
	} {
		b.options.Plugins = c.plugins
		m, err := b.command("plugins").Query.Answer(t.Context(), chat.Command{Verb: "plugins"})
		if err != nil || m.Title != c.title || !slices.Equal(m.Lines, c.lines) {
			t.Errorf("%v: %q, lines\n%s", err, m.Title, strings.Join(m.Lines, "\n"))
		}
		if c.row != nil && !slices.Equal(m.Table.Rows[0], c.row) {
			t.Errorf("row = %q, want %q", m.Table.Rows[0], c.row)
		}
	}
}

// tool is an executor that is there.
type tool struct{}

func (tool) Names() []string    { return []string{"tool"} }
func (tool) Help(string) string { return "tool does it" }

func (tool) Execute(_ context.Context, name, line string, _ chat.Command, _ func(string) (io.WriteCloser, error)) (chat.Message, error) {
	return chat.Message{Title: name + ":" + line}, nil
}

// TestExecutors: each has a verb, which needs a role; one that is not there is
// answered with why.
func TestExecutors(t *testing.T) {
	b := newBench(t, fleet())
	b.options.Executor = tool{}
	m, err := b.command("tool").Query.Answer(t.Context(), chat.Command{Verb: "tool", Args: chat.Args{Line: "x y"}})
	if err != nil || m.Title != "tool:x y" || !b.command("tool").Syntax.Changes {
		t.Errorf("%+v, %v", m, err)
	}
	if m, err := b.command("help").Query.Answer(t.Context(), chat.Command{Args: chat.Args{Topic: "tool"}}); err != nil || m.Code.Text != "tool does it" {
		t.Errorf("help: %+v, %v", m, err)
	}
	if _, err := b.command("kubectl").Query.Answer(t.Context(), chat.Command{Verb: "kubectl"}); !fault.Is(err, fault.NotFound) || !b.command("kubectl").Syntax.Unlisted {
		t.Errorf("kubectl: %v", err)
	}
	i := slices.IndexFunc(Syntaxes("kubectl", "tool"), func(s chat.Syntax) bool { return s.Verb == "kubectl" })
	if s := Syntaxes("kubectl", "tool"); s[i].Unlisted || s[i+1].Verb != "tool" {
		t.Errorf("syntaxes = %+v", s[i:])
	}
}
