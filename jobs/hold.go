package jobs

import (
	"context"
	"fmt"
	"strings"
	"time"

	"ferry/internal/chat"
	"ferry/internal/deploy"
	"ferry/internal/fault"
	"ferry/internal/job"
)

// Holds keeps targets as they are.
type Holds interface {
	// Place stores a hold; it is Already if somebody else holds the same. Placed
	// again by the same key it stays as it is. What the audit trail is to know of a
	// write comes with it, here and below.
	Place(ctx context.Context, h deploy.Hold, told ...job.Entry) error
	// Release removes all of a target and returns those that were in force. With what
	// was told before it does nothing, and again is true.
	Release(ctx context.Context, t deploy.Target, told ...job.Entry) (ended []deploy.Hold, again bool, err error)
	// All returns those in force, by cluster, namespace and name.
	All(ctx context.Context) ([]deploy.Hold, error)
}

var holdSyntax = chat.Syntax{
	Verb:    "hold",
	Form:    "<app> on <cluster> [for <duration>] because <reason>",
	Summary: "keep an app as it is on a cluster, until it is released or the time is over",
	Details: []string{
		"Nobody promotes or rolls it back meanwhile, but whose role may pass a hold, with a reason: `… despite hold because …`.",
		"A time is a number and its unit, such as `90m`, `4h`, `3d` or `2w`.",
	},
	Examples: []string{"hold podinfo on prod because the migration runs", "hold backend/worker on stage for 3d because we measure it"},
	Changes:  true,
}

var releaseSyntax = chat.Syntax{
	Verb:     "release",
	Form:     "<app> on <cluster> [because <reason>]",
	Summary:  "end the holds of an app on a cluster, whoever placed them",
	Details:  []string{"The answer says whose they were and why.", "What ferry holds back by itself, because it did not last there, needs a reason."},
	Examples: []string{"release podinfo on prod", "release podinfo on prod because 6.5.5 was not to blame"},
	Changes:  true,
}

var holdsSyntax = chat.Syntax{
	Verb:     "holds",
	Form:     "[on <cluster>]",
	Summary:  "show what is held, by whom, until when and why",
	Examples: []string{"holds", "holds on prod"},
}

// hold places a hold; release ends them; holds lists them.
type (
	hold    struct{ changer }
	release struct{ changer }
	holds   struct{ Options }
)

// Admit implements Deed. What is held is known from the cluster as it was last
// seen: to keep something as it is one need not reach it.
func (h hold) Admit(ctx context.Context, cmd chat.Command) (string, []deploy.Target, error) {
	t, err := h.named(ctx, cmd)
	return fmt.Sprintf("Hold %s on %s", t.App.Name, t.Cluster), []deploy.Target{t}, err
}

// Admit implements Deed.
func (r release) Admit(ctx context.Context, cmd chat.Command) (string, []deploy.Target, error) {
	t, err := r.named(ctx, cmd)
	return fmt.Sprintf("Release %s on %s", t.App.Name, t.Cluster), []deploy.Target{t}, err
}

// named finds the target of a command, or, if it is not there any more, the one that
// is held by that name.
func (c changer) named(ctx context.Context, cmd chat.Command) (deploy.Target, error) {
	cluster, name := deploy.Cluster(cmd.Args.Cluster), string(cmd.Args.App)
	app, err := find(c.Fleet, cluster, name)
	if err == nil {
		return app.Target, nil
	}
	held, herr := c.Holds.All(ctx)
	if herr != nil {
		return deploy.Target{}, herr
	}
	for _, h := range held {
		if h.Target.Cluster == cluster && (h.Target.App.Name == name || h.Target.App.String() == name) && cmd.Verb == releaseSyntax.Verb && fault.Is(err, fault.NotFound) {
			return h.Target, nil
		}
	}
	return deploy.Target{}, commands(err, func(app string) string {
		verb, rest, _ := strings.Cut(cmd.Text, " ")
		return verb + " " + strings.Replace(rest, name, app, 1)
	})
}

// Do implements Deed.
func (h hold) Do(ctx context.Context, cmd chat.Command) (chat.Message, error) {
	t, err := h.named(ctx, cmd)
	if err != nil {
		return chat.Message{}, err
	}
	name, _ := h.People.Author(ctx, cmd.User)
	held := deploy.Hold{Target: t, By: string(cmd.User), Name: flat(name), Reason: flat(string(cmd.Args.Reason)), Key: cmd.Key, At: cmd.At}
	if held.At.IsZero() {
		held.At = h.Now()
	}
	if cmd.Args.Duration != "" {
		d, ok := cmd.Args.Duration.Span()
		if !ok {
			return chat.Message{}, fault.Newf(fault.Invalid, "`%s` is no time", cmd.Args.Duration)
		}
		held.Until = held.At.Add(d)
	}
	if err := h.Holds.Place(ctx, held, deed(cmd, job.Held, until(held)+": "+held.Reason, t.String())); err != nil {
		return chat.Message{}, err
	}
	if err := h.wake(ctx, t); err != nil {
		return chat.Message{}, err
	}
	return chat.Message{
		Tone: chat.Done, Title: fmt.Sprintf("%s is held on %s %s", t.App.Name, t.Cluster, until(held)),
		Lines: []string{sentence(flat(held.Reason)), fmt.Sprintf("`release %s on %s` ends it.", shortest(h.Fleet, t), t.Cluster)},
	}, nil
}

