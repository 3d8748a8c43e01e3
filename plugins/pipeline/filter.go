package pipeline

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/google/cel-go/cel"

	"ferry/internal/event"
	"ferry/internal/near"
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
	fields := map[string]*cel.Type{
		"id": cel.StringType, "source": cel.StringType, "cluster": cel.StringType, "kind": cel.StringType, "namespace": cel.StringType, "name": cel.StringType,
		"reason": cel.StringType, "severity": cel.StringType, "title": cel.StringType, "text": cel.StringType, "labels": cel.MapType(cel.StringType, cel.StringType),
		"count": cel.IntType, "resolved": cel.BoolType, "at": cel.TimestampType,
	}
	if len(expression) > maxExpression {
		return nil, fmt.Errorf("%s: filter: at most %d characters", at, maxExpression)
	}
	known := []cel.EnvOption{cel.Variable("object", cel.DynType)}
	for name, is := range fields {
		known = append(known, cel.Variable("event."+name, is))
	}
	env, err := cel.NewEnv(known...)
	if err != nil {
		return nil, fmt.Errorf("%s: filter: %w", at, err)
	}
	tree, issues := env.Compile(expression)
	if issues != nil && issues.Err() != nil {
		first := issues.Errors()[0]
		// The line of a longer expression counts from where it begins.
		where := Place{File: at.File, Line: at.Line + max(0, first.Location.Line()-1)}
		says := firstLine(first.Message)
		if absent := noField(expression, slices.Sorted(maps.Keys(fields))); absent != "" && strings.Contains(says, "reference to 'event'") {
			says = absent // CEL only says that it knows no event
		}
		return nil, fmt.Errorf("%s: filter: %s (column %d of `%s`)", where, says, first.Location.Column()+1, firstLine(expression))
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

var ofEvent = regexp.MustCompile(`\bevent\.([A-Za-z_]\w*)`)

// noField names the first field in an expression that an event does not have; "" if there
// is none.
func noField(expression string, known []string) string {
	for _, m := range ofEvent.FindAllStringSubmatch(expression, -1) {
		if slices.Contains(known, m[1]) {
			continue
		}
		if meant := near.Names(m[1], known, 1); len(meant) > 0 {
			return fmt.Sprintf("an event has no %s; did you mean event.%s, or the label event.labels[%[1]q]?", m[1], meant[0])
		}
		return fmt.Sprintf("an event has no %s; it has %s; a label is event.labels[%[1]q]", m[1], strings.Join(known, ", "))
	}
	return ""
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
