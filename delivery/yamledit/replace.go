package yamledit

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// Replace returns the file with a scalar's value replaced, and the edit. The
// file itself is not changed. The value must be of one line where it differs
// from the old one. ErrAmbiguous if a key on the way to it stands twice.
func (f *File) Replace(s Scalar, value string) ([]byte, Edit, error) {
	if s.ambiguous {
		return nil, Edit{}, fmt.Errorf("line %d: %w: %s", s.Line, ErrAmbiguous, s.Path)
	}
	if s.node.Anchor != "" && slices.ContainsFunc(f.docs, func(d *yaml.Node) bool { return isKey(d, s.node) }) {
		return nil, Edit{}, fmt.Errorf("line %d: %w: it is a key elsewhere, as *%s", s.Line, ErrShape, s.node.Anchor)
	}
	after, err := f.spell(s, value)
	if err != nil {
		return nil, Edit{}, fmt.Errorf("line %d: %w", s.Line, err)
	}
	return f.finish([]splice{{s.start, s.end, string(after)}}, func(w wanted) {
		n := w.change(s.node)
		n.Value, n.Tag = value, becomesString
	})
}

// isKey reports an alias of target as a key below a node.
func isKey(n, target *yaml.Node) bool {
	for i, c := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 && c.Alias == target || isKey(c, target) {
			return true
		}
	}
	return false
}

// spell returns the token for a new value.
func (f *File) spell(s Scalar, value string) ([]byte, error) {
	raw := f.src[s.start:s.end]
	pos, err := f.positions(s)
	if err != nil {
		return nil, err
	}
	i, j, part := differing(s.Value, value)
	if !spliceable(part) {
		return nil, fmt.Errorf("%w: %q cannot be written there", ErrShape, part)
	}
	out := slices.Concat(raw[:pos[i]], []byte(part), raw[pos[j]:])
	if !isPlain(s.node) || bareWord(s, value) {
		return out, nil
	}
	quote := f.quote()
	return slices.Concat([]byte(quote), out, []byte(quote)), nil
}

// differing returns the part of old that is replaced, and by what.
func differing(old, value string) (i, j int, part string) {
	for i < len(old) && i < len(value) && old[i] == value[i] {
		i++
	}
	tail := 0
	for tail < len(old)-i && tail < len(value)-i && old[len(old)-1-tail] == value[len(value)-1-tail] {
		tail++
	}
	return i, len(old) - tail, value[i : len(value)-tail]
}

// spliceable reports whether text may be put into a token of any style without
// escapes.
func spliceable(text string) bool {
	for _, c := range []byte(text) {
		if c <= ' ' || c >= 0x7f || c == '"' || c == '\'' || c == '\\' {
			return false
		}
	}
	return true
}

func isPlain(n *yaml.Node) bool {
	const quoted = yaml.SingleQuotedStyle | yaml.DoubleQuotedStyle | yaml.LiteralStyle | yaml.FoldedStyle
	return n.Style&quoted == 0
}

// positions maps each byte of a scalar's value, and its end, to an offset in its
// token.
func (f *File) positions(s Scalar) ([]int, error) {
	raw := f.src[s.start:s.end]
	var pos []int
	var read []byte
	add := func(at int, c ...byte) {
		for range c {
			pos = append(pos, at)
		}
		read = append(read, c...)
	}
	end := len(raw)
	switch {
	case s.node.Style&yaml.SingleQuotedStyle != 0:
		end--
		for i := 1; i < end; {
			next := foldedPositions(raw[:end], i, add)
			if next == i {
				add(i, raw[i])
				if next++; raw[i] == '\'' {
					next++
				}
			}
			i = next
		}
	case s.node.Style&yaml.DoubleQuotedStyle != 0:
		end--
		if !doublePositions(raw, add) {
			return nil, ErrShape
		}
	case s.node.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		blockPositions(raw, add)
		// How the last line ends is the header's matter ("-", "+" or neither).
		for len(read) < len(s.Value) && s.Value[len(read)] == '\n' {
			add(end, '\n')
		}
		if len(read) > len(s.Value) {
			read, pos = read[:len(s.Value)], pos[:len(s.Value)]
		}
	default:
		for i := 0; i < len(raw); {
			next := foldedPositions(raw, i, add)
			if next == i {
				add(i, raw[i])
				next++
			}
			i = next
		}
	}
	if string(read) != s.Value {
		return nil, ErrShape
	}
	return append(pos, end), nil
}

