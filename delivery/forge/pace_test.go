package forge

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestPace sends as much as it may and holds it against GitHub's limits.
func TestPace(t *testing.T) {
	for name, c := range map[string]struct {
		class
		perMinute, perHour int // requests that GitHub allows
		atLeast            int // in the first hour, so that it is not merely slow
	}{
		"changes":      {class{change: true}, 80, 500, createsPerHour},
		"GraphQL ones": {class{change: true, graph: true}, 80, 500, createsPerHour},
		"reads":        {class{}, 900, 900 * 60, restPerMinute * 59},
		"queries":      {class{graph: true}, 2000, 2000 * 60, graphPerMinute * 59},
	} {
		t.Run(name, func(t *testing.T) {
			p, now := NewPace(), time.Unix(0, 0)
			end := now.Add(2 * time.Hour)
			var sent []time.Time
			for now.Before(end) {
				if d := p.delay(c.class, now); d > 0 {
					now = now.Add(d)
					continue
				}
				sent = append(sent, now)
			}
			most := func(span time.Duration) (n int) {
				from := 0
				for i, at := range sent {
					for at.Sub(sent[from]) >= span {
						from++
					}
					n = max(n, i-from+1)
				}
				return n
			}
			if n := most(time.Minute); n > c.perMinute {
				t.Errorf("%d in a minute", n)
			}
			if n := most(time.Hour); n > c.perHour || n < c.atLeast {
				t.Errorf("%d in an hour", n)
			}
		})
	}
}

// TestPaceMixed counts points of reads and changes together.
func TestPaceMixed(t *testing.T) {
	p, now := NewPace(), time.Unix(0, 0)
	points := 0
	for i := 0; ; i++ {
		s := class{change: i%10 == 0}
		if p.delay(s, now) > 0 {
			if p.delay(class{graph: true}, now) > 0 {
				t.Error("GraphQL waits for REST")
			}
			break
		}
		points++
		if s.change {
			points += pointsOfChange - 1
		}
	}
	if points > 900 || p.minute.sum*2 < p.minute.most {
		t.Errorf("%d points in no time, %d of them changes", points, p.minute.sum)
	}
}

// TestLoneChangesDoNotWait sends the changes of a few promotions without delay;
// many keep a second from each other.
func TestLoneChangesDoNotWait(t *testing.T) {
	p, now := NewPace(), time.Unix(0, 0)
	for i := range createsPerMinute / 2 {
		if d := p.delay(class{change: true}, now); d != 0 {
			t.Fatalf("the %dth waits %s", i+1, d)
		}
	}
	if d := p.delay(class{change: true}, now); d != apart {
		t.Errorf("the next waits %s", d)
	}
	if d := p.delay(class{}, now); d != 0 {
		t.Errorf("a read waits %s", d)
	}
	if d := p.delay(class{change: true}, now.Add(time.Minute)); d != 0 {
		t.Errorf("a minute later it waits %s", d)
	}
}

// TestStrikes waits longer each time where GitHub does not say how long, and
// forgets that when it takes a request.
func TestStrikes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimits(Options{Clock: time.Now, Pace: NewPace()})
		for _, want := range []time.Duration{time.Minute, 2 * time.Minute, 4 * time.Minute} {
			l.pace.hold(func(n int) time.Time { return l.now().Add(pause(nil, n)) })
			if d := l.pace.delay(class{}, l.now()); d != want {
				t.Errorf("waits %s, want %s", d, want)
			}
			time.Sleep(want)
		}
		l.pace.calm()
		l.pace.hold(func(n int) time.Time { return l.now().Add(pause(nil, n)) })
		if d := l.pace.delay(class{}, l.now()); d != time.Minute {
			t.Errorf("after a calm it waits %s", d)
		}
	})
}
