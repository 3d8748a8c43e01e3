package host

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ferry/plugins/api"
)

// witness is a source that says what it is told of its events.
type witness struct{}

func (witness) Info() api.Info { return api.Info{Name: "witness"} }

func (witness) Stream(ctx context.Context, r api.StreamRequest, emit func(api.Event) error) error {
	if err := emit(api.Event{ID: "first"}); err != nil {
		return err
	}
	said := "nobody tells"
	if r.Stored != nil {
		short, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
		defer cancel()
		if r.Stored(short) == nil {
			return errors.New("told too early")
		}
		if err := r.Stored(ctx); err != nil {
			return err
		}
		said = "it is stored"
	}
	if err := emit(api.Event{ID: said}); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// TestStored: a source in another process is told that its event is on the disk when
// it is, and not before; a disk that fails ends its stream, which is opened again;
// and a host that cannot tell says so.
func TestStored(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var got []string
	disk, asked, fails := make(chan struct{}), 0, errors.New("the disk is full")
	take := func(_ context.Context, _ string, e api.Event) error {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, e.ID)
		return nil
	}
	telling := run(t, Options{
		Bindings: []Binding{animal("witness", api.KindSource)}, Events: take,
		Stored: func(ctx context.Context) error {
			mu.Lock()
			asked++
			first := asked == 1
			mu.Unlock()
			if first {
				return fails
			}
			select {
			case <-disk:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		},
	})
	s := wait(t, telling, "witness", "opened again", func(s State) bool { return s.Restarts > 0 && s.Events == 2 })
	if !strings.Contains(s.Err, "store its events: the disk is full") {
		t.Errorf("a disk that fails is told as %q", s.Err)
	}
	mu.Lock()
	if slices.Contains(got, "it is stored") {
		t.Errorf("it is told too early: %v", got)
	}
	mu.Unlock()
	close(disk)
	wait(t, telling, "witness", "told", func(s State) bool { return s.Events == 3 })
	mu.Lock()
	if got[len(got)-1] != "it is stored" {
		t.Errorf("events: %v", got)
	}
	mu.Unlock()

	silent := run(t, Options{Bindings: []Binding{animal("witness", api.KindSource)}, Events: take})
	wait(t, silent, "witness", "done", func(s State) bool { return s.Events == 2 })
	mu.Lock()
	defer mu.Unlock()
	if got[len(got)-1] != "nobody tells" {
		t.Errorf("events: %v", got)
	}
}
