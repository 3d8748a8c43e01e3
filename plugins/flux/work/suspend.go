package work

import (
	"context"
	"errors"
	"fmt"

	"ferry/plugins/flux/cluster"
	"ferry/plugins/flux/line"
)

// Suspend tells Flux to leave objects alone, and says who can undo that.
func (t *Task) Suspend(ctx context.Context) (outcome string, err error) {
	c, err := t.connect()
	if err != nil {
		return "", err
	}
	all, err := t.find(ctx, c)
	if err != nil {
		return "", err
	}
	if c, err = t.connect(all...); err != nil {
		return "", err
	}
	for _, o := range all {
		if o.Suspended() {
			outcome = fmt.Sprintf("%s is suspended already", o)
			t.Say(outcome)
			continue
		}
		if o, err = c.Patch(ctx, o, map[string]any{"spec": map[string]any{"suspend": true}}); err != nil {
			return "", err
		}
		outcome = fmt.Sprintf("%s is suspended%s: Flux leaves it as it is", o, at(o.Revision()))
		t.Say(outcome)
		if parent := o.Parent(); parent != "" {
			t.say("Kustomization %s applies it, and ends this if Git says `suspend: false`", parent)
		}
	}
	who := t.Run.Undo
	if who == "" {
		who = "nobody by ferry's rules: they name resume for no one"
	}
	t.say("Undo: `%s`; who may: %s", t.Command.Line(line.Resume, t.Run.Cluster), who)
	return outcome, nil
}

// Resume lets Flux go on with objects, and waits until it has looked at each.
func (t *Task) Resume(ctx context.Context) (outcome string, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, t.Command.Timeout, errWaited)
	defer cancel()
	c, err := t.connect()
	if err != nil {
		return "", err
	}
	all, err := t.find(ctx, c)
	if err != nil {
		return "", err
	}
	if c, err = t.connect(all...); err != nil {
		return "", err
	}
	var errs []error
	for _, o := range all {
		said, err := t.resume(ctx, c, o)
		if err != nil && ctx.Err() != nil && !errors.Is(context.Cause(ctx), errWaited) {
			return "", err
		}
		outcome, errs = said, append(errs, err)
	}
	return outcome, errors.Join(errs...)
}

func (t *Task) resume(ctx context.Context, c *cluster.Client, o cluster.Object) (string, error) {
	unsuspended := map[string]any{"spec": map[string]any{"suspend": nil}}
	switch {
	case !o.Suspended():
		outcome := fmt.Sprintf("%s is not suspended", o)
		t.Say(outcome)
		return outcome, nil
	case o.Static():
		if _, err := c.Patch(ctx, o, unsuspended); err != nil {
			return "", err
		}
		outcome := fmt.Sprintf("%s is resumed", o)
		t.Say(outcome)
		return outcome, nil
	}
	return t.ask(ctx, c, o, unsuspended)
}
