package jobs

import (
	"context"
	"encoding/json"
	"fmt"

	"ferry/internal/chat"
	"ferry/internal/deploy"
	"ferry/internal/job"
)

var whoSyntax = chat.Syntax{
	Verb:     "who",
	Form:     "<app> on <cluster>",
	Summary:  "show who changed an app on a cluster last, why, and who approved it",
	Details:  []string{"It also says how long that has been healthy, and if the cluster runs something else by now."},
	Examples: []string{"who podinfo on prod", "who backend/worker on stage"},
}

// who tells about a target's newest change.
type who struct{ Options }

// Answer implements Query.
func (w who) Answer(ctx context.Context, cmd chat.Command) (chat.Message, error) {
	cluster := deploy.Cluster(cmd.Args.Cluster)
	app, lost := find(w.Fleet, cluster, string(cmd.Args.App))
	of := asked(cmd.Args) // what is gone from the cluster still has a history
	if lost == nil {
		of = func(t deploy.Target) bool { return t == app.Target }
	}
	last, changed, err := w.newest(ctx, app.Target, of, lost == nil)
	if err != nil {
		return chat.Message{}, err
	}
	var m chat.Message
	switch {
	case changed:
		m = w.tell(ctx, last)
		m.Lines = append(m.Lines, w.since(last, app, lost == nil)...)
	case lost != nil:
		return chat.Message{}, commands(lost, func(app string) string { return fmt.Sprintf("who %s on %s", app, cluster) })
	default:
		m = chat.Message{Title: fmt.Sprintf("ferry has not changed %s on %s yet", app.App.Name, cluster)}
		m.Lines = []string{fmt.Sprintf("It runs `%s`; the repository's log tells who brought it.", plainVersion(app))}
	}
	for _, s := range w.Fleet.Clusters() {
		if s.Name == cluster {
			m.Lines = append(m.Lines, staleness(s, w.Now())...)
		}
	}
	m.Tone = chat.Info
	return m, nil
}

// newest is the newest change of a target, or of what of wants if none is known.
func (w who) newest(ctx context.Context, t deploy.Target, of func(deploy.Target) bool, known bool) (last deploy.Record, ok bool, err error) {
	first := func(r deploy.Record) bool {
		if r.Command != seen {
			last, ok = r, true
		}
		return !ok
	}
	if known {
		err = w.History.Of(ctx, t, first)
	} else {
		err = w.History.Among(ctx, of, first)
	}
	return last, ok, err
}

// tell says what was done, by whom and why.
func (w who) tell(ctx context.Context, r deploy.Record) chat.Message {
	by := w.author(ctx, r.By)
	if by == "" {
		by = "Somebody"
	}
	did := fmt.Sprintf("promoted %s to", r.Target.App.Name)
	if r.Command == string(rollbackSyntax.Verb) {
		did = fmt.Sprintf("rolled %s back to", r.Target.App.Name)
	}
	m := chat.Message{Title: fmt.Sprintf("%s %s `%s` on %s %s ago", by, did, shortVersion(r.Version), r.Target.Cluster, span(w.Now().Sub(r.At)))}
	if r.From != "" {
		m.Lines = append(m.Lines, fmt.Sprintf("It was `%s` before.", shortVersion(r.From)))
	}
	if r.Why != "" {
		m.Lines = append(m.Lines, "Why: "+sentence(clip(r.Why)))
	}
	if text := w.command(ctx, job.ID(r.Job)); text != "" {
		m.Fields = append(m.Fields, chat.Field{Name: "Asked", Value: "`" + text + "`"})
	}
	if r.Job != "" {
		m.Fields = append(m.Fields, chat.Field{Name: "Job", Value: r.Job})
	}
	if !r.FromGit {
		approved := make([]string, len(r.Approvers))
		for i, id := range r.Approvers {
			approved[i] = w.author(ctx, id)
		}
		if len(approved) == 0 {
			approved = []string{"nobody was asked"}
		}
		m.Fields = append(m.Fields, chat.Field{Name: "Approved by", Value: spoken(approved)})
	}
	m.Links = commitLink(deploy.Commit{SHA: r.Commit, URL: r.URL})
	return m
}

// command is what was written to ask for a job, as long as the job is kept.
func (w who) command(ctx context.Context, id job.ID) string {
	j, err := w.Rows.Get(ctx, id)
	if err != nil {
		return ""
	}
	var cmd chat.Command
	if err := json.Unmarshal(j.Request, &cmd); err != nil {
		return ""
	}
	return cmd.Text
}

// since says what came of it, and what is there now.
func (w who) since(r deploy.Record, app deploy.AppState, there bool) []string {
	ago := span(w.Now().Sub(r.At))
	var out []string
	switch {
	case r.FromGit:
		out = append(out, "This is read from Git: ferry does not know whether it became healthy.")
	case !r.Healthy:
		how := "It ended as " + ending(job.Outcome(r.Outcome))
		if r.Reason != "" {
			how += ": " + clip(r.Reason)
		}
		out = append(out, sentence(how))
	}
	switch {
	case !there:
		return append(out, fmt.Sprintf("It is not on %s any more.", r.Target.Cluster))
	case !shows(app, r):
		return append(out, fmt.Sprintf("%s runs `%s` now: that did not come through ferry.", r.Target.Cluster, plainVersion(app)))
	case app.Health == deploy.Healthy && r.Healthy:
		return append(out, fmt.Sprintf("It was seen healthy %s ago and is healthy now.", ago))
	case app.Health == deploy.Healthy:
		return append(out, "It runs there and is healthy now.")
	case r.Healthy:
		return append(out, sentence(fmt.Sprintf("it was seen healthy %s ago; now it is %s", ago, shownHealth(row{app, false}))))
	}
	return append(out, sentence("now it is "+shownHealth(row{app, false})))
}

// shows reports whether an app runs what a record brought. One from Git does not
// tell of which field the version was.
func shows(app deploy.AppState, r deploy.Record) bool {
	if r.Field != deploy.FieldAny {
		return runs(app, r.Field, r.Version)
	}
	return app.Version == r.Version || runs(app, deploy.FieldImage, r.Version) || runs(app, deploy.FieldChart, r.Version)
}
