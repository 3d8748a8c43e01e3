// Command trial runs lines through the executor without ferry, for tests: requests
// come as JSON values on the standard input, what became of each goes as one to the
// standard output.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"ferry/plugins/api"
	"ferry/plugins/kubectl/child"
	"ferry/plugins/kubectl/executor"
)

// answer is what became of a request.
type answer struct {
	Output []byte
	Result api.Result
	Error  string
	Took   time.Duration
	Peak   int64 // the most that any child so far held, in bytes
}

func main() {
	if len(os.Args) == 2 && os.Args[1] == child.Arg {
		os.Exit(child.Main())
	}
	if err := serve(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve(in io.Reader, out io.Writer) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	e := executor.New(self, "trial")
	d := json.NewDecoder(in)
	for {
		var r api.ExecuteRequest
		if err := d.Decode(&r); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		var said bytes.Buffer
		begin := time.Now()
		result, err := e.Execute(context.Background(), r, &said)
		a := answer{Output: said.Bytes(), Result: result, Took: time.Since(begin), Peak: peak()}
		if err != nil {
			a.Error = err.Error()
		}
		if err := json.NewEncoder(out).Encode(a); err != nil {
			return err
		}
	}
}

// peak is the most that a child held, as Linux counts it.
func peak() int64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_CHILDREN, &usage); err != nil {
		return 0
	}
	return usage.Maxrss << 10
}
