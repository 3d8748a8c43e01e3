package jobs

import (
	"context"
	"io"
	"slices"

	"ferry/internal/chat"
	"ferry/internal/fault"
)

// kubectlSyntax is understood wherever ferry runs, so that whoever asks hears why
// nothing answers it.
var kubectlSyntax = chat.Syntax{
	Verb:     "kubectl",
	Form:     "[<line>]",
	Summary:  "run a kubectl command through an executor plugin; its output streams into the thread",
	Examples: []string{"kubectl get pods -n podinfo"},
	Changes:  true,
}

// executorSyntaxes are those of the executors that there are. What a line does
// nobody knows before the plugin sees it: each needs a role.
func executorSyntaxes(names []string) []chat.Syntax {
	known := kubectlSyntax
	known.Unlisted = !slices.Contains(names, string(known.Verb))
	out := []chat.Syntax{known}
	for _, name := range names {
		if name != string(known.Verb) {
			out = append(out, chat.Syntax{
				Verb: chat.Verb(name), Form: "[<line>]", Changes: true,
				Summary: "hand a line to an executor plugin; its output streams into the thread", Examples: []string{name + " help"},
			})
		}
	}
	return out
}

// executor hands the line, untouched, to the plugin that the verb names. It is a
// query because no job is made of it; that a line does not run twice is Execute's to
// see to.
type executor struct{ Options }

// Answer implements Query.
func (e executor) Answer(ctx context.Context, cmd chat.Command) (chat.Message, error) {
	if e.Executor == nil || !slices.Contains(e.Executor.Names(), string(cmd.Verb)) {
		return chat.Message{}, fault.Newf(fault.NotFound, "no executor plugin answers `%s`", cmd.Verb).
			WithHelp("whoever runs ferry can add one: `plugins.executors` in its configuration\n`help` lists what ferry does by itself")
	}
	return e.Executor.Execute(ctx, string(cmd.Verb), string(cmd.Args.Line), cmd, func(title string) (io.WriteCloser, error) {
		return e.Streamer.Stream(ctx, cmd.Thread, OutputKey(cmd), title)
	})
}

// OutputKey is the key of the message that a command's output grows in.
func OutputKey(cmd chat.Command) string { return cmd.Key + "/output" }

// named are executors of which nothing but the names is known.
type named []string

func (n named) Names() []string    { return n }
func (n named) Help(string) string { return "" }

func (n named) Execute(context.Context, string, string, chat.Command, func(string) (io.WriteCloser, error)) (chat.Message, error) {
	return chat.Message{}, fault.New(fault.Internal, "", "") // only its name was asked for
}
