package host

import (
	"context"
	"errors"
	"os/exec"
	"runtime"
)

// spawner starts every plugin from one thread that lives as long as the host
// runs: the kernel ends a plugin when the thread that started it ends
// (PR_SET_PDEATHSIG), and Go's threads come and go.
type spawner struct {
	starts chan start
	gone   chan struct{}
}

type start struct {
	cmd  *exec.Cmd
	done chan error
}

func newSpawner() *spawner {
	return &spawner{starts: make(chan start), gone: make(chan struct{})}
}

func (s *spawner) run(ctx context.Context) {
	runtime.LockOSThread()
	// Unlocked, the thread goes on after this: somebody else may have started
	// something from it before, which would end with it.
	defer runtime.UnlockOSThread()
	defer close(s.gone)
	for {
		select {
		case <-ctx.Done():
			return
		case one := <-s.starts:
			one.done <- one.cmd.Start()
		}
	}
}

var errStopped = errors.New("the host has stopped")

func (s *spawner) start(cmd *exec.Cmd) error {
	own(cmd)
	one := start{cmd: cmd, done: make(chan error, 1)}
	select {
	case s.starts <- one:
		return <-one.done
	case <-s.gone:
		return errStopped
	}
}
