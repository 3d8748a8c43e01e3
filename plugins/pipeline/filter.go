package pipeline

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"

	"github.com/google/cel-go/cel"

	"ferry/internal/event"
)

// Limits of a filter: how long it may be, and how much it may compute for one
// event, in CEL's own units (about one for each step).
const (
	maxExpression = 4096
	maxCost       = 100_000
)

// Place is where something stands in the configuration.
type Place struct {
	File string
	Line int
}

// String writes "file:line".
func (p Place) String() string { return fmt.Sprintf("%s:%d", p.File, p.Line) }

// Filter lets through the events for which a CEL expression is true. The expression
// sees event.id, event.source, event.cluster, event.kind, event.namespace,
// event.name, event.reason, event.severity, event.title, event.text, event.labels,
// event.count, event.resolved, event.at, and object.
type Filter struct {
	program cel.Program
	at      Place
	log     *slog.Logger
	unsure  atomic.Bool
}

// NewFilter compiles an expression. Whatever is wrong with it is said here, with the
// place it stands at, and nothing is left for the first event.
func NewFilter(expression string, at Place, log *slog.Logger) (*Filter, error) {
	if len(expression) > maxExpression {
		return nil, fmt.Errorf("%s: filter: at most %d characters", at, maxExpression)
	}
	env, err := cel.NewEnv(
		cel.Variable("event.id", cel.StringType), cel.Variable("event.source", cel.StringType),
		cel.Variable("event.cluster", cel.StringType), cel.Variable("event.kind", cel.StringType),
		cel.Variable("event.namespace", cel.StringType), cel.Variable("event.name", cel.StringType),
		cel.Variable("event.reason", cel.StringType), cel.Variable("event.severity", cel.StringType),
		cel.Variable("event.title", cel.StringType), cel.Variable("event.text", cel.StringType),
		cel.Variable("event.labels", cel.MapType(cel.StringType, cel.StringType)),
		cel.Variable("event.count", cel.IntType), cel.Variable("event.resolved", cel.BoolType),
		cel.Variable("event.at", cel.TimestampType), cel.Variable("object", cel.DynType),
	)
	if err != nil {
		return nil, fmt.Errorf("%s: filter: %w", at, err)
	}
	tree, issues := env.Compile(expression)
	if issues != nil && issues.Err() != nil {
		first := issues.Errors()[0]
		// The line of a longer expression counts from where it begins.
		where := Place{File: at.File, Line: at.Line + max(0, first.Location.Line()-1)}
		return nil, fmt.Errorf("%s: filter: %s (column %d of `%s`)", where, firstLine(first.Message), first.Location.Column()+1, firstLine(expression))
	}
	if tree.OutputType() != cel.BoolType && tree.OutputType() != cel.DynType {
		return nil, fmt.Errorf("%s: filter: `%s` is a %s, not true or false", at, firstLine(expression), tree.OutputType())
	}
	program, err := env.Program(tree, cel.CostLimit(maxCost), cel.EvalOptions(cel.OptOptimize))
	if err != nil {
		return nil, fmt.Errorf("%s: filter: %w", at, err)
	}
	return &Filter{program: program, at: at, log: log}, nil
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return line
}

// Exec implements Stage.
func (f *Filter) Exec(_ context.Context, p *Parcel) error {
	p.keep(f.passes)
	return nil
}

// passes is true also for an event that the expression cannot judge, because a
// field is missing or it would cost too much: an alert too many can be mended.
func (f *Filter) passes(e *event.Event) bool {
	out, _, err := f.program.Eval(&activation{event: e})
	if err == nil {
		if yes, ok := out.Value().(bool); ok {
			return yes
		}
		err = fmt.Errorf("%v is not true or false", out.Value())
	}
	if !f.unsure.Swap(true) {
		f.log.Warn("a filter cannot judge an event; such events go through", "filter", f.at.String(), "event", string(e.ID), "error", err)
	}
	return true
}

// activation gives an expression what it names, and decodes the object only if it
// is named.
type activation struct {
	event  *event.Event
	object any
}

// ResolveName implements cel's Activation.
func (a *activation) ResolveName(name string) (any, bool) {
	e := a.event
	switch name {
	case "event.id":
		return string(e.ID), true
	case "event.title":
		return e.Title, true
	case "event.text":
		return e.Text, true
	case "event.labels":
		if e.Labels == nil {
			return map[string]string{}, true
		}
		return e.Labels, true
	case "event.count":
		return int64(max(1, e.Count)), true
	case "event.resolved":
		return e.Resolved, true
	case "event.at":
		return e.At, true
	case "event.source", "event.cluster", "event.kind", "event.namespace", "event.name", "event.reason", "event.severity":
		return e.Label(strings.TrimPrefix(name, "event.")), true
	case "object":
		if a.object == nil {
			a.object = map[string]any{}
			if len(e.Object) > 0 && json.Unmarshal(e.Object, &a.object) != nil {
				a.object = map[string]any{}
			}
		}
		return a.object, true
	}
	return nil, false
}

// Parent implements cel's Activation.
func (a *activation) Parent() cel.Activation { return nil }
