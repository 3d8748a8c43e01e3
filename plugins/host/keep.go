package host

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"ferry/plugins/api"
)

// keeper keeps one binding running.
type keeper struct {
	Binding
	host    *Host
	log     *slog.Logger
	spawner *spawner // of the run that it belongs to
	// once runs the plugin one time; up is called when it is ready. Its error says
	// why it ended, which is never nil unless ctx ended.
	once func(ctx context.Context, up func()) error

	mu      sync.Mutex
	now     State
	peer    Peer // while it runs
	info    api.Info
	changed chan struct{} // closed and replaced when any of it changes
}

func newKeeper(h *Host, b Binding) *keeper {
	k := &keeper{Binding: b, host: h, log: h.o.Log.With("plugin", b.Name, "kind", b.Kind), changed: make(chan struct{})}
	k.once = k.live
	k.now = State{Name: b.Name, Kind: b.Kind, Plugin: b.Plugin, Status: Starting, Since: time.Now()}
	return k
}

// refusal is an error that hardly passes by itself: what was found is not what
// was configured.
type refusal struct{ error }

func (r refusal) Unwrap() error { return r.error }

func isRefusal(err error) bool {
	_, is := errors.AsType[refusal](err)
	return is
}

// unready is an error that passes by itself, such as a file that is not there yet; it
// is looked for again after a while, and then with growing pauses.
type unready struct {
	error

	after time.Duration
}

func (u unready) Unwrap() error { return u.error }

// lookAgain is the longest pause before a plugin is started again that is not ready by
// no fault of its own.
const lookAgain = 30 * time.Second

// run starts the plugin again and again until ctx ends.
func (k *keeper) run(ctx context.Context) {
	next := nexts{again: pauses{first: k.host.o.Pause, most: k.host.o.PauseMax, healthy: k.host.o.Healthy}}
	told := ""
	for {
		k.become(Starting, "", time.Time{})
		var began time.Time
		err := k.once(ctx, func() { began = time.Now() })
		if ctx.Err() != nil {
			k.become(Ended, "", time.Time{})
			return
		}
		status, pause := next.after(err, began)
		if why := err.Error(); why != told || status == Waiting && !began.IsZero() {
			k.log.Warn("plugin ended", "err", err, "pause", pause)
			told = why
		}
		k.set(func(s *State) { s.Err = err.Error() })
		k.become(status, err.Error(), time.Now().Add(pause))
		if !sleep(ctx, pause) {
			k.become(Ended, "", time.Time{})
			return
		}
		k.set(func(s *State) { s.Restarts++ })
	}
}

// nexts say when a plugin is started again.
type nexts struct {
	again pauses // after it ended
	looks pauses // while it is not ready
}

// after returns what a plugin is doing until then, and how long.
func (n *nexts) after(err error, began time.Time) (Status, time.Duration) {
	if u, yet := errors.AsType[unready](err); yet {
		n.looks.first = cmp.Or(u.after, n.again.first)
		n.looks.most = max(n.looks.first, min(lookAgain, n.again.most))
		return Waiting, max(u.after, n.looks.next(began))
	}
	n.looks = pauses{}
	pause := n.again.next(began)
	if isRefusal(err) {
		return Refused, n.again.most
	}
	return Waiting, pause
}

// pauses grow from one to the next until something has been well for a while.
type pauses struct {
	first, most, healthy time.Duration
	last                 time.Duration
}

// next returns the pause after something that was well since began, which is zero
// if it never was.
func (p *pauses) next(began time.Time) time.Duration {
	switch {
	case p.last == 0, !began.IsZero() && time.Since(began) >= p.healthy:
		p.last = p.first
	default:
		p.last = min(2*p.last, p.most)
	}
	// Several that died together do not come back together.
	return p.last + rand.N(p.last/10+1)
}

// sleep waits; it returns false if ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

func (k *keeper) state() State {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.now
}

// set changes the state and tells whoever waits for it.
func (k *keeper) set(change func(*State)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	change(&k.now)
	close(k.changed)
	k.changed = make(chan struct{})
}

func (k *keeper) become(status Status, why string, until time.Time) {
	k.set(func(s *State) {
		s.Status, s.Why, s.Since, s.Until = status, why, time.Now(), until
		if status != Running {
			s.PID, s.Memory = 0, 0
			k.peer = nil
		}
	})
}

// ready publishes a plugin that can be asked.
func (k *keeper) ready(p Peer, i api.Info, pid int) {
	k.set(func(s *State) {
		s.Status, s.Why, s.Since, s.Until = Running, "", time.Now(), time.Time{}
		s.Version, s.PID = i.Version, pid
		k.peer, k.info = p, i
	})
	k.log.Debug("plugin is ready", "version", i.Version, "pid", pid)
}
