package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"ferry/internal/chat"
	"ferry/internal/deploy"
	"ferry/internal/fault"
	"ferry/internal/job"
)

// self is who asks for what ferry does by itself, and whose holds those are.
const self = "ferry"

// loss is a target on which a change did not last.
type loss struct {
	Target deploy.Target `json:"target"`
	// With are those that share its site: they go back with it, or not at all.
	With    []deploy.Target  `json:"with,omitempty"`
	Version deploy.Version   `json:"version"`
	Field   deploy.FieldKind `json:"field,omitempty"`
	// Why is why in sentences, and Raw are the words of whoever reported it.
	Why string `json:"why,omitempty"`
	Raw string `json:"raw,omitempty"`
	// Asks is set where the cluster is not known well enough to act by itself: it
	// says why, in half a sentence.
	Asks string `json:"asks,omitempty"`
	// Part: the job brought more than was lost, as a set may. It stays what it is,
	// also when what was lost is back.
	Part bool `json:"part,omitempty"`
	// Again is set where a rollback of ferry's own has to be made a second time. All
	// are then the targets that have to be back, where there are more.
	Again bool            `json:"again,omitempty"`
	All   []deploy.Target `json:"all,omitempty"`
}

// undo is what a rollback that ferry makes by itself takes back: a version, which
// the job brought. All are the targets that have to be back before that job counts
// as rolled back; with Part it never does.
type undo struct {
	Job     job.ID          `json:"job"`
	Version deploy.Version  `json:"version"`
	Why     string          `json:"why,omitempty"`
	All     []deploy.Target `json:"all"`
	Part    bool            `json:"part,omitempty"`
	// Believed is when it was certain that the version does not last.
	Believed time.Time `json:"believed"`
	// Again is set on the second one for the same loss: there is no third.
	Again bool `json:"again,omitempty"`
}

// Follower makes a job of a command that ferry gives itself, to follow another one;
// see dispatcher.Follow. Told again for the same key it makes none.
type Follower interface {
	Follow(ctx context.Context, cmd chat.Command, after job.ID, data json.RawMessage) (*job.Job, error)
}

// Amender gives a job that has ended the outcome job.RolledBack; repeating it does
// no harm.
type Amender interface {
	RolledBack(ctx context.Context, id job.ID) error
}

// retreat decides by policy what becomes of losses: makes the rollback jobs, places
// the holds, and returns what the closing message says and offers of it. Told again
// for the same job it makes nothing twice.
func (c changer) retreat(ctx context.Context, j *job.Job, cmd chat.Command, losses []loss) (lines []string, buttons []chat.Button, err error) {
	var all []deploy.Target
	for _, l := range losses {
		all = append(all, l.Target)
		all = append(all, l.With...)
		all = append(all, l.All...)
	}
	for _, l := range losses {
		said, b, err := c.retreatOne(ctx, j, cmd, l, all)
		if err != nil {
			return nil, nil, err
		}
		lines, buttons = append(lines, said...), append(buttons, b...)
	}
	return lines, buttons, nil
}

