package jobs

import (
	"context"
	"io"

	"ferry/internal/chat"
)

var kubectlSyntax = chat.Syntax{
	Verb:     "kubectl",
	Form:     "<line>",
	Summary:  "run a kubectl command through an executor plugin; its output streams into the thread",
	Examples: []string{"kubectl get pods -n podinfo"},
	Changes:  true,
}

// kubectl hands the line, untouched, to the plugin of that name.
type kubectl struct{ Options }

// Answer implements Query.
func (k kubectl) Answer(ctx context.Context, cmd chat.Command) (chat.Message, error) {
	return k.Executor.Execute(ctx, string(cmd.Verb), string(cmd.Args.Line), cmd, func(title string) (io.WriteCloser, error) {
		return k.Streamer.Stream(ctx, cmd.Thread, cmd.Key+"/output", title)
	})
}
