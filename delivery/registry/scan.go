package registry

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"gopkg.in/yaml.v3"
)

// scan reads an index.yaml and returns the versions of each chart, by name, with
// a line break between them.
//
// An index has up to tens of megabytes of which a thousandth is wanted, and
// yaml.v3 makes ten times its size of it. It is written by programs, in block
// style (or in JSON), so that what stands at which indentation says what it is:
// below the key `entries` the names, below a name the items of a list, in an item
// the key `version`; content of other keys is always deeper than these. Only the
// values of `version` are parsed as YAML. What is written in another style is an
// error.
func scan(in io.Reader) (map[string]string, error) {
	const line = 64 << 10 // of a longer one the start is enough
	buffered := bufio.NewReaderSize(in, line)
	first, err := begin(buffered)
	if err != nil {
		return nil, err
	}
	if first == '{' {
		return scanJSON(buffered)
	}
	s := scanner{charts: map[string][]string{}}
	for {
		text, more, err := buffered.ReadLine()
		if errors.Is(err, io.EOF) {
			return s.end()
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", s.line+1, err)
		}
		s.line++
		if err := s.take(string(text)); err != nil {
			return nil, fmt.Errorf("line %d: %w", s.line, err)
		}
		for more && err == nil {
			_, more, err = buffered.ReadLine()
		}
	}
}

// begin skips what may stand before an index and returns what it begins with.
func begin(in *bufio.Reader) (byte, error) {
	if mark, err := in.Peek(3); err == nil && string(mark) == "\ufeff" {
		_, _ = in.Discard(len(mark)) // it was just seen
	}
	for {
		b, err := in.ReadByte()
		switch {
		case errors.Is(err, io.EOF):
			return 0, errors.New("it is empty")
		case err != nil:
			return 0, err
		case b != ' ' && b != '\t' && b != '\r' && b != '\n':
			return b, in.UnreadByte()
		}
	}
}

// scanner holds where it is in an index.
type scanner struct {
	line    int
	entries bool // within
	found   bool // `entries` was there
	names   int  // indentation of charts' names; 0 until one was seen
	chart   string
	dash    int // indentation of the items of the list; -1 until one was seen
	keys    int // indentation of an item's keys; -1 until one was seen
	charts  map[string][]string
}

func (s *scanner) end() (map[string]string, error) {
	if !s.found {
		return nil, errors.New("it has no `entries`: this is no index of a chart repository")
	}
	return joined(s.charts), nil
}

func joined(charts map[string][]string) map[string]string {
	out := make(map[string]string, len(charts))
	for name, versions := range charts {
		out[name] = strings.Join(versions, "\n")
	}
	return out
}

// take reads one line.
func (s *scanner) take(line string) error {
	text := strings.TrimLeft(line, " ")
	indent := len(line) - len(text)
	text = strings.TrimRight(text, " \t")
	item := text == "-" || strings.HasPrefix(text, "- ")
	switch {
	case text == "" || text[0] == '#':
		return nil
	case indent == 0:
		return s.top(text)
	case !s.entries:
		return nil
	case s.names == 0:
		s.names = indent
		return s.name(text)
	case indent < s.names:
		return errors.New("it is indented less than the charts' names")
	case item && (indent == s.dash || s.dash < 0 && s.chart != ""):
		s.dash, s.keys = indent, -1
		rest := strings.TrimLeft(text[1:], " ")
		if rest == "" {
			return nil
		}
		s.keys = indent + len(text) - len(rest)
		return s.key(rest)
	case indent == s.names:
		return s.name(text)
	case s.dash >= 0 && s.keys < 0:
		s.keys = indent
		return s.key(text)
	case indent == s.keys:
		return s.key(text)
	}
	return nil
}

// top reads a key of the document.
func (s *scanner) top(text string) error {
	s.entries = false
	if text == "---" || text == "..." || text[0] == '%' {
		return nil
	}
	key, value, ok := pair(text)
	if !ok {
		return errors.New("this is no index of a chart repository")
	}
	if key != "entries" {
		return nil
	}
	s.found = true
	switch value {
	case "":
		s.entries = true
	case "{}", "null", "~":
	default:
		return errors.New("the entries are written in a way that is not read here")
	}
	return nil
}

