package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// early is within which time an end counts as not having started.
	early = 3 * time.Second
	// farewell is how long ferry has for its good-bye before it is killed.
	farewell = 15 * time.Second
)

// ferry is the bot beside the playground: the binary as it is, with an ordinary
// environment. Only the goroutine of Run starts and ends the process.
type ferry struct {
	binary string
	env    []string
	log    *tail
	err    io.Writer
	asks   chan ask
	ended  chan struct{} // closed when Run has ended

	mu      sync.Mutex
	running bool
}

// ask is one request of the control interface.
type ask struct {
	state string
	done  chan error
}

func newFerry(o Options, config string) (*ferry, error) {
	if _, err := os.Stat(o.Ferry); err != nil {
		return nil, fmt.Errorf("find ferry (-ferry says where it is): %w", err)
	}
	file, err := os.OpenFile(filepath.Join(o.Dir, "ferry.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open ferry's log: %w", err)
	}
	env := append(os.Environ(), "SLACK_BOT_TOKEN="+botToken, "SLACK_APP_TOKEN="+appToken,
		"GITHUB_API_TOKEN="+githubToken, "SERVICE_CONFIG_FILE_PATH="+config)
	return &ferry{
		binary: o.Ferry, env: env, log: &tail{file: file, loud: o.Err}, err: o.Err,
		asks: make(chan ask), ended: make(chan struct{}),
	}, nil
}

func (f *ferry) state() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.running {
		return "running"
	}
	return "stopped"
}

func (f *ferry) set(running bool) {
	f.mu.Lock()
	f.running = running
	f.mu.Unlock()
}

// control has Run start, stop (SIGTERM) or kill (SIGKILL) ferry.
func (f *ferry) control(ctx context.Context, state string) error {
	a := ask{state, make(chan error, 1)}
	select {
	case f.asks <- a:
	case <-f.ended:
		return errors.New("the playground is closing")
	case <-ctx.Done():
		return ctx.Err()
	}
	return <-a.done
}

// Run keeps ferry until ctx ends. One that ends by itself is not started again;
// its end is told, and is the error of Run at the end.
func (f *ferry) Run(ctx context.Context) (failed error) {
	defer close(f.ended)
	defer f.log.file.Close()
	var waits errgroup.Group // for processes, which end before Run does
	defer waits.Wait()       //nolint:errcheck // they return none
	child, err := f.start(&waits)
	if err != nil {
		return err
	}
	began := time.Now()
	for {
		select {
		case <-ctx.Done():
			return errors.Join(failed, child.end(syscall.SIGTERM))
		case err := <-child.exited:
			child.gone = true
			f.set(false)
			failed = fmt.Errorf("ferry ended by itself: %w", orClean(err))
			if time.Since(began) < early {
				return fmt.Errorf("%w\n%s", failed, f.log.last())
			}
			fmt.Fprintf(f.err, "playground: %v\n%s\nThe page stays; its log is %s\n", failed, f.log.last(), f.log.file.Name())
		case a := <-f.asks:
			switch {
			case a.state == "start" && child.gone:
				next, err := f.start(&waits)
				if err == nil {
					child, failed = next, nil
				}
				a.done <- err
			case a.state == "kill" || a.state == "stop":
				signal := syscall.SIGTERM
				if a.state == "kill" {
					signal = syscall.SIGKILL
				}
				a.done <- child.end(signal)
				f.set(false)
			case a.state == "start":
				a.done <- nil // it runs
			default:
				a.done <- fmt.Errorf("unknown state %q: start, stop or kill", a.state)
			}
		}
	}
}

func orClean(err error) error {
	if err == nil {
		return errors.New("exit status 0")
	}
	return err
}

// child is one run of the process.
type child struct {
	cmd    *exec.Cmd
	exited chan error
	gone   bool
}

func (f *ferry) start(waits *errgroup.Group) (*child, error) {
	cmd := exec.Command(f.binary)
	cmd.Env, cmd.Stdout, cmd.Stderr = f.env, f.log, f.log
	cmd.WaitDelay = time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is ours; its end takes its own children along
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start ferry: %w", err)
	}
	f.set(true)
	c := &child{cmd: cmd, exited: make(chan error, 1)}
	waits.Go(func() error {
		c.exited <- cmd.Wait()
		return nil
	})
	return c, nil
}

// end signals the process group and waits until the process is gone.
func (c *child) end(signal syscall.Signal) error {
	if c.gone {
		return nil
	}
	group := -c.cmd.Process.Pid
	_ = syscall.Kill(group, signal) // it may have ended already
	timer := time.NewTimer(farewell)
	defer timer.Stop()
	var late error
	select {
	case <-c.exited: //nolint:errcheck // it was told to end: how it did is no news
	case <-timer.C:
		late = fmt.Errorf("ferry did not end within %s and was killed", farewell)
		_ = syscall.Kill(group, syscall.SIGKILL) // it may just have ended
		<-c.exited                               //nolint:errcheck // as above
	}
	_ = syscall.Kill(group, syscall.SIGKILL) // what it left behind, if anything
	c.gone = true
	return late
}

// tail writes ferry's log to a file, remembers its last lines, and repeats those
// that say error.
type tail struct {
	mu    sync.Mutex
	file  *os.File
	loud  io.Writer
	part  []byte
	lines []string
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.part = append(t.part, p...)
	for {
		line, rest, whole := bytes.Cut(t.part, []byte("\n"))
		if !whole {
			break
		}
		t.part = bytes.Clone(rest)
		text := string(line)
		if t.lines = append(t.lines, text); len(t.lines) > 20 {
			t.lines = t.lines[1:]
		}
		if strings.Contains(text, "level=ERROR") || strings.Contains(text, `"level":"ERROR"`) {
			fmt.Fprintln(t.loud, "ferry:", text)
		}
	}
	return t.file.Write(p)
}

// last are the last lines, for whoever must say why ferry ended.
func (t *tail) last() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	lines := t.lines
	if len(t.part) > 0 {
		lines = append(lines[:len(lines):len(lines)], string(t.part))
	}
	return strings.Join(lines, "\n")
}
