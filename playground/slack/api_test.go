package slack

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"
)

func wantError(t *testing.T, what string, err error, code string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), code) {
		t.Errorf("%s: %v, want %s", what, err, code)
	}
}

func TestRefusals(t *testing.T) {
	h := start(t, nil)
	post := func(channel, text string, more ...slack.MsgOption) (string, error) {
		_, ts, err := h.api.PostMessage(channel, append(more, slack.MsgOptionText(text, false))...)
		return ts, err
	}
	_, err := slack.New("xoxb-"+"wrong", slack.OptionAPIURL(h.web.URL+"/api/")).AuthTest()
	wantError(t, "wrong token", err, "invalid_auth")
	_, err = slack.New("", slack.OptionAPIURL(h.web.URL+"/api/")).AuthTest()
	wantError(t, "no token", err, "not_authed")
	_, err = post("C09NOWHERE", "hello")
	wantError(t, "unknown channel", err, "channel_not_found")
	_, err = post("C02EMPTY", "hello")
	wantError(t, "not a member", err, "not_in_channel")
	_, err = post("C01DEPLOY", "")
	wantError(t, "nothing to say", err, "no_text")
	err = h.api.AddReaction("eyes", slack.NewRefToMessage("C01DEPLOY", "1.000001"))
	wantError(t, "lacking scope", err, "missing_scope")
	_, err = h.api.GetConversationInfo(&slack.GetConversationInfoInput{ChannelID: "C03SECRET"})
	wantError(t, "lacking scope of a kind of channel", err, "missing_scope")

	ts := must[string](t)(post("C01DEPLOY", "a & <!channel> <b> &lt;"))
	m := must[[]Message](t)(h.Messages("deploys", ts))
	if want := "a &amp; <!channel> &lt;b&gt; &lt;"; m[0].Text != want {
		t.Errorf("stored %q, want %q", m[0].Text, want)
	}
	_, _, _, err = h.api.UpdateMessage("C01DEPLOY", ts, slack.MsgOptionText(strings.Repeat("x", 4001), false))
	wantError(t, "long update", err, "msg_too_long")
	_, _, _, err = h.api.UpdateMessage("C01DEPLOY", "1.000001", slack.MsgOptionText("x", false))
	wantError(t, "update of nothing", err, "message_not_found")
	theirs := must[string](t)(h.Say("alice", "deploys", "mine", ""))
	_, _, _, err = h.api.UpdateMessage("C01DEPLOY", theirs, slack.MsgOptionText("x", false))
	wantError(t, "update of another's", err, "cant_update_message")
	long := must[string](t)(post("C01DEPLOY", strings.Repeat("y", 40010)))
	if m := must[[]Message](t)(h.Messages("deploys", long)); len(m[0].Text) != 40000 {
		t.Errorf("a text of 40010 is kept with %d", len(m[0].Text))
	}
}

func TestBlockLimits(t *testing.T) {
	h := start(t, func(o *Options) { o.RefuseBlocks = []string{"data_table"} })
	text := func(n int) *slack.TextBlockObject {
		return slack.NewTextBlockObject(slack.MarkdownType, strings.Repeat("x", n), false, false)
	}
	section := func(n int) slack.Block { return slack.NewSectionBlock(text(n), nil, nil) }
	plain := func(n int) *slack.TextBlockObject {
		return slack.NewTextBlockObject(slack.PlainTextType, strings.Repeat("x", n), false, false)
	}
	many := func(n int) (out []slack.Block) {
		for range n {
			out = append(out, slack.NewDividerBlock())
		}
		return out
	}
	row := slack.NewDataTableBlock("c").AddRow(slack.NewDataTableRawTextCell("a")).AddRow(slack.NewDataTableRawTextCell("b"))
	for name, c := range map[string]struct {
		blocks []slack.Block
		want   string
	}{
		"50 blocks":           {many(50), ""},
		"51 blocks":           {many(51), "invalid_blocks"},
		"section 3000":        {[]slack.Block{section(3000)}, ""},
		"section 3001":        {[]slack.Block{section(3001)}, "invalid_blocks"},
		"header 151":          {[]slack.Block{slack.NewHeaderBlock(plain(151))}, "invalid_blocks"},
		"button text 76":      {[]slack.Block{slack.NewActionBlock("", slack.NewButtonBlockElement("a", "v", plain(76)))}, "invalid_blocks"},
		"button value 2001":   {[]slack.Block{slack.NewActionBlock("", slack.NewButtonBlockElement("a", strings.Repeat("v", 2001), plain(3)))}, "invalid_blocks"},
		"same block_id":       {[]slack.Block{slack.DividerBlock{Type: "divider", BlockID: "d"}, slack.DividerBlock{Type: "divider", BlockID: "d"}}, "invalid_blocks"},
		"same action_id":      {[]slack.Block{slack.NewActionBlock("", slack.NewButtonBlockElement("a", "", plain(3)), slack.NewButtonBlockElement("a", "", plain(3)))}, "invalid_blocks"},
		"refused type":        {[]slack.Block{row}, "invalid_blocks"},
		"too many characters": {[]slack.Block{section(2900), section(2900), section(2900), section(2900), section(2900)}, "msg_blocks_too_long"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := h.api.PostMessage("C01DEPLOY", slack.MsgOptionText("t", false), slack.MsgOptionBlocks(c.blocks...))
			if c.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			wantError(t, name, err, c.want)
		})
	}
}

