package bot_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ferry/bot"
	"ferry/bot/bottest"
	"ferry/bot/outbox"
	"ferry/internal/chat"
)

func commands() []chat.Syntax {
	return []chat.Syntax{
		{Verb: "list", Form: "[<glob>] [on <cluster>] [in <namespace>]"},
		{Verb: "promote", Form: "<app>@<version> [<field>] to <cluster>", Changes: true},
		{Verb: "rollback", Form: "<app> on <cluster> [to <version>]", Changes: true},
	}
}

// handler records commands; handle, if set, decides what comes of them.
type handler struct {
	mu     sync.Mutex
	got    []chat.Command
	handle func(context.Context, chat.Command) error
}

func (h *handler) Handle(ctx context.Context, cmd chat.Command) error {
	h.mu.Lock()
	h.got = append(h.got, cmd)
	h.mu.Unlock()
	if h.handle == nil {
		return nil
	}
	return h.handle(ctx, cmd)
}

func (h *handler) commands() []chat.Command {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.got)
}

// house is a bot beside a Slack, with stores that survive it.
type house struct {
	t       *testing.T
	slack   *bottest.Slack
	journal *bottest.Journal
	outbox  *bottest.Outbox
	handler *handler
	options bot.Options
	bot     *bot.Bot
	stop    func()
}

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{t: t, slack: bottest.NewSlack(t), journal: &bottest.Journal{}, outbox: &bottest.Outbox{}, handler: &handler{}}
	h.options = bot.Options{
		BotToken: "bot", AppToken: "app", BaseURL: h.slack.API(), Commands: commands(), Clusters: []string{"prod", "prod-eu", "stage"},
		Handler: h.handler, Journal: h.journal, Outbox: h.outbox, PostsPerSecond: 1000,
		Pace: outbox.Pace{EditGap: time.Millisecond, EditsPerMinute: 100000, Pause: 10 * time.Millisecond}, Pause: 10 * time.Millisecond,
	}
	return h
}

// start runs the bot until the test ends or stop is called.
func (h *house) start() {
	h.t.Helper()
	b, err := bot.New(h.options)
	if err != nil {
		h.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	h.bot = b
	h.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			h.t.Errorf("run: %v", err)
		}
	})
	h.t.Cleanup(h.stop)
}

func (h *house) ready() {
	h.t.Helper()
	h.until("ready", func() bool { return h.bot.Ready() == nil && h.slack.Sockets() > 0 })
}

// until waits for a condition that the network brings about.
func (h *house) until(what string, ok func() bool) {
	h.t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if ok() {
			return
		}
	}
	h.t.Fatalf("%s: not within a minute; messages %+v", what, h.slack.Messages())
}

func (h *house) send(raw string) {
	h.t.Helper()
	h.until("send", func() bool { return h.slack.Send(raw) == nil })
}

// decided waits until n envelopes are done and none is pending.
func (h *house) decided(n int) {
	h.t.Helper()
	h.until(fmt.Sprintf("%d decided", n), func() bool {
		done, pending := h.journal.Keys()
		return len(done) == n && len(pending) == 0
	})
}

func (h *house) said(what string) bottest.Message {
	h.t.Helper()
	var found bottest.Message
	h.until("said "+what, func() bool {
		for _, m := range h.slack.Messages() {
			if strings.Contains(strings.ToLower(m.Text), strings.ToLower(what)) {
				found = m
				return true
			}
		}
		return false
	})
	return found
}
