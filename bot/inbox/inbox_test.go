package inbox_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ferry/bot/bottest"
	"ferry/bot/inbox"
)

// seen counts decisions by key.
type seen struct {
	mu sync.Mutex
	n  map[string]int
}

func (s *seen) add(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.n == nil {
		s.n = map[string]int{}
	}
	s.n[key]++
}

// start runs an inbox within a synctest bubble and stops it with the test.
func start(t *testing.T, o inbox.Options) (*inbox.Inbox, func()) {
	ctx, cancel := context.WithCancel(t.Context())
	b := inbox.New(o)
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	return b, func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

func TestTheSameKeyIsDecidedOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s seen
		b, stop := start(t, inbox.Options{Journal: &bottest.Journal{}, Decide: func(_ context.Context, e inbox.Envelope) error {
			s.add(e.Key)
			return nil
		}})
		defer stop()
		for i := range 4 {
			fresh, err := b.Accept(t.Context(), "k", nil)
			if err != nil || fresh != (i == 0) {
				t.Errorf("delivery %d: fresh %v, %v", i, fresh, err)
			}
			time.Sleep(time.Minute)
		}
		synctest.Wait()
		if s.n["k"] != 1 {
			t.Errorf("decided %d times", s.n["k"])
		}
	})
}

func TestABurstStaysInTheJournalAndIsAllDecided(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s seen
		b, stop := start(t, inbox.Options{Journal: &bottest.Journal{}, Workers: 3, Held: 10, Decide: func(_ context.Context, e inbox.Envelope) error {
			time.Sleep(time.Second)
			s.add(e.Key)
			return nil
		}})
		defer stop()
		for i := range 500 {
			if _, err := b.Accept(t.Context(), fmt.Sprint(i), nil); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(170 * time.Second)
		synctest.Wait()
		if len(s.n) != 500 {
			t.Errorf("%d of 500 decided", len(s.n))
		}
		for key, n := range s.n {
			if n != 1 {
				t.Errorf("%s decided %d times", key, n)
			}
		}
	})
}

func TestWhatADyingProcessLeavesIsDecidedByTheNext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		j := bottest.Journal{Slow: 3 * time.Second}
		var first time.Time
		b, stop := start(t, inbox.Options{Journal: &j, Decide: func(ctx context.Context, e inbox.Envelope) error {
			first = e.At
			<-ctx.Done() // stopped on the way
			return ctx.Err()
		}})
		if _, err := b.Accept(t.Context(), "k", []byte("raw")); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		stop()
		var got inbox.Envelope
		_, stop = start(t, inbox.Options{Journal: &j, Decide: func(_ context.Context, e inbox.Envelope) error {
			got = e
			return nil
		}})
		synctest.Wait()
		stop()
		if got.Key != "k" || string(got.Raw) != "raw" || !got.At.Equal(first) {
			t.Errorf("decided %+v, before that it was of %s", got, first)
		}
		if _, pending := j.Keys(); len(pending) > 0 {
			t.Errorf("pending: %v", pending)
		}
	})
}

func TestAFailureIsTriedAgainAndBlocksNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s seen
		began := time.Now()
		var took time.Duration
		b, stop := start(t, inbox.Options{Journal: &bottest.Journal{}, Workers: 1, Decide: func(_ context.Context, e inbox.Envelope) error {
			s.add(e.Key)
			if e.Key == "bad" && e.Attempt < 4 {
				return errors.New("not now")
			}
			if e.Key == "good" {
				took = time.Since(began)
			}
			return nil
		}})
		defer stop()
		for _, key := range []string{"bad", "good"} {
			if _, err := b.Accept(t.Context(), key, nil); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if s.n["bad"] != 4 || took > 0 {
			t.Errorf("bad tried %d times, good after %v", s.n["bad"], took)
		}
	})
}

func TestWhatIsNotJournalledIsNotAccepted(t *testing.T) {
	t.Parallel()
	j := &bottest.Journal{Fail: func(string) error { return errors.New("disk full") }}
	b := inbox.New(inbox.Options{Journal: j})
	if _, err := b.Accept(t.Context(), "k", nil); err == nil {
		t.Error("accepted without a journal")
	}
}