func TestFaultsAndLimits(t *testing.T) {
	h := start(t, func(o *Options) { o.Limits = map[string]int{"chat.update": 2} })
	post := func() error {
		_, _, err := h.api.PostMessage("C01DEPLOY", slack.MsgOptionText("x", false))
		return err
	}
	h.Inject(Fault{Method: "chat.postMessage", Status: 429, RetryAfter: 7 * time.Second, Times: 2})
	for range 2 {
		var limited *slack.RateLimitedError
		if err := post(); !errors.As(err, &limited) || limited.RetryAfter != 7*time.Second {
			t.Errorf("fault gives %v", err)
		}
	}
	h.Inject(Fault{Method: "chat.postMessage", Status: 500})
	wantError(t, "500", post(), "500")
	h.Inject(Fault{Method: "chat.postMessage", Lost: true, AfterEffect: true})
	if err := post(); err == nil {
		t.Error("a lost answer came")
	}
	if err := post(); err != nil {
		t.Error(err)
	}
	said := must[[]Message](t)(h.Messages("deploys", ""))
	if len(said) != 2 {
		t.Errorf("%d messages, want the lost one and the last", len(said))
	}
	h.SetRateLimits(true)
	var last error
	for range 3 {
		_, _, _, last = h.api.UpdateMessage("C01DEPLOY", said[0].TS, slack.MsgOptionText("y", false))
	}
	var limited *slack.RateLimitedError
	if !errors.As(last, &limited) || limited.RetryAfter < time.Second {
		t.Errorf("third update of two a minute: %v", last)
	}
	if got := h.Calls()["chat.postMessage"]; got.Total != 5 || got.OK != 1 || got.Errors["ratelimited"] != 2 {
		t.Errorf("counted %+v", got)
	}
}

// TestACallIsCountedWithItsEffect: who sees a message finds the call that made it, also
// while its caller still waits for the answer.
func TestACallIsCountedWithItsEffect(t *testing.T) {
	h := start(t, nil)
	h.Inject(Fault{Method: "chat.postMessage", Delay: time.Hour})
	ctx, cancel := context.WithCancel(t.Context())
	async(t, func() {
		if _, _, err := h.api.PostMessageContext(ctx, "C01DEPLOY", slack.MsgOptionText("x", false)); err == nil {
			t.Error("it was answered")
		}
	})
	defer cancel()
	for end := time.Now().Add(time.Minute); len(must[[]Message](t)(h.Messages("deploys", ""))) == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("nothing was posted")
		}
	}
	if got := h.Calls()["chat.postMessage"]; got.Total != 1 || got.OK != 1 {
		t.Errorf("counted %+v", got)
	}
}

func TestButton(t *testing.T) {
	h := start(t, nil)
	h.listen(t)
	button := slack.NewButtonBlockElement("approve", "op-1", slack.NewTextBlockObject(slack.PlainTextType, "Approve", false, false))
	_, ts, err := h.api.PostMessage("C01DEPLOY", slack.MsgOptionText("sure?", false), slack.MsgOptionBlocks(slack.NewActionBlock("b1", button)))
	if err != nil {
		t.Fatal(err)
	}
	acks := make(chan Ack, 1)
	async(t, func() { a, _ := h.Click(context.Background(), "bob", "deploys", ts, "approve", ""); acks <- a })
	e := h.next(t, socketmode.EventTypeInteractive)
	cb := e.Data.(slack.InteractionCallback)
	if a := cb.ActionCallback.BlockActions; len(a) != 1 || a[0].Value != "op-1" || a[0].BlockID != "b1" || cb.User.ID != "U02BOB" {
		t.Errorf("callback %+v", cb)
	}
	h.ack(t, e, nil)
	if a := <-acks; !a.OK {
		t.Errorf("ack %+v", a)
	}
	if _, err := h.Click(t.Context(), "bob", "deploys", ts, "reject", ""); err == nil {
		t.Error("a button that is not there was pressed")
	}
	if err := slack.PostWebhookContext(t.Context(), cb.ResponseURL, &slack.WebhookMessage{Text: "approved", ReplaceOriginal: true}); err != nil {
		t.Fatal(err)
	}
	if m := must[[]Message](t)(h.Messages("deploys", ts)); m[0].Text != "approved" || string(m[0].Blocks) != "[]" {
		t.Errorf("message %+v", m[0])
	}
}

