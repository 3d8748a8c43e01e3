package grammar

import (
	"slices"

	"ferry/internal/chat"
)

// form is one of the ways in which a command is written.
type form struct {
	text  string
	nodes []node
}

// fit matches what follows a verb with the forms of its command, in their order.
// Where none fits, the one that was meant explains why.
func (g *Grammar) fit(c *command, rest string) (chat.Args, *miss) {
	var meant *miss
	best := 0
	for _, f := range c.forms {
		m := matcher{g: g, cmd: c, in: split(rest)}
		var args chat.Args
		if m.match(f.nodes, 0, &args) {
			return args, nil
		}
		m.miss.cmd, m.miss.form = c, f.text
		if like := f.like(rest); meant == nil || like > best {
			meant, best = &m.miss, like
		}
	}
	return chat.Args{}, meant
}

// like is how much a text looks as if a form was meant: by the literals of it that
// are there, less those that must be and are not.
func (f form) like(rest string) (points int) {
	there, of, must := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, w := range split(rest).words {
		there[w.text] = true
	}
	literalsOf(f.nodes, of)
	for _, n := range f.nodes {
		must[n.literal] = n.literal != ""
	}
	for word := range of {
		switch {
		case there[word]:
			points += 2
		case must[word]:
			points--
		}
	}
	return points
}

// formOf is the first form that has a place for all arguments, and an argument for
// all places that must have one.
func (c *command) formOf(args *chat.Args) []node {
	for _, f := range c.forms {
		places := map[string]bool{}
		placesOf(f.nodes, places)
		full := !slices.ContainsFunc(f.nodes, func(n node) bool {
			return slices.ContainsFunc(n.parts, func(part string) bool { return *field(args, part) == "" })
		})
		lost := slices.ContainsFunc(placeholders(), func(p string) bool { return !places[p] && *field(args, p) != "" })
		if full && !lost {
			return f.nodes
		}
	}
	return c.forms[0].nodes
}

func placesOf(nodes []node, into map[string]bool) {
	for _, n := range nodes {
		for _, part := range n.parts {
			into[part] = true
		}
		placesOf(n.group, into)
	}
}
