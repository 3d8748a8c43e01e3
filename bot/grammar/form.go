package grammar

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"ferry/internal/chat"
)

// node is one element of a form: a word or an optional group of nodes.
type node struct {
	literal string   // a word that stands for itself
	parts   []string // placeholders of one word, in order
	signs   []string // what joins them: signs[i] stands between parts[i] and parts[i+1]
	group   []node   // an optional sequence
}

// placeholders in the order of chat.Args.
func placeholders() []string {
	return []string{"app", "glob", "version", "field", "cluster", "other", "from", "clusters", "targets", "namespace", "option", "mode", "gate", "duration", "job", "topic", "matchers", "id", "switch", "line", "reason"}
}

// compile reads a form.
func compile(form string) ([]node, error) {
	p := formParser{rest: strings.Fields(strings.NewReplacer("[", " [ ", "]", " ] ").Replace(form))}
	nodes, err := p.sequence(false)
	if err != nil {
		return nil, err
	}
	return nodes, checkLine(nodes)
}

type formParser struct{ rest []string }

func (p *formParser) sequence(inside bool) ([]node, error) {
	var out []node
	for len(p.rest) > 0 {
		word := p.rest[0]
		p.rest = p.rest[1:]
		switch {
		case word == "]" && inside:
			if len(out) == 0 {
				return nil, errors.New("[ ] is empty")
			}
			return out, nil
		case word == "]":
			return nil, errors.New("] without [")
		case word == "[":
			group, err := p.sequence(true)
			if err != nil {
				return nil, err
			}
			out = append(out, node{group: group})
		default:
			n, err := wordNode(word)
			if err != nil {
				return nil, err
			}
			out = append(out, n)
		}
	}
	if inside {
		return nil, errors.New("[ without ]")
	}
	return out, nil
}

func wordNode(word string) (node, error) {
	if !strings.ContainsAny(word, "<>") {
		return node{literal: word}, nil
	}
	var n node
	for rest := word; ; {
		name, after, ok := strings.Cut(strings.TrimPrefix(rest, "<"), ">")
		if !ok || !strings.HasPrefix(rest, "<") || !slices.Contains(placeholders(), name) {
			return node{}, fmt.Errorf("%q is no word of a form", word)
		}
		n.parts = append(n.parts, name)
		if after == "" {
			return n, nil
		}
		sign, _, ok := strings.Cut(after, "<")
		if !ok || sign == "" {
			return node{}, fmt.Errorf("%q: placeholders are joined by a sign", word)
		}
		n.signs, rest = append(n.signs, sign), after[len(sign):]
	}
}

// free reports whether a node takes all that is left.
func (n node) free() bool {
	return slices.Contains(n.parts, "line") || slices.Contains(n.parts, "reason")
}

// checkLine sees that what takes all that is left stands alone and last.
func checkLine(nodes []node) error {
	for i, n := range nodes {
		if n.group != nil {
			if err := checkLine(n.group); err != nil {
				return err
			}
			if hasLine(n.group) && i < len(nodes)-1 {
				return errors.New("<line> or <reason> must stand last")
			}
		}
		if n.free() && (len(n.parts) > 1 || i < len(nodes)-1) {
			return errors.New("<line> or <reason> must stand alone and last")
		}
	}
	return nil
}

func hasLine(nodes []node) bool {
	return slices.ContainsFunc(nodes, node.free)
}

func literalsOf(nodes []node, into map[string]bool) {
	for _, n := range nodes {
		if n.literal != "" {
			into[n.literal] = true
		}
		literalsOf(n.group, into)
	}
}

// write renders nodes with arguments; a group is written if all its
// placeholders have one.
func write(nodes []node, args *chat.Args) []string {
	var out []string
	for _, n := range nodes {
		switch {
		case n.group != nil:
			if filled(n.group, args) {
				out = append(out, write(n.group, args)...)
			}
		case n.literal != "":
			out = append(out, n.literal)
		default:
			var b strings.Builder
			for i, part := range n.parts {
				if i > 0 {
					b.WriteString(n.signs[i-1])
				}
				b.WriteString(string(*field(args, part)))
			}
			out = append(out, b.String())
		}
	}
	return out
}

func filled(nodes []node, args *chat.Args) bool {
	for _, n := range nodes {
		for _, part := range n.parts {
			if *field(args, part) == "" {
				return false
			}
		}
	}
	return true
}

// field is where a placeholder's word goes.
func field(args *chat.Args, placeholder string) *chat.Word {
	switch placeholder {
	case "app":
		return &args.App
	case "glob":
		return &args.Glob
	case "version":
		return &args.Version
	case "option":
		return &args.Option
	case "mode":
		return &args.Mode
	case "gate":
		return &args.Gate
	case "duration":
		return &args.Duration
	case "field":
		return &args.Field
	case "cluster":
		return &args.Cluster
	case "other":
		return &args.Other
	case "from":
		return &args.From
	case "clusters":
		return &args.Clusters
	case "targets":
		return &args.Targets
	case "namespace":
		return &args.Namespace
	case "job":
		return &args.Job
	case "topic":
		return &args.Topic
	case "matchers":
		return &args.Matchers
	case "id":
		return &args.ID
	case "switch":
		return &args.Switch
	case "reason":
		return &args.Reason
	default:
		return &args.Line
	}
}
