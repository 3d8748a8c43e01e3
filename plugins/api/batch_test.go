package api

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"
)

// batcher is one whose other side takes several at once.
type batcher struct {
	deliver

	all func(ctx context.Context, ns []Notification) []Outcome
}

func (b batcher) DeliverAll(ctx context.Context, ns []Notification) []Outcome { return b.all(ctx, ns) }

// sizer is one whose other side takes so many at once.
type sizer struct {
	batcher

	most int
}

func (s sizer) Batch(config []byte) int {
	if string(config) != "config" {
		return -1
	}
	return s.most
}

func oneByOne(ctx context.Context, ns []Notification) (out []Outcome) {
	for _, n := range ns {
		r, err := asTold(ctx, n)
		out = append(out, Outcome{Receipt: r, Err: err})
	}
	return out
}

// TestBatch: a Batcher gets all at once, or as many as it says, and no more once one of
// them failed or it wants to be left alone; one that takes one at once is no Batcher.
func TestBatch(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		most      int
		ids, want string
		parts     string
	}{
		"all":          {0, "a/1 b/1 a/2f b/2", "ok ok failed ok", "4"},
		"parts":        {2, "a/1 b/1 c/1 a/2 b/2", "ok ok ok ok ok", "2 2 1"},
		"failed":       {2, "a/1f b/1 a/2 b/2 a/3 b/3", "failed ok held ok held ok", "2 2"},
		"wait":         {2, "a/1 b/1w c/1 d/1", "ok wait held held", "2"},
		"one":          {1, "a/1 b/1 a/2f a/3", "ok ok failed held", ""},
		"says nothing": {-1, "a/1 b/1", "ok ok", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var parts []string
			b := batcher{asTold, func(ctx context.Context, ns []Notification) []Outcome {
				parts = append(parts, fmt.Sprint(len(ns)))
				return oneByOne(ctx, ns)
			}}
			n := Notifier(sizer{b, c.most})
			if c.most == 0 {
				n = b
			}
			r, _ := notifying(t, n)
			got, err := outcomes(t.Context(), t, r, burst(c.ids))
			if got != c.want || err != nil || strings.Join(parts, " ") != c.parts {
				t.Errorf("%q in parts of %v, %v; want %q in parts of %s", got, parts, err, c.want, c.parts)
			}
		})
	}
}

// TestBatchSays: it may hold back what it did not try; what it says nothing of, and
// what took too long, is tried again.
func TestBatchSays(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		want string
		all  func(context.Context, []Notification) []Outcome
	}{
		"held": {"ok held", func(context.Context, []Notification) []Outcome {
			return []Outcome{{Receipt: Receipt{Ref: "ok"}}, {Err: fmt.Errorf("b: %w", ErrHeld)}}
		}},
		"too few": {"again again", func(context.Context, []Notification) []Outcome { return make([]Outcome, 1) }},
		"too late": {"ok again", func(ctx context.Context, _ []Notification) []Outcome {
			<-ctx.Done()
			return []Outcome{{Receipt: Receipt{Ref: "ok"}}, {Err: ctx.Err()}}
		}},
	} {
		q := burst("a/1 b/1")
		q.Timeout = 50 * time.Millisecond
		r, _ := notifying(t, batcher{all: c.all})
		if got, err := outcomes(t.Context(), t, r, q); got != c.want || err != nil {
			t.Errorf("%s: %s, %v, want %s", name, got, err, c.want)
		}
	}
}
