package render

import (
	"fmt"
	"strings"

	"github.com/slack-go/slack"

	"ferry/internal/chat"
)

// Limits of the table block, the head among the rows.
const (
	maxRows    = 100
	maxColumns = 20
	maxTable   = 9500 // characters over all cells (10,000)
	maxCode    = 8000 // of preformatted text
	minRoom    = 600  // below it, nothing of a table or a text is shown
)

func (r *renderer) table(t *chat.Table) {
	if t == nil || len(t.Columns) == 0 || r.room < minRoom {
		return
	}
	if r.rung > Table || len(t.Columns) > maxColumns {
		r.preformatted(strings.Join(align(t, min(r.room-200, maxCode), true), "\n"))
		return
	}
	block := slack.NewTableBlock("")
	head := make([]slack.TableCell, len(t.Columns))
	for i, c := range t.Columns {
		bold := &slack.RichTextSectionTextStyle{Bold: true}
		text := orDash(cut(oneLine(c), 200))
		r.room -= len(text)
		head[i] = slack.NewTableRichTextCell(slack.NewRichTextSection(slack.NewRichTextSectionTextElement(text, bold)))
	}
	block.AddRow(head...)
	room := min(r.room-200, maxTable)
	for i, row := range t.Rows {
		cells, size := tableRow(row, len(t.Columns))
		if size > room || i == maxRows-1 {
			r.room -= min(r.room-200, maxTable) - room
			r.blocks = append(r.blocks, block)
			r.context(more(len(t.Rows)-i, "row"))
			return
		}
		room -= size
		block.AddRow(cells...)
	}
	r.room -= min(r.room-200, maxTable) - room
	r.blocks = append(r.blocks, block)
}

func tableRow(row []string, columns int) (cells []slack.TableCell, size int) {
	for i := range columns {
		text := ""
		if i < len(row) {
			text = cut(oneLine(row[i]), 300)
		}
		text = orDash(text)
		size += len(text)
		cells = append(cells, slack.NewTableRawTextCell(text))
	}
	return cells, size
}

func (r *renderer) code(c *chat.Code) {
	if c == nil || strings.TrimSpace(c.Text) == "" || r.room < minRoom {
		return
	}
	most := min(r.room-200, maxCode)
	text := strings.TrimRight(c.Text, "\n")
	if len(text) <= most {
		r.preformatted(text)
		return
	}
	kept := cut(text, most-60)
	if i := strings.LastIndexByte(kept, '\n'); i > most/2 {
		kept = kept[:i]
	}
	if n := strings.Count(text, "\n") - strings.Count(kept, "\n"); n > 0 {
		kept += "\n" + more(n, "line")
	}
	r.preformatted(kept)
}

// preformatted shows a text as it stands.
func (r *renderer) preformatted(text string) {
	if r.room < 400 || text == "" {
		return
	}
	if r.rung >= Plain {
		for text != "" && r.room > 400 {
			part := text
			if len(part) > maxSection/2 { // escaping makes it longer
				part = part[:lineEnd(part, maxSection/2)]
			}
			text = strings.TrimPrefix(text[len(part):], "\n")
			r.section("```" + escape(strings.ReplaceAll(part, "```", "'''"), maxSection) + "```")
		}
		return
	}
	r.room -= len(text)
	r.blocks = append(r.blocks, slack.NewRichTextBlock("", &slack.RichTextPreformatted{
		Type:     slack.RTEPreformatted,
		Elements: []slack.RichTextSectionElement{slack.NewRichTextSectionTextElement(text, nil)},
	}))
}

// lineEnd is the end of the last line that fits into so many bytes, or, if that
// is none, of the last character.
func lineEnd(s string, most int) int {
	if i := strings.LastIndexByte(s[:most], '\n'); i > 0 {
		return i
	}
	return len(strings.TrimSuffix(cut(s, most), "…"))
}

func more(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("… %d more %s", n, what)
}
