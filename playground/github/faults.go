package github

import (
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Fault is something that goes wrong for the next requests that it fits. The zero Fault fits one request of any kind and
// answers 502.
type Fault struct {
	// Method of HTTP, empty for any. Path is matched against the request's path, nil for any; the API's begin with /api/.
	Method string
	Path   *regexp.Regexp
	// Operation is the name of a GraphQL field that is asked for at the root ("createCommitOnBranch"); empty for any.
	Operation string
	// Times is how many requests meet the fault; 0 is 1.
	Times int

	// Delay comes first. A fault with nothing but a delay answers late and rightly.
	Delay time.Duration
	// Effect lets the request do its work before the answer is lost.
	Effect bool
	// Cut closes the connection without an answer; Hang keeps silent until the client gives up.
	Cut, Hang bool
	// Status, Header and Body are the answer; a Status of 0 is 502 where nothing else is said.
	Status int
	Header http.Header
	Body   string
}

// SecondaryLimit is GitHub's 403 for going too fast; retryAfter is said in seconds, and not at all when 0.
func SecondaryLimit(retryAfter time.Duration) Fault {
	return limitFault(http.StatusForbidden, retryAfter)
}

// TooManyRequests is the same said with a 429.
func TooManyRequests(retryAfter time.Duration) Fault {
	return limitFault(http.StatusTooManyRequests, retryAfter)
}

func limitFault(status int, retryAfter time.Duration) Fault {
	f := Fault{Status: status, Header: http.Header{}, Body: `{"documentation_url":"https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits",` +
		`"message":"You have exceeded a secondary rate limit. Please wait a few minutes before you try again."}`}
	if retryAfter > 0 {
		f.Header.Set("Retry-After", strconv.Itoa(int(retryAfter.Seconds())))
	}
	return f
}

// CutAfterEffect is the worst of them: it happened, and nobody hears of it.
func CutAfterEffect() Fault { return Fault{Effect: true, Cut: true} }

// Slow answers rightly, after a while.
func Slow(d time.Duration) Fault { return Fault{Delay: d} }

func (f *Fault) onlySlow() bool {
	return f.Delay > 0 && !f.Effect && !f.Cut && !f.Hang && f.Status == 0
}

func (f *Fault) fits(r *http.Request, operations []string) bool {
	return (f.Method == "" || f.Method == r.Method) &&
		(f.Path == nil || f.Path.MatchString(r.URL.Path)) &&
		(f.Operation == "" || slices.Contains(operations, f.Operation))
}

type faults struct {
	mu   sync.Mutex
	next []*Fault
}

func (s *faults) add(f Fault) func() {
	if f.Times == 0 {
		f.Times = 1
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next = append(s.next, &f)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.next = slices.DeleteFunc(s.next, func(x *Fault) bool { return x == &f })
	}
}

// operations is asked only when a fault wants to know.
func (s *faults) take(r *http.Request, operations func() []string) (Fault, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, f := range s.next {
		var ops []string
		if f.Operation != "" {
			ops = operations()
		}
		if !f.fits(r, ops) {
			continue
		}
		if f.Times--; f.Times == 0 {
			s.next = slices.Delete(s.next, i, i+1)
		}
		return *f, true
	}
	return Fault{}, false
}

// serve lets the fault have the request. It may end in http.ErrAbortHandler, which closes the connection.
func (f *Fault) serve(w http.ResponseWriter, r *http.Request, next http.Handler) {
	if f.Delay > 0 {
		wait := time.NewTimer(f.Delay)
		defer wait.Stop()
		select {
		case <-wait.C:
		case <-r.Context().Done():
		}
	}
	if f.onlySlow() {
		next.ServeHTTP(w, r)
		return
	}
	if f.Effect {
		next.ServeHTTP(&silence{header: http.Header{}}, r)
	}
	switch {
	case f.Cut:
		panic(http.ErrAbortHandler)
	case f.Hang:
		// The server notices a client that leaves only once the body is read.
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	}
	for k, v := range f.Header {
		w.Header()[k] = v
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	if f.Status == 0 {
		f.Status = http.StatusBadGateway
	}
	w.WriteHeader(f.Status)
	_, _ = w.Write([]byte(f.Body))
}

// silence hears an answer and tells nobody.
type silence struct{ header http.Header }

func (s *silence) Header() http.Header         { return s.header }
func (s *silence) Write(p []byte) (int, error) { return len(p), nil }
func (s *silence) WriteHeader(int)             {}

// staleHeads are references that the API shows where they were, for a while.
type staleHeads struct {
	mu  sync.Mutex
	old map[string]staleHead
}

type staleHead struct {
	id    OID
	until time.Time
}

func (s *staleHeads) at(ref string, now time.Time) (OID, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h, ok := s.old[ref]
	return h.id, ok && now.Before(h.until)
}

func (s *staleHeads) set(ref string, h staleHead) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.old == nil {
		s.old = map[string]staleHead{}
	}
	s.old[ref] = h
}

func (s *staleHeads) drop(ref string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.old, ref)
}

// ServeStale lets REST and GraphQL go on reading the branch at the head it has now, for d of the server's clock or
// until the returned function is called. Writes, their compare-and-swap and smart HTTP know the truth.
func (r *Repo) ServeStale(branch string, d time.Duration) (stop func(), err error) {
	head, err := r.Head(branch)
	if err != nil {
		return nil, err
	}
	name := headsPrefix + branch
	r.stale.set(name, staleHead{head, r.now().Add(d)})
	return func() { r.stale.drop(name) }, nil
}
