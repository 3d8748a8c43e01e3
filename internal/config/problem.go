package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing that is wrong with the configuration.
type Problem struct {
	File string
	Line int    // 1-based; 0 if the file could not be read
	Key  string // which key it is about; "" where there is none
	Says string // what is wrong
	Help string // what would work
}

// String returns "file:line: what is wrong; what would work".
func (p Problem) String() string {
	s := p.File
	if p.Line > 0 {
		s = fmt.Sprintf("%s:%d", p.File, p.Line)
	}
	s += ": " + p.Says
	if p.Help != "" {
		s += "; " + p.Help
	}
	return s
}

// Problems is the error of Load: everything that is wrong, in the order of the
// lines. It is never empty.
type Problems []Problem

// Error returns one line per problem.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, one := range p {
		lines[i] = one.String()
	}
	return strings.Join(lines, "\n")
}

// problems collects what is wrong with a file.
type problems struct {
	file  string
	lines map[string]int // of keys, by their path
	found Problems
}

// at notes a problem of a key.
func (p *problems) at(key, says, help string) { p.line(p.lineOf(key), key, says, help) }

// line notes a problem on a line. Of a key, only the first one counts: what
// could not be decoded need not be checked.
func (p *problems) line(line int, key, says, help string) {
	if key != "" && slices.ContainsFunc(p.found, func(other Problem) bool { return other.Key == key }) {
		return
	}
	p.found = append(p.found, Problem{File: p.file, Line: line, Key: key, Says: says, Help: help})
}

// lineOf is the line of a key, or of the nearest one around it that is there.
func (p *problems) lineOf(path string) int {
	for path != "" {
		if line, ok := p.lines[path]; ok {
			return line
		}
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
	}
	return 1
}

// err returns the problems, or nil if there are none.
func (p *problems) err() error {
	if len(p.found) == 0 {
		return nil
	}
	slices.SortStableFunc(p.found, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
	return p.found
}
