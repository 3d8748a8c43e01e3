package cost

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"ferry/e2e/testbed"
)

// program is one process and those that it starts.
type program struct {
	cmd   *exec.Cmd
	log   string
	ended chan struct{}
	how   error // it ended, once ended is closed
}

func start(t testing.TB, dir string, env []string, name string, args ...string) *program {
	t.Helper()
	p := &program{log: filepath.Join(dir, filepath.Base(name)+".log"), ended: make(chan struct{})}
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	p.cmd = exec.CommandContext(t.Context(), name, args...)
	p.cmd.Dir, p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr, p.cmd.SysProcAttr = dir, env, log, log, testbed.OwnGroup()
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.how = p.cmd.Wait()
		close(p.ended)
	}()
	return p
}

func (p *program) stop(t testing.TB) {
	t.Helper()
	pid := p.cmd.Process.Pid
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Errorf("end %s: %v; its log ends:\n%s", p.cmd.Path, err, p.tail())
	}
	select {
	case <-p.ended:
	case <-time.After(20 * time.Second):
		if err := syscall.Kill(-pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			t.Error(err)
		}
		<-p.ended
	}
}

func (p *program) tail() string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-3000):])
}

// usage is what a process has taken.
type usage struct {
	name           string
	cpu            time.Duration
	resident, peak int64 // bytes
	anonymous      int64 // of resident, what is not the executable
}

// usages are those of a program and all below it, by process ID.
func (p *program) usages() map[int]usage {
	out := map[int]usage{}
	below(p.cmd.Process.Pid, out)
	return out
}

func below(pid int, out map[int]usage) {
	dir := fmt.Sprintf("/proc/%d", pid)
	u := usage{cpu: cpu(dir), name: called(dir)}
	status, err := os.ReadFile(filepath.Join(dir, "status"))
	if err != nil {
		return // it has ended
	}
	for line := range strings.Lines(string(status)) {
		words := strings.Fields(line)
		if len(words) < 2 {
			continue
		}
		switch words[0] {
		case "VmRSS:":
			u.resident = kib(words[1])
		case "RssAnon:":
			u.anonymous = kib(words[1])
		case "VmHWM:":
			u.peak = kib(words[1])
		}
	}
	out[pid] = u
	children, err := filepath.Glob(filepath.Join(dir, "task", "*", "children"))
	if err != nil {
		return
	}
	for _, file := range children {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // a thread that ended
		}
		for word := range strings.FieldsSeq(string(text)) {
			if child, err := strconv.Atoi(word); err == nil {
				below(child, out)
			}
		}
	}
}

// called is the name of a process, of a plugin its kind and name: ferry runs it as
// kind_version_name, and a source and an executor may have one name.
func called(dir string) string {
	line, err := os.ReadFile(filepath.Join(dir, "cmdline"))
	if err != nil {
		return ""
	}
	first, _, _ := strings.Cut(string(line), "\x00")
	words := strings.Split(filepath.Base(first), "_")
	if len(words) < 3 {
		return words[0]
	}
	return words[0] + " " + words[len(words)-1]
}

func kib(word string) int64 {
	n, err := strconv.ParseInt(word, 10, 64)
	if err != nil {
		return 0
	}
	return n << 10
}

// cpu is what the threads of a process have run, to the nanosecond: the hundredths of
// /proc/PID/stat are too coarse here.
func cpu(dir string) (sum time.Duration) {
	threads, err := filepath.Glob(filepath.Join(dir, "task", "*", "schedstat"))
	if err != nil {
		return 0
	}
	for _, file := range threads {
		text, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		word, _, _ := strings.Cut(string(text), " ")
		if n, err := strconv.ParseInt(word, 10, 64); err == nil {
			sum += time.Duration(n)
		}
	}
	return sum
}

// spent is the processor time between two looks, of each process by its name.
func spent(before, after map[int]usage) (sum time.Duration, each map[string]time.Duration) {
	each = map[string]time.Duration{}
	for pid, a := range after {
		d := a.cpu - before[pid].cpu
		sum += d
		each[a.name] += d
	}
	return sum, each
}
