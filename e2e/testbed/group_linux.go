package testbed

import "syscall"

// OwnGroup makes a child lead a process group, and die with its parent even if that is killed.
func OwnGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
