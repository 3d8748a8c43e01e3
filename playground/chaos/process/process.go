// Package process starts ferry again and again, and ends it at whatever moment.
package process

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// farewell is how long ferry has to end by itself.
const farewell = 20 * time.Second

// Process is ferry, which is started again and again. Its methods are safe for
// concurrent use.
type Process struct {
	Binary string
	Env    []string
	Log    *os.File

	mu     sync.Mutex
	cmd    *exec.Cmd
	exited chan struct{} // closed when cmd has ended, by whom ever
	told   bool          // it was killed or told to end
	waits  sync.WaitGroup
	crash  error
}

// Start starts it, unless it runs.
func (p *Process) Start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd != nil || p.crash != nil {
		return p.crash
	}
	cmd := exec.Command(p.Binary)
	cmd.Env, cmd.Stdout, cmd.Stderr = p.Env, p.Log, p.Log
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start ferry: %w", err)
	}
	exited := make(chan struct{})
	p.cmd, p.exited, p.told = cmd, exited, false
	p.waits.Go(func() {
		err := cmd.Wait()
		p.mu.Lock()
		defer p.mu.Unlock()
		if state := cmd.ProcessState; !p.told || state.Exited() && !state.Success() {
			p.crash = errors.Join(fmt.Errorf("ferry ended by itself: %s", state), err)
		}
		p.cmd = nil
		close(exited)
	})
	return nil
}

// End signals it and returns when it is gone; a second one only waits.
func (p *Process) End(signal syscall.Signal) error {
	p.mu.Lock()
	if p.cmd == nil {
		defer p.mu.Unlock()
		return p.crash
	}
	p.told = true
	_ = p.cmd.Process.Signal(signal) // it may be ending
	exited, late := p.exited, error(nil)
	p.mu.Unlock()
	timer := time.NewTimer(farewell)
	defer timer.Stop()
	select {
	case <-exited:
	case <-timer.C:
		late = fmt.Errorf("ferry did not end within %s of %s", farewell, signal)
		p.mu.Lock()
		if p.cmd != nil {
			_ = p.cmd.Process.Kill() // as above
		}
		p.mu.Unlock()
		<-exited
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return errors.Join(late, p.crash)
}
