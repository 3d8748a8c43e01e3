package pipeline

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"strings"
	"text/template"

	"ferry/internal/event"
)

var noSuchField = regexp.MustCompile(`at <([^<>]*)>: can't evaluate field (\w+) in type (\S+)$`)

// tried renders a template once: one that names a field that there never is would fail
// for every event. What depends on an event is not judged.
func tried(t *template.Template) error {
	e := event.Event{Labels: map[string]string{}}
	err := t.Execute(io.Discard, Data{Event: &e, Incident: &event.Incident{Group: map[string]string{}, Problems: []event.Problem{{Event: e}}}, Firing: 1, Things: 1})
	if err == nil {
		return nil
	}
	m := noSuchField.FindStringSubmatch(err.Error())
	if m == nil {
		return nil
	}
	for _, of := range []any{Data{}, e, event.Incident{}, event.Problem{}} {
		if is := reflect.TypeOf(of); is.String() == strings.TrimPrefix(m[3], "*") {
			return fmt.Errorf("there is no %s in `%s`; there is %s", m[2], m[1], strings.Join(fieldsOf(is), ", "))
		}
	}
	return errors.New(strings.TrimPrefix(err.Error(), "template: "))
}

func fieldsOf(t reflect.Type) (out []string) {
	for _, f := range reflect.VisibleFields(t) {
		if f.IsExported() && !f.Anonymous {
			out = append(out, "."+f.Name)
		}
	}
	return out
}
