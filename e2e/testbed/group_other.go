//go:build !linux

package testbed

import "syscall"

// ownGroup makes a child lead a process group. It outlives a parent that is killed: end it by hand.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
