// Package work does on one cluster what a line asks for. What changes something says
// what it does while it does it, a line at a time, and in the end one sentence that
// tells the outcome; what reads returns a text.
//
// Reconcile and resume ask Flux by its own annotation
// (https://fluxcd.io/flux/components/kustomize/kustomizations/#triggering-a-reconcile)
// and follow the object until Flux says that it has looked at it, and what came of
// that. Whoever stops waiting stops nothing: Flux goes on.
package work

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"ferry/plugins/flux/cluster"
	"ferry/plugins/flux/line"
	"ferry/plugins/kubectl/rules"
)

// Task is a command on one cluster.
type Task struct {
	Command    line.Command
	Run        line.Run
	Kubeconfig []byte
	// Say tells people what is going on, a line at a time.
	Say func(text string)
	Now func() time.Time
}

func (t *Task) say(format string, args ...any) { t.Say(fmt.Sprintf(format, args...)) }

// connect is the way in to read, and to change what is named.
func (t *Task) connect(change ...cluster.Object) (*cluster.Client, error) {
	var writes []rules.Write
	for _, o := range change {
		writes = append(writes, rules.Write{Method: "PATCH", Resource: o.Kind.String(), Namespace: o.GetNamespace(), Name: o.GetName()})
	}
	return cluster.Connect(t.Kubeconfig, t.Run.Access.Grant(writes...))
}

// find reads the objects that a line names; one that is not there is told with what
// was probably meant.
func (t *Task) find(ctx context.Context, c *cluster.Client) ([]cluster.Object, error) {
	var out []cluster.Object
	for _, name := range t.Command.Names {
		o, err := t.one(ctx, c, t.Command.Kinds[0], t.Command.Namespace, name)
		if err != nil {
			return nil, err
		}
		out = append(out, o)
	}
	return out, nil
}

func (t *Task) one(ctx context.Context, c *cluster.Client, k line.Kind, namespace, name string) (cluster.Object, error) {
	o, err := c.Get(ctx, k, namespace, name)
	switch {
	case cluster.IsNotFound(err):
		return o, t.nearest(ctx, c, k, namespace, name)
	case err != nil:
		return o, err
	case o.GetDeletionTimestamp() != nil:
		return o, fmt.Errorf("%s is being deleted", o)
	}
	return o, nil
}

// nearest says that an object is not there, and which one could have been meant.
func (t *Task) nearest(ctx context.Context, c *cluster.Client, k line.Kind, namespace, name string) error {
	where := namespace
	if t.Run.Access.May(k, rules.Place{None: true}) {
		where = ""
	}
	others, err := c.List(ctx, k, where, "")
	if err != nil && where == "" {
		others, err = c.List(ctx, k, namespace, "")
	}
	var here, elsewhere []string
	for _, o := range others {
		switch {
		case o.GetNamespace() == namespace:
			here = append(here, o.GetName())
		case o.GetName() == name:
			elsewhere = append(elsewhere, o.GetNamespace())
		}
	}
	slices.Sort(here)
	hint := ""
	switch near := line.Nearest(name, here); {
	case err != nil: // whoever may not see them all is not told of them
	case len(elsewhere) > 0:
		hint = "; there is one in namespace " + strings.Join(elsewhere, ", ")
	case near != "":
		hint = fmt.Sprintf("; did you mean %s?", near)
	case len(here) == 0:
		hint = ", which has none"
	case len(here) <= 10:
		hint = "; there are " + strings.Join(here, ", ")
	}
	return fmt.Errorf("there is no %s %q in namespace %s%s", k.Words, name, namespace, hint)
}
