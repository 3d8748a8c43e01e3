package guard

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Word is one word of a line. Bare is true if no part of it was quoted: only such
// words are ferry's own, like `on`.
type Word struct {
	Text string
	Bare bool
}

// What a line may have; more is nothing that a person writes.
const (
	maxLine  = 4096
	maxWords = 200
)

// Split reads a line as a shell would that knows words and quotes and nothing
// else. What Slack makes of it is undone first: addresses become text again,
// curly quotes straight ones. Outside of quotes only printable ASCII is taken, so
// that nothing looks like something else; within them everything that can be seen.
func Split(line string) ([]Word, error) {
	line = plain(line)
	if len(line) > maxLine {
		return nil, refuse("a line has at most %d bytes, this one has %d", maxLine, len(line))
	}
	if !utf8.ValidString(line) {
		return nil, refuse("the line holds bytes that are no text")
	}
	s := splitter{bare: true}
	for _, r := range line {
		if err := s.next(r); err != nil {
			return nil, err
		}
	}
	if s.quote != 0 {
		return nil, refuse("a quote (%c) is opened and never closed", s.quote)
	}
	s.end()
	if len(s.words) > maxWords {
		return nil, refuse("a line has at most %d words, this one has %d", maxWords, len(s.words))
	}
	return s.words, nil
}

type splitter struct {
	words   []Word
	word    strings.Builder
	open    bool // there is a word, though it may be empty
	bare    bool
	quote   rune // what the open quote ends with
	escaped bool // a backslash within double quotes was the last
}

func (s *splitter) next(r rune) error {
	switch {
	case s.escaped:
		if r != '"' && r != '\\' {
			s.word.WriteByte('\\')
		}
		s.escaped = false
		return s.take(r)
	case s.quote != 0 && r == s.quote:
		s.quote = 0
		return nil
	case s.quote == '"' && r == '\\':
		s.escaped = true
		return nil
	case s.quote != 0:
		return s.take(r)
	case r == ' ' || r == '\t':
		s.end()
		return nil
	case r == '\'' || r == '"':
		s.quote, s.open, s.bare = r, true, false
		return nil
	}
	if why := strange(r); why != "" {
		return refuse("%s", why)
	}
	return s.take(r)
}

// take adds what can be seen to the word.
func (s *splitter) take(r rune) error {
	if !unicode.IsPrint(r) {
		return refuse("the line holds %U, which cannot be seen: write one line of plain text", r)
	}
	s.open = true
	s.word.WriteRune(r)
	return nil
}

func (s *splitter) end() {
	if s.open {
		s.words = append(s.words, Word{Text: s.word.String(), Bare: s.bare})
	}
	s.word.Reset()
	s.open, s.bare = false, true
}

// strange says why a character means trouble outside of quotes.
func strange(r rune) string {
	switch {
	case r == '—' || r == '–':
		return "a keyboard made one long dash of --: write two short ones"
	case strings.ContainsRune("|;&<>`$\\", r):
		return "there is no shell here, so " + string(r) + " does nothing: quote it if it is part of a value"
	case r < ' ' || r > '~':
		if unicode.IsPrint(r) {
			return "outside of quotes only plain letters are read, and " + string(r) + " is none"
		}
		return "the line holds what cannot be seen: write one line of plain text"
	}
	return ""
}

// plain undoes what Slack does to text: <http://a.b|a.b> and <http://a.b> become
// a.b, curly quotes straight ones, and its three entities characters.
func plain(line string) string {
	link := regexp.MustCompile(`<(?:https?://|mailto:)([^<>|\s]+)(?:\|([^<>|]*))?>`)
	line = link.ReplaceAllStringFunc(line, func(found string) string {
		m := link.FindStringSubmatch(found)
		if m[2] != "" {
			return m[2]
		}
		return m[1]
	})
	return strings.NewReplacer("“", `"`, "”", `"`, "„", `"`, "‘", `'`, "’", `'`,
		"&lt;", "<", "&gt;", ">", "&amp;", "&").Replace(strings.TrimSpace(line))
}
