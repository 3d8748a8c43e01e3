package bot_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ferry/bot/bottest"
	"ferry/internal/chat"
)

func TestTheJournalComesBeforeTheAcknowledgement(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	var mu sync.Mutex
	var order []string
	note := func(what string) {
		mu.Lock()
		defer mu.Unlock()
		order = append(order, what)
	}
	fail := true
	h.journal.Fail = func(key string) error {
		note("journal")
		if fail {
			fail = false
			return errors.New("disk full")
		}
		return nil
	}
	h.slack.Events = note
	h.start()
	h.ready()
	h.send(bottest.Say("E1", "U1", "100.1", "<@UFERRY> list"))
	h.until("first try", func() bool { mu.Lock(); defer mu.Unlock(); return len(order) == 1 })
	h.send(bottest.Say("E1", "U1", "100.1", "<@UFERRY> list")) // Slack sends it again
	h.until("acknowledged", func() bool { mu.Lock(); defer mu.Unlock(); return len(order) == 3 })
	mu.Lock()
	defer mu.Unlock()
	if want := []string{"journal", "journal", "ack E1"}; !slices.Equal(order, want) {
		t.Errorf("order %v, want %v", order, want)
	}
}

func TestAPendingCommandIsHandledByTheNextProcess(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.handler.handle = func(ctx context.Context, _ chat.Command) error {
		<-ctx.Done()
		return ctx.Err()
	}
	h.start()
	h.ready()
	h.send(bottest.Say("E1", "U1", "100.1", "<@UFERRY> list"))
	h.until("handled", func() bool { return len(h.handler.commands()) == 1 })
	h.stop()
	h.handler.handle = nil
	h.start()
	h.decided(1)
	if got := h.handler.commands(); len(got) != 2 || got[0].Key != got[1].Key {
		t.Errorf("commands %+v", got)
	}
}

func TestWhoCannotBeKnownIsToldAndTriedAgain(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	var mu sync.Mutex
	down := true
	h.slack.Fail = func(method string, _ url.Values) (int, string) {
		mu.Lock()
		defer mu.Unlock()
		if method == "users.info" && down {
			return http.StatusBadGateway, ""
		}
		return 0, ""
	}
	h.start()
	h.ready()
	h.send(bottest.Say("E1", "U1", "100.1", "<@UFERRY> list"))
	h.said("cannot tell who you are")
	if len(h.handler.commands()) > 0 {
		t.Error("handled for somebody unknown")
	}
	mu.Lock()
	down = false
	mu.Unlock()
	h.decided(1)
	h.said("It went on")
	if got := h.handler.commands(); len(got) != 1 {
		t.Errorf("handled %+v", got)
	}
}

func TestALostAnswerDoesNotDoubleAMessage(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	var once sync.Once
	h.slack.Lose = func(method string, _ url.Values) (lost bool) {
		if method == "chat.postMessage" {
			once.Do(func() { lost = true })
		}
		return lost
	}
	h.start()
	thread := chat.Thread{Team: "T1", Channel: "C1", Root: "50.1"}
	if err := h.bot.Put(t.Context(), thread, "k", chat.Message{Title: "before"}); err != nil {
		t.Fatal(err)
	}
	h.said("before")
	if err := h.bot.Put(t.Context(), thread, "k", chat.Message{Title: "after", Final: true}); err != nil {
		t.Fatal(err)
	}
	h.said("after")
	if got := h.slack.Messages(); len(got) != 1 || len(h.slack.Calls("conversations.replies")) == 0 {
		t.Errorf("messages %+v", got)
	}
}

func TestRetryAfterIsKeptForItsMethodAlone(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	var mu sync.Mutex
	refused, posted := 0, false
	h.slack.Fail = func(method string, form url.Values) (int, string) {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case method == "chat.postMessage" && form.Get("text") == "b0":
			posted = true
		case method == "chat.update" && !posted: // if the post waited for it, both would wait for ever
			refused++
			return http.StatusTooManyRequests, "1"
		}
		return 0, ""
	}
	h.start()
	thread := chat.Thread{Team: "T1", Channel: "C1", Root: "50.1"}
	put := func(key, title string) {
		if err := h.bot.Put(t.Context(), thread, key, chat.Message{Title: title}); err != nil {
			t.Fatal(err)
		}
	}
	put("a", "a0")
	h.said("a0")
	put("a", "a1")
	h.until("refused", func() bool { mu.Lock(); defer mu.Unlock(); return refused > 0 })
	put("b", "b0")
	h.said("b0")
	h.said("a1")
	calls := h.slack.Calls("chat.update")
	for i := 1; i < len(calls); i++ {
		if apart := calls[i].At.Sub(calls[i-1].At); apart < time.Second {
			t.Errorf("an update comes %s after one that was to wait a second", apart)
		}
	}
	if len(calls) != refused+1 {
		t.Errorf("%d updates, of which %d were refused", len(calls), refused)
	}
}

