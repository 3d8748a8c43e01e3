// Package match is how labels are chosen, in Alertmanager's words: cluster="prod",
// severity!="info", namespace=~"kube-.*", app!~"canary-.*". Routes, silences and
// inhibition use the same.
package match

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strconv"
	"strings"
)

// Labels are what is matched; a label that is not there is "".
type Labels interface{ Label(name string) string }

// Matcher compares one label. The zero value matches nothing; Parse makes them.
type Matcher struct {
	name, op, value string
	expr            *regexp.Regexp
}

// Matchers match what every one of them matches; none at all match everything.
type Matchers []Matcher

// Limits of what people may write.
const (
	maxMatchers = 16
	maxValue    = 256
)

// Parse reads matchers that are separated by commas or spaces; braces around them
// are left out. A value stands as it is or in double quotes, as Go writes them.
func Parse(text string) (Matchers, error) {
	rest := strings.TrimSpace(text)
	if strings.HasPrefix(rest, "{") && strings.HasSuffix(rest, "}") {
		rest = strings.TrimSpace(rest[1 : len(rest)-1])
	}
	var out Matchers
	for rest != "" {
		m, after, err := next(rest)
		if err != nil {
			return nil, fmt.Errorf("matchers `%s`: %w", text, err)
		}
		if out = append(out, m); len(out) > maxMatchers {
			return nil, fmt.Errorf("matchers `%s`: at most %d", text, maxMatchers)
		}
		rest = strings.TrimLeft(after, ", \t")
	}
	return out, nil
}

// next reads one matcher.
func next(text string) (m Matcher, rest string, err error) {
	end := strings.IndexAny(text, "=!~ ,\"")
	if end <= 0 || text[end] == ' ' || text[end] == ',' || text[end] == '"' {
		return m, "", errors.New(`write label=value, label!=value, label=~"pattern" or label!~"pattern"`)
	}
	m.name = text[:end]
	if strings.Trim(m.name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-/") != "" {
		return m, "", fmt.Errorf("`%s` is no label", m.name)
	}
	for _, op := range []string{"=~", "!~", "!=", "="} {
		if strings.HasPrefix(text[end:], op) {
			m.op = op
			break
		}
	}
	if m.op == "" {
		return m, "", fmt.Errorf("`%s` is followed by none of =, !=, =~ and !~", m.name)
	}
	if m.value, rest, err = value(text[end+len(m.op):]); err != nil {
		return m, "", fmt.Errorf("%s: %w", m.name, err)
	}
	if len(m.value) > maxValue {
		return m, "", fmt.Errorf("%s: a value has at most %d characters", m.name, maxValue)
	}
	if m.op[len(m.op)-1] == '~' {
		if m.expr, err = regexp.Compile("^(?:" + m.value + ")$"); err != nil {
			if e, ok := errors.AsType[*syntax.Error](err); ok {
				return m, "", fmt.Errorf("%s: `%s` is no pattern: %s", m.name, m.value, e.Code)
			}
			return m, "", fmt.Errorf("%s: %w", m.name, err)
		}
	}
	return m, rest, nil
}

func value(text string) (v, rest string, err error) {
	if strings.HasPrefix(text, `"`) {
		quoted, err := strconv.QuotedPrefix(text)
		if err != nil {
			return "", "", errors.New("a quotation mark is not closed")
		}
		v, err = strconv.Unquote(quoted)
		return v, text[len(quoted):], err
	}
	end := strings.IndexAny(text, ", \t")
	if end < 0 {
		end = len(text)
	}
	if v = text[:end]; v == "" {
		return "", "", errors.New(`no value: write "" for an empty one`)
	}
	if inner, ok := strings.CutPrefix(v, "'"); ok { // Alertmanager takes it for no value either
		return "", "", fmt.Errorf("write \"%s\" with double quotation marks", strings.TrimSuffix(inner, "'"))
	}
	if strings.ContainsAny(v, `"{}=`) {
		return "", "", fmt.Errorf("put `%s` into quotation marks", v)
	}
	return v, text[end:], nil
}

// Matches reports whether the labels have what is demanded.
func (m Matcher) Matches(l Labels) bool {
	has := l.Label(m.name)
	switch m.op {
	case "=":
		return has == m.value
	case "!=":
		return has != m.value
	case "=~":
		return m.expr.MatchString(has)
	case "!~":
		return !m.expr.MatchString(has)
	}
	return false
}

// Matches reports whether all matchers match.
func (ms Matchers) Matches(l Labels) bool {
	for _, m := range ms {
		if !m.Matches(l) {
			return false
		}
	}
	return true
}

// Demanded returns the one value that a label must have, if there is one.
func (ms Matchers) Demanded(name string) (value string, ok bool) {
	for _, m := range ms {
		if m.name == name && m.op == "=" {
			return m.value, true
		}
	}
	return "", false
}

// Impossible returns a label of which the matchers demand one value that another of
// them forbids.
func (ms Matchers) Impossible() (label string, ok bool) {
	for _, m := range ms {
		for _, o := range ms {
			if m.op == "=" && o.name == m.name && !o.Matches(only(m.value)) {
				return m.name, true
			}
		}
	}
	return "", false
}

// only is the one value of whatever label is asked for.
type only string

func (o only) Label(string) string { return string(o) }

// Empty reports whether the matchers match what has no labels at all, so that they
// choose nothing.
func (ms Matchers) Empty() bool { return ms.Matches(none{}) }

type none struct{}

func (none) Label(string) string { return "" }

// String writes matchers so that Parse reads the same.
func (ms Matchers) String() string {
	parts := make([]string, len(ms))
	for i, m := range ms {
		parts[i] = m.name + m.op + strconv.Quote(m.value)
	}
	return strings.Join(parts, ",")
}
