//go:build !linux

package testbed

import "syscall"

// OwnGroup makes a child lead a process group. It outlives a parent that is killed: end it by hand.
func OwnGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
