package botkube

import (
	"fmt"
	"strings"

	"ferry/internal/chat"
)

// maxOptions is how many options a menu has at most, as in Slack; of a larger one is said
// what to type.
const maxOptions = 100

// maxControls is how many a message has at most; more than Slack would show.
const maxControls = 25

// menu is a menu of which one is chosen.
func (s *shower) menu(from *Select, id string) {
	if from.Command == "" {
		return // a menu that only keeps a place, with nothing in it
	}
	var options []chat.Option
	for _, g := range from.OptionGroups {
		options = s.options(options, g.Options, g.Name)
	}
	c := chat.Control{Kind: chat.OneOf, ID: id, Label: orElse(from.Name, "Choose"), Command: s.typed(from.Command) + " ", Options: options}
	if from.Initial != nil {
		c.Chosen = []string{Typed(from.Initial.Value)}
	}
	s.control(c)
}

// multi is a menu of which several are chosen.
func (s *shower) multi(from *MultiSelect, id string) {
	if from.Command == "" || len(from.Options) == 0 {
		return
	}
	s.text(from.Description)
	c := chat.Control{Kind: chat.SomeOf, ID: id, Label: orElse(from.Name, "Choose"), Command: s.typed(from.Command) + " ", Options: s.options(nil, from.Options, "")}
	for _, o := range from.InitialOptions {
		c.Chosen = append(c.Chosen, Typed(o.Value))
	}
	s.control(c)
}

// inputs are fields to write into. What is written follows the command at once, as in
// Botkube, whose commands end in a blank where one is needed. A field that asks at each
// character asks when it is done.
func (s *shower) inputs(all []Input) {
	for _, i := range all {
		if strings.TrimSpace(i.Command) == "" {
			continue
		}
		blank := strings.Repeat(" ", min(1, len(i.Command)-len(strings.TrimRight(i.Command, " "))))
		s.control(chat.Control{
			Kind: chat.Typed, Label: orElse(i.Text, "Input"), Hint: i.Placeholder, Command: s.typed(i.Command) + blank, Silent: i.Dispatched == "",
		})
	}
}

// options adds to others what can come back, each value once.
func (s *shower) options(to []chat.Option, all []Option, group string) []chat.Option {
	for _, o := range all {
		known := false
		for _, t := range to {
			known = known || t.Value == o.Value
		}
		if !known && o.Value != "" && comesBack(o.Value) {
			to = append(to, chat.Option{Label: o.label(), Value: Typed(o.Value), Group: group})
		}
	}
	return to
}

// control adds one, or says what to type: for a menu of too many, and where the command
// is not the plugin's own. A button says whose command it asks for before it is pressed
// for good; a menu and a field cannot.
func (s *shower) control(c chat.Control) {
	s.apart = true
	switch {
	case !comesBack(c.Command):
		s.m.Lines = append(s.m.Lines, fmt.Sprintf("The command of `%s` is longer than a line that ferry takes.", c.Label))
		return
	case len(s.m.Controls) == maxControls, !s.own(c.Command), c.Kind != chat.Typed && (len(c.Options) == 0 || len(c.Options) > maxOptions):
		s.typeOne(&c)
		return
	}
	c.Command = Typed(c.Command)
	for _, other := range s.m.Controls {
		if other.Kind == c.Kind && other.ID == c.ID && other.Command == c.Command {
			return // Slack takes none twice
		}
	}
	s.m.Controls = append(s.m.Controls, c)
}

// typeOne says what to type instead.
func (s *shower) typeOne(c *chat.Control) {
	example := quoted(strings.TrimSpace(c.Command) + " …")
	switch c.Kind {
	case chat.OneOf:
		example += " with one of " + values(c.Options)
	case chat.SomeOf:
		example = quoted(c.Command+"a,b") + " with some of " + values(c.Options) + ", joined by commas"
	}
	s.m.Lines = append(s.m.Lines, fmt.Sprintf("%s: type %s.", c.Label, example))
}

// own reports whether a command is one of the plugin's that is shown.
func (s *shower) own(command string) bool {
	first, _, _ := strings.Cut(strings.TrimSpace(command), " ")
	return s.binding == "" || first == s.binding
}

// comesBack reports whether a command, or a part of one, can be typed.
func comesBack(command string) bool {
	return len(command) <= maxCommand && !strings.ContainsAny(command, "\r\n")
}

// values lists options by what is to be typed, the first of many.
func values(all []chat.Option) string {
	const most = 40
	var out []string
	for _, o := range all[:min(most, len(all))] {
		out = append(out, quoted(untyped(o.Value)))
	}
	if len(all) > most {
		out = append(out, fmt.Sprintf("%d more", len(all)-most))
	}
	return strings.Join(out, ", ")
}
