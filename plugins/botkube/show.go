package botkube

import (
	"fmt"
	"strings"

	"ferry/internal/chat"
)

// Bot is what stands for the bot's mention in texts: people write it so.
const Bot = "@ferry"

// botName is what plugins write where the bot is to be mentioned.
const botName = "{{BotName}}"

// maxOptions is how many options a menu has at most; of a larger one is said what to
// type. Slack takes 100, but a message has not the room for so many commands.
const maxOptions = 25

// shower makes ferry's words of a plugin's.
type shower struct {
	// plugin and binding are what the plugin and its binding are called: a line
	// begins with one of them there and the other here.
	plugin, binding string
	// title is for a message that has none; filter is what lines have to contain.
	title, filter string

	m     chat.Message
	codes []string
	notes []string
	// apart is true for something that people act on, which is no mere output.
	apart bool
}

// show makes ferry's words of a message. What is preformatted is the message's Code.
func (s *shower) show(from *Message) chat.Message {
	s.m.Tone = chat.Info
	s.text(from.BaseBody)
	for i := range from.Sections {
		s.section(&from.Sections[i])
	}
	s.inputs(from.PlaintextInputs)
	if from.Type == withFilter && s.filter == "" {
		s.notes = append(s.notes, "add --filter=… to see only lines with that text")
	}
	if from.OnlyVisibleForYou {
		s.notes = append(s.notes, "the plugin meant this for you alone; everybody here sees it")
	}
	if len(s.codes) > 0 {
		s.m.Code = &chat.Code{Text: strings.Join(s.codes, "\n\n")}
	}
	if s.m.Title == "" && s.title == "" && len(s.m.Lines) > 0 {
		s.m.Title, s.m.Lines = s.m.Lines[0], s.m.Lines[1:]
	}
	if s.m.Title == "" {
		s.m.Title = s.title
	}
	s.m.Title = strings.TrimSuffix(s.m.Title, ".")
	s.m.Footer = strings.Join(s.notes, " · ")
	return s.m
}

func (s *shower) text(b Body) {
	if text := strings.TrimSpace(filtered(mentioned(b.Plaintext), s.filter)); text != "" {
		s.m.Lines = append(s.m.Lines, strings.Split(text, "\n")...)
	}
	if code := strings.TrimRight(filtered(b.CodeBlock, s.filter), "\n"); code != "" {
		s.codes = append(s.codes, code)
	}
}

func (s *shower) section(from *Section) {
	header := strings.TrimSpace(mentioned(from.Header))
	switch {
	case header == "":
	case s.m.Title == "":
		s.m.Title = header
	default:
		s.m.Lines = append(s.m.Lines, "*"+header+"*")
	}
	s.text(Body{Plaintext: from.Description})
	s.text(from.body())
	for _, f := range from.TextFields {
		s.m.Fields = append(s.m.Fields, chat.Field{Name: f.Key, Value: f.Value})
	}
	for _, l := range from.BulletLists {
		if l.Title != "" {
			s.m.Lines = append(s.m.Lines, "*"+l.Title+"*")
		}
		for _, item := range l.Items {
			s.m.Lines = append(s.m.Lines, "• "+mentioned(item))
		}
	}
	for i := range from.Buttons {
		s.button(&from.Buttons[i])
	}
	for i := range from.Selects.Items {
		s.menu(&from.Selects.Items[i])
	}
	s.multi(&from.MultiSelect)
	s.inputs(from.PlaintextInputs)
	for _, c := range from.Context {
		s.notes = append(s.notes, mentioned(c.Text))
	}
}

func (s *shower) button(b *Button) {
	switch {
	case b.URL != "":
		s.m.Links = append(s.m.Links, chat.Link{Text: b.Name, URL: b.URL})
	case b.Command != "":
		if b.Description != "" {
			s.m.Lines = append(s.m.Lines, mentioned(b.Description))
		}
		s.press(chat.Button{Label: b.Name, Command: s.typed(b.Command), Danger: b.Style == "danger"})
	}
}

