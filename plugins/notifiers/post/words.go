package post

import (
	"strings"

	"ferry/plugins/api"
)

// Fact is a label with its value.
type Fact struct{ Name, Value string }

// Facts are the labels that people are shown beside the text, in their order.
func Facts(n *api.Notification) (out []Fact) {
	for _, name := range []string{"cluster", "namespace", "app", "kind", "name", "reason", "node", "promotion"} {
		if v := n.Labels[name]; v != "" {
			out = append(out, Fact{name, v})
		}
	}
	return out
}

// Body is the text and the details, with a separator before each of them.
func Body(n *api.Notification, separator string) string {
	return strings.TrimSpace(n.Text + separator + strings.Join(n.Details, separator))
}

// Clip cuts a text to so many characters, an ellipsis included.
func Clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	n := 0
	for i := range s {
		if n == most-1 {
			rest := 0
			for range s[i:] {
				if rest++; rest > 1 {
					return s[:i] + "…"
				}
			}
			return s
		}
		n++
	}
	return s
}
