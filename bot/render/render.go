// Package render turns messages into Slack's Block Kit and the text that stands
// in for it in notifications and screen readers. It is pure.
//
// Nothing that a message says can become a mention, a link or a broadcast: all
// text is escaped, every mrkdwn object is verbatim (so that Slack parses no
// @names and #channels of its own), and preformatted text is rich text, which is
// not parsed at all. The only mentions are those of the people who asked.
//
// Slack's limits are kept here: what is too long is cut between characters,
// with a sign that it was. A table, and the text of a command, are what is cut
// first: they get the room that the rest leaves.
//
// Sources: docs.slack.dev, Block Kit reference; the bound on all blocks of a
// message (about 13,200 characters, msg_blocks_too_long) was measured.
package render

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"ferry/internal/chat"
)

// Slack's limits, in characters.
const (
	maxText    = 3900 // of a message's text; chat.update refuses more than 4,000
	maxSection = 2900 // of a section's text (3,000)
	maxField   = 1900 // of a section's field (2,000)
	maxFields  = 10   // of a section
	maxContext = 1200 // of a context's text
	maxLabel   = 75   // of a button
	maxButtons = 25   // of an actions block
	maxBlocks  = 12400
	maxConfirm = 300
)

// Rung is how much a workspace's Slack is trusted to understand; the higher,
// the less.
type Rung int

// The rungs.
const (
	Table        Rung = iota // the table block
	Preformatted             // tables as aligned preformatted text
	Plain                    // no rich text: preformatted text in sections
	Last         = Plain
)

// Input is a message and what became of its buttons.
type Input struct {
	chat.Message
	// Operations are the values of the buttons, in their order.
	Operations []string
	// ControlOperations are those of the controls.
	ControlOperations []string
	Asked             []Asked
}

// Asked is a command that somebody asked for with a button.
type Asked struct {
	Command string
	By      chat.UserID
}

// Output is what Slack's chat.postMessage takes.
type Output struct {
	Text   string
	Blocks []slack.Block
}

// Message renders a message for a workspace that stands on a rung.
func Message(in Input, rung Rung) Output {
	r := renderer{rung: rung, room: maxBlocks}
	r.reserve(func() {
		r.links(in.Links)
		r.asked(in.Asked)
		r.footer(in.Message)
		r.buttons(in)
	}, func() {
		r.reserve(func() {
			r.moment(in.At)
			r.controls(in)
		}, func() {
			r.head(in.Message)
			r.fields(in.Fields)
			r.table(in.Table)
			r.code(in.Code)
		})
	})
	return Output{Text: fallback(in), Blocks: r.blocks}
}

// Needs reports whether a message looks different on the next rung, so that
// invalid_blocks may be the fault of this one.
func Needs(m chat.Message, rung Rung) bool {
	switch rung {
	case Table:
		return m.Table != nil && len(m.Table.Columns) > 0
	case Preformatted:
		return m.Table != nil || m.Code != nil
	default:
		return false
	}
}

type renderer struct {
	rung   Rung
	room   int // characters left for the message
	blocks []slack.Block
}

// reserve lets last render first, so that middle gets the room that is left,
// and puts its blocks behind.
func (r *renderer) reserve(last, middle func()) {
	before := r.blocks
	r.blocks = nil
	last()
	after := r.blocks
	r.blocks = before
	middle()
	r.blocks = append(r.blocks, after...)
}

// mrkdwn makes a text object of text that is escaped already.
func mrkdwn(text string) *slack.TextBlockObject {
	return &slack.TextBlockObject{Type: slack.MarkdownType, Text: text, Verbatim: true}
}

func (r *renderer) section(text string) {
	if text == "" || r.room < 200 {
		return
	}
	r.room -= len(text)
	r.blocks = append(r.blocks, slack.NewSectionBlock(mrkdwn(text), nil, nil))
}

func (r *renderer) context(text string) {
	if text == "" || r.room < 200 {
		return
	}
	r.room -= len(text)
	r.blocks = append(r.blocks, slack.NewContextBlock("", mrkdwn(text)))
}

// head is the title, the lines and the steps.
func (r *renderer) head(m chat.Message) {
	title := escape(oneLine(m.Title), maxSection/2)
	if !strings.Contains(title, "*") && title != "" {
		title = "*" + title + "*"
	}
	text := strings.TrimSpace(Sign(m.Tone) + " " + title)
	if len(m.Lines) > 0 {
		text = join(text, escape(strings.Join(m.Lines, "\n"), maxSection-len(text)-1))
	}
	r.section(text)
	r.section(steps(m.Steps))
}

