package bot_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ferry/bot"
	"ferry/bot/bottest"
	"ferry/bot/outbox"
	"ferry/internal/chat"
	"ferry/internal/fault"
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
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if ok() {
			return
		}
	}
	h.t.Fatalf("%s: not within 20 s; messages %+v", what, h.slack.Messages())
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

func TestAMentionBecomesACommandAndIsAnsweredInItsThread(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.handler.handle = func(ctx context.Context, cmd chat.Command) error {
		return h.bot.Put(ctx, cmd.Thread, cmd.Key+"/answer", chat.Message{Tone: chat.Done, Title: "promoted", By: cmd.User, Final: true})
	}
	h.start()
	h.ready()
	h.send(bottest.Say("E1", "U1", "100.1", "<@UFERRY> promote <mailto:podinfo@6.5.4|podinfo@6.5.4> to prod"))
	m := h.said("promoted")
	if m.Channel != "C1" || m.Thread != "100.1" || !strings.Contains(m.Blocks, `\u003c@U1\u003e`) {
		t.Errorf("answered %+v", m)
	}
	want := chat.Command{
		Key: "message/T1/C1/100.1", User: "U1", Thread: chat.Thread{Team: "T1", Channel: "C1", Root: "100.1"},
		Text: "promote podinfo@6.5.4 to prod", Verb: "promote", Args: chat.Args{App: "podinfo", Version: "6.5.4", Cluster: "prod"},
	}
	got := h.handler.commands()[0]
	want.At = got.At
	if got != want {
		t.Errorf("command %+v, want %+v", got, want)
	}
}

func TestRedeliveriesAndEditsRunNothingTwice(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.start()
	h.ready()
	h.until("both sockets", func() bool { return h.slack.Sockets() == 2 })
	for i := range 4 { // in envelopes of their own, over both sockets
		h.send(bottest.Say(fmt.Sprintf("E%d", i), "U1", "100.1", "<@UFERRY> list"))
	}
	h.send(bottest.Say("E0", "U1", "100.1", "<@UFERRY> list"))
	h.send(bottest.Event("E5", map[string]any{
		"type": "app_mention", "user": "U1", "text": "<@UFERRY> list on prod", "ts": "100.2", "channel": "C1", "edited": map[string]any{"user": "U1", "ts": "101.0"},
	}))
	h.send(bottest.Event("E6", map[string]any{"type": "message", "subtype": "message_changed", "channel_type": "im", "ts": "100.3", "channel": "D1"}))
	h.send(bottest.Event("E7", map[string]any{"type": "message", "bot_id": "BFERRY", "user": "UFERRY", "channel_type": "im", "ts": "100.4", "channel": "D1", "text": "list"}))
	h.send(bottest.Say("E8", "U1", "100.9", "<@UFERRY> list"))
	h.decided(2)
	for _, id := range []string{"E0", "E1", "E2", "E3", "E5", "E6", "E7", "E8"} {
		h.until("ack of "+id, func() bool { return h.slack.Acked(id) > 0 })
	}
	if got := h.handler.commands(); len(got) != 2 {
		t.Errorf("%d commands: %+v", len(got), got)
	}
}

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

func TestNearMissesAreAnsweredWithWhatWouldWork(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.start()
	h.ready()
	h.send(bottest.Say("E1", "U1", "100.1", "<@UFERRY> promote podinfo 6.5.4 prod"))
	if m := h.said("Did you mean"); !strings.Contains(m.Text, "`promote podinfo@6.5.4 to prod`") || m.Thread != "100.1" {
		t.Errorf("answered %+v", m)
	}
	h.send(bottest.Say("E2", "U1", "100.2", "i told <@UFERRY> rollback podinfo on prod"))
	h.said("begins with the mention")
	h.send(bottest.Say("E3", "U1", "100.3", "<@UFERRY> rollback &lt;!channel&gt; on prod"))
	if m := h.said("mention or a link"); strings.Contains(m.Text+m.Blocks, "<!channel>") {
		t.Errorf("answered %+v", m)
	}
	if got := h.handler.commands(); len(got) > 0 {
		t.Errorf("handled %+v", got)
	}
}

