package jobs

import (
	"context"
	"strings"

	"ferry/internal/chat"
	"ferry/internal/fault"
	"ferry/internal/near"
)

var helpSyntax = chat.Syntax{
	Verb:     "help",
	Form:     "[<topic>]",
	Summary:  "show the commands, or explain one",
	Examples: []string{"help", "help promote"},
}

// help explains the commands from their syntaxes, and executors by what they say
// of themselves.
type help struct {
	commands []chat.Syntax
	executor Executor
}

// Answer implements Query.
func (h *help) Answer(_ context.Context, cmd chat.Command) (chat.Message, error) {
	if cmd.Args.Topic != "" {
		return h.one(chat.Verb(cmd.Args.Topic))
	}
	m := chat.Message{Tone: chat.Info, Title: "What you can ask ferry for"}
	for _, c := range h.commands {
		if !c.Unlisted {
			m.Lines = append(m.Lines, "`"+c.Usage()+"` "+c.Summary)
		}
	}
	m.Footer = "`help promote` explains one of them"
	return m, nil
}

func (h *help) one(v chat.Verb) (chat.Message, error) {
	var verbs []string
	for _, c := range h.commands {
		if c.Verb == v {
			m := chat.Message{Tone: chat.Info, Title: "`" + c.Usage() + "`", Lines: append([]string{sentence(c.Summary)}, c.Details...)}
			if c.Unlisted {
				m.Lines = append(m.Lines, "Nothing that could do it is installed here.")
			}
			if h.executor != nil {
				if text := h.executor.Help(string(v)); text != "" {
					m.Code = &chat.Code{Text: text}
					return m, nil
				}
			}
			m.Lines = append(m.Lines, "For example:")
			m.Code = &chat.Code{Text: strings.Join(c.Examples, "\n")}
			return m, nil
		}
		if !c.Unlisted {
			verbs = append(verbs, string(c.Verb))
		}
	}
	var choices []string
	for _, similar := range near.Names(string(v), verbs, 2) {
		choices = append(choices, "help "+similar)
	}
	return chat.Message{}, fault.Newf(fault.NotFound, "there is no command `%s`", v).
		WithHelp("`help` lists the commands").WithChoices(choices...)
}
