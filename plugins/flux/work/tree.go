package work

import (
	"context"
	"slices"
	"strings"

	"ferry/plugins/flux/cluster"
	"ferry/plugins/flux/line"
	"ferry/plugins/kubectl/rules"
)

// deepest is how far a tree is followed: Kustomizations that apply each other end
// somewhere.
const deepest = 20

// Tree returns what a Kustomization has made, as its inventory says, with what the
// Kustomizations and HelmReleases among it have made.
func (t *Task) Tree(ctx context.Context) (text string, n Count, err error) {
	c, err := t.connect()
	if err != nil {
		return "", n, err
	}
	root, err := t.find(ctx, c)
	if err != nil {
		return "", n, err
	}
	f := forest{task: t, client: c, lists: map[string]listed{}, shown: map[string]bool{}}
	f.line("", root[0].Kind.Name+"/"+root[0].GetNamespace()+"/"+root[0].GetName()+state(root[0]))
	f.count.add(root)
	f.shown[root[0].String()] = true
	f.below(ctx, root[0], "", 1)
	if ctx.Err() != nil {
		return "", n, ctx.Err()
	}
	return f.out.String(), f.count, nil
}

// forest writes one tree.
type forest struct {
	task   *Task
	client *cluster.Client
	lists  map[string]listed // by kind and namespace, each asked for once
	shown  map[string]bool   // what was followed
	count  Count
	out    strings.Builder
}

type listed struct {
	objects []cluster.Object
	err     error
}

func (f *forest) line(before, text string) { f.out.WriteString(before + text + "\n") }

// below writes what an object has made.
func (f *forest) below(ctx context.Context, o cluster.Object, before string, depth int) {
	var refs []cluster.Ref
	for _, r := range o.Inventory() {
		_, flux := r.Flux()
		self := r.Kind == o.Kind.Name && r.Namespace == o.GetNamespace() && r.Name == o.GetName()
		if !self && (flux || !f.task.Command.Compact) {
			refs = append(refs, r)
		}
	}
	switch {
	case len(refs) == 0:
		return
	case o.Elsewhere():
		f.line(before, "└── (in the cluster of its kubeConfig:)")
		before += "    "
	}
	for i, r := range refs {
		branch, next := "├── ", "│   "
		if i == len(refs)-1 {
			branch, next = "└── ", "    "
		}
		k, flux := r.Flux()
		if !flux || o.Elsewhere() {
			f.line(before+branch, r.String())
			continue
		}
		child, says := f.look(ctx, k, r)
		f.line(before+branch, r.String()+says)
		if child.Unstructured == nil || f.shown[child.String()] || depth >= deepest {
			continue
		}
		f.count.add([]cluster.Object{child})
		f.shown[child.String()] = true
		f.below(ctx, child, before+next, depth+1)
	}
}

// look finds one of Flux's own objects and says how it is.
func (f *forest) look(ctx context.Context, k line.Kind, r cluster.Ref) (cluster.Object, string) {
	if !f.task.Run.Access.May(k, rules.Place{Namespace: r.Namespace}) {
		return cluster.Object{}, "  (no rule lets you see it)"
	}
	key := k.Plural + "/" + r.Namespace
	all, ok := f.lists[key]
	if !ok {
		all.objects, all.err = f.client.List(ctx, k, r.Namespace, "")
		f.lists[key] = all
	}
	i := slices.IndexFunc(all.objects, func(o cluster.Object) bool { return o.GetName() == r.Name })
	switch {
	case all.err != nil:
		return cluster.Object{}, "  (" + all.err.Error() + ")"
	case i < 0:
		return cluster.Object{}, "  (is gone)"
	}
	return all.objects[i], state(all.objects[i])
}

// state says how an object of Flux's is.
func state(o cluster.Object) string {
	says := map[string]string{"True": "ready", "False": "not ready", "Unknown": "in progress"}[o.Ready()]
	if o.Suspended() {
		says = "suspended, " + says
	}
	if r := o.Revision(); r != "" {
		says += ", " + r
	}
	if o.Ready() != "True" {
		says += ": " + o.Why()
	}
	return "  " + says
}