func TestStrangersAreRefused(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.slack.Users = map[string]map[string]any{
		"UGUEST": {"is_restricted": true}, "UULTRA": {"is_ultra_restricted": true}, "UGONE": {"deleted": true},
		"UBOT": {"is_bot": true}, "UOTHER": {"team_id": "T9"},
	}
	h.start()
	h.ready()
	n := 0
	for user, want := range map[string]string{
		"UGUEST": "from guests", "UULTRA": "from guests", "UGONE": "deactivated", "UBOT": "from bots", "UOTHER": "other workspaces",
	} {
		n++
		ts := fmt.Sprintf("10%d.1", n)
		h.send(bottest.Say("E"+user, user, ts, "<@UFERRY> list"))
		h.until(user, func() bool {
			return slices.ContainsFunc(h.slack.Messages(), func(m bottest.Message) bool { return m.Thread == ts && strings.Contains(m.Text, want) })
		})
	}
	event := func(id, team, app, channel string, shared bool) string {
		raw, _ := json.Marshal(map[string]any{"envelope_id": id, "type": "events_api", "payload": map[string]any{
			"team_id": team, "api_app_id": app, "is_ext_shared_channel": shared,
			"event": map[string]any{"type": "app_mention", "user": "U1", "text": "<@UFERRY> list", "ts": "200." + id, "channel": channel},
		}})
		return string(raw)
	}
	h.send(event("1", "T9", "A1", "C1", false))
	h.send(event("2", "T1", "A9", "C1", false))
	h.send(event("3", "T1", "A1", "C1", true))
	h.said("shared with other organisations")
	h.decided(8)
	if got := h.handler.commands(); len(got) > 0 {
		t.Errorf("handled %+v", got)
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

func TestASlashCommandGetsARootOfItsOwn(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.start()
	h.ready()
	for range 3 {
		h.send(h.slack.Slash("E1", "U1", "promote podinfo@6.5.4  to prod"))
	}
	h.decided(1)
	root := h.said("/ferry promote podinfo@6.5.4 to prod")
	got := h.handler.commands()
	if len(got) != 1 || got[0].Thread.Root != root.TS || root.Thread != "" || !strings.Contains(root.Blocks, "asked by") {
		t.Errorf("root %+v, commands %+v", root, got)
	}
	if n := len(h.slack.Messages()); n != 1 {
		t.Errorf("%d messages", n)
	}
}

func TestASlashCommandWhereFerryMayNotPostIsAnsweredInPrivate(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.slack.Fail = func(method string, _ url.Values) (int, string) {
		if method == "chat.postMessage" {
			return http.StatusOK, "not_in_channel"
		}
		return 0, ""
	}
	h.start()
	h.ready()
	h.send(h.slack.Slash("E1", "U1", "list"))
	h.decided(1)
	if got := h.slack.Responses(); len(got) != 1 || !strings.Contains(got[0], "/invite") || len(h.handler.commands()) > 0 {
		t.Errorf("responses %q, commands %+v", got, h.handler.commands())
	}
}

func TestAButtonRunsItsCommandOnceForWhoeverMay(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.handler.handle = func(_ context.Context, cmd chat.Command) error {
		if cmd.User != "UADMIN" {
			return fault.New(fault.Denied, "only admins may roll back", "")
		}
		return nil
	}
	h.start()
	h.ready()
	thread := chat.Thread{Team: "T1", Channel: "C1", Root: "50.1"}
	m := chat.Message{Tone: chat.Failure, Title: "it failed", Final: true, Buttons: []chat.Button{{Label: "Roll back", Command: "rollback podinfo on prod"}}}
	if err := h.bot.Put(t.Context(), thread, "job/x/closing", m); err != nil {
		t.Fatal(err)
	}
	posted := h.said("it failed")
	value := valueOf(t, posted)
	h.send(bottest.Press("E1", "U1", posted.TS, value, "1.1"))
	if m := h.said("only admins may roll back"); m.Thread != "50.1" {
		t.Errorf("answered in %q", m.Thread)
	}
	for i := range 3 { // one press, delivered again, and two more presses
		h.send(bottest.Press(fmt.Sprintf("P%d", i), "UADMIN", posted.TS, value, "2.1"))
	}
	h.until("settled", func() bool {
		return strings.Contains(h.said("it failed").Blocks, "`rollback podinfo on prod` asked by")
	})
	h.send(bottest.Press("P8", "UADMIN", posted.TS, value, "2.2"))
	h.said("was asked for already")
	h.send(bottest.Press("P9", "UADMIN", posted.TS, "job/x/closing|0|000000000000", "2.3"))
	h.said("no longer valid")
	if strings.Contains(h.said("it failed").Blocks, `"actions"`) {
		t.Error("the button is still there")
	}
	got := h.handler.commands()
	if len(got) != 2 || got[1].User != "UADMIN" || got[1].Verb != "rollback" || got[1].Key != got[0].Key || got[1].Thread != thread {
		t.Errorf("commands %+v", got)
	}
}

func valueOf(t *testing.T, m bottest.Message) string {
	t.Helper()
	var blocks []struct {
		Elements []struct{ Value string }
	}
	if err := json.Unmarshal([]byte(m.Blocks), &blocks); err != nil {
		t.Fatal(err)
	}
	for _, b := range blocks {
		for _, e := range b.Elements {
			if e.Value != "" {
				return e.Value
			}
		}
	}
	t.Fatalf("no button in %s", m.Blocks)
	return ""
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
	refused := 0
	h.slack.Fail = func(method string, form url.Values) (int, string) {
		mu.Lock()
		defer mu.Unlock()
		if method == "chat.update" && refused == 0 {
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
	h.until("refused", func() bool { mu.Lock(); defer mu.Unlock(); return refused == 1 })
	put("b", "b0")
	h.said("b0")
	h.said("a1")
	calls := h.slack.Calls("chat.update")
	if len(calls) != 2 || calls[1].At.Sub(calls[0].At) < time.Second {
		t.Errorf("%d updates", len(calls))
	}
	if b := h.slack.Calls("chat.postMessage")[1]; b.At.After(calls[1].At) {
		t.Error("a post waited for the updates")
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

func TestCheckAndResolve(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.slack.Scopes = "chat:write,commands,app_mentions:read"
	rows := bot.Check(t.Context(), h.options)
	if len(rows) != 3 || !rows[0].OK || rows[1].OK || !strings.Contains(rows[1].Detail, "users:read") || rows[1].Help == "" || !rows[2].OK {
		t.Errorf("check %+v", rows)
	}
	h.slack.Users = map[string]map[string]any{
		"U1": {"name": "some.name"}, "U2": {"name": "x", "profile": map[string]any{"display_name": "Twin"}},
		"U3": {"name": "y", "profile": map[string]any{"real_name": "twin"}}, "U4": {"name": "gone", "deleted": true},
		"U5": {"name": "z", "profile": map[string]any{"display_name": "Ann B", "real_name": "Ann B"}},
	}
	found, missing, err := bot.ResolveNames(t.Context(), h.options, []string{"@some.name", "Twin", "gone", "ann b"})
	if err != nil || len(found) != 2 || found["@some.name"] != "U1" || found["ann b"] != "U5" || !slices.Equal(missing, []string{"Twin", "gone"}) {
		t.Errorf("found %v, missing %v, %v", found, missing, err)
	}
}

func TestTokensDoNotPrint(t *testing.T) {
	t.Parallel()
	o := bot.Options{BotToken: "secret", AppToken: "secret"}
	raw, err := json.Marshal(o.BotToken)
	if err != nil {
		t.Fatal(err)
	}
	if s := fmt.Sprintf("%v %+v %#v %s %q", o, o, o.BotToken, o.AppToken, o.AppToken) + string(raw); strings.Contains(s, "secret") {
		t.Errorf("printed %s", s)
	}
}
