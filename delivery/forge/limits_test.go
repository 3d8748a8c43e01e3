package forge_test

import (
	"fmt"
	"net/http"
	"regexp"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ferry/delivery/forge"
	"ferry/internal/fault"
	"ferry/playground/github"
)

// TestSaysHowLong takes GitHub's word on how long to wait, in all its forms, and
// sends nothing meanwhile.
func TestSaysHowLong(t *testing.T) {
	start := time.Now()
	header := func(kv ...string) http.Header {
		h := http.Header{}
		for i := 0; i < len(kv); i += 2 {
			h.Set(kv[i], kv[i+1])
		}
		return h
	}
	const secondary, primary = `{"message":"You have exceeded a secondary rate limit. Please wait."}`, `{"message":"API rate limit exceeded for user ID 1."}`
	in := fmt.Sprint(start.Add(10 * time.Minute).Unix())
	for name, c := range map[string]struct {
		fault github.Fault
		wait  time.Duration
	}{
		"403 secondary with Retry-After":  {github.Fault{Status: 403, Header: header("Retry-After", "300"), Body: secondary}, 5 * time.Minute},
		"429 with Retry-After":            {github.Fault{Status: 429, Header: header("Retry-After", "300")}, 5 * time.Minute},
		"403 secondary without a word":    {github.Fault{Status: 403, Body: secondary}, time.Minute},
		"429 without a word":              {github.Fault{Status: 429}, time.Minute},
		"403 spent":                       {github.Fault{Status: 403, Header: header("X-Ratelimit-Remaining", "0", "X-Ratelimit-Reset", in), Body: primary}, 10 * time.Minute},
		"429 spent":                       {github.Fault{Status: 429, Header: header("X-Ratelimit-Remaining", "0", "X-Ratelimit-Reset", in), Body: primary}, 10 * time.Minute},
		"reset of what is not spent":      {github.Fault{Status: 403, Header: header("X-Ratelimit-Remaining", "12", "X-Ratelimit-Reset", in), Body: secondary}, time.Minute},
		"GraphQL spent, with status 200":  {github.Fault{Status: 200, Operation: "createCommitOnBranch", Header: header("X-Ratelimit-Remaining", "0", "X-Ratelimit-Reset", in), Body: `{"errors":[{"type":"RATE_LIMITED","message":"API rate limit exceeded"}]}`}, 10 * time.Minute},
		"secondary, of the commit itself": {github.Fault{Status: 403, Operation: "createCommitOnBranch", Header: header("Retry-After", "300"), Body: secondary}, 5 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			now, s := &clock{start}, sent{}
			r := w.forge(func(o *forge.Options) { o.Clock, o.OnRequest = now.now, s.seen })
			commit := func() error {
				_, err := r.Commit(t.Context(), forge.NewCommit{On: w.head("main"), Headline: "x", Files: map[string][]byte{"app.yaml": []byte("2")}, Job: "j1"})
				return err
			}
			w.Inject(c.fault)
			if err := commit(); !fault.Is(err, fault.Unavailable) || s.all != 1 {
				t.Fatalf("limited: %v after %d requests", err, s.all)
			}
			now.at = start.Add(c.wait - 31*time.Second)
			if err := commit(); !fault.Is(err, fault.Unavailable) || s.all != 1 {
				t.Errorf("shortly before: %v after %d requests", err, s.all)
			}
			now.at = start.Add(c.wait + 2*time.Second)
			if err := commit(); err != nil || s.all != 2 {
				t.Errorf("afterwards: %v after %d requests", err, s.all)
			}
		})
	}
	// What REST has used up, GraphQL has not; the last of an hour is noticed before a refusal.
	w := newWorld(t)
	now, s := &clock{start}, sent{}
	r := w.forge(func(o *forge.Options) { o.Clock, o.OnRequest = now.now, s.seen })
	w.Inject(github.Fault{Status: 200, Path: regexp.MustCompile(`/commits/`), Header: header("X-Ratelimit-Remaining", "0", "X-Ratelimit-Reset", in), Body: `{"sha":"1","commit":{"tree":{"sha":"2"}}}`})
	if _, err := r.Head(t.Context()); err != nil {
		t.Errorf("the last of an hour: %v", err)
	}
	if _, err := r.Head(t.Context()); !fault.Is(err, fault.Unavailable) || s.all != 1 {
		t.Errorf("one more: %v after %d requests", err, s.all)
	}
	if _, err := r.Commit(t.Context(), forge.NewCommit{On: w.head("main"), Headline: "x", Files: map[string][]byte{"app.yaml": []byte("2")}, Job: "j1"}); err != nil {
		t.Errorf("by GraphQL: %v", err)
	}
	now.at = start.Add(11 * time.Minute)
	if _, err := r.Head(t.Context()); err != nil {
		t.Errorf("in the next hour: %v", err)
	}
	// A plain no is no limit.
	w.Inject(github.Fault{Status: 403, Body: `{"message":"Resource not accessible by personal access token"}`})
	r = w.forge()
	if _, err := r.Head(t.Context()); !fault.Is(err, fault.Denied) {
		t.Errorf("a plain no: %v", err)
	}
	if _, err := r.Head(t.Context()); err != nil {
		t.Errorf("after it: %v", err)
	}
}

// TestLimitedWriteIsSentAgain waits for a short limit, and changes once.
func TestLimitedWriteIsSentAgain(t *testing.T) {
	w := newWorld(t)
	f := github.SecondaryLimit(time.Second)
	f.Operation = "createCommitOnBranch"
	w.Inject(f)
	var s sent
	r := w.forge(func(o *forge.Options) { o.OnRequest = s.seen })
	p, err := r.Propose(t.Context(), w.proposal())
	if err != nil || s.all != 5 {
		t.Errorf("%v after %d requests", err, s.all)
	}
	w.one(p)
}

// watch counts how many changes are under way at once.
type watch struct{ now, most atomic.Int32 }

func (x *watch) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodGet {
		n := x.now.Add(1)
		defer x.now.Add(-1)
		for m := x.most.Load(); n > m && !x.most.CompareAndSwap(m, n); m = x.most.Load() {
		}
	}
	return http.DefaultTransport.RoundTrip(r)
}

// TestChangesTakeTurns proposes many at once: one change at a time, none lost.
func TestChangesTakeTurns(t *testing.T) {
	w := newWorld(t)
	x := &watch{}
	r := w.forge(func(o *forge.Options) { o.Transport = x })
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			n := w.proposal()
			n.Job, n.Branch, n.Body = fmt.Sprint("k", i), fmt.Sprint("ferry/k", i), ""
			if _, err := r.Propose(t.Context(), n); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := x.most.Load(); n != 1 || len(w.repo.Pulls()) != 8 {
		t.Errorf("%d changes at once, %d pull requests", n, len(w.repo.Pulls()))
	}
}

// TestTimeoutIsGitHubs ends a request that gets no answer, and does not count what
// it waited for before it was sent.
func TestTimeoutIsGitHubs(t *testing.T) {
	w := newWorld(t)
	w.Inject(github.Fault{Hang: true})
	r := w.forge(func(o *forge.Options) { o.Timeout = 300 * time.Millisecond })
	if _, err := r.Head(t.Context()); !fault.Is(err, fault.Unavailable) {
		t.Errorf("no answer: %v", err)
	}
	w.Inject(github.SecondaryLimit(time.Second))
	if _, err := r.Head(t.Context()); err != nil {
		t.Errorf("a limit longer than the timeout: %v", err)
	}
}
