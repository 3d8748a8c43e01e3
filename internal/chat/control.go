package chat

import (
	"crypto/sha256"
	"encoding/hex"
)

// Control is something to fill in on a message. Whoever fills it in asks ferry for a
// command in their own name, as with a Button, but as often as they like: a control
// stays until a button of its message is pressed.
type Control struct {
	Kind ControlKind `json:"kind"`
	// ID is what its maker calls it: it comes back in Command.Filled. With the Command
	// it is unique in a message.
	ID    string `json:"id,omitempty"`
	Label string `json:"label"`
	// Hint stands in a field as long as it is empty.
	Hint string `json:"hint,omitempty"`
	// Command begins the command, as a person would type it; what was filled in follows
	// at once, so it ends in a blank where one is needed.
	Command string   `json:"command"`
	Options []Option `json:"options,omitempty"`
	// Chosen are the values of the options that are chosen already.
	Chosen []string `json:"chosen,omitempty"`
	// Silent asks for nothing: what is filled in only comes back in Command.Filled.
	Silent bool `json:"silent,omitempty"`
}

// ControlKind is what a control is, and what follows its command.
type ControlKind string

// The kinds.
const (
	OneOf  ControlKind = "one"   // a menu: the option's value
	SomeOf ControlKind = "some"  // a menu of several: their values, joined by commas
	Typed  ControlKind = "typed" // a text that a person writes: one argument, in quotation marks
)

// Option is one thing to choose. Options of the same Group stand together.
type Option struct {
	Label string `json:"label"`
	Value string `json:"value"` // known to whoever made the control, not to the chat
	Group string `json:"group,omitempty"`
}

// Token stands for the option in the chat, which never sees its value: short, and good
// for nothing but an option that the message has.
func (o Option) Token() string {
	h := sha256.Sum256([]byte(o.Value))
	return hex.EncodeToString(h[:8])
}

// Filled is what a control holds: the options that are chosen, or one without a label
// for the text that was written.
type Filled struct {
	Kind    ControlKind `json:"kind"`
	ID      string      `json:"id,omitempty"`
	Command string      `json:"command"` // the control's
	Options []Option    `json:"options,omitempty"`
}

// Origin is the message from which a command was asked for, by a button or a control.
type Origin struct {
	Key string `json:"key"` // under which it was put
	// For is who alone sees it, if it is not everybody.
	For UserID `json:"for,omitempty"`
	// Filled is what its controls held at that moment.
	Filled []Filled `json:"filled,omitempty"`
}
