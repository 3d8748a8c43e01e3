package jobs

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"ferry/internal/chat"
	"ferry/internal/fault"
	"ferry/internal/job"
)

var retrySyntax = chat.Syntax{
	Verb:    "retry",
	Form:    "<job>",
	Summary: "ask again for what a job did not bring about",
	Details: []string{
		"It makes a new job of the same command, here and in your name: you need the right to ask for it.",
		"A job is retried once; the new one can be retried in its turn.",
		"What it passed with `despite` it does not pass again: who may, writes the command anew.",
	},
	Examples: []string{"retry k3f9q"},
}

// retry asks for a job's command again.
type retry struct{ Options }

// again returns the command of the job that a command names, with a key that
// follows from that job: however often it is asked for, one job is made. Rights are
// those of whoever asks, decided as for the command itself.
func (r retry) again(ctx context.Context, cmd chat.Command) (chat.Command, error) {
	j, err := r.Rows.Get(ctx, job.ID(cmd.Args.Job))
	if err != nil {
		return cmd, err
	}
	switch {
	case !j.Ended():
		return cmd, fault.Newf(fault.Refused, "job %s is still under way", j.ID).WithHelp("nothing was done\n`status %s` tells how far it is", j.ID)
	case chat.Verb(j.Verb) == soakVerb:
		return cmd, fault.Newf(fault.Refused, "job %s is a watch of ferry's own", j.ID).WithHelp("nothing was done")
	case j.Outcome == job.Done:
		return cmd, fault.Newf(fault.Already, "job %s is done: %s", j.ID, j.Note).WithHelp("nothing was done")
	}
	again, err := requestOf(j)
	if err != nil {
		return cmd, err
	}
	again.Key, again.User, again.Thread, again.At = "retry/"+string(j.ID), cmd.User, cmd.Thread, cmd.At
	// To pass a gate is said by whoever does it, each time.
	again.Args.Gate, again.Args.Reason = "", ""
	again.Cause = "" // whoever asks again asks as a person
	again.Text, _, _ = strings.Cut(again.Text, " despite ")
	known, ok, err := r.Rows.ByKey(ctx, again.Key)
	if err != nil || !ok {
		return again, err
	}
	first, err := requestOf(known)
	if err == nil && (first.Thread != again.Thread || !first.At.Equal(again.At)) {
		err = fault.Newf(fault.Already, "job %s was retried already, as job %s", j.ID, known.ID).
			WithHelp("nothing was done\n`status %s` tells how far it is", known.ID)
	}
	return again, err
}

// requestOf decodes the command that made a job.
func requestOf(j *job.Job) (cmd chat.Command, err error) {
	if err := json.Unmarshal(j.Request, &cmd); err != nil {
		return cmd, fmt.Errorf("decode command of job %s: %w", j.ID, err)
	}
	return cmd, nil
}