// foldedPositions reads the blanks around line breaks within a token, of which
// one break is a blank and others are the breaks behind the first. It returns
// the offset behind them; that it was given if no line ends there.
func foldedPositions(raw []byte, at int, add func(int, ...byte)) int {
	next, breaks := at, 0
	for ; next < len(raw) && isBlank(raw[next]); next++ {
		if raw[next] == '\n' {
			breaks++
		}
	}
	switch breaks {
	case 0:
		return at
	case 1:
		add(at, ' ')
	default:
		add(at, bytes.Repeat([]byte("\n"), breaks-1)...)
	}
	return next
}

// doublePositions reads a double-quoted token; escapes of one byte only, and no
// line break that is escaped.
func doublePositions(raw []byte, add func(int, ...byte)) bool {
	simple := map[byte]byte{'"': '"', '\\': '\\', 'n': '\n', 't': '\t', 'r': '\r', '0': 0, ' ': ' '}
	for i := 1; i < len(raw)-1; {
		if next := foldedPositions(raw[:len(raw)-1], i, add); next > i {
			i = next
			continue
		}
		if raw[i] != '\\' {
			add(i, raw[i])
			i++
			continue
		}
		c, ok := simple[raw[i+1]]
		if !ok {
			return false
		}
		add(i, c)
		i += 2
	}
	return true
}

// blockPositions reads the lines of a block as a literal; a folded one reads
// the same as long as it has one line.
func blockPositions(raw []byte, add func(int, ...byte)) {
	indent := -1
	for next := lineEnd(raw, 0); next < len(raw); {
		stop := lineEnd(raw, next)
		line := bytes.TrimRight(raw[next:stop], "\r\n")
		if indent < 0 && len(bytes.TrimLeft(line, " ")) > 0 {
			indent = len(line) - len(bytes.TrimLeft(line, " "))
		}
		for i := max(indent, 0); i < len(line); i++ {
			add(next+i, line[i])
		}
		if stop > next+len(line) {
			add(next+len(line), '\n')
		}
		next = stop
	}
}

// quote is the kind of quotes the file uses more.
func (f *File) quote() string {
	single, double := 0, 0
	for _, s := range f.scalars {
		switch {
		case s.node.Style&yaml.SingleQuotedStyle != 0:
			single++
		case s.node.Style&yaml.DoubleQuotedStyle != 0:
			double++
		}
	}
	if single > double {
		return "'"
	}
	return `"`
}

// bareWord reports whether a plain scalar may stay plain with a new value: the
// value reads as a string by the rules of YAML 1.1 and 1.2 alike, or it is a
// number that reads back digit by digit where a number stood before.
func bareWord(s Scalar, value string) bool {
	switch s.node.ShortTag() {
	case "!!int":
		if _, err := strconv.ParseInt(value, 10, 64); err == nil && (value == "0" || value[0] >= '1' && value[0] <= '9') {
			return true
		}
	case "!!float":
		if x, err := strconv.ParseFloat(value, 64); err == nil && strconv.FormatFloat(x, 'f', -1, 64) == value && strings.Contains(value, ".") {
			return true
		}
	}
	return readsAsString(strings.ReplaceAll(value, "\n", " "), s.inFlow) // its line breaks stand already
}

// What YAML 1.1 or 1.2, or a reader of either, takes for a number or a date.
var (
	numeric = regexp.MustCompile(`^[-+]?(0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|[0-9][0-9_]*|[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?|(\.[0-9_]*|[0-9][0-9_]*\.?[0-9_]*)([eE][-+]?[0-9]+)?)$`)
	dated   = regexp.MustCompile(`^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ].*)?$`)
)

// readsAsString is cautious: what any reader could take for something else is
// not a string. Brackets and commas are something else within brackets.
func readsAsString(value string, inFlow bool) bool {
	if value == "" || strings.IndexByte("!&*-?|>%@`\"'#,[]{}:~=<", value[0]) >= 0 {
		return false
	}
	if strings.Contains(value, ": ") || strings.Contains(value, " #") || strings.HasSuffix(value, ":") || inFlow && strings.ContainsAny(value, "[]{},") {
		return false
	}
	switch strings.ToLower(value) {
	case "y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", ".nan", ".inf", "+.inf":
		return false
	}
	if numeric.MatchString(value) || dated.MatchString(value) {
		return false
	}
	var n yaml.Node
	if err := yaml.Unmarshal([]byte(value), &n); err != nil || len(n.Content) != 1 {
		return false
	}
	return n.Content[0].Kind == yaml.ScalarNode && n.Content[0].ShortTag() == "!!str" && n.Content[0].Value == value
}
