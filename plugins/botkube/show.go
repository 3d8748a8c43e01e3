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

// shower makes ferry's words of a plugin's.
type shower struct {
	// plugin and binding are what the plugin and its binding are called: a line
	// begins with one of them there and the other here.
	plugin, binding string
	// title is for a message that has none; filter is what lines have to contain.
	title, filter string
	// cluster is the one that the answer is of, if the plugin reaches several: what is
	// asked for from it is asked there.
	cluster string

	m     chat.Message
	codes []string
	notes []string
	// apart is true for something that people act on, which is no mere output.
	apart bool
}

// show makes ferry's words of a message. What is preformatted is the message's Code.
func (s *shower) show(from *Message) chat.Message {
	s.m.Tone = chat.Info
	sections, inputs := from.Sections, from.PlaintextInputs
	switch from.Type {
	case withFilter: // of which nothing but the body counts
		s.text(from.BaseBody)
		sections, inputs = nil, nil
	case singleSection: // of which the body does not
	default:
		s.text(from.BaseBody)
	}
	for i := range sections {
		s.section(&sections[i])
	}
	s.inputs(inputs)
	if !from.Timestamp.IsZero() {
		s.m.At = from.Timestamp
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
	s.inputs(from.PlaintextInputs)
	for i := range from.Selects.Items {
		s.menu(&from.Selects.Items[i], from.Selects.ID)
	}
	for i := range from.Buttons {
		s.button(&from.Buttons[i])
	}
	s.multi(&from.MultiSelect, from.Selects.ID)
	for _, c := range from.Context {
		s.notes = append(s.notes, mentioned(c.Text))
	}
}

func (s *shower) button(from *Button) {
	b := chat.Button{Label: from.Name, Danger: from.Style == "danger", Beside: described(from)}
	switch {
	case from.URL != "":
		b.URL = from.URL
		s.m.Buttons = append(s.m.Buttons, b)
	case from.Command != "":
		b.Command = s.typed(from.Command)
		s.press(b)
	}
}

// described is the text beside a button; a command is meant if it is not said otherwise.
func described(b *Button) string {
	text := strings.TrimSpace(mentioned(b.Description))
	switch {
	case text == "":
		return ""
	case b.DescriptionStyle == "bold":
		return "*" + text + "*"
	case b.DescriptionStyle == "italic", b.DescriptionStyle == "text":
		return text
	}
	return quoted(text)
}

// press adds a button, unless its command could not come back. One that asks for a
// command of another's says which, before it is pressed for good.
func (s *shower) press(b chat.Button) {
	s.apart = true
	if !comesBack(b.Command) {
		s.m.Lines = append(s.m.Lines, fmt.Sprintf("The command of `%s` is longer than a line that ferry takes.", b.Label))
		return
	}
	if !s.own(b.Command) {
		b.Confirm = "This asks ferry for: " + b.Command
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

// typed is a command as people type it: without the bot's name, and with the
// binding's name for the plugin's.
func (s *shower) typed(command string) string {
	command = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(command), botName))
	if first, rest, _ := strings.Cut(command, " "); first == s.plugin && s.binding != "" {
		if s.cluster != "" && !strings.Contains(rest, clusterFlag) {
			rest = clusterFlag + s.cluster + " " + rest
		}
		command = strings.TrimSpace(s.binding + " " + rest)
	}
	return strings.ReplaceAll(command, botName, Bot)
}

func mentioned(text string) string { return strings.ReplaceAll(text, botName, Bot) }

func quoted(text string) string { return "`" + strings.ReplaceAll(text, "`", "'") + "`" }

func (o Option) label() string { return orElse(o.Name, o.Value) }

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
