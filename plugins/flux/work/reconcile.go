package work

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/fluxcd/pkg/apis/meta"

	"ferry/plugins/flux/cluster"
	"ferry/plugins/flux/line"
	"ferry/plugins/kubectl/rules"
)

// Reconcile asks Flux to look at an object now, and before it, if that is wanted, at
// what it is made of. It returns when Flux has done so.
func (t *Task) Reconcile(ctx context.Context) (outcome string, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, t.Command.Timeout, errWaited)
	defer cancel()
	c, err := t.connect()
	if err != nil {
		return "", err
	}
	chain, err := t.find(ctx, c)
	if err != nil {
		return "", err
	}
	if t.Command.WithSource {
		sources, err := t.sources(ctx, c, chain[0])
		if err != nil {
			return "", err
		}
		chain = append(sources, chain...)
	}
	for _, o := range chain {
		if o.Suspended() {
			return "", fmt.Errorf("%s is suspended: resume it first", o)
		}
	}
	if c, err = t.connect(chain...); err != nil {
		return "", err
	}
	for i, o := range chain {
		if o.Static() {
			outcome = fmt.Sprintf("%s is an address alone: Flux has nothing to fetch from it", o)
			t.Say(outcome)
			continue
		}
		if outcome, err = t.ask(ctx, c, o, map[string]any{}); err != nil {
			if i < len(chain)-1 {
				err = fmt.Errorf("%w; %s was not asked", err, chain[len(chain)-1])
			}
			return "", err
		}
	}
	return outcome, nil
}

// sources are what an object is made of, as far as it may be asked about.
func (t *Task) sources(ctx context.Context, c *cluster.Client, o cluster.Object) ([]cluster.Object, error) {
	var out []cluster.Object
	for _, r := range o.Sources() {
		k, ok := r.Flux()
		switch {
		case !ok:
			return nil, fmt.Errorf("%s is made of the %s, which nobody can ask to reconcile: leave out --with-source", o, r)
		case !t.Run.Access.May(k, rules.Place{Namespace: r.Namespace}):
			return nil, fmt.Errorf("no rule lets you reconcile its source, the %s: leave out --with-source", r)
		}
		source, err := t.one(ctx, c, k, r.Namespace, r.Name)
		if err != nil {
			return nil, err
		}
		out = append(out, source)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s names no source: leave out --with-source", o)
	}
	return out, nil
}

// errWaited is why a wait ends that took as long as it may.
var errWaited = errors.New("it took too long")

// ask asks Flux to look at an object, along with a change of it, and follows it
// until it has.
func (t *Task) ask(ctx context.Context, c *cluster.Client, o cluster.Object, change map[string]any) (string, error) {
	token, before := t.Now().Format(time.RFC3339Nano), o.Revision()
	change["metadata"] = map[string]any{"annotations": map[string]any{meta.ReconcileRequestAnnotation: token}}
	asked, err := c.Patch(ctx, o, change)
	if err != nil {
		return "", err
	}
	t.say("%s: Flux is asked", o)
	last, told := asked, map[string]bool{"": true} // Flux goes through the same steps more than once
	err = c.Follow(ctx, asked, func(now cluster.Object) bool {
		last = now
		if p := now.Condition(meta.ReconcilingCondition); p.Status == "True" && !told[p.Message] {
			told[p.Message] = true
			t.say("%s: %s", o, p.Message)
		}
		return now.Handled(token) && now.Settled()
	})
	switch {
	case errors.Is(err, context.DeadlineExceeded) && errors.Is(context.Cause(ctx), errWaited):
		return "", t.waited(last, token)
	case err != nil:
		return "", fmt.Errorf("%s: %w", o, err)
	case last.Ready() != "True":
		return "", fmt.Errorf("%s is not ready%s: %s", o, at(last.Revision()), last.Why())
	}
	outcome := fmt.Sprintf("%s is ready%s", o, at(last.Revision()))
	if before != "" && before != last.Revision() {
		outcome += ", was at " + before
	}
	t.Say(outcome)
	return outcome, nil
}

// waited says what was seen last when nobody waits any longer.
func (t *Task) waited(last cluster.Object, token string) error {
	ask := line.Command{Kinds: []line.Kind{last.Kind}, Names: []string{last.GetName()}, Namespace: last.GetNamespace()}
	look := "`" + ask.Line(line.Get, t.Run.Cluster) + "` shows how it goes on"
	if !last.Handled(token) && last.Condition(meta.ReconcilingCondition).Status != "True" {
		return fmt.Errorf("%s: Flux has not taken it up within %s: is its controller running? %s", last, t.Command.Timeout, look)
	}
	return fmt.Errorf("%s: Flux has not done with it within %s, and goes on%s; %s", last, t.Command.Timeout, after(last.Why()), look)
}

func at(revision string) string {
	if revision == "" {
		return ""
	}
	return " at " + revision
}

func after(why string) string {
	if why = strings.TrimSpace(why); why == "" {
		return ""
	}
	return " (" + why + ")"
}
