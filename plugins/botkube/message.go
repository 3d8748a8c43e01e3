package botkube

import (
	"strings"
	"time"
)

// Message is what a plugin wants to be shown, as it travels.
type Message struct {
	Type              string    `json:"type"`
	BaseBody          Body      `json:"baseBody"`
	Sections          []Section `json:"sections"`
	PlaintextInputs   []Input   `json:"plaintextInputs"`
	OnlyVisibleForYou bool      `json:"onlyVisibleForYou"`
	ReplaceOriginal   bool      `json:"replaceOriginal"`
	UserHandle        string    `json:"userHandle"`
	ParentActivityID  string    `json:"parentActivityId"`
	Timestamp         time.Time `json:"timestamp"`
}

// The types of messages that are shown otherwise than the rest.
const (
	withFilter    = "baseBodyWithFilter"
	singleSection = "nonInteractiveEventSingleSection"
	skipped       = "skipMessage"
)

// Body is text, preformatted or not.
type Body struct {
	CodeBlock string `json:"codeBlock"`
	Plaintext string `json:"plaintext"`
}

// Section is a part of a message.
type Section struct {
	Header          string       `json:"header"`
	Description     string       `json:"description"`
	Body            Body         `json:"body"`
	CodeBlock       string       `json:"codeBlock"`
	Plaintext       string       `json:"plaintext"`
	Buttons         []Button     `json:"buttons"`
	MultiSelect     MultiSelect  `json:"multiSelect"`
	Selects         Selects      `json:"selects"`
	PlaintextInputs []Input      `json:"plaintextInputs"`
	TextFields      []TextField  `json:"textFields"`
	BulletLists     []BulletList `json:"bulletLists"`
	Context         []Context    `json:"context"`
}

// Button asks for a command, or leads to an address.
type Button struct {
	Name        string `json:"name"`
	Command     string `json:"command"`
	URL         string `json:"url"`
	Style       string `json:"style"`
	Description string `json:"description"`
	// DescriptionStyle is bold, italic, text or code, which it is if it is not said.
	DescriptionStyle string `json:"descriptionStyle"`
}

// Selects are menus in a row.
type Selects struct {
	ID    string   `json:"id"`
	Items []Select `json:"items"`
}

// Select is a menu of which one is chosen.
type Select struct {
	Type         string        `json:"type"`
	Name         string        `json:"name"`
	Command      string        `json:"command"`
	OptionGroups []OptionGroup `json:"optionGroups"`
	Initial      *Option       `json:"initialOption"`
}

// OptionGroup is a part of a menu.
type OptionGroup struct {
	Name    string   `json:"name"`
	Options []Option `json:"options"`
}

// Option is one thing to choose.
type Option struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// MultiSelect is a menu of which several are chosen.
type MultiSelect struct {
	Name           string   `json:"name"`
	Description    Body     `json:"description"`
	Command        string   `json:"command"`
	Options        []Option `json:"options"`
	InitialOptions []Option `json:"initialOptions"`
}

// Input is a field to write into.
type Input struct {
	Command     string `json:"command"`
	Text        string `json:"text"`
	Placeholder string `json:"placeholder"`
	// Dispatched says when it asks for its command; if never, it is only told as state.
	Dispatched string `json:"dispatchedAction"`
}

// TextField is a name and its value.
type TextField struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// BulletList is a list under a title.
type BulletList struct {
	Title string   `json:"title"`
	Items []string `json:"items"`
}

// Context is what stands small below.
type Context struct {
	Text string `json:"text"`
}

// body is a section's body, which plugins write inline.
func (s *Section) body() Body {
	b := Body{CodeBlock: s.CodeBlock, Plaintext: s.Plaintext}
	if b.CodeBlock == "" {
		b.CodeBlock = s.Body.CodeBlock
	}
	if b.Plaintext == "" {
		b.Plaintext = s.Body.Plaintext
	}
	return b
}

// printed says that a message is nothing but output, for everybody and where it was
// asked for.
func (m *Message) printed() bool {
	return !m.OnlyVisibleForYou && !m.ReplaceOriginal && m.thread() == ""
}

// thread is the message below which this one belongs: a timestamp of the chat, or none.
func (m *Message) thread() string {
	seconds, micros, ok := strings.Cut(m.ParentActivityID, ".")
	digits := func(s string) bool { return s != "" && len(s) <= 12 && strings.Trim(s, "0123456789") == "" }
	if !ok || !digits(seconds) || !digits(micros) {
		return ""
	}
	return m.ParentActivityID
}

func (m *Message) empty() bool {
	return m.BaseBody == Body{} && len(m.Sections) == 0 && len(m.PlaintextInputs) == 0 && m.Timestamp.IsZero()
}
