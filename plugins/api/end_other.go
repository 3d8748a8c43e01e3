//go:build !unix

package api

import "os"

// endGroup ends the process.
func endGroup() {
	if p, err := os.FindProcess(os.Getpid()); err == nil {
		_ = p.Kill()
	}
}
