package jobs

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"ferry/internal/chat"
	"ferry/internal/deploy"
	alert "ferry/internal/event"
	"ferry/internal/fault"
	"ferry/internal/job"
)

var silenceSyntax = chat.Syntax{
	Verb:    "silence",
	Form:    "<matchers> for <duration> because <reason>",
	Summary: "tell nobody of what has these labels, for a while",
	Details: []string{
		"Labels are those of Alertmanager: `cluster=prod`, `severity!=info`, `app=~\"web-.*\"`, `app!~\"web-.*\"`; all of them must match.",
		"What was told before is still resolved where it began. `silences` lists what is in force.",
	},
	Examples: []string{"silence cluster=prod namespace=podinfo for 2h because we move the database", "silence reason=BackOff app=~\"web-.*\" for 1d because the registry is slow"},
	Changes:  true,
}

var silencesSyntax = chat.Syntax{
	Verb:     "silences",
	Summary:  "show what nobody is told of, by whose wish, until when and why",
	Examples: []string{"silences"},
}

var unsilenceSyntax = chat.Syntax{
	Verb:     "unsilence",
	Form:     "<id>",
	Summary:  "end a silence, whoever placed it",
	Examples: []string{"unsilence s1"},
	Changes:  true,
}

// silence places a silence; unsilence ends one; silences lists them.
type (
	silence   struct{ Options }
	unsilence struct{ Options }
	silences  struct{ Options }
)

// Admit implements Deed: a silence is about what its labels are about at most.
func (s silence) Admit(_ context.Context, cmd chat.Command) (string, []deploy.Target, error) {
	return s.scope("Silence", string(cmd.Args.Matchers))
}

func (o *Options) scope(what, matchers string) (string, []deploy.Target, error) {
	if o.Alerts == nil || o.Silences == nil {
		return "", nil, errNoAlerts()
	}
	t, err := o.Alerts.Scope(matchers)
	if err != nil {
		return "", nil, err
	}
	return what + " " + matchers, []deploy.Target{t}, nil
}

// Do implements Deed.
func (s silence) Do(ctx context.Context, cmd chat.Command) (chat.Message, error) {
	d, ok := cmd.Args.Duration.Span()
	if !ok {
		return chat.Message{}, fault.Newf(fault.Invalid, "`%s` is no time", cmd.Args.Duration)
	}
	one := Silence{Matchers: string(cmd.Args.Matchers), Reason: flat(string(cmd.Args.Reason)), By: string(cmd.User), Key: cmd.Key, At: cmd.At}
	if s.People != nil {
		name, _ := s.People.Author(ctx, cmd.User)
		one.Name = flat(name)
	}
	if one.At.IsZero() {
		one.At = s.Now()
	}
	one.Until = one.At.Add(d)
	about, err := s.about(one.Matchers)
	if err != nil {
		return chat.Message{}, err
	}
	says := func(placed Silence) chat.Message { return silent(placed, about) }
	placed, err := s.Silences.Place(ctx, one, func(placed Silence) job.Entry {
		return answered(deed(cmd, job.Silenced, one.Matchers+" "+untilWhen(one.Until)+": "+one.Reason), says(placed))
	})
	if err != nil {
		return chat.Message{}, err
	}
	return says(placed), nil
}

// silent says that a silence is in force, and what it is about.
func silent(s Silence, about string) chat.Message {
	m := chat.Message{
		Tone: chat.Done, Title: fmt.Sprintf("%s is silent for %s, %s", coded(s.Matchers), span(s.Until.Sub(s.At)), untilWhen(s.Until)),
		Lines: []string{sentence(flat(s.Reason))},
	}
	if about != "" {
		m.Lines = append(m.Lines, about)
	}
	m.Lines = append(m.Lines, fmt.Sprintf("`unsilence %s` ends it.", s.ID))
	return m
}

// about says what is in trouble that has some labels.
func (s silence) about(matchers string) (string, error) {
	all, err := s.Alerts.Incidents(matchers)
	if err != nil {
		return "", err
	}
	n := 0
	for i := range all {
		if all[i].State == alert.Firing {
			n++
		}
	}
	switch {
	case n > 0:
		return fmt.Sprintf("It is about %s that %s open; the end of what was told is still told.", count(n, "incident"), areOf(n)), nil
	case len(all) == 0:
		return "Nothing that is or was lately in trouble has these labels: `events` shows which there are.", nil
	}
	return "", nil
}

// Admit implements Deed.
func (u unsilence) Admit(_ context.Context, cmd chat.Command) (string, []deploy.Target, error) {
	one, err := u.find(string(cmd.Args.ID))
	if err != nil {
		return "", nil, err
	}
	return u.scope("End silence "+one.ID, one.Matchers)
}

func (u unsilence) find(id string) (Silence, error) {
	if u.Silences == nil {
		return Silence{}, errNoAlerts()
	}
	all := u.Silences.All()
	i := slices.IndexFunc(all, func(s Silence) bool { return s.ID == id })
	if i < 0 {
		return Silence{}, fault.Newf(fault.NotFound, "there is no silence `%s`", id).WithHelp("`silences` lists them")
	}
	return all[i], nil
}

// Do implements Deed.
func (u unsilence) Do(ctx context.Context, cmd chat.Command) (chat.Message, error) {
	one, err := u.find(string(cmd.Args.ID))
	if err != nil {
		return chat.Message{}, err
	}
	m := chat.Message{
		Tone: chat.Done, Title: fmt.Sprintf("Silence %s has ended: %s is told of again", one.ID, coded(one.Matchers)),
		Lines: []string{fmt.Sprintf("%s placed it %s ago: %s", whose(one), span(u.Now().Sub(one.At)), sentence(flat(one.Reason)))},
	}
	if _, err = u.Silences.End(ctx, one.ID, answered(deed(cmd, job.Unsilenced, one.Matchers), m)); err != nil {
		return chat.Message{}, err
	}
	return m, nil
}

// Answer implements Query.
func (s silences) Answer(context.Context, chat.Command) (chat.Message, error) {
	if s.Silences == nil {
		return chat.Message{}, errNoAlerts()
	}
	t := &chat.Table{Columns: []string{"ID", "What", "By", "Until", "Why"}}
	for _, one := range s.Silences.All() {
		t.Rows = append(t.Rows, []string{one.ID, strings.ReplaceAll(one.Matchers, "`", "'"), whose(one), minute(one.Until), clip(flat(one.Reason))})
	}
	m := chat.Message{Tone: chat.Info, Title: "Nothing is silenced"}
	if n := len(t.Rows); n > 0 {
		m.Title, m.Table = fmt.Sprintf("%s %s in force", count(n, "silence"), areOf(n)), t
		m.Footer = shorten(t, count(n, "silence"), "`unsilence` ends them")
	}
	if s.Notifications != nil {
		if off := len(s.Notifications.Off()); off > 0 {
			m.Lines = append(m.Lines, fmt.Sprintf("Notifications are off in %s: `notify on` there turns them on.", count(off, "channel")))
		}
	}
	return m, nil
}

func whose(s Silence) string {
	if s.Name != "" {
		return s.Name
	}
	return s.By
}

// coded shows what somebody wrote as it was, signs and all.
func coded(s string) string { return "`" + strings.ReplaceAll(s, "`", "'") + "`" }

// areOf is the verb for so many.
func areOf(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

// wereOf is the same of what is over.
func wereOf(n int) string {
	if n == 1 {
		return "was"
	}
	return "were"
}

func untilWhen(t time.Time) string { return "until " + minute(t) }

func minute(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") + " UTC" }
