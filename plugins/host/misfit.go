package host

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// mostMisfits is how many are told of a configuration at once.
const mostMisfits = 3

// misfit says in one line what does not fit a schema.
func misfit(schema []byte, err error) string {
	e, ok := errors.AsType[*jsonschema.ValidationError](err)
	if !ok {
		return clip(err.Error())
	}
	var doc any
	_ = json.Unmarshal(schema, &doc) // it was compiled: it is JSON
	all := misfits(doc, e)
	return clip(strings.Join(all[:min(len(all), mostMisfits)], "; "))
}

// misfits are the errors that no other caused. Of alternatives each is one, since any
// would do.
func misfits(doc any, e *jsonschema.ValidationError) []string {
	var out []string
	for _, c := range e.Causes {
		out = append(out, misfits(doc, c)...)
	}
	slices.Sort(out) // they come in any order, and a text that changes is news
	switch e.ErrorKind.(type) {
	case *kind.AnyOf, *kind.OneOf:
		if len(out) > 0 {
			return []string{strings.Join(out, ", or ")}
		}
	}
	if len(out) > 0 {
		return out
	}
	says := e.ErrorKind.LocalizedString(message.NewPrinter(language.English))
	if p, is := e.ErrorKind.(*kind.Pattern); is {
		if meant := described(doc, e.SchemaURL); meant != "" { // which says more than an expression
			says = fmt.Sprintf("'%s' does not fit: %s", p.Got, meant)
		}
	}
	if at := strings.Join(e.InstanceLocation, "."); at != "" {
		says = at + ": " + says
	}
	return []string{says}
}

// described is what a schema says of the value that the place in it is about; of the
// items of a list what it says of the list.
func described(doc any, place string) string {
	_, pointer, _ := strings.Cut(place, "#")
	last := ""
	for _, key := range strings.Split(strings.Trim(pointer, "/"), "/") {
		at, ok := doc.(map[string]any)
		if !ok {
			return ""
		}
		if key != "items" {
			last = ""
		}
		if key = strings.NewReplacer("~1", "/", "~0", "~").Replace(key); key != "" {
			doc = at[key]
		}
		if now, ok := doc.(map[string]any); ok {
			if says, ok := now["description"].(string); ok {
				last = says
			}
		}
	}
	return strings.TrimSuffix(last, ".")
}
