package delivery

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"ferry/delivery/flux"
	"ferry/delivery/yamledit"
	"ferry/internal/deploy"
	"ferry/internal/fault"
)

// A change that is to last where image automation writes suspends that automation
// in the commit that brings it. Where spec.suspend stands is found like a version's
// place: an edit is the right one because, rendered, it suspends automations that
// are in charge of the change's fields, and does nothing else on any cluster.

// suspending is a plan's automations on their way out of service.
type suspending struct {
	e     *engine
	all   *automations
	world *flux.World         // with the edits so far
	goal  []deploy.Automation // those in charge, each once
	done  []deploy.Automation // with the lines of the edits
	sites []site
}

// staying is an automation that cannot be suspended in Git.
type staying struct {
	deploy.Automation
	why string // a sentence without its end
}

// suspend takes the automations in charge of a plan's fields out of service, on top
// of its sites. What is to be known of each edit becomes a warning.
func (e *engine) suspend(ctx context.Context, s *scene, p *deploy.Plan, sites []site) ([]site, []staying, error) {
	w := &suspending{e: e, all: e.automations(s.world), world: sites[len(sites)-1].world}
	for _, a := range p.Automation {
		if a.InCharge() && !slices.ContainsFunc(w.goal, func(o deploy.Automation) bool { return same(o, a) }) {
			w.goal = append(w.goal, a)
		}
	}
	w.all.mu.Lock()
	defer w.all.mu.Unlock()
	var left []staying
	for _, a := range w.goal {
		if slices.ContainsFunc(w.done, func(o deploy.Automation) bool { return same(o, a) }) {
			continue // an earlier edit suspended it too
		}
		why, err := w.one(ctx, a)
		if err != nil {
			return nil, nil, err
		}
		if why != "" {
			left = append(left, staying{a, why})
		}
	}
	said, err := w.warnings(ctx, p.Automation)
	if err != nil {
		return nil, nil, err
	}
	p.Warnings, p.Suspended = append(p.Warnings, said...), w.done
	return w.sites, left, nil
}

// same reports whether two are one automation, whatever line stands with them.
func same(a, b deploy.Automation) bool {
	return a.Ref == b.Ref && a.Cluster == b.Cluster && (a.Cluster != "" || a.At.File == b.At.File)
}

// one suspends one automation, or says why it cannot.
func (w *suspending) one(ctx context.Context, a deploy.Automation) (why string, err error) {
	found, why, err := w.candidates(ctx, a)
	if err != nil {
		return "", err
	}
	var shape error
	for _, c := range found {
		data, edit, err := c.edit()
		if err != nil {
			shape = errors.Join(shape, fmt.Errorf("%s: %w", c.file, err))
			continue
		}
		after, err := w.e.flux.With(ctx, w.world, c.file, data)
		if err != nil {
			return "", err
		}
		stopped, others := w.stopped(after)
		switch {
		case len(others) > 0:
			why = fmt.Sprintf("`%s:%d` would change more than that: %s", c.file, edit.Line, listed(others))
		case a.Cluster == "" || slices.ContainsFunc(stopped, func(o deploy.Automation) bool { return same(o, a) }):
			if a.Cluster == "" {
				stopped = []deploy.Automation{a}
			}
			w.take(c, edit, data, after, stopped)
			return "", nil
		}
	}
	switch {
	case why != "":
		return why, nil
	case shape != nil:
		return firstLine(shape), nil
	}
	return "it does not stand in this repository in a way that ferry could edit", nil
}

// stopped are the automations of the goal that an edit suspends, and whatever else
// it changes.
func (w *suspending) stopped(after *flux.World) (out []deploy.Automation, others []string) {
	var all []moved
	for _, c := range after.Clusters() {
		all = append(all, movedOn(c, w.world, after)...)
	}
	for _, m := range all {
		i := slices.IndexFunc(w.goal, func(a deploy.Automation) bool {
			r := m.ref()
			return a.Cluster == m.cluster && r.Kind == a.Ref.Kind && r.Name == a.Ref.Name && (r.Namespace == "" || r.Namespace == a.Ref.Namespace)
		})
		if i < 0 || m.object().Group != imageGroup || !suspendedOnly(m) {
			others = append(others, fmt.Sprintf("%s on %s", m.ref(), m.cluster))
			continue
		}
		out = append(out, w.goal[i])
	}
	return out, others
}

