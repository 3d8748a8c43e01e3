package yamledit

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// token finds the bytes of a scalar, without its anchor and tag, and reads them
// again. ok is false if they are not what the parser said.
func (f *File) token(n *yaml.Node) (start, end int, ok bool) {
	at, ok := f.at(n)
	if !ok {
		return 0, 0, false
	}
	at = f.skipProperties(at, n)
	end, ok = f.tokenEnd(at, n)
	return at, end, ok
}

// at is the offset at which the parser saw a node start.
func (f *File) at(n *yaml.Node) (int, bool) {
	if n.Line < 1 || n.Line > len(f.lines) {
		return 0, false
	}
	at := f.lines[n.Line-1]
	if f.narrow {
		at += n.Column - 1
		return at, at <= len(f.src)
	}
	for range n.Column - 1 {
		_, size := utf8.DecodeRune(f.src[at:])
		if size == 0 {
			return 0, false
		}
		at += size
	}
	return at, true
}

// skipProperties goes over "&anchor" and "!tag" and the blanks behind them.
func (f *File) skipProperties(at int, n *yaml.Node) int {
	if n.Anchor == "" && n.Style&yaml.TaggedStyle == 0 {
		return at
	}
	for at < len(f.src) && (f.src[at] == '&' || f.src[at] == '!') {
		for at < len(f.src) && !isBlank(f.src[at]) {
			at++
		}
		for at < len(f.src) && isBlank(f.src[at]) {
			at++
		}
	}
	return at
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// tokenEnd returns where the token that starts at an offset ends.
func (f *File) tokenEnd(at int, n *yaml.Node) (int, bool) {
	if at >= len(f.src) {
		return at, false
	}
	src := f.src
	switch {
	case n.Style&yaml.SingleQuotedStyle != 0:
		return quotedEnd(src, at, '\'')
	case n.Style&yaml.DoubleQuotedStyle != 0:
		return quotedEnd(src, at, '"')
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		if src[at] != '|' && src[at] != '>' {
			return at, false
		}
		return blockEnd(src, at), true
	}
	end, ok := plainEnd(src, at, n.Value)
	if !ok {
		return at, false
	}
	rest := bytes.TrimLeft(src[end:], " \t")
	if len(rest) == 0 || strings.IndexByte("\r\n,]}#:", rest[0]) >= 0 {
		return end, true
	}
	r, _ := utf8.DecodeRune(rest)
	return end, r == '\u0085' || r == '\u2028' || r == '\u2029'
}

// quotedEnd returns the offset behind the closing quote.
func quotedEnd(src []byte, at int, quote byte) (int, bool) {
	if src[at] != quote {
		return at, false
	}
	for i := at + 1; i < len(src); i++ {
		switch {
		case quote == '"' && src[i] == '\\':
			i++
		case src[i] == quote && quote == '\'' && i+1 < len(src) && src[i+1] == quote:
			i++
		case src[i] == quote:
			return i + 1, true
		}
	}
	return at, false
}

// blockEnd returns the offset behind a block scalar's last line that has text;
// blanks behind its indentation are text.
func blockEnd(src []byte, at int) int {
	header := lineEnd(src, at)
	end := header
	indent := -1
	for next := header; next < len(src); {
		stop := lineEnd(src, next)
		line := bytes.TrimRight(src[next:stop], "\r\n")
		text := bytes.TrimLeft(line, " ")
		if len(text) > 0 || indent >= 0 && len(line) > indent {
			width := len(line) - len(text)
			if indent < 0 {
				if width <= parentIndent(src, at) {
					break
				}
				indent = width
				if explicit := explicitIndent(src[at:header]); explicit > 0 {
					indent = min(width, parentIndent(src, at)+explicit)
				}
			}
			if width < indent {
				break
			}
			end = next + len(line)
		}
		next = stop
	}
	return end
}

// parentIndent is the indentation of the line a block's header stands on; -1
// for a header at the start of a document.
func parentIndent(src []byte, at int) int {
	start := bytes.LastIndexByte(src[:at], '\n') + 1
	line := src[start:at]
	if bytes.HasPrefix(line, []byte("---")) || len(bytes.TrimSpace(line)) == 0 {
		return -1
	}
	return len(line) - len(bytes.TrimLeft(line, " "))
}

// explicitIndent is the digit of a header such as "|2-", or 0.
func explicitIndent(header []byte) int {
	for _, c := range header[1:] {
		switch {
		case c >= '1' && c <= '9':
			return int(c - '0')
		case c != '+' && c != '-':
			return 0
		}
	}
	return 0
}

// lineEnd returns the offset behind the line feed that ends the line at an
// offset.
func lineEnd(src []byte, at int) int {
	if i := bytes.IndexByte(src[at:], '\n'); i >= 0 {
		return at + i + 1
	}
	return len(src)
}
