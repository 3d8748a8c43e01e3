// Package plugins is where event sources, command executors and notifiers will
// be hosted, each in a process of its own.
//
// What stands here is the seam through which a command reaches an executor. No
// executor ships with this version, so that every lookup ends in an answer that
// says so; the commands that need one (kubectl) have their place in the grammar
// and their streaming reply already.
package plugins

import (
	"context"
	"io"

	"ferry/internal/chat"
	"ferry/internal/fault"
)

// Host runs executors by name.
type Host struct{}

// Answers reports whether there is an executor of that name.
func (Host) Answers(string) bool { return false }

// Execute runs a command line with the executor of that name. What it prints
// goes to the writer that out opens, at the first byte; the returned message
// says how it ended. An unknown executor is a NotFound fault.
func (Host) Execute(_ context.Context, plugin, _ string, _ chat.Command, _ func(title string) (io.WriteCloser, error)) (chat.Message, error) {
	return chat.Message{}, fault.Newf(fault.NotFound, "no executor plugin answers `%s`", plugin).
		WithHelp("this version of ferry ships without executors\n`help` lists what it does by itself")
}