// suspendedOnly reports whether an object became suspended and is otherwise as it
// was.
func suspendedOnly(m moved) bool {
	if m.before == nil || m.after == nil {
		return false
	}
	before, after := m.before.Data(), m.after.Data()
	spec, ok := before["spec"].(map[string]any)
	if !ok || spec["suspend"] == true {
		return false
	}
	spec["suspend"] = true
	return equalData(before, after)
}

// outOfService is what a plan's hash covers of automations: all that look for its
// fields and are suspended after it, by it or before. The objects that it suspends
// are none of what it moves, so that it stays the same plan when another one has
// suspended them meanwhile.
func outOfService(p deploy.Plan) (affected []deploy.Affected, stopped []string) {
	if !p.Change.Suspend {
		return p.Affected, nil
	}
	for _, a := range p.Affected {
		if a.Object.Kind != imageAutomation {
			affected = append(affected, a)
		}
	}
	for _, a := range slices.Concat(p.Automation, p.Suspended) {
		if a.Suspended && a.Branch == "" {
			stopped = append(stopped, string(a.Cluster)+" "+a.Ref.String())
		}
	}
	slices.Sort(stopped)
	return affected, slices.Compact(stopped)
}

// take keeps an edit that is proven.
func (w *suspending) take(c candidate, e yamledit.Edit, data []byte, after *flux.World, stopped []deploy.Automation) {
	for i, a := range w.done { // lines below an insertion move
		if a.At.File == c.file && a.At.Line >= e.Line {
			w.done[i].At.Line += strings.Count(e.After, "\n") - strings.Count(e.Before, "\n")
		}
	}
	for _, a := range stopped {
		a.Suspended, a.At = true, deploy.Place{File: c.file, Line: suspendLine(e)}
		w.done = append(w.done, a)
	}
	w.world = after
	w.sites = append(w.sites, site{
		candidate: c, before: e.Before, after: e.After, line: e.Line, column: e.Column, data: data, world: after, suspends: stopped[0].Ref,
	})
}

// suspendLine is the line on which spec.suspend stands after an edit.
func suspendLine(e yamledit.Edit) int {
	at := strings.Index(e.After, "suspend: true")
	if at < 0 {
		at = max(strings.Index(e.After, "suspend"), 0)
	}
	return e.Line + strings.Count(e.After[:at], "\n")
}

// warnings say of each edit which automation it suspends, and what else that stops.
func (w *suspending) warnings(ctx context.Context, own []deploy.Automation) ([]string, error) {
	var out []string
	for i, a := range w.done {
		where := ", which no known cluster applies,"
		if a.Cluster != "" {
			where = " on " + string(a.Cluster)
		}
		if i > 0 && a.At == w.done[i-1].At { // one edit for both
			out[len(out)-1] = strings.Replace(out[len(out)-1], " is suspended", fmt.Sprintf(" and %s%s is suspended", name(a.Ref), where), 1)
			continue
		}
		text := fmt.Sprintf("ImageUpdateAutomation %s%s is suspended in the same commit (`%s:%d`), else it would undo this", name(a.Ref), where, a.At.File, a.At.Line)
		also, err := w.all.others(ctx, a, own)
		if err != nil {
			return nil, err
		}
		switch len(also) {
		case 0:
		case 1:
			text += "; that also stops updates of 1 other field: " + also[0]
		default:
			text += fmt.Sprintf("; that also stops updates of %d other fields: %s", len(also), listed(also))
		}
		out = append(out, text)
	}
	return out, nil
}

// refuseStaying says which automation would still undo a change, and what helps.
func refuseStaying(c deploy.Change, left []staying) *fault.Error {
	a := left[0]
	help := fmt.Sprintf("ImageUpdateAutomation %s%s writes `%s:%d`, as ImagePolicy %s%s selects\n%s\nsuspend it where it is declared, or take the marker off `%s:%d`: then it writes there no more",
		name(a.Ref), standing(a.At), a.Field.File, a.Field.Line, name(a.Policy), standing(a.PolicyAt), a.why, a.Field.File, a.Field.Line)
	return fault.New(fault.Refused, fmt.Sprintf("image automation would undo this change of %s on %s, and cannot be suspended in Git", c.Target.App.Name, c.Target.Cluster), help).
		WithCode(Automated)
}
