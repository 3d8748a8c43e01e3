// Command shout is an executor that says in capitals what it is told.
package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"ferry/plugins/api"
)

type shout struct{}

func (shout) Info() api.Info {
	return api.Info{
		Name: "shout", Version: "v1.0.0", Description: "says it in capitals",
		Help: "shout WORDS: says them in capitals; very loud ones only if you are sure",
	}
}

func (shout) Execute(_ context.Context, r api.ExecuteRequest, out io.Writer) (api.Result, error) {
	if strings.HasSuffix(r.Line, "!") && !r.Confirmed {
		return api.Result{Confirm: "Shall I really shout that loud?"}, nil
	}
	if strings.Contains(r.Line, "psst") {
		return api.Result{}, api.Refuse(fmt.Errorf("nobody shouts that"))
	}
	_, err := fmt.Fprintln(out, strings.ToUpper(r.Line))
	return api.Result{Title: "Shouted"}, err
}

func main() { api.ServeExecutor(shout{}) }
