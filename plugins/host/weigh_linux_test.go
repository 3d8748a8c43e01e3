package host

import (
	"os/exec"
	"syscall"
	"testing"
)

// TestScale finds what joins a group later, and forgets what ended.
func TestScale(t *testing.T) {
	first := asleep(t, 0)
	s := scale{group: first.Process.Pid}
	alone := s.weigh()
	if alone <= 0 || len(s.known) != 1 {
		t.Fatalf("%d bytes of %v", alone, s.known)
	}
	second := asleep(t, first.Process.Pid)
	for range between {
		s.weigh()
	}
	if both := s.weigh(); both <= alone || len(s.known) != 2 {
		t.Errorf("%d bytes of %v, it was %d alone", both, s.known, alone)
	}
	if memory(first.Process.Pid) <= alone {
		t.Error("it weighs less at the first look")
	}
	if err := second.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = second.Wait() // it was killed
	if s.weigh(); len(s.known) != 1 {
		t.Errorf("%v is known", s.known)
	}
}

func asleep(t *testing.T, group int) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), "sleep", "60")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pgid: group}
	if err := cmd.Start(); err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { _ = cmd.Wait() }) // its context ends it
	return cmd
}
