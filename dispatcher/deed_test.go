package dispatcher

import (
	"context"
	"errors"
	"slices"
	"testing"

	"ferry/internal/chat"
	"ferry/internal/deploy"
	"ferry/internal/fault"
)

// answers are Deeds that know one command.
type answers struct {
	key   string
	lines []string
	err   error
}

func (a answers) Answered(_ context.Context, cmd chat.Command) ([]string, bool, error) {
	return a.lines, cmd.Key == a.key && a.err == nil, a.err
}

// TestADeedThatWasDoneIsAnsweredAsItWas: neither what it is about is looked for again,
// nor whether whoever asked may.
func TestADeedThatWasDoneIsAnsweredAsItWas(t *testing.T) {
	t.Parallel()
	gone := func(chat.Command) ([]deploy.Target, error) {
		return nil, fault.New(fault.NotFound, "there is no silence `s1`", "")
	}
	h := build(t, statePath(t), Route{Verb: "hold", Deed: deed{work{admit: gone}, func(chat.Command) (chat.Message, error) {
		t.Error("it was done again")
		return chat.Message{}, nil
	}}})
	h.Policy = NewPolicy(rules(), newWitnesses().all())
	h.Deeds = answers{key: "h", lines: []string{"it has ended", "for ever"}}
	cmd := chat.Command{Key: "h", Verb: "hold", User: "U-other"} // has no role any more
	h.handle(t, cmd)
	if m := h.replies.get("h/answer"); m.Title != "it has ended" || !slices.Equal(m.Lines, []string{"for ever"}) || m.Tone != chat.Done || !m.Final || m.By != "U-other" {
		t.Errorf("answer %+v", m)
	}
	cmd.Key = "another"
	if err := h.Handle(t.Context(), cmd); !fault.Is(err, fault.NotFound) {
		t.Errorf("another command: %v", err)
	}
	unread := errors.New("unread")
	h.Deeds = answers{err: unread}
	if err := h.Handle(t.Context(), cmd); !errors.Is(err, unread) {
		t.Errorf("what is not known is not decided: %v", err)
	}
}
