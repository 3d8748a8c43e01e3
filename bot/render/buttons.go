package render

import (
	"fmt"
	"net/url"

	"github.com/slack-go/slack"

	"ferry/internal/chat"
)

// LinkPrefix begins the action IDs of buttons that lead somewhere: a click on one comes
// back like any other, and asks for nothing.
const LinkPrefix = "link/"

// buttons are one row, but for those that stand beside a text, each in a row of its own
// before it.
func (r *renderer) buttons(in Input) {
	var row []slack.BlockElement
	for i := range min(len(in.Buttons), len(in.Operations)) {
		b := in.Buttons[i]
		if r.room < maxBlocks/2 || b.URL != "" && !leads(b.URL) {
			continue
		}
		e := r.button(b, in.Operations[i], i)
		switch {
		case b.Beside != "":
			text := escape(b.Beside, maxSection/4)
			r.room -= len(text)
			r.blocks = append(r.blocks, slack.NewSectionBlock(mrkdwn(text), nil, slack.NewAccessory(e)))
			continue
		case len(row) == maxButtons:
			continue
		case b.URL == "" && !b.Danger && i == 0:
			e.Style = slack.StylePrimary
		}
		row = append(row, e)
	}
	if len(row) > 0 {
		r.blocks = append(r.blocks, slack.NewActionBlock("", row...))
	}
}

func (r *renderer) button(b chat.Button, operation string, i int) *slack.ButtonBlockElement {
	e := slack.NewButtonBlockElement(fmt.Sprintf("ferry/%d", i), operation, plainText(b.Label, maxLabel))
	if b.URL != "" {
		e.ActionID, e.Value, e.URL = fmt.Sprintf("%s%d", LinkPrefix, i), "", b.URL
	}
	if b.Danger {
		e.Style = slack.StyleDanger
	}
	if b.Confirm != "" {
		e.Confirm = slack.NewConfirmationBlockObject(plainText("Are you sure?", 100),
			plainText(b.Confirm, maxConfirm), plainText("Yes", 30), plainText("No", 30))
	}
	r.room -= min(len(b.Label), maxLabel) + min(len(b.Confirm), maxConfirm) + len(operation) + len(b.URL) + 30
	return e
}

// leads reports whether an address is one that a button may lead to.
func leads(address string) bool {
	u, err := url.Parse(address)
	return err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https") && len(address) <= maxURL
}

// maxURL bounds the address of a button.
const maxURL = 3000
