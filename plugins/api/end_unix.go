//go:build unix

package api

import (
	"os"
	"syscall"
)

// endGroup ends the process and what it started: ferry gives each plugin a
// process group of its own.
func endGroup() {
	if syscall.Getpgrp() == os.Getpid() {
		_ = syscall.Kill(0, syscall.SIGKILL)
	}
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
}
