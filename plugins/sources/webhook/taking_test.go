package webhook

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ferry/plugins/api"
)

// ferry takes events, and says that it has them on its disk when it has.
type ferry struct {
	mu            sync.Mutex
	taken, stored []string
	behind        chan struct{} // while it is open nothing is taken
	full          error
	old           bool
}

func (f *ferry) emit(e api.Event) error {
	if f.behind != nil {
		<-f.behind
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.taken = append(f.taken, e.ID)
	return nil
}

func (f *ferry) flush(context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.full == nil {
		f.stored = slices.Clone(f.taken)
	}
	return f.full
}

// listening runs a handler before a ferry until the test ends; post is an answer's
// status and how long it took.
func (f *ferry) listening(t *testing.T) (post func(body string) (int, time.Duration), end func()) {
	t.Helper()
	c, err := parse([]byte(`paths: [{path: /x, format: json, anybody: true, map: {each: body, id: item, title: item}}]`))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	stored := f.flush
	if f.old {
		stored = nil
	}
	taking := newTaker(ctx, f.emit, stored)
	h, err := newHandler(c, "prod", taking.take)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- taking.run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return func(body string) (int, time.Duration) {
		began, w := time.Now(), httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/x", strings.NewReader(body)))
		if w.Code == http.StatusServiceUnavailable && w.Header().Get("Retry-After") == "" {
			t.Error("it does not say when to send it again")
		}
		return w.Code, time.Since(began)
	}, cancel
}

// TestTaking: 202 means that all of a request is on the disk.
func TestTaking(t *testing.T) {
	for _, old := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			f := &ferry{old: old}
			post, _ := f.listening(t)
			var all sync.WaitGroup
			for i := range 20 {
				all.Go(func() {
					one, two := fmt.Sprint("a", i), fmt.Sprint("b", i)
					code, _ := post(fmt.Sprintf(`[%q,%q]`, one, two))
					f.mu.Lock()
					defer f.mu.Unlock()
					has := f.stored
					if old {
						has = f.taken
					}
					if code != http.StatusAccepted || !slices.Contains(has, "webhook/x/"+one) || !slices.Contains(has, "webhook/x/"+two) {
						t.Errorf("%d, and ferry has %v", code, has)
					}
				})
			}
			all.Wait()
			if code, _ := post(`[]`); code != http.StatusAccepted {
				t.Errorf("nothing is answered with %d", code)
			}
		})
	}
}

// TestNotTaken: whoever posts is told within the patience that it is to be sent
// again, and what nobody waits for any more is not told to ferry.
func TestNotTaken(t *testing.T) {
	t.Run("the disk is full", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := &ferry{full: errors.New("full")}
			post, _ := f.listening(t)
			if code, took := post(`["a"]`); code != http.StatusServiceUnavailable || took > patience {
				t.Errorf("%d after %s", code, took)
			}
		})
	})
	t.Run("ferry is behind", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := &ferry{behind: make(chan struct{})}
			post, _ := f.listening(t)
			var all sync.WaitGroup
			for i := range 10 {
				all.Go(func() {
					if code, took := post(fmt.Sprintf(`["%d"]`, i)); code != http.StatusServiceUnavailable || took != patience {
						t.Errorf("%d after %s", code, took)
					}
				})
			}
			all.Wait()
			close(f.behind)
			if code, _ := post(`["later"]`); code != http.StatusAccepted {
				t.Errorf("%d when it has caught up", code)
			}
			if len(f.taken) != 2 {
				t.Errorf("%v were told", f.taken)
			}
		})
	})
	t.Run("the stream ends", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := &ferry{behind: make(chan struct{})}
			post, end := f.listening(t)
			go func() {
				time.Sleep(time.Second)
				end()
				time.Sleep(time.Second)
				close(f.behind)
			}()
			if code, took := post(`["a"]`); code != http.StatusServiceUnavailable || took != time.Second {
				t.Errorf("%d after %s", code, took)
			}
		})
	})
}
