package slack

import (
	"encoding/json"
	"strconv"
	"strings"
)

// str reads a string; numbers and booleans are given as they were written.
func (c *call) str(name string) string {
	raw := c.args[name]
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	if string(raw) == "null" || len(raw) == 0 || raw[0] == '{' || raw[0] == '[' {
		return ""
	}
	return string(raw)
}

func (c *call) has(name string) bool {
	raw, ok := c.args[name]
	return ok && string(raw) != "null"
}

func (c *call) bool(name string) bool {
	v := strings.ToLower(c.str(name))
	return v == "true" || v == "1"
}

func (c *call) int(name string, otherwise int) int {
	n, err := strconv.Atoi(c.str(name))
	if err != nil {
		return otherwise
	}
	return n
}

// json reads an object or array, also one that was sent as a string. nil if
// the argument is absent or an empty string.
func (c *call) json(name string) json.RawMessage {
	raw := c.args[name]
	var s string
	if json.Unmarshal(raw, &s) == nil {
		if raw = json.RawMessage(s); s == "" {
			return nil
		}
	}
	if string(raw) == "null" {
		return nil
	}
	return raw
}
