package host

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// own gives a command a process group, and an end if ferry ends.
func own(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// bound makes the kernel hold a process to about what it may take: a process that
// grows faster than it is looked at gets no more memory and ends. What a runtime
// sets aside without using it counts as well, hence the slack. When the machine
// runs out of memory, plugins go before ferry does.
func bound(pid int, memory int64) {
	most := uint64(2*memory + 256<<20)
	_ = unix.Prlimit(pid, unix.RLIMIT_DATA, &unix.Rlimit{Cur: most, Max: most}, nil)
	_ = unix.Prlimit(pid, unix.RLIMIT_CORE, &unix.Rlimit{}, nil)
	_ = os.WriteFile("/proc/"+strconv.Itoa(pid)+"/oom_score_adj", []byte("800"), 0)
}

// endGroup ends every process of a group.
func endGroup(pid int) { _ = syscall.Kill(-pid, syscall.SIGKILL) }

// markKey is the variable that tells whose a process is.
const markKey = "FERRY_PLUGIN_RUN"

// sweep ends what carries a mark in its environment: what has left its process
// group stays what its plugin started.
func sweep(mark string) {
	for range 3 { // what forks while it is looked for
		if !sweepOnce(mark) {
			return
		}
	}
}

func sweepOnce(mark string) (found bool) {
	want := []byte(markKey + "=" + mark + "\x00")
	files, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, file := range files {
		env, err := os.ReadFile(file)
		if err != nil || !bytes.Contains(env, want) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err == nil && syscall.Kill(pid, syscall.SIGKILL) == nil {
			found = true
		}
	}
	return found
}