// Do implements Deed.
func (r release) Do(ctx context.Context, cmd chat.Command) (chat.Message, error) {
	t, err := r.named(ctx, cmd)
	if err != nil {
		return chat.Message{}, err
	}
	if err := r.explained(ctx, cmd, t); err != nil {
		return chat.Message{}, err
	}
	ended, again, err := r.Holds.Release(ctx, t, deed(cmd, job.Released, flat(string(cmd.Args.Reason)), t.String()))
	if err != nil {
		return chat.Message{}, err
	}
	m := chat.Message{Tone: chat.Done, Title: fmt.Sprintf("%s is released on %s", t.App.Name, t.Cluster)}
	if len(ended) == 0 && !again {
		m.Tone, m.Title = chat.Info, fmt.Sprintf("%s is not held on %s", t.App.Name, t.Cluster)
		return m, nil
	}
	for _, h := range ended {
		what := "It was held"
		if h.Version != "" {
			what = fmt.Sprintf("`%s` was held back", h.Version)
		}
		m.Lines = append(m.Lines, fmt.Sprintf("%s by %s, for %s: %s", what, owner(h), span(r.Now().Sub(h.At)), sentence(flat(h.Reason))))
	}
	if why := cmd.Args.Reason; why != "" {
		m.Lines = append(m.Lines, "Released because: "+sentence(flat(string(why))))
	}
	r.Log.Info("holds released", "target", t.String(), "user", cmd.User, "holds", len(ended), "reason", string(cmd.Args.Reason))
	return m, nil
}

// explained refuses to end without a reason what ferry holds back by itself: the
// version did not last there, and somebody has to know why it would now.
func (r release) explained(ctx context.Context, cmd chat.Command, t deploy.Target) error {
	if cmd.Args.Reason != "" {
		return nil
	}
	all, err := r.Holds.All(ctx)
	if err != nil {
		return err
	}
	for _, h := range all {
		if h.Target == t && h.By == self {
			command := fmt.Sprintf("release %s on %s because", shortest(r.Fleet, t), t.Cluster)
			return fault.Newf(fault.Invalid, "a reason is missing: ferry holds `%s` back on %s", h.Version, t.Cluster).
				WithHelp("%s\n`%s …` ends that", flat(h.Reason), command)
		}
	}
	return nil
}

// Answer implements Query.
func (h holds) Answer(ctx context.Context, cmd chat.Command) (chat.Message, error) {
	all, err := h.Holds.All(ctx)
	if err != nil {
		return chat.Message{}, err
	}
	t, called := &chat.Table{Columns: []string{"What", "Version", "By", "Until", "Why"}}, naming(h.Fleet)
	for _, one := range all {
		if cmd.Args.Cluster == "" || string(cmd.Args.Cluster) == string(one.Target.Cluster) {
			ends := "released"
			if !one.Until.IsZero() {
				ends = one.Until.UTC().Format("2006-01-02 15:04") + " UTC"
			}
			t.Rows = append(t.Rows, []string{
				called(one.Target.App) + " on " + string(one.Target.Cluster), held(one), owner(one), ends, clip(flat(one.Reason)),
			})
		}
	}
	m := chat.Message{Tone: chat.Info, Title: "Nothing is held" + ofWhat(cmd.Args)}
	if n := len(t.Rows); n > 0 {
		verb := "are"
		if n == 1 {
			verb = "is"
		}
		m.Title, m.Table = fmt.Sprintf("%s %s in force%s", count(n, "hold"), verb, ofWhat(cmd.Args)), t
		m.Footer = shorten(t, count(n, "hold"), "`holds on prod` names fewer")
	}
	return m, nil
}

// held says of which version a hold is.
func held(h deploy.Hold) string {
	if h.Version == "" {
		return "any"
	}
	return string(h.Version)
}

func owner(h deploy.Hold) string {
	if h.Name != "" {
		return h.Name
	}
	return h.By
}

func until(h deploy.Hold) string {
	if h.Until.IsZero() {
		return "until somebody releases it"
	}
	return "until " + h.Until.UTC().Format(time.DateTime[:len("2006-01-02 15:04")]) + " UTC"
}
