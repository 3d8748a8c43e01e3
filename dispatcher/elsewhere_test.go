package dispatcher

import (
	"testing"

	"ferry/internal/chat"
)

// TestAnAnswerThatIsShownElsewhereIsNoMessage: a query may have shown it itself.
func TestAnAnswerThatIsShownElsewhereIsNoMessage(t *testing.T) {
	t.Parallel()
	said := chat.Message{}
	h := build(t, statePath(t), Route{Verb: "list", Query: query(func(chat.Command) (chat.Message, error) { return said, nil })})
	h.handle(t, chat.Command{Key: "k1", Verb: "list", User: "U1"})
	said.Title = "three apps"
	h.handle(t, chat.Command{Key: "k2", Verb: "list", User: "U1"})
	if nothing, something := h.replies.get("k1/answer"), h.replies.get("k2/answer"); nothing.Final || something.Title != "three apps" {
		t.Errorf("answered %+v and %+v", nothing, something)
	}
}