// name reads the name of a chart.
func (s *scanner) name(text string) error {
	key, value, ok := pair(text)
	if !ok || value != "" && value != "[]" {
		return errors.New("the name of a chart and its list of versions are wanted here")
	}
	s.chart, s.dash, s.keys = key, -1, -1
	return nil
}

// key reads a key of one of a chart's versions.
func (s *scanner) key(text string) error {
	if text[0] == '{' {
		return errors.New("the versions are written in a way that is not read here")
	}
	key, value, ok := pair(text)
	if !ok || key != "version" {
		return nil
	}
	version, err := scalar(value)
	if err != nil {
		return err
	}
	if version != "" {
		s.charts[s.chart] = append(s.charts[s.chart], version)
	}
	return nil
}

// pair splits a line into a key and the text of its value.
func pair(text string) (key, value string, ok bool) {
	if quote := text[0]; quote == '"' || quote == '\'' {
		end := strings.IndexByte(text[1:], quote)
		if end < 0 {
			return "", "", false
		}
		key, text = text[1:end+1], text[end+2:]
		value, ok = strings.CutPrefix(strings.TrimLeft(text, " "), ":")
	} else if key, value, ok = strings.Cut(text, ": "); !ok {
		key, ok = strings.CutSuffix(text, ":")
	}
	value = strings.TrimSpace(value)
	if strings.HasPrefix(value, "#") {
		value = ""
	}
	return key, value, ok
}

// scalar reads the value of a version.
func scalar(value string) (string, error) {
	plain := func(r rune) bool {
		return r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || strings.ContainsRune(".+-_", r)
	}
	if strings.TrimFunc(value, plain) == "" {
		return value, nil
	}
	var node yaml.Node
	if err := yaml.Unmarshal([]byte(value), &node); err != nil {
		return "", fmt.Errorf("a version: %w", err)
	}
	if len(node.Content) != 1 || node.Content[0].Kind != yaml.ScalarNode {
		return "", nil
	}
	return strings.TrimSpace(node.Content[0].Value), nil
}

// scanJSON reads an index that is written in JSON, token by token.
func scanJSON(in io.Reader) (map[string]string, error) {
	dec := json.NewDecoder(in)
	charts, found := map[string][]string{}, false
	err := members(dec, func(key string) error {
		if key != "entries" {
			var skipped json.RawMessage
			return dec.Decode(&skipped)
		}
		found = true
		return members(dec, func(chart string) error {
			return elements(dec, func() error {
				var one struct {
					Version string `json:"version"`
				}
				if err := dec.Decode(&one); err != nil {
					return err
				}
				if one.Version != "" {
					charts[chart] = append(charts[chart], one.Version)
				}
				return nil
			})
		})
	})
	if err != nil {
		return nil, err
	}
	return (&scanner{found: found, charts: charts}).end()
}

// members calls fn with each key of an object that comes next; fn reads the
// value.
func members(dec *json.Decoder, fn func(key string) error) error {
	return within(dec, '{', func() error {
		key, err := dec.Token()
		if err != nil {
			return err
		}
		name, _ := key.(string)
		return fn(name)
	})
}

// elements calls fn before each element of a list that comes next; fn reads it.
func elements(dec *json.Decoder, fn func() error) error { return within(dec, '[', fn) }

func within(dec *json.Decoder, open json.Delim, fn func() error) error {
	token, err := dec.Token()
	if err != nil {
		return err
	}
	if token == nil { // null holds nothing
		return nil
	}
	if token != open {
		return fmt.Errorf("%v where %v is wanted, after %d bytes", token, open, dec.InputOffset())
	}
	for dec.More() {
		if err := fn(); err != nil {
			return err
		}
	}
	_, err = dec.Token()
	return err
}
