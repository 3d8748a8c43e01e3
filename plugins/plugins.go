// Package plugins is where event sources, command executors and notifiers are
// hosted, each in a process of its own: api is the contract and what plugins are
// written with, host runs them, repo gets them.
//
// What stands here leads a command line to an executor and its outcome back into
// the chat. Who may use an executor at all was decided before; what they may do
// with it is the plugin's to decide, by the identifiers, groups and roles that come
// along. A plugin that asks before it acts is answered with a button under the very
// line that was asked for.
package plugins

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"ferry/internal/chat"
	"ferry/internal/fault"
	"ferry/plugins/api"
	"ferry/plugins/botkube"
)

// Runner runs plugins: package host.
type Runner interface {
	Names(kind string) []string
	Info(kind, name string) (api.Info, bool)
	Execute(ctx context.Context, name string, r api.ExecuteRequest, out io.Writer) (api.Result, error)
}

// Executors runs command lines.
type Executors struct {
	Runner Runner
	// Who tells what a plugin may know of somebody.
	Who func(context.Context, chat.UserID) (api.User, error)
	// Aliases are words that stand for the beginning of a line, an executor's name first.
	Aliases map[string]string
	// Put shows a message beside the one that Execute returns; the bot's Replier.
	Put func(ctx context.Context, thread chat.Thread, key string, m chat.Message) error
	// Ready returns when an executor runs, or says why it does not: a line is not begun
	// before. nil: they all do.
	Ready func(ctx context.Context, name string) error
	// Lines remembers what was begun; nil for nothing, so that a line may run twice.
	Lines Lines
	// Abandon says of a command's output that nobody writes it any more, and returns the
	// title of one that had ended; nil for nothing.
	Abandon func(ctx context.Context, cmd chat.Command) (title string, err error)
}

// Names are the executors that there are, and what stands for them.
func (e Executors) Names() []string {
	names := e.Runner.Names(api.KindExecutor)
	return append(names, slices.Sorted(maps.Keys(e.Aliases))...)
}

// Help is what an executor says of itself, once it has run, and what an alias stands for.
func (e Executors) Help(name string) string {
	if full, alias := e.Aliases[name]; alias {
		verb, _, _ := strings.Cut(full, " ")
		return strings.TrimSpace("`" + name + "` stands for `" + full + "`.\n" + e.says(verb))
	}
	return e.says(name)
}

// says is what an executor says of itself.
func (e Executors) says(name string) string {
	i, _ := e.Runner.Info(api.KindExecutor, name)
	if i.Help == "" {
		return i.Description
	}
	return i.Help
}

// Execute runs a command line with the executor of that name. What it prints goes
// to the writer that out opens, at the first byte; the returned message says how it
// ended. Told again for the same command it does not run the line again.
func (e Executors) Execute(ctx context.Context, name, words string, cmd chat.Command, out func(title string) (io.WriteCloser, error)) (chat.Message, error) {
	user, err := e.Who(ctx, cmd.User)
	if err != nil {
		return chat.Message{}, err
	}
	again := runAgain(name, words)
	words, confirmed := Confirmed(name, words)
	typed := name + " " + words
	request := api.ExecuteRequest{User: user, Confirmed: confirmed}
	name, request.Line, _ = strings.Cut(botkube.Expand(e.Aliases, typed), " ")
	all, err := e.once(ctx, cmd, line{name: name, typed: typed, again: again, run: func() ([]botkube.Shown, error) {
		return e.run(ctx, name, request, cmd, func() (io.WriteCloser, error) { return out(typed) })
	}})
	if err != nil {
		return chat.Message{}, err
	}
	return e.shown(ctx, cmd, all)
}

// soon is how quickly a line ends whose outcome stands above its output alone. Who asked
// still looks there; later he is told below it, for an edit calls nobody.
const soon = 10 * time.Second

