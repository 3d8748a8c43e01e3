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
	more, replaced, undone := false, map[deploy.Target]time.Time{}, map[string]bool{}
	err := h.History.Among(ctx, asked(cmd.Args), func(r deploy.Record) bool {
		if r.Command == seen {
			return true
		}
		if len(t.Rows) == most {
			more = true
			return false
		}
		if undone[r.Job+" "+r.Target.String()] && !r.Healthy {
			r.Outcome = string(job.RolledBack)
		}
		undone[r.Undoes+" "+r.Target.String()] = r.Healthy && r.Undoes != ""
		t.Rows = append(t.Rows, h.row(ctx, r, called, replaced[r.Target]))
		replaced[r.Target] = r.At
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

// asked is what a history is asked of; what is left out means all.
func asked(a chat.Args) func(deploy.Target) bool {
	return func(t deploy.Target) bool {
		byApp := a.App == "" || string(a.App) == t.App.Name || string(a.App) == t.App.String()
		return byApp && (a.Cluster == "" || string(a.Cluster) == string(t.Cluster))
	}
}

// author is what somebody is called.
func (o Options) author(ctx context.Context, id string) string {
	if id == self {
		return self
	}
	if name, _ := o.People.Author(ctx, chat.UserID(id)); name != "" {
		return name
	}
	return id
}

// row tells of a record. One that was seen healthy was there until another change
// replaced it; that ended at replaced.
func (h history) row(ctx context.Context, r deploy.Record, called func(deploy.App) string, replaced time.Time) []string {
	version := shortVersion(r.Version)
	if r.From != "" && r.From != r.Version {
		version = shortVersion(r.From) + " → " + version
	}
	outcome := ending(job.Outcome(r.Outcome))
	if r.Healthy && !replaced.IsZero() {
		outcome += " for " + span(replaced.Sub(r.At))
	}
	switch chat.Verb(r.Command) {
	case rollbackSyntax.Verb:
		outcome = "rollback, " + outcome
	case unpinSyntax.Verb:
		if outcome = "unpin, " + outcome; r.Outcome == string(job.Done) {
			outcome = "unpinned"
		}
	}
	if r.Why != "" && r.Undoes == "" && !r.FromGit { // Git tells of what was asked for
		outcome += ", break-glass"
	}
	if r.FromGit {
		outcome += ", from Git"
	}
	return []string{h.day(r.At), called(r.Target.App) + " on " + string(r.Target.Cluster), version, outcome, h.author(ctx, r.By)}
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
