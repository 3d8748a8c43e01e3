package host

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"sigs.k8s.io/yaml"
)

// checkConfig holds a configuration against a schema; what does not fit is a
// refusal that names the place. No schema lets everything pass, and a nil
// configuration passes every schema that is one.
func checkConfig(schema, config []byte) error {
	if len(bytes.TrimSpace(schema)) == 0 {
		return nil
	}
	compiled, err := compile(schema)
	if err != nil {
		return refusal{fmt.Errorf("its schema is none: %w", err)}
	}
	if config == nil {
		return nil
	}
	text, err := yaml.YAMLToJSON(config)
	if err != nil {
		return refusal{fmt.Errorf("its configuration is no YAML: %w", err)}
	}
	if bytes.Equal(bytes.TrimSpace(text), []byte("null")) {
		text = []byte("{}") // nothing is configured
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return err
	}
	if err := compiled.Validate(value); err != nil {
		return refusal{errors.New("its configuration does not fit: " + misfit(schema, err))}
	}
	return nil
}

// nowhere is where schemas are loaded from that another one names: a plugin does
// not make ferry read files or call servers.
type nowhere struct{}

func (nowhere) Load(address string) (any, error) {
	return nil, fmt.Errorf("it refers to %s, which ferry does not fetch", address)
}

func compile(schema []byte) (*jsonschema.Schema, error) {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	c.UseLoader(nowhere{})
	if err := c.AddResource("schema.json", value); err != nil {
		return nil, err
	}
	return c.Compile("schema.json")
}
