package host

import (
	"bytes"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// processes are those of the machine, by their group.
type processes struct {
	mu     sync.Mutex
	seen   time.Time
	groups map[int][]string // their files in /proc
}

// weigh returns what a group takes, in bytes. To find out who belongs to one means to
// look at every process of the machine, which is done for all groups at once, and no
// more often than every so long.
func (p *processes) weigh(group int, every time.Duration) (sum int64) {
	p.mu.Lock()
	if time.Since(p.seen) >= every || len(p.groups[group]) == 0 {
		p.seen, p.groups = time.Now(), groups()
	}
	known := p.groups[group]
	p.mu.Unlock()
	for _, file := range known {
		if g, one, ok := taken(file); ok && g == group {
			sum += one
		}
	}
	return sum
}

// groups asks the kernel for the group of each process: that is one call for each, and
// no file is read.
func groups() map[int][]string {
	all := map[int][]string{}
	proc, err := os.Open("/proc")
	if err != nil {
		return all // there is none to look at, as in some sandboxes
	}
	defer proc.Close()
	names, _ := proc.Readdirnames(-1) // what it returns beside an error was read
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue // no process
		}
		if g, err := syscall.Getpgid(pid); err == nil { // or it has ended
			all[g] = append(all[g], "/proc/"+name+"/stat")
		}
	}
	return all
}

// taken returns the group of a process and what it takes, in bytes.
func taken(file string) (group int, resident int64, ok bool) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, 0, false // it has ended
	}
	// The name is in parentheses and may have any in it; then come state, parent,
	// group (proc_pid_stat(5), fields 3 to 5), and as field 24 the resident pages.
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	if len(fields) < 22 {
		return 0, 0, false
	}
	group, err1 := strconv.Atoi(string(fields[2]))
	pages, err2 := strconv.ParseInt(string(fields[21]), 10, 64)
	return group, pages * int64(os.Getpagesize()), err1 == nil && err2 == nil
}
