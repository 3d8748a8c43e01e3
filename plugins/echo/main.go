// Command echo is the example of an executor: it says what it is told, and asks
// before it shouts. It is all that a plugin needs to be.
package main

import (
	"context"
	"errors"
	"io"
	"strings"

	"ferry/plugins/api"
)

func main() { api.ServeExecutor(echo{}) }

type echo struct{}

func (echo) Info() api.Info {
	return api.Info{
		Name: "echo", Version: "1.0.0", Description: "Says what it is told",
		Help: "`echo some words`, and `echo some words!` after a confirmation",
	}
}

func (echo) Execute(_ context.Context, r api.ExecuteRequest, out io.Writer) (api.Result, error) {
	line := strings.TrimSpace(r.Line)
	switch {
	case line == "":
		return api.Result{}, errors.New("there is nothing to say")
	case strings.HasSuffix(line, "!") && !r.Confirmed:
		return api.Result{Confirm: "Shall I shout?"}, nil
	}
	_, err := io.WriteString(out, line+"\n")
	return api.Result{Title: "Said"}, err
}
