package outlet

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ferry/plugins/api"
)

// TestOutlet tells in bursts while ferry is slow: everything comes in its order, the
// last of what waited has the cursor, and who tells waits when too much does.
func TestOutlet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var got []api.Event // read once nobody writes it
		var came atomic.Int64
		told := 0
		o := New(func(e api.Event) error {
			time.Sleep(time.Millisecond)
			got = append(got, e)
			came.Add(1)
			return nil
		}, func() any { return told })
		done := make(chan error, 1)
		go func() { done <- o.Run(ctx) }()
		for burst := range 5 {
			err := o.Do(ctx, func(tell func(api.Event)) {
				for i := range most {
					told++
					tell(api.Event{ID: fmt.Sprint(burst*most + i)})
				}
			})
			if err != nil {
				t.Error(err)
			}
			if waits := told - int(came.Load()); waits > 2*most+1 {
				t.Errorf("%d wait", waits)
			}
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(got) != 5*most {
			t.Errorf("%d came", len(got))
		}
		for i, e := range got {
			if e.ID != fmt.Sprint(i) || e.Cursor != "" && e.Cursor != fmt.Sprint(i+1) {
				t.Fatalf("event %d is %s with the cursor %q", i, e.ID, e.Cursor)
			}
		}
		if got[len(got)-1].Cursor == "" {
			t.Error("the last has no cursor")
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestEmit(t *testing.T) {
	var got api.Event
	err := Emit(func(e api.Event) error {
		if e.Object != nil {
			return api.ErrTooLarge
		}
		got = e
		return nil
	}, api.Event{ID: "1", Object: []byte("{}")})
	if err != nil || got.ID != "1" {
		t.Errorf("%v %+v", err, got)
	}
}

func TestCursor(t *testing.T) {
	for _, n := range []int{1, 10_000} {
		want := strings.Repeat("x", n)
		cursor, err := Encode(want)
		var got string
		if err != nil || Decode(cursor, &got) != nil || got != want || len(cursor) > 200 {
			t.Errorf("%v: %d became %d bytes", err, n, len(cursor))
		}
	}
	var s string
	if Decode("znonsense!", &s) == nil || Decode("{", &s) == nil {
		t.Error("nonsense is read")
	}
}

func TestTogether(t *testing.T) {
	failure := errors.New("it fails")
	waits := func(ctx context.Context) error { <-ctx.Done(); return nil }
	if err := Together(t.Context(), waits, func(context.Context) error { return failure }); !errors.Is(err, failure) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Together(ctx, waits, waits); err != nil {
		t.Error(err)
	}
}
