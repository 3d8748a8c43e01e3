package flux

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"text/template"

	"sigs.k8s.io/yaml"
)

// resourceSetGroup is flux-operator's API group.
const resourceSetGroup = "fluxcd.controlplane.io"

// expand renders a ResourceSet as flux-operator does: its resources once for
// each of its inputs, as Go templates between "<<" and ">>". Inputs from
// providers live only in the cluster; a template that needs a function which is
// not known here renders nothing.
func expand(o *Object) ([]*Object, error) {
	var set struct {
		Spec struct {
			Inputs            []map[string]any  `json:"inputs"`
			InputsFrom        []json.RawMessage `json:"inputsFrom"`
			Resources         []json.RawMessage `json:"resources"`
			ResourcesTemplate string            `json:"resourcesTemplate"`
		} `json:"spec"`
	}
	if err := json.Unmarshal(o.JSON, &set); err != nil {
		return nil, fmt.Errorf("read %s: %w", o.Ref, err)
	}
	inputs := set.Spec.Inputs
	if len(inputs) == 0 && len(set.Spec.InputsFrom) == 0 {
		inputs = []map[string]any{{}}
	}
	var out []*Object
	seen := map[ID]bool{}
	for _, in := range inputs {
		texts := []string{set.Spec.ResourcesTemplate}
		for _, r := range set.Spec.Resources {
			text, err := yaml.JSONToYAML(r)
			if err != nil {
				return nil, fmt.Errorf("read resources of %s: %w", o.Ref, err)
			}
			texts = append(texts, string(text))
		}
		for _, text := range texts {
			made, err := execute(text, in)
			if err != nil {
				return nil, fmt.Errorf("render %s: %w", o.Ref, err)
			}
			for _, m := range made {
				if !seen[m.ID()] {
					m.Maker = o
					seen[m.ID()] = true
					out = append(out, m)
				}
			}
		}
	}
	return out, nil
}

// execute renders one template with one input.
func execute(text string, input map[string]any) ([]*Object, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	functions := template.FuncMap{
		"inputs": func() map[string]any { return input },
		"lower":  strings.ToLower, "upper": strings.ToUpper, "trim": strings.TrimSpace,
		"quote":      func(v any) string { return fmt.Sprintf("%q", fmt.Sprint(v)) },
		"replace":    func(from, to, s string) string { return strings.ReplaceAll(s, from, to) },
		"trimPrefix": func(p, s string) string { return strings.TrimPrefix(s, p) },
		"trimSuffix": func(p, s string) string { return strings.TrimSuffix(s, p) },
		"default": func(d, v any) any {
			if v == nil || v == "" {
				return d
			}
			return v
		},
		"toYaml": func(v any) (string, error) {
			out, err := yaml.Marshal(v)
			return strings.TrimSuffix(string(out), "\n"), err
		},
	}
	t, err := template.New("").Delims("<<", ">>").Option("missingkey=error").Funcs(functions).Parse(text)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := t.Execute(&b, nil); err != nil {
		return nil, err
	}
	var out []*Object
	for doc := range strings.SplitSeq(b.String(), "\n---") {
		if strings.Trim(doc, "- \n") == "" {
			continue
		}
		data, err := yaml.YAMLToJSON([]byte(doc))
		if err != nil {
			return nil, err
		}
		o, err := newObject(data)
		if err != nil {
			return nil, err
		}
		out = append(out, o)
	}
	return out, nil
}
