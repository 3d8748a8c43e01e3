package slack

import (
	"cmp"
	"net/http"
	"strconv"
	"time"
)

// Fault is something going wrong with the next calls of a method.
type Fault struct {
	// Method is a Web API method; "*" is any.
	Method string `json:"method"`
	// Times is how many calls it hits; 0 means one, below 0 until ClearFaults.
	Times int `json:"times"`
	// Status answers with this HTTP status (429 with Retry-After, 500, …).
	Status     int           `json:"status,omitempty"`
	RetryAfter time.Duration `json:"retry_after,omitempty"`
	// Error answers 200 with {"ok": false, "error": Error}.
	Error string `json:"error,omitempty"`
	// Lost gives no answer at all: the connection ends after Delay.
	Lost bool `json:"lost,omitempty"`
	// AfterEffect lets the method do its work first; only the answer is bad.
	AfterEffect bool `json:"after_effect,omitempty"`
	// Delay comes before the answer. Alone it makes a method slow.
	Delay time.Duration `json:"delay,omitempty"`
}

func (f *Fault) fails() bool { return f.Status != 0 || f.Error != "" || f.Lost }

func (f *Fault) label() string {
	switch {
	case f.Lost:
		return "lost"
	case f.Error != "":
		return f.Error
	case f.Status == http.StatusTooManyRequests:
		return "ratelimited"
	default:
		return "http_" + strconv.Itoa(f.Status)
	}
}

// answer writes the bad answer. A lost one aborts the connection.
func (f *Fault) answer(w http.ResponseWriter) {
	switch {
	case f.Lost:
		panic(http.ErrAbortHandler)
	case f.Error != "":
		writeAnswer(w, nil, slackError(f.Error))
	case f.Status == http.StatusTooManyRequests:
		seconds := int((f.RetryAfter + time.Second - 1) / time.Second)
		writeAnswer(w, nil, &apiError{code: "ratelimited", extra: map[string]any{"retry_after": seconds}})
	default:
		http.Error(w, http.StatusText(f.Status), f.Status)
	}
}

// MethodCalls counts the calls of a method by how they ended.
type MethodCalls struct {
	Total  int            `json:"total"`
	OK     int            `json:"ok"`
	Errors map[string]int `json:"errors,omitempty"`
}

// faultBox holds the faults that are still to come and what was counted.
type faultBox struct {
	faults []*Fault
	counts map[string]*MethodCalls
}

func newFaultBox() faultBox { return faultBox{counts: map[string]*MethodCalls{}} }

func (b *faultBox) take(method string) *Fault {
	for i, f := range b.faults {
		if f.Method != method && f.Method != "*" {
			continue
		}
		if f.Times--; f.Times == 0 {
			b.faults = append(b.faults[:i:i], b.faults[i+1:]...)
		}
		taken := *f
		return &taken
	}
	return nil
}

// count is done together with the call's effect: who sees the one finds the other. mu is
// held.
func (s *Server) count(method, code string) {
	c := s.faults.counts[method]
	if c == nil {
		c = &MethodCalls{Errors: map[string]int{}}
		s.faults.counts[method] = c
	}
	if c.Total++; code == "" {
		c.OK++
	} else {
		c.Errors[code]++
	}
}

// Inject arms a fault. Faults of one method are used up in order.
func (s *Server) Inject(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f.Times = cmp.Or(f.Times, 1)
	s.faults.faults = append(s.faults.faults, &f)
}

// ClearFaults disarms every fault.
func (s *Server) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.faults = nil
}

// Calls returns what was counted of each method that was called, since the
// start or the last ResetCalls.
func (s *Server) Calls() map[string]MethodCalls {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]MethodCalls{}
	for name, c := range s.faults.counts {
		copied := *c
		copied.Errors = map[string]int{}
		for code, n := range c.Errors {
			copied.Errors[code] = n
		}
		out[name] = copied
	}
	return out
}

// ResetCalls starts counting from nothing.
func (s *Server) ResetCalls() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.counts = map[string]*MethodCalls{}
}
