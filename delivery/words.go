package delivery

import (
	"regexp"
	"strings"
	"unicode"
)

// line makes a value fit for one line of a commit message.
func line(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || r == unicode.ReplacementChar {
			return ' '
		}
		return r
	}, s)
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > 300 {
		s = string(r[:300])
	}
	return s
}

// person is line for a name or an address of a trailer.
func person(s string) string {
	return line(strings.Map(func(r rune) rune {
		if r == '<' || r == '>' {
			return -1
		}
		return r
	}, s))
}

// oneLine makes a text a subject: one line, which git takes for nothing else.
func oneLine(s string) string {
	s = strings.ReplaceAll(s, "\n", " ")
	s = strings.Join(strings.Fields(strings.ToValidUTF8(strings.Map(printable, s), " ")), " ")
	if dividing.MatchString(s) {
		s = strings.TrimLeft(s, "-# ")
	}
	return s
}

// cut shortens a text at the end of a word, if there is one near, to so many
// characters.
func cut(s string, most int) string {
	r := []rune(s)
	if len(r) <= most {
		return s
	}
	short := string(r[:most-1])
	if at := strings.LastIndexByte(short, ' '); at > most/2 {
		short = short[:at]
	}
	return strings.TrimRight(short, " ,;:") + "…"
}

// What git and ferry take for more than prose at the beginning of a line: the
// line that parts a message from a patch, the one below which an editor's
// comments are cut off, and the trailers that only ferry writes.
var (
	dividing = regexp.MustCompile(`^(---(\s|$)|\S? ?-+ >8 -)`)
	owned    = regexp.MustCompile(`(?i)^(ferry-[a-z-]+|co-authored-by)\s*:`)
)

// prose makes a text the part of a message above the trailers: paragraphs, as git
// would leave them, of which no line is anything but text.
func prose(s string) string {
	s = strings.NewReplacer("\r\n", "\n", "\r", "\n", "\u2028", "\n", "\u2029", "\n").Replace(strings.ToValidUTF8(s, " "))
	if r := []rune(s); len(r) > longestText {
		s = string(r[:longestText]) + "…"
	}
	var out []string
	for l := range strings.SplitSeq(strings.Map(printable, s), "\n") {
		l = strings.TrimRightFunc(l, unicode.IsSpace)
		switch {
		case l == "" && (len(out) == 0 || out[len(out)-1] == ""):
			continue
		case dividing.MatchString(l) || owned.MatchString(l):
			l = "> " + l // no blank: those are lost at the beginning of a text
		}
		out = append(out, l)
	}
	return strings.TrimRight(strings.Join(out, "\n"), "\n")
}

// printable drops what is no text.
func printable(r rune) rune {
	if unicode.IsControl(r) && r != '\n' && r != '\t' {
		return -1
	}
	return r
}
