package host

import (
	"fmt"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// TestWeigh finds what joins a group later, in time, and forgets what ended.
func TestWeigh(t *testing.T) {
	const never = time.Hour
	first := asleep(t, 0)
	group := first.Process.Pid
	var p processes
	alone := p.weigh(group, never)
	if alone <= 0 || len(p.groups[group]) != 1 {
		t.Fatalf("%d bytes of %v", alone, p.groups[group])
	}
	second := asleep(t, group)
	if p.weigh(group, never); len(p.groups[group]) != 1 {
		t.Error("it looks at everything again and again")
	}
	if both := p.weigh(group, 0); both <= alone || len(p.groups[group]) != 2 {
		t.Errorf("%d bytes of %v, it was %d alone", both, p.groups[group], alone)
	}
	if err := second.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = second.Wait() // it was killed
	if left := p.weigh(group, 0); left <= 0 || len(p.groups[group]) != 1 {
		t.Errorf("%d bytes of %v are left", left, p.groups[group])
	}
	other := asleep(t, 0)
	if p.weigh(other.Process.Pid, never) <= 0 {
		t.Error("a group that is new is not found")
	}
}

func asleep(t *testing.T, group int) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sleep", "60")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pgid: group}
	if err := cmd.Start(); err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { _ = cmd.Wait() }) // its context ends it
	file := fmt.Sprintf("/proc/%d/stat", cmd.Process.Pid)
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		if _, resident, ok := taken(file); ok && resident > 0 { // what began this moment may take nothing yet
			return cmd
		}
		if time.Now().After(end) {
			t.Fatalf("%s says that it takes nothing", file)
		}
	}
}
