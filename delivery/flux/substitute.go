package flux

import (
	"fmt"
	"maps"
	"regexp"
	"strings"

	"github.com/fluxcd/pkg/envsubst"
	"sigs.k8s.io/yaml"
)

// unknownMark starts what stands for the value of a variable that is not known.
const unknownMark = "__ferry_unknown_"

// DependsOnUnknown names a variable without a known value in a text, or "".
func DependsOnUnknown(text string) string {
	_, after, ok := strings.Cut(text, unknownMark)
	if !ok {
		return ""
	}
	name, _, _ := strings.Cut(after, "__")
	return name
}

// substitute replaces variables in the text of an object, as Flux does: on its
// YAML, so that what the source had in quotes may read as something else.
func substitute(data []byte, k Kustomization) ([]byte, error) {
	vars := map[string]string{}
	for name, value := range k.Vars {
		vars[name] = strings.ReplaceAll(value, "\n", "")
	}
	inline := maps.Clone(k.Spec.PostBuild.Substitute)
	for name, value := range inline {
		vars[name] = strings.ReplaceAll(value, "\n", "")
	}
	if len(vars) == 0 && k.Unknown == "" && k.Spec.PostBuild.Strategy != "Always" {
		return data, nil
	}
	valid := regexp.MustCompile(`^[_[:alpha:]][_[:alpha:][:digit:]]*$`)
	for name := range vars {
		if !valid.MatchString(name) {
			return nil, fmt.Errorf("the variable name %q is not valid", name)
		}
	}
	text, err := yaml.JSONToYAML(data)
	if err != nil {
		return nil, fmt.Errorf("write as YAML: %w", err)
	}
	if !strings.Contains(string(text), "$") {
		return reread(text)
	}
	out, err := envsubst.Eval(string(text), func(name string) (string, bool) {
		value, ok := vars[name]
		if !ok && k.Unknown != "" {
			return unknownMark + name + "__", true
		}
		return value, true
	})
	if err != nil {
		return nil, fmt.Errorf("substitute variables: %w", err)
	}
	return reread([]byte(out))
}

func reread(text []byte) ([]byte, error) {
	data, err := yaml.YAMLToJSON(text)
	if err != nil {
		return nil, fmt.Errorf("read after substitution: %w", err)
	}
	return data, nil
}
