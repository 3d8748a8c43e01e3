package bot

import (
	"context"
	"slices"

	"ferry/bot/slack"
	"ferry/internal/chat"
	"ferry/internal/fault"
)

// Person tells who somebody is, as Slack said within the last five minutes or since
// chat.AskedAnew, without their groups. An error is an Unavailable fault.
func (b *Bot) Person(ctx context.Context, id chat.UserID) (chat.Person, error) {
	me, err := b.slack.Identify(ctx)
	if err != nil {
		return chat.Person{}, unknown(err)
	}
	p, err := b.slack.Person(ctx, id)
	if err != nil {
		return chat.Person{}, unknown(err)
	}
	return chat.Person{
		ID: p.ID, Team: p.Team, Guest: p.Guest, Bot: p.Bot, Deleted: p.Deleted,
		Foreign: p.Team != "" && p.Team != me.Team && !slices.Contains(b.o.Teams, p.Team),
	}, nil
}

func unknown(err error) error {
	return fault.New(fault.Unavailable, "cannot tell who you are: Slack did not answer", "nothing was done").Because(err)
}

// Members tells who is in a user group, as Slack said within the last minutes or
// since chat.AskedAnew. The error is an Unavailable fault if it may pass.
func (b *Bot) Members(ctx context.Context, id chat.GroupID) ([]chat.UserID, error) {
	members, err := b.slack.Members(ctx, id)
	if err == nil {
		return members, nil
	}
	b.o.Log.Warn("the members of a user group are not known", "group", id, "error", err)
	kind := fault.Refused
	if slack.MayPass(err) {
		kind = fault.Unavailable
	}
	return nil, fault.Newf(kind, "cannot tell who is in the group %s", id).Because(err)
}

// barred refuses people from whom ferry takes no command at all.
func (b *Bot) barred(ctx context.Context, r *slack.Request) error {
	who := chat.Person{ID: r.User, Outside: r.Shared}
	if !r.Shared {
		var err error
		if who, err = b.Person(ctx, r.User); err != nil {
			return err
		}
	}
	if r.Kind == slack.Slash || r.Kind == slack.Press || r.Kind == slack.Fill { // their envelopes do not tell it
		var err error
		if who.Outside, err = b.outside(ctx, r.Channel); err != nil {
			return err
		}
	}
	if says, help := who.Barred(); says != "" {
		return fault.New(fault.Denied, says, help)
	}
	return nil
}

// outside reports whether a channel is shared with other organisations. What cannot
// be learned of it is a refusal.
func (b *Bot) outside(ctx context.Context, c chat.ChannelID) (bool, error) {
	shared, err := b.slack.Shared(ctx, c)
	switch {
	case err == nil:
		return shared, nil
	case slack.MayPass(err):
		return false, unknown(err)
	}
	b.o.Log.Warn("Slack does not tell whether a channel is shared", "channel", c, "error", err)
	return false, fault.New(fault.Denied, "cannot tell whether this channel is shared with other organisations",
		"nothing was done\nmention ferry with the command instead; whoever runs it finds the reason in its log").Because(err)
}