// run hands a line to the plugin, and returns what there is to say of it beside its
// output.
func (e Executors) run(ctx context.Context, name string, r api.ExecuteRequest, cmd chat.Command, out func() (io.WriteCloser, error)) ([]botkube.Shown, error) {
	w := &late{open: out}
	talk := &botkube.Talk{Text: cmd.Text, Channel: cmd.Thread.Channel, Thread: cmd.Thread.Root, User: cmd.User}
	if cmd.Origin != nil {
		talk.Filled = cmd.Origin.Filled
	}
	began := time.Now()
	result, err := e.Runner.Execute(botkube.Begin(ctx, talk), name, r, w)
	answer := ended(name, r.Line, result)
	above := err == nil && result.Confirm == "" && len(talk.Shown) == 0 && time.Since(began) < soon && w.conclude(answer.Title)
	w.name(result.File)
	if err != nil || result.Failed {
		w.fail()
	}
	if closing := w.Close(); err == nil && closing != nil {
		return nil, closing
	}
	if failure, own := errors.AsType[api.Failure](err); own {
		return []botkube.Shown{{Message: failed(failure, err)}}, nil
	}
	if err != nil {
		return nil, err
	}
	if len(talk.Shown) > 0 {
		return talk.Shown, nil
	}
	if above {
		return nil, nil
	}
	return []botkube.Shown{{Message: answer}}, nil
}

// failed tells what a plugin says of its failure: nothing is tried again by itself.
func failed(f api.Failure, err error) chat.Message {
	title, rest, _ := strings.Cut(strings.TrimSpace(f.Error()), "\n")
	m := chat.Message{Tone: chat.Failure, Title: capital(strings.TrimSuffix(title, "."))}
	if api.IsRefusal(err) {
		m.Tone = chat.Refused
	}
	if rest = strings.TrimSpace(rest); rest != "" {
		m.Lines = strings.Split(rest, "\n")
	}
	return m
}

// capital is a text that begins with a capital letter.
func capital(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	if n == 0 {
		return s
	}
	return string(unicode.ToUpper(r)) + s[n:]
}

func ended(name, line string, r api.Result) chat.Message {
	typed := quoted(name + " " + line)
	m := chat.Message{Tone: chat.Done, Title: typed + " is done"}
	switch {
	case r.Confirm != "":
		asks, more, _ := strings.Cut(strings.TrimSpace(r.Confirm), "\n")
		m.Tone, m.Title = chat.Info, strings.TrimSuffix(asks, ".")
		if more = strings.TrimSpace(more); more != "" {
			m.Lines = strings.Split(more, "\n")
		}
		m.Lines = append(m.Lines, "Nothing was done yet. Whoever presses needs the right to do it.")
		m.Buttons = []chat.Button{{Label: "Do it", Command: confirm(name, line), Danger: true}}
		return m
	case r.Failed:
		m.Tone, m.Title = chat.Failure, typed+" failed"
	}
	if r.Title != "" {
		m.Title = r.Title
	}
	return m
}

// What a confirmed line begins with is the chat's sign and a checksum of the line, so
// that nothing but the line that was asked about is confirmed, whatever becomes of its
// text on the way through the chat.

func confirm(name, line string) string {
	return name + " " + chat.ConfirmedSign + lineSum(name, line) + " " + escaped(line)
}

// Confirmed takes the sign off a line, and says whether it was there and right.
func Confirmed(name, line string) (rest string, ok bool) {
	sign, rest, _ := strings.Cut(line, " ")
	sum, marked := strings.CutPrefix(sign, chat.ConfirmedSign)
	if !marked {
		return line, false
	}
	return rest, sum == lineSum(name, rest)
}

func lineSum(name, line string) string {
	sum := sha256.Sum256([]byte(name + "\x00" + line))
	return hex.EncodeToString(sum[:chat.ConfirmedSum/2])
}

// late is a writer that is opened at the first byte.
type late struct {
	open func() (io.WriteCloser, error)
	to   io.WriteCloser
}

func (l *late) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if l.to == nil {
		to, err := l.open()
		if err != nil {
			return 0, fault.New(fault.Internal, "its output cannot be shown", "").Because(err)
		}
		l.to = to
	}
	return l.to.Write(p)
}

// name says what the text is called as a file.
func (l *late) name(file string) {
	if n, ok := l.to.(chat.Namer); ok && file != "" {
		n.Name(file)
	}
}

// conclude says above the text how what it is of ended. It is false where there is no
// text, or nothing can stand above it.
func (l *late) conclude(outcome string) bool {
	t, ok := l.to.(chat.Titler)
	if ok {
		t.Title(outcome)
	}
	return ok
}

// fail says that what the text is of failed.
func (l *late) fail() {
	if f, ok := l.to.(chat.Failer); ok {
		f.Fail()
	}
}

func (l *late) Close() error {
	if l.to == nil {
		return nil
	}
	return l.to.Close()
}
