package render

import (
	"strings"
	"unicode/utf8"

	"ferry/internal/chat"
)

// escape makes text safe for mrkdwn and cuts it to at most that many bytes
// after escaping, between characters. Bytes are never fewer than what Slack
// counts.
func escape(s string, most int) string {
	var b strings.Builder
	for i, r := range s {
		out := string(r)
		switch r {
		case '&':
			out = "&amp;"
		case '<':
			out = "&lt;"
		case '>':
			out = "&gt;"
		}
		if b.Len()+len(out) > most-len("…") && !fits(s[i:], most-b.Len()) {
			return b.String() + "…"
		}
		b.WriteString(out)
	}
	return b.String()
}

// fits reports whether the escaped rest is no longer than room.
func fits(rest string, room int) bool {
	n := len(rest)
	for i := range len(rest) {
		switch rest[i] {
		case '&':
			n += 4
		case '<', '>':
			n += 3
		}
		if n > room {
			return false
		}
	}
	return n <= room
}

// cut shortens a text to at most that many bytes, between characters.
func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	end := max(0, most-len("…"))
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + "…"
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

func orDash(s string) string {
	if strings.TrimSpace(s) == "" {
		return "–"
	}
	return s
}

func join(parts ...string) string {
	var out []string
	for _, p := range parts {
		if p != "" {
			out = append(out, p)
		}
	}
	return strings.Join(out, "\n")
}

// fallback is the text of a message: what a notification shows and a screen
// reader says. It is escaped, and never empty.
func fallback(in Input) string {
	lines := append([]string{strings.TrimSpace(Sign(in.Tone) + " " + oneLine(in.Title))}, in.Lines...)
	for _, s := range in.Steps {
		lines = append(lines, mark(s.State)+" "+oneLine(s.Text))
	}
	for _, f := range in.Fields {
		lines = append(lines, oneLine(f.Name)+": "+oneLine(f.Value))
	}
	if in.Table != nil {
		lines = append(lines, align(in.Table, maxText, false)...)
	}
	if in.Code != nil {
		lines = append(lines, in.Code.Text)
	}
	for _, a := range in.Asked {
		lines = append(lines, "asked: "+oneLine(chat.Readable(a.Command)))
	}
	if in.Footer != "" {
		lines = append(lines, oneLine(in.Footer))
	}
	return orDash(escape(strings.TrimSpace(strings.Join(lines, "\n")), maxText))
}

// width is how many columns a text takes in preformatted text, near enough.
func width(s string) int { return utf8.RuneCountInString(s) }

// align writes a table as lines of equal columns that take at most so many
// bytes; what does not fit is counted in the last line. With rule, a line
// stands below the head.
func align(t *chat.Table, most int, rule bool) []string {
	widths := make([]int, len(t.Columns))
	clean := func(row []string) []string {
		out := make([]string, len(t.Columns))
		for i := range out {
			if i < len(row) {
				out[i] = cut(oneLine(row[i]), 80)
			}
			out[i] = orDash(out[i])
			widths[i] = max(widths[i], width(out[i]))
		}
		return out
	}
	head := clean(t.Columns)
	rows := make([][]string, 0, len(t.Rows))
	for _, row := range t.Rows {
		rows = append(rows, clean(row))
	}
	line := func(cells []string, fill string) string {
		var b strings.Builder
		for i, c := range cells {
			b.WriteString(c)
			if i < len(cells)-1 {
				b.WriteString(strings.Repeat(fill, widths[i]-width(c)) + fill + fill)
			}
		}
		return strings.TrimRight(b.String(), " ")
	}
	out := []string{line(head, " ")}
	if rule {
		out = append(out, line(make([]string, len(head)), "─")+strings.Repeat("─", widths[max(0, len(widths)-1)]))
	}
	room := most - len(out[0]) - 60
	for i, cells := range rows {
		text := line(cells, " ")
		if room -= len(text) + 1; room < 0 {
			return append(out, more(len(rows)-i, "row"))
		}
		out = append(out, text)
	}
	return out
}
