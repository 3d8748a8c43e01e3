//go:build ignore

// Command smoke starts the demo, which is given as arguments, asks it one thing
// as a person would, and ends it as a person would. It fails if the answer does
// not come or anything is left running.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	startLimit  = 4 * time.Minute // what the demo promises from cold caches
	answerLimit = 30 * time.Second
	stopLimit   = 20 * time.Second
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "smoke:", err)
		os.Exit(1)
	}
}

func run(command []string) (err error) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	addr := free.Addr().String()
	if err := free.Close(); err != nil {
		return err
	}
	began := time.Now()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = append(os.Environ(), "PLAYGROUND_ADDR="+addr)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	defer func() {
		if serr := stop(cmd.Process.Pid, ended); err == nil {
			err = serr
		}
	}()
	if err := ask("http://"+addr+"/playground/", ended); err != nil {
		return err
	}
	fmt.Printf("smoke: `@ferry list` was answered %.1f s after the start\n", time.Since(began).Seconds())
	return nil
}

// ask waits for the playground, says one thing and waits for its answer.
func ask(base string, ended <-chan error) error {
	var state struct {
		Channels []struct{ ID, Name string }
		Users    []struct {
			ID, Name string
			Admin    bool
		}
	}
	if err := await(startLimit, ended, func() error { return call("GET", base+"state", nil, &state) }); err != nil {
		return fmt.Errorf("the playground does not come up: %w", err)
	}
	if len(state.Channels) == 0 || len(state.Users) == 0 {
		return fmt.Errorf("an empty workspace: %+v", state)
	}
	// The clusters may still be starting: then the answer is true, but empty.
	asked := 0
	err := await(answerLimit, ended, func() error {
		asked++
		return list(base, state.Channels[0].ID, state.Users[0].ID)
	})
	if err != nil {
		return fmt.Errorf("asked %d times: %w", asked, err)
	}
	fmt.Printf("smoke: asked %d times\n", asked)
	return nil
}

// list says `@ferry list` and demands an answer with podinfo in it.
func list(base, channel, user string) error {
	var said struct{ TS string }
	err := call("POST", base+"say", map[string]string{"user": user, "channel": channel, "text": "@ferry list"}, &said)
	if err != nil || said.TS == "" {
		return fmt.Errorf("say: %q, %w", said.TS, err)
	}
	var messages json.RawMessage
	for range 25 {
		if err := call("GET", base+"messages?channel="+channel+"&thread_ts="+said.TS, nil, &messages); err != nil {
			return err
		}
		if strings.Contains(string(messages), "podinfo") {
			return nil
		}
		time.Sleep(200 * time.Millisecond)
	}
	return fmt.Errorf("no podinfo in %s", messages)
}

func await(limit time.Duration, ended <-chan error, try func() error) error {
	deadline := time.After(limit)
	for {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-deadline:
			return err
		case code := <-ended:
			return fmt.Errorf("it ended by itself: %v", code)
		}
	}
}

func call(method, url string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequest(method, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	client := http.Client{Timeout: 5 * time.Second}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %s: %s", method, url, resp.Status, text)
	}
	return json.Unmarshal(text, out)
}

// stop presses Ctrl-C, which reaches the whole group, and demands that nothing
// of it is left.
func stop(group int, ended <-chan error) error {
	defer syscall.Kill(-group, syscall.SIGKILL)
	_ = syscall.Kill(-group, syscall.SIGINT)
	began := time.Now()
	for time.Since(began) < stopLimit {
		select {
		case <-ended:
		case <-time.After(100 * time.Millisecond):
		}
		if syscall.Kill(-group, 0) == syscall.ESRCH && len(left()) == 0 {
			fmt.Printf("smoke: all of it ended %.1f s after Ctrl-C\n", time.Since(began).Seconds())
			return nil
		}
	}
	return fmt.Errorf("%s after Ctrl-C something is left: %v", stopLimit, left())
}

// left are the processes that run a program from ./bin, whatever their group.
func left() []string {
	dir, err := os.Getwd()
	if err != nil {
		return nil
	}
	var out []string
	links, _ := filepath.Glob("/proc/[0-9]*/exe")
	for _, link := range links {
		if exe, err := os.Readlink(link); err == nil && strings.HasPrefix(exe, filepath.Join(dir, "bin")+"/") {
			out = append(out, exe)
		}
	}
	return out
}
