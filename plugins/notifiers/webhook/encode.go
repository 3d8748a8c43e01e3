package webhook

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"ferry/plugins/api"
)

func toJSON(v any) (string, error) {
	raw, err := json.Marshal(v)
	return string(raw), err
}

func (h *hook) body(n *api.Notification) ([]byte, error) {
	if h.template == nil {
		return encode(nil, n)
	}
	var b bytes.Buffer
	if err := h.template.Execute(&b, n); err != nil {
		return nil, fmt.Errorf("template: %w", err)
	}
	return b.Bytes(), nil
}

// encode appends a notification's JSON. Its event is JSON already, and put in as it is.
func encode(to []byte, n *api.Notification) ([]byte, error) {
	rest := *n
	rest.Event = nil
	raw, err := json.Marshal(&rest)
	if err != nil {
		return nil, fmt.Errorf("encode delivery %s: %w", n.ID, err)
	}
	if len(n.Event) == 0 {
		return append(to, raw...), nil
	}
	to = append(slices.Grow(to, len(raw)+len(n.Event)+16), raw[:len(raw)-1]...)
	return append(append(append(to, `,"event":`...), n.Event...), '}'), nil
}

// array is the JSON of several notifications.
func array(all []api.Notification) (out []byte, err error) {
	out = append(out, '[')
	for i := range all {
		if i > 0 {
			out = append(out, ',')
		}
		if out, err = encode(out, &all[i]); err != nil {
			return nil, err
		}
	}
	return append(out, ']'), nil
}
