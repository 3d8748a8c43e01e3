package main

import (
	"strings"
	"testing"

	"ferry/plugins/api"
)

func TestEcho(t *testing.T) {
	for _, c := range []struct {
		line          string
		confirmed     bool
		said, confirm string
		fails         bool
	}{
		{line: " a  word ", said: "a  word\n"},
		{line: "", fails: true},
		{line: "fire!", confirm: "Shall I shout?"},
		{line: "fire!", confirmed: true, said: "fire!\n"},
	} {
		var out strings.Builder
		r, err := echo{}.Execute(t.Context(), api.ExecuteRequest{Line: c.line, Confirmed: c.confirmed}, &out)
		if out.String() != c.said || r.Confirm != c.confirm || (err != nil) != c.fails {
			t.Errorf("%+v: %q, %+v, %v", c, out.String(), r, err)
		}
	}
}
