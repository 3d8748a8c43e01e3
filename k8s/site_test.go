package k8s

import (
	"testing"

	"ferry/internal/deploy"
)

func TestWithin(t *testing.T) {
	t.Parallel()
	content := map[string]any{"data": map[string]any{"values.yaml": "image:\n  tag: 1.10.0\nport: 80\n", "broken": "a: [", "plain": "v1"}}
	for _, c := range []struct {
		name        string
		path, inner string
		value       string
		ok          bool
	}{
		{"a value", "/data/plain", "", "v1", true},
		{"in the text", "/data/values.yaml", "/image/tag", "1.10.0", true},
		{"a number in the text", "/data/values.yaml", "/port", "80", true},
		{"not in the text", "/data/values.yaml", "/image/digest", "", false},
		{"text that cannot be read", "/data/broken", "/a", "", false},
		{"no text", "/data/none", "/a", "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if value, ok := within(content, deploy.Site{Path: c.path, Inner: c.inner}); value != c.value || ok != c.ok {
				t.Errorf("%q %v, want %q %v", value, ok, c.value, c.ok)
			}
		})
	}
}
