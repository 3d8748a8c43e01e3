package troubles

import (
	"context"
	"fmt"
	"time"
)

// dead looks at what was given up.
type dead struct{ from Sinks }

func (d dead) look(ctx context.Context, _ time.Time) ([]finding, error) {
	given, err := d.from.Given(ctx)
	if err != nil {
		return nil, fmt.Errorf("read what was given up: %w", err)
	}
	out := make([]finding, 0, len(given))
	for sink, g := range given {
		out = append(out, finding{
			subject: subject{Reason: DeliveriesGivenUp, Name: sink}, sure: true, count: g.Count,
			text: "The last: " + sentence(g.Title, mostTitle) + " Why: " + sentence(g.Why, mostWhy) + " `undelivered` lists what is kept, for a week; `resend` delivers it again.",
		})
	}
	return out, nil
}

// failingFor is how long nothing must arrive: a restart of the other side, or one wait
// that it asked for, is no trouble.
const failingFor = 5 * time.Minute

// untried is how long after the start what was left may not have been tried.
const untried = time.Minute

// failing looks at sinks where deliveries wait and fail while none arrives. What fails
// while others arrive is no trouble of the sink.
type failing struct {
	from  Sinks
	began time.Time // the first look
	marks map[string]mark
}

// mark is how a sink was when it was well last, as far as is known.
type mark struct {
	at                 time.Time
	delivered, retried int64
}

func (f *failing) look(_ context.Context, now time.Time) (out []finding, _ error) {
	if f.began.IsZero() {
		f.began = now
	}
	for _, s := range f.from.Sinks() {
		m, known := f.marks[s.Sink]
		if !known {
			m = mark{at: now}
			f.marks[s.Sink] = m
		}
		idle, arrived := s.Waiting <= s.Stuck, s.Delivered != m.delivered
		if idle || arrived {
			f.marks[s.Sink] = mark{now, s.Delivered, s.Retried}
			if arrived || now.Sub(f.began) >= untried {
				continue
			}
		}
		out = append(out, finding{
			subject: subject{Reason: SinkFailing, Name: s.Sink}, sure: now.Sub(m.at) >= failingFor && s.Retried > m.retried+1,
			text: fmt.Sprintf("Since %s: %s What waits is tried again until it is given up; then `undelivered` lists it.", clock(m.at), sentence(s.Why, mostWhy)),
		})
	}
	return out, nil
}
