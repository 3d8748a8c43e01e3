package grammar

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"ferry/internal/fault"
)

// maxText bounds a command, in bytes as it comes from the chat.
const maxText = 2000

// Clean takes away what a chat client puts around and into a text, and nothing
// that a person could have meant: Slack's links become the words that are seen,
// its entities the signs they stand for, odd spaces spaces, invisible characters
// nothing, a typographic quote or dash the one on the keyboard. Code marks and
// quotes around the whole go. A text of more than one line is refused, as is
// one with characters that change the direction of reading.
func Clean(raw string) (string, error) {
	if len(raw) > maxText {
		return "", fault.Newf(fault.Invalid, "that is too long for a command: %d bytes, of which %d are allowed", len(raw), maxText)
	}
	if !utf8.ValidString(raw) {
		return "", fault.Newf(fault.Invalid, "that text is not valid UTF-8")
	}
	text := strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&").Replace(unlink(raw))
	var b strings.Builder
	for _, r := range text {
		switch {
		case invisible(r):
		case r == '\n' || r == '\r' || r == '\u2028' || r == '\u2029' || r == '\v' || r == '\f' || r == '\u0085':
			b.WriteByte('\n')
		case unicode.IsSpace(r):
			b.WriteByte(' ')
		case unicode.IsControl(r) || unicode.Is(unicode.Cf, r):
			return "", fault.Newf(fault.Invalid, "that text has an invisible character (%U)", r).
				WithHelp("type the command instead of pasting it")
		default:
			b.WriteString(keyboard(r))
		}
	}
	text = unmark(strings.TrimSpace(b.String()))
	if first, more, ok := strings.Cut(text, "\n"); ok {
		return "", fault.Newf(fault.Invalid, "a command is one line, and that has more: %s", quote(strings.TrimSpace(more))).
			WithHelp("nothing was done; send %s alone, then the next", quote(strings.TrimSpace(first)))
	}
	return text, nil
}

// unlink turns Slack's <…> marks into the text that people see. User, channel
// and broadcast mentions stay marks: they are no word of any command, and the
// parser says so.
func unlink(s string) string {
	var b strings.Builder
	for {
		before, after, ok := strings.Cut(s, "<")
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		mark, rest, closed := strings.Cut(after, ">")
		if !closed || strings.Contains(mark, "<") {
			b.WriteByte('<')
			s = after
			continue
		}
		target, label, labelled := strings.Cut(mark, "|")
		switch {
		case mark == "" || strings.ContainsRune("@#!", rune(mark[0])):
			b.WriteString("<" + strings.ReplaceAll(mark, " ", "_") + ">")
		case labelled:
			b.WriteString(label)
		default:
			b.WriteString(strings.TrimPrefix(target, "mailto:"))
		}
		s = rest
	}
}

// unmark takes off pairs of code marks and quotes around a whole text.
func unmark(s string) string {
	for {
		inner := s
		for _, mark := range []string{"```", "`", `"`, "'"} {
			if len(s) > 2*len(mark) && strings.HasPrefix(s, mark) && strings.HasSuffix(s, mark) &&
				!strings.Contains(s[len(mark):len(s)-len(mark)], mark) {
				inner = strings.TrimSpace(s[len(mark) : len(s)-len(mark)])
				break
			}
		}
		if inner == s || inner == "" {
			return s
		}
		s = inner
	}
}

// invisible characters come with pasted text and mean nothing in a command.
func invisible(r rune) bool {
	switch r {
	case '\u00ad', '\u200b', '\u200c', '\u200d', '\u2060', '\ufeff', '\ufe0e', '\ufe0f':
		return true
	}
	return false
}

// keyboard undoes the typography that clients apply while one types.
func keyboard(r rune) string {
	switch r {
	case '“', '”', '„', '‟', '«', '»':
		return `"`
	case '‘', '’', '‚', '‛':
		return "'"
	case '—': // two hyphens become one em dash
		return "--"
	case '‐', '‑', '–', '−':
		return "-"
	case '…':
		return "..."
	}
	return string(r)
}

// lookalike returns the ASCII character that one of another script is most
// often mistaken for.
func lookalike(r rune) (plain rune, ok bool) {
	const odd, even = "аеорсхуіјѕԁһӏԛԝАВЕКМНОРСТХαορνικΑΒΕΚΜΗΟΡΤΧ", "aeopcxyijsdhlqwABEKMHOPCTXaopvikABEKMHOPTX"
	if r >= '！' && r <= '～' { // full width
		return r - '！' + '!', true
	}
	if i := strings.IndexRune(odd, r); i >= 0 {
		return rune(even[utf8.RuneCountInString(odd[:i])]), true
	}
	return r, false
}

// plain replaces look-alikes, for suggestions only.
func plain(word string) string {
	return strings.Map(func(r rune) rune {
		if r >= utf8.RuneSelf {
			r, _ = lookalike(r)
		}
		return r
	}, word)
}
