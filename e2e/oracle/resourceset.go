package oracle

import (
	"bytes"
	"strings"
	"text/template"

	"sigs.k8s.io/yaml"
)

// expand makes the objects of a ResourceSet, for what Git alone decides: its own inputs, its resources and its
// template. Inputs of providers live in the cluster. What does not parse makes nothing.
func expand(set Object) []Object {
	var out []Object
	inputs, _ := set.get("spec", "inputs").([]any)
	if len(inputs) == 0 {
		inputs = []any{map[string]any{}}
	}
	resources, _ := set.get("spec", "resources").([]any)
	whole := set.str("spec", "resourcesTemplate")
	for _, item := range inputs {
		values, _ := item.(map[string]any)
		for _, res := range resources {
			raw, err := yaml.Marshal(res)
			if err != nil {
				continue
			}
			out = append(out, filled(string(raw), values, set)...)
		}
		if whole != "" {
			out = append(out, filled(whole, values, set)...)
		}
	}
	return out
}

// filled is what a template makes of one set of inputs. Objects without a namespace are in the set's.
func filled(source string, inputs map[string]any, set Object) []Object {
	provided := map[string]any{"provider": map[string]any{"name": set.name(), "namespace": set.namespace(), "kind": "ResourceSet"}}
	for k, v := range inputs {
		provided[k] = v
	}
	t, err := template.New("").Delims("<<", ">>").Option("missingkey=error").Funcs(template.FuncMap{
		"inputs": func() map[string]any { return provided },
		"quote":  func(s any) string { return `"` + text(s) + `"` },
		"default": func(d, v any) any {
			if v == nil || v == "" {
				return d
			}
			return v
		},
		"get": func(m map[string]any, k string) any { return m[k] },
	}).Parse(source)
	if err != nil {
		return nil
	}
	var buf bytes.Buffer
	if t.Execute(&buf, nil) != nil {
		return nil
	}
	var out []Object
	for _, doc := range strings.Split("\n"+buf.String(), "\n---") {
		o := Object{}
		if yaml.Unmarshal([]byte(doc), &o) != nil || o.kind() == "" || o.name() == "" {
			continue
		}
		if o.str("metadata", "namespace") == "" {
			if meta, ok := o["metadata"].(map[string]any); ok {
				meta["namespace"] = set.namespace()
			}
		}
		out = append(out, normal(o))
	}
	return out
}