func (c changer) retreatOne(ctx context.Context, j *job.Job, cmd chat.Command, l loss, all []deploy.Target) ([]string, []chat.Button, error) {
	good, ok, err := c.goodBefore(ctx, l)
	if err != nil {
		return nil, nil, err
	}
	rule := c.rule(l)
	still := fmt.Sprintf("Git still holds `%s`.", l.Version)
	if !ok {
		return []string{still + " " + c.nowhere(l, rule.Mode == deploy.RetreatAuto)}, nil, nil
	}
	line, button := c.back(l, good)
	switch {
	case rule.Mode == deploy.RetreatOff:
		return []string{still + " " + line}, nil, nil
	case cmd.Verb == rollbackSyntax.Verb && rule.Mode == deploy.RetreatAuto && !l.Again:
		return []string{still + " " + line, "ferry goes no further back by itself: what to do after a rollback that failed is for people to say."}, button, nil
	case rule.Mode != deploy.RetreatAuto || c.Follower == nil:
		return []string{still + " " + line}, button, nil
	case l.Asks != "":
		return []string{still + " ferry does not go back by itself, because " + l.Asks + ".", line}, button, nil
	}
	made, err := c.goBack(ctx, j, cmd, l, good, all)
	if e, refused := errors.AsType[*fault.Error](err); refused && e.Kind != fault.Unavailable && e.Kind != fault.Internal {
		says := strings.TrimSuffix(e.Says, ".") + "."
		if !strings.HasPrefix(says, self+" ") {
			says = "ferry did not go back by itself: " + says
		}
		out := []string{still + " " + says}
		for help := range strings.Lines(e.Help) {
			out = append(out, sentence(strings.TrimSpace(help)))
		}
		return append(out, line), button, nil
	}
	if err != nil {
		return nil, nil, err
	}
	return []string{
		fmt.Sprintf("ferry goes back to `%s`, the last version seen healthy %s: job %s.", good.Version, c.where(l), made.ID),
		c.heldBack(l),
	}, nil, nil
}

// rule is the policy of a loss: of several targets the most careful one counts.
func (c changer) rule(l loss) deploy.Retreat {
	out := c.ruleOf(l.Target)
	careful := []deploy.RetreatMode{deploy.RetreatAuto, deploy.RetreatOffer, deploy.RetreatOff}
	for _, t := range l.With {
		more := c.ruleOf(t)
		if slices.Index(careful, more.Mode) > slices.Index(careful, out.Mode) {
			out.Mode = more.Mode
		}
		out.Soak, out.Suspend = max(out.Soak, more.Soak), out.Suspend || more.Suspend
	}
	return out
}

func (c changer) ruleOf(t deploy.Target) deploy.Retreat {
	var r deploy.Retreat
	if c.Retreat != nil {
		r = c.Retreat(t)
	}
	if r.Mode == "" {
		r.Mode = deploy.RetreatOffer
	}
	return r
}

// goodBefore is the newest record of a version that was seen healthy on a target, is
// another than the one that was lost, and is not held back there.
func (c changer) goodBefore(ctx context.Context, l loss) (good deploy.Record, ok bool, err error) {
	back, err := c.backOn(ctx, l.Target)
	if err != nil {
		return good, false, err
	}
	err = c.History.Of(ctx, l.Target, func(r deploy.Record) bool {
		if r.Healthy && !r.FromGit && r.Version != l.Version && (l.Field == "" || r.Field == "" || r.Field == l.Field) && !slices.Contains(back, r.Version) {
			good, ok = r, true
		}
		return !ok
	})
	return good, ok, err
}

// backOn are the versions that are held back on a target.
func (c changer) backOn(ctx context.Context, t deploy.Target) ([]deploy.Version, error) {
	if c.Holds == nil {
		return nil, nil
	}
	held, err := c.Holds.All(ctx)
	var out []deploy.Version
	for _, h := range held {
		if h.Target == t && h.Version != "" {
			out = append(out, h.Version)
		}
	}
	return out, err
}

