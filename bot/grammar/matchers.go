package grammar

import (
	"strconv"
	"strings"
)

// isMatchers reports whether a word is one matcher of a label or several joined by
// commas: a name, =, !=, =~ or !~, and a value, in quotation marks or without. What
// they match, and whether an expression can be read, is for whoever uses them.
func isMatchers(word string) bool {
	for rest := word; ; {
		end := strings.IndexAny(rest, "=!")
		if end <= 0 || !only(rest[:end], func(c byte) bool { return letter(c) || digit(c) || strings.IndexByte("_.-/", c) >= 0 }) {
			return false
		}
		rest = rest[end:]
		sign := 0
		for _, op := range []string{"=~", "!~", "!=", "="} {
			if strings.HasPrefix(rest, op) {
				sign = len(op)
				break
			}
		}
		if sign == 0 {
			return false
		}
		length := matcherValue(rest[sign:])
		if length == 0 {
			return false
		}
		rest = rest[sign+length:]
		if rest == "" || rest == "," {
			return true
		}
		if rest[0] != ',' {
			return false
		}
		rest = rest[1:]
	}
}

// matcherValue is how long the value is that a text begins with; 0 for none.
func matcherValue(text string) int {
	if strings.HasPrefix(text, `"`) {
		quoted, err := strconv.QuotedPrefix(text)
		if err != nil {
			return 0
		}
		return len(quoted)
	}
	end := strings.IndexByte(text, ',')
	if end < 0 {
		end = len(text)
	}
	if strings.ContainsAny(text[:end], `"{}=<> `) || strings.HasPrefix(text, "'") {
		return 0
	}
	return end
}

// isID is a name that ferry gave to something.
func isID(s string) bool {
	return s != "" && len(s) <= 16 && only(s, func(c byte) bool { return lower(c) || digit(c) })
}

// wordLength is how long the word is that a text begins with: up to a blank, but one
// within the quotation marks of a matcher's value (app="a b") ends no word.
func wordLength(text string) int {
	end := 0
	for end < len(text) && text[end] != ' ' {
		if text[end] == '"' && end > 0 && (text[end-1] == '=' || text[end-1] == '~' && end > 1 && (text[end-2] == '=' || text[end-2] == '!')) {
			if quoted, err := strconv.QuotedPrefix(text[end:]); err == nil {
				end += len(quoted)
				continue
			}
		}
		end++
	}
	return end
}
