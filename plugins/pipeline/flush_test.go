package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ferry/internal/event"
	"ferry/plugins/pipeline"
	"ferry/plugins/pipeline/pipelinetest"
	"ferry/plugins/rows"
	"ferry/plugins/rows/rowstest"
)

// answer is a source without a cursor that owes somebody an answer for each event; it
// returns the names of those that it was told to be stored. Each is told twice, as by
// somebody who did not hear the answer, and some are wanted by nobody.
func answer(ctx context.Context, p *pipeline.Pipeline, wanted pipeline.Stage) (stored []string) {
	b := pipeline.Binding{Name: "hook", Stages: pipeline.Chain{wanted}}
	for i := range 12 {
		name, reason := fmt.Sprint("e", i/2), "trouble"
		if i/2%3 == 2 {
			reason = "noise"
		}
		e := event.Event{ID: event.ID(name), Name: name, Reason: reason, Title: name, At: time.Now()}
		if p.Take(ctx, b, e) != nil || p.Flush(ctx) != nil {
			break
		}
		stored = append(stored, name)
	}
	return slices.Compact(stored)
}

// TestFlush kills ferry at every operation of its store: of what it said to have, all
// that is wanted is delivered by the next one, which hears of none of it again.
func TestFlush(t *testing.T) {
	t.Parallel()
	wanted, err := pipeline.NewFilter(`event.reason != "noise"`, pipeline.Place{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	all := 0
	for n := 1; all < 2; n++ {
		for _, after := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				var disk rowstest.Memory
				var s pipelinetest.Sink
				live := func(n int, fn func(ctx context.Context, p *pipeline.Pipeline)) {
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					s.Dead(false)
					store := disk.Open(n, after, func() { s.Dead(true); cancel() })
					p := each(t, pipeline.Options{Store: store}, &s)
					done := make(chan error, 1)
					go func() { done <- p.Run(ctx) }()
					fn(ctx, p)
					cancel()
					if err := <-done; err != nil && !errors.Is(err, rowstest.ErrKilled) {
						t.Error(err)
					}
				}
				var stored []string
				live(n, func(ctx context.Context, p *pipeline.Pipeline) { stored = answer(ctx, p, wanted) })
				live(0, func(context.Context, *pipeline.Pipeline) { time.Sleep(time.Hour) })
				var got []string
				for _, d := range s.Once() {
					got = append(got, d.Title)
				}
				for _, name := range stored {
					if noise := name == "e2" || name == "e5"; noise == slices.Contains(got, name) {
						t.Errorf("killed at %d: %s was said to be stored, and %v are delivered", n, name, got)
					}
				}
				if len(stored) == 6 {
					all++
				}
			})
		}
	}
}

// refusing is a store that refuses the first batch of events.
type refusing struct {
	rows.Store
	once sync.Once
}

func (r *refusing) Commit(ctx context.Context, t rows.Txn) (err error) {
	if slices.ContainsFunc(t.Put, func(row rows.Row) bool { return strings.HasPrefix(row.Key, "event/log/") }) {
		r.once.Do(func() { err = rows.ErrConflict })
	}
	if err == nil {
		err = r.Store.Commit(ctx, t)
	}
	return err
}

// TestFlushFails: once something could not be written nothing is said to be, for
// nobody knows whose it was; the next ferry takes it when it is told again.
func TestFlushFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var disk rowstest.Memory
		var s pipelinetest.Sink
		for life, want := range [][]bool{{false, false}, {true, true}} {
			var store rows.Store = disk.Open(0, false, nil)
			if life == 0 {
				store = &refusing{Store: store}
			}
			flow(t, pipeline.Options{Store: store}, &s, func(p *pipeline.Pipeline) {
				for i, fine := range want {
					err := p.Take(t.Context(), pipeline.Binding{Name: "hook"}, event.Event{ID: "1", Title: "x", At: time.Now()})
					if err = errors.Join(err, p.Flush(t.Context())); (err == nil) != fine {
						t.Errorf("life %d, try %d: it says %v", life, i, err)
					}
				}
				time.Sleep(time.Minute)
			})
		}
		if n := len(s.All()); n != 1 {
			t.Errorf("%d were delivered", n)
		}
	})
}

// TestAFlushIsOver: what came for somebody who waited does not hurry what comes later,
// which is written at once.
func TestAFlushIsOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var disk rowstest.Memory
		flow(t, pipeline.Options{Store: disk.Open(0, false, nil)}, &pipelinetest.Sink{}, func(p *pipeline.Pipeline) {
			for i := range 20 {
				if err := p.Flush(t.Context()); err != nil {
					t.Error(err)
				}
				for k := range 50 {
					id := fmt.Sprint(i, "/", k)
					if err := p.Take(t.Context(), pipeline.Binding{Name: "s"}, event.Event{ID: event.ID(id), Name: id, Title: "x"}); err != nil {
						t.Error(err)
					}
				}
				time.Sleep(time.Second)
			}
		})
		if n := len(disk.Keys("event/log/")); n != 20 {
			t.Errorf("20 bursts are %d batches", n)
		}
	})
}
