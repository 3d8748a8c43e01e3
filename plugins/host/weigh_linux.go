package host

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
)

// scale weighs the processes of a group.
type scale struct {
	group int
	known []string // their files in /proc
	looks int
}

// between is how often only those processes are weighed that are known: to look for
// others means to look at every process of the machine.
const between = 3

// weigh returns what the group takes, in bytes.
func (s *scale) weigh() (sum int64) {
	files := s.known
	if s.looks%between == 0 || len(files) == 0 {
		files, _ = filepath.Glob("/proc/[0-9]*/stat")
	}
	s.looks++
	var known []string
	for _, file := range files {
		if group, taken, ok := taken(file); ok && group == s.group {
			known, sum = append(known, file), sum+taken
		}
	}
	s.known = known
	return sum
}

// memory returns what the processes of a group take, in bytes.
func memory(group int) int64 { return (&scale{group: group}).weigh() }

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
