package render

import (
	"strings"

	"github.com/slack-go/slack"

	"ferry/internal/chat"
)

// ControlPrefix begins the action IDs of controls; their operation follows.
const ControlPrefix = "ferry/fill/"

// Slack's limits of menus and of identifiers.
const (
	maxOptions  = 100 // of a menu, or of a group in it
	maxHint     = 150
	maxActionID = 255
	maxInRow    = 5 // menus in a row, before they are too narrow
)

// controls are menus in rows, menus of several beside their names, and fields. A control
// that the message has no room for says what to type instead.
func (r *renderer) controls(in Input) {
	var row []slack.BlockElement
	first := ""
	end := func() {
		if len(row) > 0 {
			r.blocks = append(r.blocks, slack.NewActionBlock(first, row...))
		}
		row, first = nil, ""
	}
	for i := range min(len(in.Controls), len(in.ControlOperations)) {
		c, id := &in.Controls[i], ControlPrefix+in.ControlOperations[i]
		size := sizeOf(c, id)
		switch {
		case len(id) > maxActionID || size == 0 || r.room-size < maxBlocks/4:
			end()
			r.context("*" + escape(oneLine(c.Label), 100) + "*: type `" + strings.ReplaceAll(escape(c.Command, 300), "`", "'") + "…`")
			continue
		case c.Kind == chat.OneOf:
			if len(row) == maxInRow {
				end()
			}
			if len(row) == 0 {
				first = id
			}
			row = append(row, menu(c, id))
		default:
			end()
			r.blocks = append(r.blocks, alone(c, id))
		}
		r.room -= size
	}
	end()
}

// sizeOf is the room that a control takes; 0 if Slack would not take it at all.
func sizeOf(c *chat.Control, id string) int {
	n := len(id) + min(len(c.Label), maxHint) + min(len(c.Hint), maxHint) + 60
	if c.Kind == chat.Typed {
		return n
	}
	if len(c.Options) == 0 || len(c.Options) > maxOptions {
		return 0
	}
	for _, o := range c.Options {
		n += min(len(o.Label), maxLabel) + len(o.Token()) + min(len(o.Group), maxLabel)
	}
	return n
}

// alone is a control with a block of its own.
func alone(c *chat.Control, id string) slack.Block {
	if c.Kind == chat.SomeOf {
		several := slack.NewOptionsMultiSelectBlockElement(slack.MultiOptTypeStatic, plainText(orElse(c.Hint, c.Label), maxHint), id)
		several.Options, several.OptionGroups, several.InitialOptions = options(c)
		section := slack.NewSectionBlock(mrkdwn("*"+escape(orDash(oneLine(c.Label)), 300)+"*"), nil, slack.NewAccessory(several))
		section.BlockID = id
		return section
	}
	var hint *slack.TextBlockObject
	if c.Hint != "" {
		hint = plainText(c.Hint, maxHint)
	}
	field := slack.NewPlainTextInputBlockElement(hint, id)
	block := slack.NewInputBlock(id, plainText(c.Label, 300), nil, field)
	if !c.Silent {
		field.DispatchActionConfig = &slack.DispatchActionConfig{TriggerActionsOn: []string{"on_enter_pressed"}}
		block.DispatchAction = true
	}
	return block
}

func menu(c *chat.Control, id string) slack.BlockElement {
	one := slack.NewOptionsSelectBlockElement(slack.OptTypeStatic, plainText(c.Label, maxHint), id)
	var chosen []*slack.OptionBlockObject
	one.Options, one.OptionGroups, chosen = options(c)
	if len(chosen) > 0 {
		one.InitialOption = chosen[0]
	}
	return one
}

// options are all of a menu, in groups if they have some, and those that are chosen.
func options(c *chat.Control) (flat []*slack.OptionBlockObject, groups []*slack.OptionGroupBlockObject, chosen []*slack.OptionBlockObject) {
	grouped := false
	for i := range c.Options {
		grouped = grouped || c.Options[i].Group != c.Options[0].Group
	}
	for i, o := range c.Options {
		one := slack.NewOptionBlockObject(o.Token(), plainText(o.Label, maxLabel), nil)
		for _, v := range c.Chosen {
			if v == o.Value {
				chosen = append(chosen, one)
			}
		}
		switch last := len(groups) - 1; {
		case !grouped:
			flat = append(flat, one)
		case i > 0 && o.Group == c.Options[i-1].Group:
			groups[last].Options = append(groups[last].Options, one)
		default:
			groups = append(groups, slack.NewOptionGroupBlockElement(plainText(o.Group, maxLabel), one))
		}
	}
	return flat, groups, chosen
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