// goBack makes the rollback's job and holds the lost version back. Until this job
// has ended the other one does not begin.
func (c changer) goBack(ctx context.Context, j *job.Job, cmd chat.Command, l loss, good deploy.Record, all []deploy.Target) (*job.Job, error) {
	origin := job.ID(cmd.Cause)
	if origin == "" {
		origin = j.ID
	}
	change := deploy.Change{Target: l.Target, With: l.With, Version: good.Version, Field: good.Field, Suspend: c.rule(l).Suspend}
	data, err := json.Marshal(changeRow{Change: change, Undo: &undo{Job: origin, Version: l.Version, Why: l.Why, All: all, Part: l.Part, Believed: c.Now(), Again: l.Again}})
	if err != nil {
		return nil, fmt.Errorf("encode the rollback of %s: %w", l.Target, err)
	}
	args := chat.Args{App: chat.Word(l.Target.App.String()), Cluster: chat.Word(l.Target.Cluster), Version: chat.Word(good.Version)}
	text := fmt.Sprintf("rollback %s on %s to %s", shortest(c.Fleet, l.Target), l.Target.Cluster, good.Version) + withText(c.Fleet, change)
	var with []string
	for _, t := range l.With {
		with = append(with, t.String())
	}
	args.Targets = chat.Word(strings.Join(with, ","))
	made, err := c.Follower.Follow(ctx, chat.Command{
		Key: fmt.Sprintf("job/%s/rollback/%s", j.ID, l.Target), User: self, Thread: cmd.Thread, Text: text, At: c.Now(),
		Verb: rollbackSyntax.Verb, Args: args, Cause: string(origin),
	}, j.ID, data)
	if err != nil {
		return nil, err
	}
	return made, c.holdBack(ctx, l, origin)
}

// holdBack keeps a version from coming again to where it was lost.
func (c changer) holdBack(ctx context.Context, l loss, origin job.ID) error {
	if c.Holds == nil {
		return nil
	}
	for _, t := range append([]deploy.Target{l.Target}, l.With...) {
		why := strings.TrimSuffix(clipTo(strings.NewReplacer("`", "", "*", "").Replace(firstOf(l.Why, "it did not become healthy")), 200), ".")
		err := c.Holds.Place(ctx, deploy.Hold{Target: t, Version: l.Version, By: self, Name: self, Reason: why, Key: string(origin), At: c.Now()}, job.Entry{
			Deed: job.Held, Key: fmt.Sprintf("held/%s/%s", origin, t), By: self, Job: origin, Targets: []string{t.String()}, Says: fmt.Sprintf("%s: %s", l.Version, why),
		})
		if err != nil && !fault.Is(err, fault.Already) {
			return err
		}
	}
	return nil
}

// heldBack says that the lost version does not come again, and how it may.
func (c changer) heldBack(l loss) string {
	change := deploy.Change{Target: l.Target, With: l.With}
	return fmt.Sprintf("`%s` is held back on %s: `release %s on %s because …` ends that.", l.Version, places(change), shortest(c.Fleet, l.Target), l.Target.Cluster)
}

// where is the place of a loss in a sentence that named it.
func (c changer) where(l loss) string {
	if len(l.With) > 0 {
		return "on " + string(l.Target.Cluster)
	}
	return "there"
}

// nowhere says that there is nothing to go back to, and what would help.
func (c changer) nowhere(l loss, auto bool) string {
	change := deploy.Change{Target: l.Target, With: l.With}
	says := fmt.Sprintf("No other version has been seen healthy %s yet", c.where(l))
	if auto {
		says = "ferry cannot go back by itself: no other version has been seen healthy " + c.where(l) + " yet"
	}
	return fmt.Sprintf("%s; `promote %s@… to %s%s` brings another one.", says, shortest(c.Fleet, l.Target), l.Target.Cluster, withText(c.Fleet, change))
}

// back offers a version that was good, to all that a loss is about, with a button if it
// is one word.
func (c changer) back(l loss, good deploy.Record) (line string, b []chat.Button) {
	change := deploy.Change{Target: l.Target, With: l.With}
	with, command := withText(c.Fleet, change), fmt.Sprintf("rollback %s on %s", shortest(c.Fleet, l.Target), l.Target.Cluster)
	line = fmt.Sprintf("The last version seen healthy %s is `%s`; `%s%s` brings it back.", c.where(l), good.Version, command, with)
	if !deploy.Word(string(good.Version)) {
		return line, nil
	}
	return line, []chat.Button{{
		Label: "Roll back to " + string(good.Version), Command: command + " to " + string(good.Version) + with, Danger: true,
		Confirm: fmt.Sprintf("This commits %s for %s on %s.", good.Version, l.Target.App.Name, places(change)),
	}}
}
