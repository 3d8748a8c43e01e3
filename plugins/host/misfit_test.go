package host

import (
	"strings"
	"testing"
)

// TestMisfits: what does not fit is said with what would, and of alternatives that any
// of them does.
func TestMisfits(t *testing.T) {
	t.Parallel()
	const schema = `{
		"type": "object", "additionalProperties": false, "required": ["rules"], "anyOf": [{"required": ["url"]}, {"required": ["url_file"]}],
		"properties": {
			"rules": {"type": "array"}, "url_file": {"$ref": "#/definitions/file"},
			"url": {"type": "string", "pattern": "^https?://[^/]"},
			"kinds": {"description": "group/version/resource, such as v1/configmaps.", "items": {"type": "string", "pattern": "^[a-z1]+/[a-z]+$"}}
		},
		"definitions": {"file": {"type": "string", "pattern": "^/", "description": "Absolute: a plugin runs in a folder of its own."}}
	}`
	for config, want := range map[string]string{
		"{rules: []}":                                       "missing property 'url', or missing property 'url_file'",
		"{rulez: [], url: 'http://a'}":                      "additional properties 'rulez' not allowed; missing property 'rules'",
		"{rules: [], url: here}":                            "url: 'here' does not match pattern '^https?://[^/]'",
		"{rules: [], url_file: here}":                       "url_file: 'here' does not fit: Absolute: a plugin runs in a folder of its own",
		"{rules: [], url: 'http://a', kinds: [Deployment]}": "kinds.0: 'Deployment' does not fit: group/version/resource, such as v1/configmaps",
	} {
		err := checkConfig([]byte(schema), []byte(config))
		if err == nil || strings.TrimPrefix(err.Error(), "its configuration does not fit: ") != want {
			t.Errorf("%s: %v\nwant %s", config, err, want)
		}
	}
}
