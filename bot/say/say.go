// Package say is the one place where errors become sentences for people. It is
// pure: a fault has its words already, and anything else is told without
// detail, because nobody wrote those words for a chat.
package say

import (
	"context"
	"errors"
	"slices"
	"strings"

	"ferry/internal/chat"
	"ferry/internal/fault"
)

// Error returns the message that answers an error: the first line says what
// went wrong, the next what would help, then what may have been meant. It is
// Final. For nil it returns the zero Message.
func Error(err error) chat.Message {
	if err == nil {
		return chat.Message{}
	}
	e, ok := errors.AsType[*fault.Error](err)
	switch {
	case !ok && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)):
		e = fault.New(fault.Unavailable, "that took too long and was stopped", "ask again")
	case !ok || e.Kind == fault.Internal || e.Says == "":
		e = fault.New(fault.Internal, "something went wrong inside ferry", "the details are in its log; whoever runs ferry can read them there")
	}
	m := chat.Message{Tone: Tone(e.Kind), Title: sentence(e.Says), Final: true}
	if e.Help != "" {
		m.Lines = append(m.Lines, sentence(e.Help))
	}
	if len(e.Choices) == 1 {
		m.Lines = append(m.Lines, "Did you mean `"+e.Choices[0]+"`?")
	} else if len(e.Choices) > 1 {
		m.Lines = append(m.Lines, "Did you mean one of these?")
		for _, c := range e.Choices {
			m.Lines = append(m.Lines, "• `"+c+"`")
		}
	}
	return m
}

// Tone returns the mood in which an outcome is told.
func Tone(kind fault.Kind) chat.Tone {
	switch kind {
	case fault.Already, fault.Superseded:
		return chat.Info
	case fault.Internal, fault.Failed, fault.Expired, fault.Unavailable:
		return chat.Failure
	default:
		return chat.Refused
	}
}

// sentence begins with a capital letter, unless its first word may be a name:
// names keep their case.
func sentence(s string) string {
	s = strings.TrimSpace(s)
	first, _, _ := strings.Cut(s, " ")
	if !slices.Contains(strings.Fields(openers), first) {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// openers are the words with which the sentences of faults begin when it is not
// with a name.
const openers = "a an the that this there these they it its you your he she somebody nobody something nothing no not none neither both " +
	"two three several some many all every each only another one at by for from in of on to with without within before after while when if since until because " +
	"ask add check did choose give is look make name pass push read send set take tell try type use wait was what who write cannot could"
