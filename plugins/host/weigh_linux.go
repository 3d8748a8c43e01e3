package host

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"sync"
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
		p.seen, p.groups = time.Now(), map[int][]string{}
		files, _ := filepath.Glob("/proc/[0-9]*/stat")
		for _, file := range files {
			if g, _, ok := taken(file); ok {
				p.groups[g] = append(p.groups[g], file)
			}
		}
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
