// Command works is an executor that writes down what it begins, so that a test can
// count it, and takes as long as the test wants. It is for tests.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"ferry/plugins/api"
)

type works struct{}

func (works) Info() api.Info {
	return api.Info{Name: "works", Version: "v1.0.0", Description: "writes down what it begins"}
}

// Execute knows `wait`, which ends when there is a file called go in the folder of the
// configuration, `print N`, and `take DURATION …`.
func (works) Execute(ctx context.Context, r api.ExecuteRequest, out io.Writer) (api.Result, error) {
	_, dir, _ := strings.Cut(strings.TrimSpace(string(r.Config)), "dir: ")
	ledger, err := os.OpenFile(dir+"/begun", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return api.Result{}, err
	}
	defer ledger.Close()
	if _, err := fmt.Fprintln(ledger, r.Line); err != nil {
		return api.Result{}, err
	}
	what, n, _ := strings.Cut(r.Line, " ")
	if what == "print" {
		times, _ := strconv.Atoi(n)
		for i := range times {
			if _, err := fmt.Fprintf(out, "line %d of %d: kube-system/coredns-%d is as it was\n", i+1, times, i); err != nil {
				return api.Result{}, err
			}
		}
		return api.Result{Title: "Printed", File: "pods.txt"}, nil
	}
	if _, err := fmt.Fprintln(out, "it has begun"); err != nil {
		return api.Result{}, err
	}
	if what == "take" {
		span, _, _ := strings.Cut(n, " ")
		d, err := time.ParseDuration(span)
		time.Sleep(d)
		return api.Result{Title: "It took " + span}, err
	}
	for ctx.Err() == nil {
		if _, err := os.Stat(dir + "/go"); err == nil {
			return api.Result{Title: "It is over"}, nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return api.Result{}, ctx.Err()
}

func main() { api.ServeExecutor(works{}) }
