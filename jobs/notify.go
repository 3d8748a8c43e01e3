package jobs

import (
	"context"
	"fmt"

	"ferry/internal/chat"
	"ferry/internal/deploy"
	"ferry/internal/job"
)

var notifySyntax = chat.Syntax{
	Verb:     "notify",
	Form:     "<switch>",
	Summary:  "say whether this channel is told of incidents",
	Details:  []string{"What was told here before is brought up to date and resolved all the same."},
	Examples: []string{"notify off", "notify on"},
	Changes:  true,
}

var undeliveredSyntax = chat.Syntax{
	Verb:     "undelivered",
	Summary:  "show which notifications were given up, and why",
	Details:  []string{"What fails is tried again, for 24 hours or as often as the receiver says; what is still tried is not among them."},
	Examples: []string{"undelivered"},
}

var resendSyntax = chat.Syntax{
	Verb:     "resend",
	Form:     "<id>",
	Summary:  "send a notification again that was given up",
	Examples: []string{"resend 3f9a61c2"},
	Changes:  true,
}

type (
	notify      struct{ Options }
	undelivered struct{ Options }
	resend      struct{ Options }
)

// allClusters is what a deed is about that no cluster bounds.
func allClusters() []deploy.Target { return []deploy.Target{{Cluster: deploy.Everywhere}} }

// Admit implements Deed.
func (n notify) Admit(_ context.Context, cmd chat.Command) (string, []deploy.Target, error) {
	if n.Notifications == nil {
		return "", nil, errNoAlerts()
	}
	return "Turn notifications " + string(cmd.Args.Switch), allClusters(), nil
}

// Do implements Deed.
func (n notify) Do(ctx context.Context, cmd chat.Command) (chat.Message, error) {
	on := cmd.Args.Switch == "on"
	says := func(was bool) chat.Message { return switched(on, was) }
	was, err := n.Notifications.Switch(ctx, cmd.Thread.Channel, on, func(was bool) job.Entry {
		return answered(deed(cmd, job.Notified, string(cmd.Args.Switch)), says(was))
	})
	if err != nil {
		return chat.Message{}, err
	}
	return says(was), nil
}

// switched says that a channel is told or not, as it was before or not.
func switched(on, was bool) chat.Message {
	m := chat.Message{Tone: chat.Done, Title: "Notifications are off in this channel"}
	switch {
	case on && was:
		m.Title = "Notifications are on already in this channel"
	case on:
		m.Title = "Notifications are on in this channel"
		m.Lines = []string{"What is in trouble by now is told with its next change; `events` shows it at once."}
	case !was:
		m.Title = "Notifications are off already in this channel"
		m.Lines = []string{"`notify on` turns them on again."}
	default:
		m.Lines = []string{"What was told here before is still brought up to date; `events` shows the rest.", "`notify on` turns them on again."}
	}
	return m
}

// Answer implements Query.
func (u undelivered) Answer(ctx context.Context, _ chat.Command) (chat.Message, error) {
	if u.Letters == nil {
		return chat.Message{}, errNoAlerts()
	}
	all, err := u.Letters.Undelivered(ctx)
	if err != nil {
		return chat.Message{}, err
	}
	m := chat.Message{Tone: chat.Info, Title: "No notification was given up"}
	if len(all) == 0 {
		return m, nil
	}
	t := &chat.Table{Columns: []string{"ID", "To", "What", "Why", "Tries", "Given up"}}
	for _, one := range all {
		t.Rows = append(t.Rows, []string{one.ID, one.Sink, clipTo(flat(one.Title), 50), clipTo(flat(one.Why), 80), fmt.Sprint(one.Tries), minute(one.At)})
	}
	n := len(all)
	m.Tone, m.Title, m.Table = chat.Failure, fmt.Sprintf("%s %s given up", count(n, "notification"), wereOf(n)), t
	m.Lines = []string{fmt.Sprintf("`resend %s` sends the first again; they are kept for a week.", all[0].ID)}
	m.Footer = shorten(t, count(n, "notification"), "`resend` takes them out")
	return m, nil
}

// Admit implements Deed.
func (r resend) Admit(_ context.Context, cmd chat.Command) (string, []deploy.Target, error) {
	if r.Letters == nil {
		return "", nil, errNoAlerts()
	}
	return "Resend " + string(cmd.Args.ID), allClusters(), nil
}

// Do implements Deed.
func (r resend) Do(ctx context.Context, cmd chat.Command) (chat.Message, error) {
	says := func(one Letter) chat.Message {
		return chat.Message{
			Tone: chat.Done, Title: fmt.Sprintf("On its way to %s again: %s", one.Sink, flat(one.Title)),
			Lines: []string{"If it fails again `undelivered` shows it. If it has changed meanwhile, what is so now is told instead."},
		}
	}
	one, err := r.Letters.Resend(ctx, string(cmd.Args.ID), func(one Letter) job.Entry {
		return answered(deed(cmd, job.Resent, one.Sink+": "+one.Title), says(one))
	})
	if err != nil {
		return chat.Message{}, err
	}
	return says(one), nil
}
