package host

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

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
	asked, disk := 0, make(chan struct{})
	take := func(_ context.Context, _ string, e api.Event) error {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, e.ID)
		select {
		case <-disk:
		default:
			if e.ID == "it is stored" {
				t.Error("it is told too early")
			}
		}
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
				return errors.New("the disk is full")
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
	close(disk)
	wait(t, telling, "witness", "told", func(s State) bool { return s.Events == 3 })

	silent := run(t, Options{Bindings: []Binding{animal("witness", api.KindSource)}, Events: take})
	wait(t, silent, "witness", "done", func(s State) bool { return s.Events == 2 })
	mu.Lock()
	defer mu.Unlock()
	if want := []string{"first", "first", "it is stored", "first", "nobody tells"}; !slices.Equal(got, want) {
		t.Errorf("events: %v, want %v", got, want)
	}
}
