package github

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"sync"
)

var (
	errMissing = errors.New("no such object")
	errClosed  = errors.New("repository is closed")
)

// batch is one `git cat-file --batch`, started at the first question and again when it died. Questions take turns.
type batch struct {
	start func() *exec.Cmd

	mu     sync.Mutex
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Reader
	closed bool
}

// read answers with the object that the name means now: a name may be an ID, a reference, or either with ^{type}.
// errMissing when there is none. The caller vouches that the name holds no line break.
func (b *batch) read(name string) (object, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	o, err := b.ask(name)
	if err == nil || errors.Is(err, errMissing) || errors.Is(err, errClosed) {
		return o, err
	}
	b.stop()
	if o, err = b.ask(name); err != nil && !errors.Is(err, errMissing) {
		b.stop()
	}
	return o, err
}

func (b *batch) ask(name string) (object, error) {
	if b.closed {
		return object{}, errClosed
	}
	if b.cmd == nil {
		if err := b.launch(); err != nil {
			return object{}, err
		}
	}
	if _, err := fmt.Fprintln(b.in, name); err != nil {
		return object{}, fmt.Errorf("ask git cat-file for %s: %w", name, err)
	}
	line, err := b.out.ReadString('\n')
	if err != nil {
		return object{}, fmt.Errorf("read git cat-file on %s: %w", name, err)
	}
	fields := strings.Fields(strings.TrimPrefix(line, name))
	if len(fields) == 1 {
		return object{}, fmt.Errorf("%s: %w", name, errMissing)
	}
	if fields = strings.Fields(line); len(fields) != 3 {
		return object{}, fmt.Errorf("git cat-file says %q on %s", line, name)
	}
	size, err := strconv.Atoi(fields[2])
	if err != nil {
		return object{}, fmt.Errorf("git cat-file says %q on %s", line, name)
	}
	data := make([]byte, size+1)
	if _, err := io.ReadFull(b.out, data); err != nil {
		return object{}, fmt.Errorf("read %s: %w", name, err)
	}
	return object{OID(fields[0]), kind(fields[1]), data[:size:size]}, nil
}

func (b *batch) launch() error {
	cmd := b.start()
	in, err := cmd.StdinPipe()
	if err != nil {
		return fmt.Errorf("start git cat-file: %w", err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("start git cat-file: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start git cat-file: %w", err)
	}
	b.cmd, b.in, b.out = cmd, in, bufio.NewReaderSize(out, 64<<10)
	return nil
}

// stop ends the process; how it ended is of no interest, only that it did.
func (b *batch) stop() {
	if b.cmd == nil {
		return
	}
	b.in.Close()
	_ = b.cmd.Process.Kill() // it may have ended already
	_ = b.cmd.Wait()         // it was killed, and says so
	b.cmd = nil
}

func (b *batch) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	b.stop()
}
