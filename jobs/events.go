package jobs

import (
	"context"
	"fmt"
	"strings"
	"time"

	"ferry/internal/chat"
	alert "ferry/internal/event"
)

var eventsSyntax = chat.Syntax{
	Verb:     "events",
	Form:     "[<matchers>]",
	Summary:  "show what is in trouble, and what was lately",
	Details:  []string{"Labels choose some of it, as in `silence`. What is silenced is shown, too."},
	Examples: []string{"events", "events cluster=prod", "events severity=critical app=~\"web-.*\""},
}

// events lists incidents.
type events struct{ Options }

// Answer implements Query.
func (e events) Answer(ctx context.Context, cmd chat.Command) (chat.Message, error) {
	if e.Alerts == nil {
		return chat.Message{}, errNoAlerts()
	}
	all, err := e.Alerts.Incidents(string(cmd.Args.Matchers))
	if err != nil {
		return chat.Message{}, err
	}
	t, open, now := &chat.Table{Columns: []string{"State", "What", "Where", "For", "Times"}}, 0, e.Now()
	for _, state := range []alert.State{alert.Firing, alert.Expired, alert.Resolved} {
		for i := range all {
			one := &all[i]
			if one.State != state {
				continue
			}
			lasts := one.Ended.Sub(one.Opened)
			if state == alert.Firing {
				open++
				lasts = now.Sub(one.Opened)
			}
			t.Rows = append(t.Rows, []string{severityOf(one), troubleOf(one), whereOf(one), span(max(0, lasts.Round(time.Second))), fmt.Sprint(max(1, one.Count))})
		}
	}
	of := ""
	if cmd.Args.Matchers != "" {
		of = " with " + coded(string(cmd.Args.Matchers))
	}
	m := chat.Message{Tone: chat.Info, Title: "Nothing" + of + " is in trouble"}
	if open > 0 {
		m.Tone, m.Title = chat.Failure, fmt.Sprintf("%s%s %s open", count(open, "incident"), of, areOf(open))
	}
	if ended := len(t.Rows) - open; ended > 0 {
		m.Title += fmt.Sprintf(", %d %s over", ended, areOf(ended))
	}
	if of != "" && len(t.Rows) == 0 {
		if m.Lines, err = e.otherwise(); err != nil {
			return chat.Message{}, err
		}
	}
	if n := len(t.Rows); n > 0 {
		m.Table = t
		m.Footer = shorten(t, count(n, "incident"), "`events cluster=prod` names fewer")
	}
	return m, e.given(ctx, &m)
}

// otherwise says what is in trouble that has other labels: a name spelled wrongly must
// not look as if all were well.
func (e events) otherwise() ([]string, error) {
	all, err := e.Alerts.Incidents("")
	open := 0
	for i := range all {
		if all[i].State == alert.Firing {
			open++
		}
	}
	if open == 0 || err != nil {
		return nil, err
	}
	return []string{fmt.Sprintf("%s with other labels %s open: `events` shows all.", capital(count(open, "incident")), areOf(open))}, nil
}

// given adds that some of it never arrived.
func (e events) given(ctx context.Context, m *chat.Message) error {
	if e.Letters == nil {
		return nil
	}
	lost, err := e.Letters.Undelivered(ctx)
	if n := len(lost); n > 0 {
		m.Lines = append(m.Lines, fmt.Sprintf("%s %s given up: `undelivered` shows why.", capital(count(n, "notification")), wereOf(n)))
	}
	return err
}

func severityOf(i *alert.Incident) string {
	if i.State == alert.Firing {
		return string(i.Severity())
	}
	return string(i.State)
}

// troubleOf says what an incident is about, in half a line.
func troubleOf(i *alert.Incident) string {
	last := i.Latest()
	if last == nil {
		return "–"
	}
	what := flat(last.Title)
	if what == "" {
		what = strings.TrimSpace(last.Reason + " " + last.Name)
	}
	if n := len(i.Problems) + i.Further; n > 1 {
		what = fmt.Sprintf("%d of %d in trouble: %s", i.Firing()+i.Further, n, what)
	}
	return clipTo(what, 70)
}

func whereOf(i *alert.Incident) string {
	last := i.Latest()
	if last == nil {
		return "–"
	}
	if len(i.Problems)+i.Further > 1 && i.Called() != "" {
		return i.Called()
	}
	where := strings.Trim(last.Namespace+"/"+last.Name, "/")
	if last.Cluster != "" {
		where = strings.TrimSpace(where + " on " + last.Cluster)
	}
	return orDash(where)
}
