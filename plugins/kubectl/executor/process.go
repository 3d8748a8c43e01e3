package executor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"

	"ferry/plugins/kubectl/child"
)

// errLate is returned for a child that did not end in time.
var errLate = errors.New("it took too long")

// process starts a child for one job and returns when it has ended: its exit code,
// or why there is none. What it writes goes to out as it comes. When ctx ends, the
// child and all that it could have started are ended.
func (e *Executor) process(ctx context.Context, job child.Job, out io.Writer) (code int, err error) {
	dir, err := os.MkdirTemp("", "ferry-kubectl-")
	if err != nil {
		return 0, fmt.Errorf("make a folder for kubectl: %w", err)
	}
	defer os.RemoveAll(dir)
	reader, writer, err := os.Pipe()
	if err != nil {
		return 0, fmt.Errorf("make a pipe for kubectl: %w", err)
	}
	defer writer.Close()
	cmd := exec.CommandContext(ctx, e.Self, child.Arg)
	cmd.Args[0] = "kubectl"
	cmd.Dir, cmd.Env = dir, child.Environment(dir)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.ExtraFiles = []*os.File{reader}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	err = cmd.Start()
	_ = reader.Close()
	if err != nil {
		return 0, fmt.Errorf("start kubectl: %w", err)
	}
	if deadline, ok := ctx.Deadline(); ok {
		_ = writer.SetWriteDeadline(deadline)
	}
	told := json.NewEncoder(writer).Encode(job)
	err = cmd.Wait()
	if late := ctx.Err(); errors.Is(late, context.DeadlineExceeded) {
		return 0, errLate
	} else if late != nil {
		return 0, late
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.Exited() {
		return exit.ExitCode(), nil
	}
	if err == nil {
		err = told
	}
	if err != nil {
		return 0, fmt.Errorf("run kubectl: %w", err)
	}
	return 0, nil
}