// steps are a line each; what is too much for a section is counted.
func steps(all []chat.Step) string {
	const last = 30 // for the count
	var b strings.Builder
	for i, s := range all {
		text := escape(oneLine(s.Text), maxSection/2)
		if s.URL != "" {
			text = link(chat.Link{Text: s.Text, URL: s.URL})
		}
		line := mark(s.State) + " " + text
		if i > 0 {
			line = "\n" + line
		}
		if b.Len()+len(line) > maxSection-last {
			return b.String() + "\n" + more(len(all)-i, "step")
		}
		b.WriteString(line)
	}
	return b.String()
}

func (r *renderer) fields(fields []chat.Field) {
	for len(fields) > 0 && r.room > minRoom {
		var objects []*slack.TextBlockObject
		for _, f := range fields[:min(maxFields, len(fields))] {
			if r.room < minRoom {
				break
			}
			text := "*" + escape(oneLine(f.Name), 100) + "*\n" + escape(f.Value, min(maxField, r.room/2))
			r.room -= len(text)
			objects = append(objects, mrkdwn(text))
		}
		fields = fields[len(objects):]
		r.blocks = append(r.blocks, slack.NewSectionBlock(nil, objects, nil))
	}
}

// link writes a link in Slack's way; what is no http or https address is text.
func link(l chat.Link) string {
	u, err := url.Parse(l.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return escape(oneLine(l.Text), 200)
	}
	address := strings.NewReplacer("<", "%3C", ">", "%3E", "|", "%7C", "&", "&amp;").Replace(u.String())
	text := strings.ReplaceAll(escape(oneLine(l.Text), 200), "|", "¦")
	if text == "" {
		return "<" + address + ">"
	}
	return "<" + address + "|" + text + ">"
}

// moment is shown in the time zone of whoever reads.
func (r *renderer) moment(at time.Time) {
	if !at.IsZero() && at.Unix() > 0 {
		r.context(fmt.Sprintf("<!date^%d^{date_num} {time_secs}|%s>", at.Unix(), at.UTC().Format(time.RFC1123)))
	}
}

func (r *renderer) links(links []chat.Link) {
	out := make([]string, 0, len(links))
	for _, l := range links {
		if text := link(l); len(strings.Join(out, ""))+len(text) < maxContext {
			out = append(out, text)
		}
	}
	r.context(strings.Join(out, " · "))
}

func (r *renderer) asked(asked []Asked) {
	for _, a := range asked {
		text := "`" + strings.ReplaceAll(escape(oneLine(chat.Readable(a.Command)), 500), "`", "'") + "` asked"
		if m := mention(a.By); m != "" {
			text += " by " + m
		}
		r.context(text)
	}
}

func (r *renderer) footer(m chat.Message) {
	text := escape(oneLine(m.Footer), maxContext)
	if by := mention(m.By); by != "" {
		by = "asked by " + by
		if text != "" {
			by = " · " + by
		}
		text += by
	}
	r.context(text)
}

// mention names a person. An ID of another shape is not one.
func mention(id chat.UserID) string {
	if len(id) < 2 || len(id) > 30 || id[0] != 'U' && id[0] != 'W' {
		return ""
	}
	for _, c := range []byte(id) {
		if (c < 'A' || c > 'Z') && (c < '0' || c > '9') {
			return ""
		}
	}
	return "<@" + string(id) + ">"
}

func plainText(text string, most int) *slack.TextBlockObject {
	return slack.NewTextBlockObject(slack.PlainTextType, cut(orDash(oneLine(text)), most), true, false)
}

// Sign is the sign of a tone.
func Sign(tone chat.Tone) string {
	switch tone {
	case chat.Info:
		return "ℹ️"
	case chat.Progress:
		return "⏳"
	case chat.Done:
		return "✅"
	case chat.Refused:
		return "⛔"
	case chat.Failure:
		return "❌"
	default:
		return ""
	}
}

// mark is the sign of a step.
func mark(state chat.StepState) string {
	switch state {
	case chat.StepRunning:
		return "▸"
	case chat.StepDone:
		return "✓"
	case chat.StepFailed:
		return "✗"
	case chat.StepSkipped:
		return "–"
	default:
		return "◦"
	}
}
