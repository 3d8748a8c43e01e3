package webhook

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/ext"

	"ferry/plugins/api"
)

// mapping makes events of any JSON, in CEL. body is what was posted, item one of
// what Each yields (without it: the body), headers are those of the request, in
// small letters.
type mapping struct {
	Each      string            `json:"each"`
	When      string            `json:"when"` // which items are meant
	ID        string            `json:"id"`
	About     string            `json:"about"`
	Title     string            `json:"title"`
	Text      string            `json:"text"`
	Severity  string            `json:"severity"`
	Cluster   string            `json:"cluster"`
	Kind      string            `json:"kind"`
	Namespace string            `json:"namespace"`
	Name      string            `json:"name"`
	Reason    string            `json:"reason"`
	At        string            `json:"at"` // RFC 3339
	Resolved  string            `json:"resolved"`
	Labels    map[string]string `json:"labels"`
}

// costly is how much an expression may cost: some thousand steps.
const costly = 200_000

// compiled is a mapping that can be asked.
type compiled struct {
	each, when, resolved cel.Program
	texts, labels        map[string]cel.Program
}

func compile(m mapping) (*compiled, error) {
	env, err := cel.NewEnv(cel.Variable("body", cel.DynType), cel.Variable("item", cel.DynType), cel.Variable("headers", cel.MapType(cel.StringType, cel.StringType)), ext.Strings())
	if err != nil {
		return nil, err
	}
	if m.Title == "" {
		return nil, errors.New("title: it is needed")
	}
	c := &compiled{texts: map[string]cel.Program{}, labels: map[string]cel.Program{}}
	program := func(name, expression string, into *cel.Program) {
		if expression == "" || err != nil {
			return
		}
		ast, issues := env.Compile(expression)
		if issues.Err() != nil {
			first := issues.Errors()[0]
			says, _, _ := strings.Cut(first.Message, "\n")
			err = fmt.Errorf("%s: %s (column %d of `%s`)", name, says, first.Location.Column()+1, expression)
			return
		}
		if *into, err = env.Program(ast, cel.CostLimit(costly)); err != nil {
			err = fmt.Errorf("%s: %w", name, err)
		}
	}
	program("each", m.Each, &c.each)
	program("when", m.When, &c.when)
	program("resolved", m.Resolved, &c.resolved)
	for name, expression := range map[string]string{
		"id": m.ID, "about": m.About, "title": m.Title, "text": m.Text, "severity": m.Severity, "cluster": m.Cluster,
		"kind": m.Kind, "namespace": m.Namespace, "name": m.Name, "reason": m.Reason, "at": m.At,
	} {
		var p cel.Program
		if program(name, expression, &p); p != nil {
			c.texts[name] = p
		}
	}
	for name, expression := range m.Labels {
		var p cel.Program
		if program("labels."+name, expression, &p); p != nil {
			c.labels[name] = p
		}
	}
	return c, err
}

// mostItems is how many events one request makes.
const mostItems = 1000

func (c *compiled) events(text []byte, r *http.Request) ([]api.Event, error) {
	var body any
	if err := json.Unmarshal(text, &body); err != nil {
		return nil, fmt.Errorf("this is no JSON: %w", err)
	}
	vars := map[string]any{"body": body, "item": body, "headers": headers(r)}
	items := []any{body}
	if c.each != nil {
		out, _, err := c.each.Eval(vars)
		if err != nil {
			return nil, fmt.Errorf("each: %w", err)
		}
		list, err := out.ConvertToNative(reflect.TypeFor[[]any]())
		if err != nil {
			return nil, fmt.Errorf("each: it yields no list: %w", err)
		}
		items, _ = list.([]any)
	}
	if len(items) > mostItems {
		return nil, fmt.Errorf("more than %d items", mostItems)
	}
	var out []api.Event
	for _, item := range items {
		vars["item"] = item
		e, meant, err := c.event(vars)
		if err != nil {
			return nil, err
		}
		if !meant {
			continue
		}
		e.Object, _ = json.Marshal(native(item))
		out = append(out, e)
	}
	return out, nil
}

// native is an item as encoding/json knows it; what CEL made up is left out.
func native(item any) any {
	if v, ok := item.(interface {
		ConvertToNative(reflect.Type) (any, error)
	}); ok {
		out, err := v.ConvertToNative(reflect.TypeFor[map[string]any]())
		if err != nil {
			return nil
		}
		return out
	}
	return item
}

func headers(r *http.Request) map[string]string {
	out := map[string]string{}
	for name, values := range r.Header {
		if name != "Authorization" {
			out[strings.ToLower(name)] = strings.Join(values, ",")
		}
	}
	return out
}

// event makes one of an item, unless the item is not meant. An expression that fails
// is an error: what would be lost is not taken.
func (c *compiled) event(vars map[string]any) (e api.Event, meant bool, err error) {
	yes := func(name string, p cel.Program, without bool) bool {
		if p == nil || err != nil {
			return without
		}
		out, _, failed := p.Eval(vars)
		if failed != nil {
			err = fmt.Errorf("%s: %w", name, failed)
			return false
		}
		b, ok := out.Value().(bool)
		if !ok {
			err = fmt.Errorf("%s: it yields no bool", name)
		}
		return b
	}
	text := func(name string, p cel.Program) string {
		if p == nil || err != nil {
			return ""
		}
		out, _, failed := p.Eval(vars)
		if failed != nil {
			err = fmt.Errorf("%s: %w", name, failed)
			return ""
		}
		if s, ok := out.ConvertToType(types.StringType).Value().(string); ok {
			return s
		}
		err = fmt.Errorf("%s: it yields no text", name)
		return ""
	}
	if !yes("when", c.when, true) || err != nil {
		return e, false, err
	}
	get := func(name string) string { return text(name, c.texts[name]) }
	e = api.Event{
		ID: get("id"), About: get("about"), Title: get("title"), Text: get("text"), Severity: severity(get("severity"), api.SeverityInfo),
		Cluster: get("cluster"), Kind: get("kind"), Namespace: get("namespace"), Name: get("name"), Reason: get("reason"),
		Resolved: yes("resolved", c.resolved, false), Moment: c.resolved == nil, Labels: map[string]string{},
	}
	if at := get("at"); at != "" {
		if e.At, err = time.Parse(time.RFC3339, at); err != nil {
			return e, false, fmt.Errorf("at: %w", err)
		}
	}
	for name, p := range c.labels {
		e.Labels[name] = text("labels."+name, p)
	}
	return e, true, err
}
