package testbed

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// process is a running child that leads a process group of its own.
type process struct {
	name  string
	pid   int
	log   string        // path of the file that takes its output
	ended chan struct{} // closed once it has been reaped
	err   error         // why it ended; read only after ended is closed
}

// command says what to run: the executable, its arguments, and the address that answers 200 once it serves ("" for
// those that need no waiting).
type command struct {
	name  string
	path  string
	args  []string
	env   []string
	ports []int // that it binds
	ready string
}

// start runs the command in dir and appends its output to <name>.log there. The one goroutine it leaves behind ends
// with the process, and kill waits for it.
func (c command) start(dir string) (*process, error) {
	path := filepath.Join(dir, c.name+".log")
	log, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open log of %s: %w", c.name, err)
	}
	defer log.Close()
	cmd := exec.Command(c.path, c.args...)
	cmd.Dir = dir
	cmd.Stdout, cmd.Stderr = log, log
	// GOGC trades memory, of which there is enough, for processor time, of which there is not.
	cmd.Env = append([]string{"HOME=" + dir, "TMPDIR=" + dir, "PATH=" + os.Getenv("PATH"), "GOGC=400"}, c.env...)
	cmd.SysProcAttr = OwnGroup()
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", c.name, err)
	}
	p := &process{name: c.name, pid: cmd.Process.Pid, log: path, ended: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

// kill ends the process and whatever it started, and returns when it is gone. There is no asking first: all state is
// thrown away, or has to survive just that.
func (p *process) kill() {
	_ = syscall.Kill(-p.pid, syscall.SIGKILL)
	<-p.ended
}

// alive returns an error with the end of the log if the process has ended.
func (p *process) alive() error {
	select {
	case <-p.ended:
		text, _ := os.ReadFile(p.log)
		why := "exit status 0"
		if p.err != nil {
			why = p.err.Error()
		}
		return fmt.Errorf("%s ended (%s); its log ends:\n%s", p.name, why, tail(string(text), 15))
	default:
		return nil
	}
}

// memory is what the process holds resident, in bytes; 0 where the system does not tell.
func (p *process) memory() int64 {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(p.pid) + "/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if words := strings.Fields(line); len(words) > 1 && words[0] == "VmRSS:" {
			kib, _ := strconv.ParseInt(words[1], 10, 64)
			return kib << 10
		}
	}
	return 0
}

// answers returns nil if an HTTP GET of the address answers 200.
func answers(client *http.Client, address string) error {
	resp, err := client.Get(address)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return errors.New(resp.Status)
	}
	return nil
}
