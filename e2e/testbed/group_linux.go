package testbed

import "syscall"

// ownGroup makes a child lead a process group, and die with its parent even if that is killed.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
