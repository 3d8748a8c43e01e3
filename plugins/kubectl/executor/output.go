package executor

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"
)

// sink takes the output of one cluster, up to a limit, and hands it on in pieces.
// Its methods may be called from several goroutines.
type sink struct {
	limit   int
	changed chan struct{} // holds one when there is something new

	mu    sync.Mutex
	buf   bytes.Buffer
	taken int // how many bytes were ever kept
	cut   int // how many were not
	done  bool
}

func newSink(limit int) *sink { return &sink{limit: limit, changed: make(chan struct{}, 1)} }

// Write keeps what is within the limit and counts the rest.
func (s *sink) Write(p []byte) (int, error) {
	s.mu.Lock()
	keep := min(len(p), s.limit-s.taken)
	s.buf.Write(p[:keep])
	s.taken += keep
	s.cut += len(p) - keep
	s.mu.Unlock()
	s.wake()
	return len(p), nil
}

// end says that nothing follows, but for a last word of ferry's own.
func (s *sink) end(word string) {
	s.mu.Lock()
	if s.taken > 0 && !s.endsLine() && (s.cut > 0 || word != "") {
		s.buf.WriteByte('\n')
	}
	if s.cut > 0 {
		fmt.Fprintf(&s.buf, "… %s more: ask for less, for example with -l or --tail\n", bytesOf(s.cut))
	}
	if word != "" {
		s.buf.WriteString(word + "\n")
	}
	s.done = true
	s.mu.Unlock()
	s.wake()
}

// endsLine tells whether what waits ends a line; what was handed on already is
// taken for ended.
func (s *sink) endsLine() bool {
	b := s.buf.Bytes()
	return len(b) == 0 || b[len(b)-1] == '\n'
}

func (s *sink) wake() {
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// next returns what has come since the last time, and whether that is all.
func (s *sink) next() (piece []byte, done bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	piece = bytes.Clone(s.buf.Bytes())
	s.buf.Reset()
	return piece, s.done
}

// over tells whether everything has come.
func (s *sink) over() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.done
}

// part is a sink under its heading.
type part struct {
	heading string // "" for none
	*sink
	begun bool
}

// tell writes parts in their order, the first as it comes. One that is silent
// while others are done is passed over after some patience and told when it
// speaks; so what hangs holds nothing up.
func tell(out io.Writer, parts []*part, patience time.Duration) error {
	waiting := slices.Clone(parts)
	for len(waiting) > 0 {
		p := waiting[0]
		silent := time.NewTimer(patience)
		done, err := p.flow(out, silent.C)
		silent.Stop()
		switch {
		case err != nil:
			return err
		case done:
			waiting = waiting[1:]
		case !p.begun && slices.ContainsFunc(waiting[1:], func(q *part) bool { return q.over() }):
			waiting = append(waiting[1:], p)
		}
	}
	return nil
}

// flow writes what comes of a part until it is done or silence says stop.
func (p *part) flow(out io.Writer, silence <-chan time.Time) (done bool, err error) {
	for {
		piece, done := p.next()
		if len(piece) > 0 || done {
			if !p.begun && p.heading != "" {
				piece = append([]byte(p.heading+"\n"), piece...)
			}
			p.begun = true
			if _, err := out.Write(piece); err != nil {
				return false, err
			}
		}
		if done {
			return true, nil
		}
		select {
		case <-p.changed:
		case <-silence:
			return false, nil
		}
	}
}

// bytesOf writes a size for people.
func bytesOf(n int) string {
	if n < 1<<10 {
		return fmt.Sprintf("%d bytes", n)
	}
	if n < 1<<20 {
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
}
