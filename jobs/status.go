package jobs

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"ferry/internal/chat"
	"ferry/internal/job"
)

var statusSyntax = chat.Syntax{
	Verb:     "status",
	Form:     "[<job>]",
	Summary:  "show what is under way and what ended lately, or one job",
	Details:  []string{"Without a job it also says which clusters do not answer."},
	Examples: []string{"status", "status k3f9q"},
}

// status shows jobs.
type status struct{ Options }

// Answer implements Query.
func (s status) Answer(ctx context.Context, cmd chat.Command) (chat.Message, error) {
	if cmd.Args.Job != "" {
		return s.one(ctx, job.ID(cmd.Args.Job))
	}
	jobs, alike, err := s.latest(ctx)
	if err != nil {
		return chat.Message{}, err
	}
	now, running := s.Now(), 0
	m := chat.Message{Tone: chat.Info}
	for _, c := range s.Fleet.Clusters() {
		m.Lines = append(m.Lines, staleness(c, now)...)
	}
	t := &chat.Table{Columns: []string{"Job", "What", "State", "Ago"}}
	for _, j := range jobs {
		if !j.Ended() && chat.Verb(j.Verb) != soakVerb {
			running++
		}
		title := strings.ReplaceAll(j.Title, "`", "")
		if n := alike[j.ID]; n > 0 {
			title += fmt.Sprintf(" and %d more", n)
		}
		t.Rows = append(t.Rows, []string{string(j.ID), title, s.waits(ctx, j), span(now.Sub(j.Created))})
	}
	m.Title = "Nothing is under way"
	if running > 0 {
		m.Title = count(running, "job") + " under way"
	}
	if len(t.Rows) == 0 {
		m.Lines = append(m.Lines, "Nothing has been asked for yet.")
		return m, nil
	}
	m.Table = t
	return m, nil
}

// latest are the jobs of late, the newest first. Of the watches that follow one job
// and are as far as each other the first stands for all: alike counts the others.
func (s status) latest(ctx context.Context) (jobs []*job.Job, alike map[job.ID]int, err error) {
	const most = 15
	for n := most; ; n *= 4 {
		all, err := s.Rows.Recent(ctx, n)
		if err != nil {
			return nil, nil, err
		}
		type watches struct {
			after job.ID
			state string
		}
		jobs, alike = nil, map[job.ID]int{}
		first := map[watches]job.ID{}
		for _, j := range all {
			w := watches{j.After, stateOf(j)}
			if of, known := first[w]; known && chat.Verb(j.Verb) == soakVerb {
				alike[of]++
				continue
			}
			if chat.Verb(j.Verb) == soakVerb {
				first[w] = j.ID
			}
			jobs = append(jobs, j)
		}
		if len(all) < n || len(jobs) > most { // the one behind them ends a run of watches
			return jobs[:min(len(jobs), most)], alike, nil
		}
	}
}

func (s status) one(ctx context.Context, id job.ID) (chat.Message, error) {
	j, err := s.Rows.Get(ctx, id)
	if err != nil {
		return chat.Message{}, err
	}
	m := chat.Message{Tone: chat.Info, Title: fmt.Sprintf("%s: %s", j.Title, stateOf(j))}
	if j.Note != "" {
		m.Lines = []string{strings.TrimSuffix(j.Note, ".") + "."} // it may begin with a name
	}
	m.Fields = []chat.Field{{Name: "Job", Value: string(j.ID)}, {Name: "Asked", Value: j.Created.UTC().Format(time.DateTime) + " UTC"}}
	if by := s.ahead(ctx, j); by != nil {
		m.Lines = append(m.Lines, fmt.Sprintf("It comes after job %s: %s.", by.ID, by.Title))
	}
	if j.Ended() {
		m.Fields = append(m.Fields, chat.Field{Name: "Took", Value: span(j.Updated.Sub(j.Created))})
	}
	if j.Attempts > 1 {
		m.Fields = append(m.Fields, chat.Field{Name: "Starts", Value: fmt.Sprint(j.Attempts)})
	}
	return m, nil
}

// waits words how far a job is and, if it waits, for what.
func (s status) waits(ctx context.Context, j *job.Job) string {
	if by := s.ahead(ctx, j); by != nil {
		return "waiting for job " + string(by.ID)
	}
	if !j.Ended() && slices.Contains([]job.Step{stepMerge, stepApproval, stepConfirm, stepStay, stepSoak}, j.Step) && j.Note != "" {
		return strings.ReplaceAll(j.Note, "`", "")
	}
	return stateOf(j)
}

// ahead returns the job that has a target for which one that did not begin waits.
func (s status) ahead(ctx context.Context, j *job.Job) *job.Job {
	if j.Ended() || j.Step != "" {
		return nil
	}
	all, err := s.Rows.Unfinished(ctx)
	if err != nil {
		return nil // it waits for something, then
	}
	behind := false
	for _, other := range all {
		if behind = behind || other.ID == j.ID; behind && (other.After == "" || other.ID == j.ID || j.After != "") {
			continue // but what ferry takes back by itself goes first
		}
		if slices.ContainsFunc(other.Queues, func(q string) bool { return slices.Contains(j.Queues, q) }) {
			return other
		}
	}
	return nil
}

// stateOf words how far a job is.
func stateOf(j *job.Job) string {
	switch {
	case j.Ended():
		return ending(j.Outcome)
	case j.Step == stepFollow:
		return "rolling out"
	case j.Step != "":
		return string(j.Step)
	case j.Attempts > 0:
		return "planning"
	default:
		return "waiting for its turn"
	}
}