func TestBlocksThatSlackDoesNotKnowFallDownTheLadder(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.slack.Fail = func(_ string, form url.Values) (int, string) {
		if strings.Contains(form.Get("blocks"), `"table"`) {
			return http.StatusOK, "invalid_blocks"
		}
		return 0, ""
	}
	h.start()
	table := &chat.Table{Columns: []string{"App"}, Rows: [][]string{{"podinfo"}}}
	for _, key := range []string{"a", "b"} {
		m := chat.Message{Title: "table " + key, Table: table, Final: true}
		if err := h.bot.Put(t.Context(), chat.Thread{Team: "T1", Channel: "C1", Root: "50.1"}, key, m); err != nil {
			t.Fatal(err)
		}
		if got := h.said("table " + key); !strings.Contains(got.Blocks, "rich_text_preformatted") {
			t.Errorf("blocks %s", got.Blocks)
		}
	}
	if n := len(h.slack.Calls("chat.postMessage")); n != 3 {
		t.Errorf("%d posts for two messages: the rung is not remembered", n)
	}
}

func TestABurstIsAllAcknowledgedAndAllDecided(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.options.Workers = 4
	h.start()
	h.ready()
	for i := range 500 {
		h.send(bottest.Say(fmt.Sprintf("E%d", i), fmt.Sprintf("U%d", i%50), fmt.Sprintf("100.%d", i), "<@UFERRY> list"))
	}
	h.decided(500)
	for i := range 500 {
		id := fmt.Sprintf("E%d", i)
		h.until("ack of "+id, func() bool { return h.slack.Acked(id) == 1 })
	}
	if n := len(h.handler.commands()); n != 500 {
		t.Errorf("%d commands", n)
	}
}

func TestASlowCommandHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	slow := make(chan struct{})
	h.handler.handle = func(ctx context.Context, cmd chat.Command) error {
		if cmd.Verb == "list" {
			select {
			case <-slow:
			case <-ctx.Done():
			}
		}
		return nil
	}
	h.start()
	h.ready()
	h.send(bottest.Say("E1", "U1", "100.1", "<@UFERRY> list"))
	h.send(bottest.Say("E2", "U1", "100.2", "<@UFERRY> promote podinfo@1 to prod"))
	h.until("promote", func() bool { return len(h.handler.commands()) == 2 })
	close(slow)
	h.decided(2)
}

func TestASocketThatIsCutComesBackAndAPanicIsAnAnswer(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.handler.handle = func(context.Context, chat.Command) error { panic("nil map") }
	h.start()
	h.ready()
	h.slack.Drop()
	h.until("reconnected", func() bool { return h.slack.Sockets() == 2 })
	h.send(bottest.Say("E1", "U1", "100.1", "<@UFERRY> list"))
	if m := h.said("Something went wrong"); strings.Contains(m.Text, "nil map") {
		t.Errorf("answered %+v", m)
	}
	h.decided(1)
}

func TestARevokedTokenKillsNothing(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	var mu sync.Mutex
	revoked := true
	h.slack.Fail = func(string, url.Values) (int, string) {
		mu.Lock()
		defer mu.Unlock()
		if revoked {
			return http.StatusOK, "token_revoked"
		}
		return 0, ""
	}
	h.start()
	h.until("reported", func() bool { err := h.bot.Ready(); return err != nil && strings.Contains(err.Error(), "token_revoked") })
	mu.Lock()
	revoked = false
	mu.Unlock()
	h.ready()
}

func TestAnEnvelopeThatSlackGoCannotReadIsRead(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.start()
	h.ready()
	raw := bottest.Event("E1", map[string]any{
		"type": "app_mention", "user": "U1", "text": "<@UFERRY> list", "ts": "100.1", "channel": "C1",
		"blocks": []any{map[string]any{"type": "section", "text": 7}},
	})
	h.send(raw)
	h.until("acknowledged", func() bool { return h.slack.Acked("E1") == 1 })
	h.decided(1)
	if n := len(h.handler.commands()); n != 1 {
		t.Errorf("%d commands", n)
	}
}
