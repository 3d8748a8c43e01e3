package forge

import (
	"context"
	"sync"
	"time"
)

// GitHub's limits on what one token may do, less a margin for others that use
// the same token. A read is one point, a change five; GraphQL has a budget of its
// own. A change of whatever kind creates content.
const (
	createsPerMinute = 70   // of 80
	createsPerHour   = 450  // of 500
	restPerMinute    = 800  // points, of 900
	graphPerMinute   = 1800 // points, of 2,000
	pointsOfChange   = 5
)

// apart is how long changes keep from each other at least, once most of a budget
// is spent: GitHub asks for a second. Then the rest is spread over the time that
// is left, so that who comes late waits for seconds, not for the end of the hour.
// Until then none waits: not a lone promotion, nor fifty at once.
const apart = time.Second

// burst is the part of a budget that is spent without waiting.
const burst = 5.0 / 7

// Pace keeps to GitHub's limits for all who share a token. It is safe for
// concurrent use.
type Pace struct {
	mu           sync.Mutex
	minute, hour budget // of changes
	rest, graph  budget // of points
	last         time.Time
	until        [2]time.Time // nothing is sent before, by REST and by GraphQL
	strikes      int          // limits met in a row
}

// NewPace returns a Pace that has seen nothing yet.
func NewPace() *Pace {
	return &Pace{
		minute: budget{most: createsPerMinute, span: time.Minute}, hour: budget{most: createsPerHour, span: time.Hour},
		rest: budget{most: restPerMinute, span: time.Minute}, graph: budget{most: graphPerMinute, span: time.Minute},
	}
}

// class is what a request is to the limits.
type class struct{ change, graph bool }

// delay says how long to hold a request back; if not at all, it is taken as sent.
func (p *Pace) delay(s class, now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	points, cost := &p.rest, 1
	if s.graph {
		points = &p.graph
	}
	if s.change {
		cost = pointsOfChange
	}
	wait := max(p.until[s.side()].Sub(now), points.wait(now, cost))
	if s.change {
		wait = max(wait, p.minute.wait(now, 1), p.hour.wait(now, 1), p.last.Add(max(p.minute.gap(now), p.hour.gap(now))).Sub(now))
	}
	if wait > 0 {
		return wait
	}
	points.spend(now, cost)
	if s.change {
		p.minute.spend(now, 1)
		p.hour.spend(now, 1)
		p.last = now
	}
	return 0
}

func (s class) side() int {
	if s.graph {
		return 1
	}
	return 0
}

// hold notes that GitHub wants to be left alone, by REST and GraphQL alike.
// strikes are the times in a row: where GitHub does not say how long, it asks for
// longer each time.
func (p *Pace) hold(until func(strikes int) time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.strikes++
	at := until(p.strikes)
	for side := range p.until {
		p.until[side] = later(p.until[side], at)
	}
}

// spent notes that the hour of a side is used up; the other has its own.
func (p *Pace) spent(s class, until time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.until[s.side()] = later(p.until[s.side()], until)
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// calm notes that GitHub took a request.
func (p *Pace) calm() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.strikes = 0
}

// budget is so much in any span of time.
type budget struct {
	most  int
	span  time.Duration
	spent []spending // within the span, oldest first
	sum   int
}

type spending struct {
	at   time.Time
	cost int
}

// wait is how long until there is room for a cost; it forgets what is past.
func (b *budget) wait(now time.Time, cost int) time.Duration {
	past := 0
	for past < len(b.spent) && now.Sub(b.spent[past].at) >= b.span {
		b.sum -= b.spent[past].cost
		past++
	}
	b.spent = b.spent[past:]
	left := b.sum
	for _, s := range b.spent {
		if left+cost <= b.most {
			break
		}
		if left -= s.cost; left+cost <= b.most {
			return s.at.Add(b.span).Sub(now)
		}
	}
	return 0
}

// gap is how long changes keep from each other; wait has been asked before.
func (b *budget) gap(now time.Time) time.Duration {
	if float64(b.sum) < burst*float64(b.most) {
		return 0
	}
	left := b.spent[0].at.Add(b.span).Sub(now)
	return max(apart, left/time.Duration(b.most-b.sum+1))
}

func (b *budget) spend(now time.Time, cost int) {
	b.spent = append(b.spent, spending{now, cost})
	b.sum += cost
}

// turn lets one in at a time. The zero turn is of no use.
type turn chan struct{}

func (t turn) take(ctx context.Context) error {
	select {
	case t <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (t turn) give() { <-t }
