package jobs

import (
	"context"
	"fmt"
	"time"

	"ferry/internal/chat"
	"ferry/internal/deploy"
	"ferry/internal/job"
)

var historySyntax = chat.Syntax{
	Verb:     "history",
	Form:     "[<app>] [on <cluster>]",
	Summary:  "show what was promoted and rolled back, by whom, and what came of it",
	Details:  []string{"Versions marked as healthy are those that `rollback` can go back to."},
	Examples: []string{"history", "history podinfo", "history podinfo on prod"},
}

// history shows records.
type history struct{ Options }

// Answer implements Query.
func (h history) Answer(ctx context.Context, cmd chat.Command) (chat.Message, error) {
	const most = 20
	t := &chat.Table{Columns: []string{"UTC", "What", "Version", "Outcome", "By"}}
	called := naming(h.Fleet)
	more := false
	err := h.History.All(ctx, func(r deploy.Record) bool {
		if r.Command == seen || !h.wanted(r, cmd.Args) {
			return true
		}
		if len(t.Rows) == most {
			more = true
			return false
		}
		t.Rows = append(t.Rows, h.row(ctx, r, called))
		return true
	})
	if err != nil {
		return chat.Message{}, err
	}
	m := chat.Message{Tone: chat.Info, Title: "History" + ofWhat(cmd.Args)}
	if len(t.Rows) == 0 {
		m.Title = "No history" + ofWhat(cmd.Args) + " yet"
		m.Lines = []string{"It begins with the first promotion or rollback through ferry."}
		return m, nil
	}
	if more {
		m.Footer = fmt.Sprintf("the latest %d; `history podinfo` or `history on prod` goes further back for one of them", most)
	}
	m.Table = t
	return m, nil
}

func (h history) wanted(r deploy.Record, a chat.Args) bool {
	byApp := a.App == "" || string(a.App) == r.Target.App.Name || string(a.App) == r.Target.App.String()
	return byApp && (a.Cluster == "" || string(a.Cluster) == string(r.Target.Cluster))
}

func (h history) row(ctx context.Context, r deploy.Record, called func(deploy.App) string) []string {
	version := shortVersion(r.Version)
	if r.From != "" {
		version = shortVersion(r.From) + " → " + version
	}
	by, _ := h.People.Author(ctx, chat.UserID(r.By))
	if by == "" {
		by = r.By
	}
	outcome := ending(job.Outcome(r.Outcome))
	if r.Command == "rollback" {
		outcome = "rollback, " + outcome
	}
	if r.Glass != "" {
		outcome += ", break-glass"
	}
	return []string{h.day(r.At), called(r.Target.App) + " on " + string(r.Target.Cluster), version, outcome, by}
}

// day is a time as short as it is clear.
func (h history) day(t time.Time) string {
	if t = t.UTC(); t.Year() != h.Now().UTC().Year() {
		return t.Format("2006-01-02 15:04")
	}
	return t.Format("01-02 15:04")
}

func ofWhat(a chat.Args) string {
	s := ""
	if a.App != "" {
		s += " of " + string(a.App)
	}
	if a.Cluster != "" {
		s += " on " + string(a.Cluster)
	}
	return s
}
