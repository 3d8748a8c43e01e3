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
		"changes":      {class{change: true}, 80, 500, createsPerHour - 10},
		"GraphQL ones": {class{change: true, graph: true}, 80, 500, createsPerHour - 10},
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

// TestPaceMixed counts the points of reads and changes together, and those of
// GraphQL apart.
func TestPaceMixed(t *testing.T) {
	p, now := NewPace(), time.Unix(0, 0)
	type spent struct {
		at     time.Time
		points int
	}
	var all []spent
	for i := 0; now.Before(time.Unix(0, 0).Add(5 * time.Minute)); i++ {
		c, points := class{change: i%20 == 0}, 1
		if c.change {
			points = 5
		}
		for d := p.delay(c, now); d > 0; d = p.delay(c, now) {
			if p.delay(class{graph: true}, now) > 0 {
				t.Fatal("GraphQL waits for REST")
			}
			now = now.Add(d)
		}
		all = append(all, spent{now, points})
	}
	most := 0
	for i := range all {
		sum := 0
		for j := i; j >= 0 && all[i].at.Sub(all[j].at) < time.Minute; j-- {
			sum += all[j].points
		}
		most = max(most, sum)
	}
	if most > 900 || most < restPerMinute-pointsOfChange {
		t.Errorf("%d points in a minute", most)
	}
}

// TestLoneChangesDoNotWait sends fifty changes without delay; more are spread, and
// none waits for long.
func TestLoneChangesDoNotWait(t *testing.T) {
	p, start := NewPace(), time.Unix(0, 0)
	now := start
	for i := range 50 {
		if d := p.delay(class{change: true}, now); d != 0 {
			t.Fatalf("the %dth waits %s", i+1, d)
		}
	}
	if d := p.delay(class{change: true}, now); d < apart || d > 3*time.Second {
		t.Errorf("the next waits %s", d)
	}
	if d := p.delay(class{}, now); d != 0 {
		t.Errorf("a read waits %s", d)
	}
	if d := p.delay(class{change: true}, now.Add(time.Minute)); d != 0 {
		t.Errorf("a minute later it waits %s", d)
	}
	p, now = NewPace(), start
	for now.Before(start.Add(3 * time.Hour)) {
		d := p.delay(class{change: true}, now)
		if d > longestWait {
			t.Fatalf("after %s one waits %s", now.Sub(start), d)
		}
		now = now.Add(d)
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