func TestSlashAndModal(t *testing.T) {
	h := start(t, nil)
	h.listen(t)
	acks := make(chan Ack, 1)
	async(t, func() {
		a, _ := h.Slash(context.Background(), "bob", "deploys", "/ferry", "ask @alice")
		acks <- a
	})
	e := h.next(t, socketmode.EventTypeSlashCommand)
	cmd := e.Data.(slack.SlashCommand)
	if cmd.Text != "ask <@U01ALICE|alice>" {
		t.Errorf("command %+v", cmd)
	}
	h.ack(t, e, map[string]any{"text": "looking"})
	<-acks
	title := slack.NewTextBlockObject(slack.PlainTextType, "Promote", false, false)
	view := slack.ModalViewRequest{Type: slack.VTModal, Title: title, Submit: title, CallbackID: "cb", Blocks: slack.Blocks{BlockSet: []slack.Block{
		slack.NewInputBlock("app", title, nil, slack.NewPlainTextInputBlockElement(nil, "name")),
	}}}
	opened, err := h.api.OpenView(cmd.TriggerID, view)
	if err != nil {
		t.Fatal(err)
	}
	_, err = h.api.OpenView(cmd.TriggerID, view)
	wantError(t, "trigger used twice", err, "exchanged_trigger_id")
	values := map[string]any{"app": map[string]any{"name": map[string]any{"type": "plain_text_input", "value": "podinfo"}}}
	for _, answer := range []any{slack.NewErrorsViewSubmissionResponse(map[string]string{"app": "unknown"}), nil} {
		async(t, func() { a, _ := h.SubmitView(context.Background(), "bob", opened.ID, values); acks <- a })
		e = h.next(t, socketmode.EventTypeInteractive)
		if got := e.Data.(slack.InteractionCallback).View.State.Values["app"]["name"].Value; got != "podinfo" {
			t.Errorf("state holds %q", got)
		}
		h.ack(t, e, answer)
		<-acks
		if v, _ := h.View("bob"); (v == nil) != (answer == nil) {
			t.Errorf("after %v the view is %v", answer, v)
		}
	}
}

// async runs f beside the test, which waits for it at its end.
func async(t *testing.T, f func()) {
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	t.Cleanup(func() { <-done })
}

func TestUpload(t *testing.T) {
	h := start(t, nil)
	f, err := h.api.UploadFile(slack.UploadFileParameters{
		Filename: "diff.txt", FileSize: 5, Content: "a\n+b\n", Channel: "C01DEPLOY", InitialComment: "the diff",
	})
	if err != nil {
		t.Fatal(err)
	}
	m := must[[]Message](t)(h.Messages("deploys", ""))
	if len(m) != 1 || len(m[0].Files) != 1 || m[0].Files[0].ID != f.ID || m[0].Files[0].Preview != "a\n+b\n" {
		t.Errorf("messages %+v", m)
	}
}

func TestControlRefusesOtherOrigins(t *testing.T) {
	h := start(t, nil)
	for origin, want := range map[string]int{"": 200, "http://evil.example": 403} {
		r, err := http.NewRequestWithContext(t.Context(), "POST", h.web.URL+"/playground/say", strings.NewReader(`{"user":"alice","channel":"deploys","text":"hi"}`))
		if err != nil {
			t.Fatal(err)
		}
		if origin != "" {
			r.Header.Set("Origin", origin)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("origin %q: %d, want %d", origin, resp.StatusCode, want)
		}
	}
}

func TestTyped(t *testing.T) {
	s, err := New(testOptions())
	if err != nil {
		t.Fatal(err)
	}
	for in, want := range map[string]string{
		"@Ferry list.":              "<@U0FERRY> list.",
		"tell @ferry.":              "tell <@U0FERRY>.",
		"podinfo@6.5.4":             "podinfo@6.5.4",
		"a@ferry":                   "a@ferry",
		"@here #deploys #nope":      "<!here> <#C01DEPLOY|deploys> #nope",
		"`@ferry` <&>":              "`@ferry` &lt;&amp;&gt;",
		"@platform look":            "<!subteam^S01> look",
		"see https://x.test/a?b&c.": "see <https://x.test/a?b&amp;c>.",
		"ghcr.io/stefan/podinfo":    "<http://ghcr.io/stefan/podinfo|ghcr.io/stefan/podinfo>",
		"<@U0FERRY> <@UNOBODY>":     "<@U0FERRY> &lt;@UNOBODY&gt;",
	} {
		if got := s.typed(in); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
}
