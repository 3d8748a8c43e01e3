package render

import (
	"fmt"

	"github.com/slack-go/slack"

	"ferry/internal/chat"
)

// Slack's limits of menus: options, and the characters of a value.
const (
	maxOptions     = 100
	maxOptionValue = 150
)

// buttons are one row; those that stand together with the same Menu are a menu in it.
func (r *renderer) buttons(in Input) {
	var elements []slack.BlockElement
	count := min(len(in.Buttons), len(in.Operations))
	for i := 0; i < count && len(elements) < maxButtons && r.room >= maxBlocks/2; {
		n := r.menuAt(in, i, count)
		if n > 0 {
			elements = append(elements, r.menu(in, i, n))
			i += n
			continue
		}
		elements = append(elements, r.button(in.Buttons[i], in.Operations[i], i))
		i++
	}
	if len(elements) > 0 {
		r.blocks = append(r.blocks, slack.NewActionBlock("", elements...))
	}
}

// menuAt returns how many options the menu has that begins there; 0 if there is
// none, or none that Slack would take.
func (r *renderer) menuAt(in Input, first, count int) int {
	n := 0
	for i := first; i < count && n < maxOptions; i++ {
		if in.Buttons[i].Menu == "" || in.Buttons[i].Menu != in.Buttons[first].Menu {
			break
		}
		if len(in.Operations[i]) > maxOptionValue {
			return 0
		}
		n++
	}
	return n
}

// menu has an option for each of n buttons.
func (r *renderer) menu(in Input, first, n int) slack.BlockElement {
	options := make([]*slack.OptionBlockObject, 0, n)
	for i := first; i < first+n; i++ {
		label := in.Buttons[i].Label
		options = append(options, slack.NewOptionBlockObject(in.Operations[i], plainText(label, maxLabel), nil))
		r.room -= min(len(label), maxLabel) + len(in.Operations[i]) + 30
	}
	return slack.NewOptionsSelectBlockElement(slack.OptTypeStatic, plainText(in.Buttons[first].Menu, maxOptionValue), fmt.Sprintf("ferry/%d", first), options...)
}

func (r *renderer) button(b chat.Button, operation string, i int) slack.BlockElement {
	e := slack.NewButtonBlockElement(fmt.Sprintf("ferry/%d", i), operation, plainText(b.Label, maxLabel))
	if b.Danger {
		e.Style = slack.StyleDanger
	} else if i == 0 {
		e.Style = slack.StylePrimary
	}
	if b.Confirm != "" {
		e.Confirm = slack.NewConfirmationBlockObject(plainText("Are you sure?", 100),
			plainText(b.Confirm, maxConfirm), plainText("Yes", 30), plainText("No", 30))
	}
	r.room -= min(len(b.Label), maxLabel) + min(len(b.Confirm), maxConfirm) + len(operation) + 30
	return e
}
