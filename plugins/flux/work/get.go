package work

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"ferry/plugins/flux/cluster"
	"ferry/plugins/flux/line"
)

// Count is what a table shows, in numbers.
type Count struct{ All, NotReady, Suspended int }

// Get returns a table of objects for each kind that is asked for.
func (t *Task) Get(ctx context.Context) (text string, n Count, err error) {
	c, err := t.connect()
	if err != nil {
		return "", n, err
	}
	var tables []string
	var missing error
	for _, k := range t.Run.Kinds {
		found, err := t.choose(ctx, c, k)
		switch {
		case cluster.IsMissing(err) && len(t.Command.Kinds) > 1:
			missing = cmp.Or(missing, err)
			continue
		case err != nil:
			return "", n, err
		}
		if rows := t.filter(found); len(rows) > 0 {
			tables = append(tables, t.table(rows))
			n.add(rows)
		}
	}
	if len(tables) == 0 && missing != nil && t.noFlux(ctx, c) {
		return "", n, missing
	}
	if len(tables) == 0 {
		tables = []string{t.none()}
	}
	if len(t.Run.Left) > 0 {
		tables = append(tables, "not asked, for no rule lets you: "+plurals(t.Run.Left)+"\n")
	}
	return strings.Join(tables, "\n"), n, nil
}

// choose reads what is asked for of one kind.
func (t *Task) choose(ctx context.Context, c *cluster.Client, k line.Kind) ([]cluster.Object, error) {
	if len(t.Command.Names) > 0 {
		return t.find(ctx, c)
	}
	namespace := t.Command.Namespace
	if t.Command.All {
		namespace = ""
	}
	return c.List(ctx, k, namespace, t.Command.Labels)
}

// noFlux says whether none of the kinds is served.
func (t *Task) noFlux(ctx context.Context, c *cluster.Client) bool {
	return !slices.ContainsFunc(t.Run.Kinds, func(k line.Kind) bool { return c.Serves(ctx, k) })
}

// filter leaves those whose condition is as the line says.
func (t *Task) filter(all []cluster.Object) []cluster.Object {
	kind, want, ok := strings.Cut(t.Command.Status, "=")
	if !ok {
		return all
	}
	return slices.DeleteFunc(all, func(o cluster.Object) bool {
		is := o.Condition(kind).Status
		switch {
		case strings.EqualFold(kind, "Ready"):
			is = o.Ready()
		case is == "":
			is = "Unknown"
		}
		return !strings.EqualFold(is, want)
	})
}

func (n *Count) add(rows []cluster.Object) {
	for _, o := range rows {
		n.All++
		switch {
		case o.Suspended():
			n.Suspended++
		case o.Ready() != "True":
			n.NotReady++
		}
	}
}

// table is a table as Flux's own command shows it.
func (t *Task) table(rows []cluster.Object) string {
	slices.SortFunc(rows, func(a, b cluster.Object) int {
		return strings.Compare(a.GetNamespace()+"/"+a.GetName(), b.GetNamespace()+"/"+b.GetName())
	})
	var out strings.Builder
	w := tabwriter.NewWriter(&out, 0, 0, 3, ' ', 0)
	if t.Command.All {
		fmt.Fprint(w, "NAMESPACE\t")
	}
	fmt.Fprint(w, "NAME\tREVISION\tSUSPENDED\tREADY\tMESSAGE\n")
	for _, o := range rows {
		if t.Command.All {
			fmt.Fprintf(w, "%s\t", o.GetNamespace())
		}
		name := o.GetName()
		if len(t.Command.Kinds) > 1 {
			name = strings.ToLower(o.Kind.Name) + "/" + name
		}
		suspended := "False"
		if o.Suspended() {
			suspended = "True"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", name, o.Revision(), suspended, o.Ready(), o.Why())
	}
	_ = w.Flush() // a strings.Builder takes everything
	return out.String()
}

// none says that there is nothing to show.
func (t *Task) none() string {
	what := "no " + plurals(t.Run.Kinds)
	if len(t.Run.Kinds) > 5 {
		what = "nothing of Flux's"
	}
	if t.Command.Selects() {
		what += " like that"
	}
	if t.Command.All {
		return what + "\n"
	}
	return fmt.Sprintf("%s in namespace %s; -n names another, -A means all\n", what, t.Command.Namespace)
}

func plurals(kinds []line.Kind) string {
	var out []string
	for _, k := range kinds {
		out = append(out, k.Plural)
	}
	return strings.Join(out, ", ")
}
