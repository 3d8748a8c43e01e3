// Command lines is a source that reads events from a file, a line of JSON each, and
// goes on behind the last one that ferry has. It is for tests.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"strconv"
	"strings"
	"time"

	"ferry/plugins/api"
)

type lines struct{}

func (lines) Info() api.Info {
	return api.Info{Name: "lines", Version: "v1.0.0", Description: "reads events from a file"}
}

func (lines) Stream(ctx context.Context, r api.StreamRequest, emit func(api.Event) error) error {
	_, path, _ := strings.Cut(strings.TrimSpace(string(r.Config)), "file: ")
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	done, _ := strconv.Atoi(r.Cursor)
	in, part := bufio.NewReader(file), ""
	for n := 0; ctx.Err() == nil; {
		line, err := in.ReadString('\n')
		if part += line; err != nil { // its end: more may come
			time.Sleep(20 * time.Millisecond)
			continue
		}
		text := part
		if n, part = n+1, ""; n <= done {
			continue
		}
		e := api.Event{At: time.Now()}
		if err := json.Unmarshal([]byte(text), &e); err != nil {
			return err
		}
		e.Cursor = strconv.Itoa(n)
		if err := emit(e); err != nil {
			return err
		}
	}
	return nil
}

func main() { api.ServeSource(lines{}) }