// press adds a button, unless its command could not come back.
func (s *shower) press(b chat.Button) {
	s.apart = true
	if strings.ContainsAny(b.Command, "\r\n") || len(b.Command) > maxCommand {
		s.m.Lines = append(s.m.Lines, fmt.Sprintf("The command of `%s` is longer than a line that ferry takes.", b.Label))
		return
	}
	b.Command = Typed(b.Command)
	s.m.Buttons = append(s.m.Buttons, b)
}

// maxCommand is the longest line that comes back, with room for its escapes.
const maxCommand = 1500

// Typed is a button's command that survives being read like one that was typed, in
// which < and & begin something else.
func Typed(command string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(command)
}

// menu has a button for each option, all with the menu's name.
func (s *shower) menu(from *Select) {
	var options []Option
	for _, g := range from.OptionGroups {
		options = append(options, g.Options...)
	}
	command, name := s.typed(from.Command), from.Name
	switch {
	case command == "" || len(options) == 0:
		return
	case from.Type == "external" || len(options) > maxOptions || len(s.m.Buttons)+len(options) > maxOptions:
		s.typeOne(name, command, options)
		return
	}
	if name == "" {
		name = "Choose"
	}
	for _, o := range options {
		s.press(chat.Button{Label: o.label(), Command: command + " " + o.Value, Menu: name})
	}
	if from.Initial != nil {
		s.notes = append(s.notes, name+": "+from.Initial.label())
	}
}

// typeOne says what to type for one of many.
func (s *shower) typeOne(name, command string, options []Option) {
	s.apart = true
	s.m.Lines = append(s.m.Lines, fmt.Sprintf("%s: type %s with one of %s.", orElse(name, "Choose"), quoted(command+" …"), values(options)))
}

// multi says what to type: there is no menu of several in ferry's words.
func (s *shower) multi(from *MultiSelect) {
	if from.Command == "" || len(from.Options) == 0 {
		return
	}
	s.apart = true
	s.text(from.Description)
	s.m.Lines = append(s.m.Lines, fmt.Sprintf("%s: type %s with some of %s, joined by commas.",
		orElse(from.Name, "Choose"), quoted(s.typed(from.Command)+" a,b"), values(from.Options)))
	if len(from.InitialOptions) > 0 {
		s.m.Lines = append(s.m.Lines, "Chosen now: "+values(from.InitialOptions)+".")
	}
}

// inputs says what to type: there is no field to write into in ferry's words.
func (s *shower) inputs(all []Input) {
	for _, i := range all {
		if i.Command == "" {
			continue
		}
		s.apart = true
		s.m.Lines = append(s.m.Lines, fmt.Sprintf("%s: type %s.", orElse(i.Text, "To answer"), quoted(s.typed(i.Command)+` "`+orElse(i.Placeholder, "…")+`"`)))
	}
}

// typed is a command as people type it: without the bot's name, and with the
// binding's name for the plugin's.
func (s *shower) typed(command string) string {
	command = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(command), botName))
	if first, rest, _ := strings.Cut(command, " "); first == s.plugin && s.binding != "" {
		command = strings.TrimSpace(s.binding + " " + rest)
	}
	return strings.ReplaceAll(command, botName, Bot)
}

func mentioned(text string) string { return strings.ReplaceAll(text, botName, Bot) }

func quoted(text string) string { return "`" + strings.ReplaceAll(text, "`", "'") + "`" }

func (o Option) label() string { return orElse(o.Name, o.Value) }

// values lists options by what is to be typed, the first of many.
func values(all []Option) string {
	const most = 40
	var out []string
	for _, o := range all[:min(most, len(all))] {
		out = append(out, quoted(o.Value))
	}
	if len(all) > most {
		out = append(out, fmt.Sprintf("%d more", len(all)-most))
	}
	return strings.Join(out, ", ")
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
