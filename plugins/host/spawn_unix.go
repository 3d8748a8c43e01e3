//go:build unix && !linux

package host

import (
	"os/exec"
	"syscall"
)

// Where there is no /proc plugins end by the end of their standard input when
// ferry is gone, and their memory is not watched.

func own(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

func bound(int, int64) {}

func endGroup(pid int) { _ = syscall.Kill(-pid, syscall.SIGKILL) }

const markKey = "FERRY_PLUGIN_RUN"

func sweep(string) {}
