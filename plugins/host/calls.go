package host

import (
	"cmp"
	"context"
	"errors"
	"io"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"ferry/internal/fault"
	"ferry/plugins/api"
)

// MaxOutput is the most bytes that an executor may write in one call.
const MaxOutput = 64 << 20

// Execute runs a line with the executor of that name; Binding, Config and
// Clusters are filled in here. An error that the plugin returned is an
// api.Failure, every other has a kind: Unavailable if nothing was begun and it
// can be asked again in a moment, Failed if it does not run or broke in the middle.
func (h *Host) Execute(ctx context.Context, name string, r api.ExecuteRequest, out io.Writer) (result api.Result, err error) {
	k, err := h.keeper(api.KindExecutor, name)
	if err != nil {
		return api.Result{}, err
	}
	r.Binding, r.Config = k.Name, k.Config
	if r.Clusters, err = k.clusters(ctx); err != nil {
		return api.Result{}, err
	}
	err = k.call(ctx, 5*time.Minute, fault.Failed, func(ctx context.Context, p Peer) error {
		result, err = p.Execute(ctx, r, &atMost{w: out, left: MaxOutput})
		return err
	})
	return result, err
}

// deliveryTimeout is how long one delivery may take where nothing else is said.
const deliveryTimeout = 30 * time.Second

// Deliver delivers with the notifier of that name, and tells what became of each as
// api.Remote.Deliver does. An error is of those that it told nothing of, and worth
// another try if its kind is Unavailable or Expired.
func (h *Host) Deliver(ctx context.Context, name string, ns []api.Notification, known func(i int, o api.Outcome)) error {
	k, err := h.keeper(api.KindNotifier, name)
	if err != nil {
		return err
	}
	each := cmp.Or(k.Timeout, deliveryTimeout)
	// What is under way when ctx ends is waited for, for a while.
	return k.ask(ctx, fault.Unavailable, func(p Peer) error {
		err := p.Deliver(ctx, api.Deliveries{Binding: k.Name, Config: k.Config, Timeout: each, Notifications: ns}, func(i int, o api.Outcome) {
			k.called()
			known(i, o)
		})
		if errors.Is(err, context.DeadlineExceeded) {
			return fault.Newf(fault.Expired, "the notifier `%s` took longer than %s for a delivery and was cancelled", k.Name, each).Because(err)
		}
		return err
	})
}

// Info returns what a plugin says of itself; ok is false until it has run.
func (h *Host) Info(kind, name string) (i api.Info, ok bool) {
	k, err := h.keeper(kind, name)
	if err != nil {
		return api.Info{}, false
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.info, k.info.Name != ""
}

// call asks a running plugin, in a bounded time; one that starts is waited for.
// broken is the kind of a failure of which nobody knows how far it came.
func (k *keeper) call(ctx context.Context, most time.Duration, broken fault.Kind, ask func(context.Context, Peer) error) error {
	most = cmp.Or(k.Timeout, most)
	return k.ask(ctx, broken, func(p Peer) error {
		until := time.Now().Add(most)
		timed, cancel := context.WithDeadline(ctx, until)
		defer cancel()
		err := ask(timed, p)
		k.called()
		if _, own := errors.AsType[api.Failure](err); own && ctx.Err() == nil && !time.Now().Before(until) {
			// It has the same deadline, and may be the first to say so: that is no word of its own.
			err = errors.New(err.Error())
		}
		switch {
		case err == nil, explained(err):
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case !time.Now().Before(until), status.Code(err) == codes.DeadlineExceeded:
			return fault.Newf(fault.Expired, "the %s `%s` took longer than %s and was cancelled", k.Kind, k.Name, most).Because(err)
		}
		return err
	})
}

// ask hands a running plugin to somebody and explains an error of what lies between.
func (k *keeper) ask(ctx context.Context, broken fault.Kind, ask func(Peer) error) error {
	p, err := k.running(ctx, broken)
	if err != nil {
		return err
	}
	if err = ask(p); err == nil || explained(err) || ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return err
	}
	return k.broken(ctx, broken, err)
}

// explained reports whether an error is the plugin's own or has a kind already.
func explained(err error) bool {
	_, own := errors.AsType[api.Failure](err)
	return own || fault.KindOf(err) != fault.Internal
}

func (k *keeper) called() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.now.Calls++
}

// broken explains an error of the connection: mostly the process has just ended,
// and why is known in a moment.
func (k *keeper) broken(ctx context.Context, kind fault.Kind, err error) error {
	seen, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	s := k.await(seen, func(s State) bool { return s.Status != Running && s.Status != Starting })
	why := plain(err).Error()
	if s.Status == Waiting || s.Status == Refused {
		why = s.Why
	}
	return fault.Newf(kind, "the %s `%s` failed in the middle: %s", k.Kind, k.Name, why).
		WithHelp("nobody knows how far it came\nit is started again by itself; `plugins` shows what it is doing").Because(err)
}

// soon is how long people are left waiting for a plugin that is started again.
const soon = 3 * time.Second

// ErrNotBegun is in the chain of an error of a call that did not reach the plugin,
// because it was not running.
var ErrNotBegun = errors.New("nothing was begun")

// running returns the plugin once it runs; it waits for one that starts. That it
// will hardly run soon is of a kind of its own.
func (k *keeper) running(ctx context.Context, hardly fault.Kind) (Peer, error) {
	starting, cancel := context.WithTimeout(ctx, k.host.o.Handshake)
	defer cancel()
	s := k.await(starting, func(s State) bool { return s.Status != Starting })
	k.mu.Lock()
	p := k.peer
	k.mu.Unlock()
	if p != nil {
		return p, nil
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	says, kind := "is still starting", hardly
	switch s.Status {
	case Waiting:
		says = "is not running: " + s.Why
		if time.Until(s.Until) < soon {
			kind = fault.Unavailable
		}
	case Refused:
		says = "was refused: " + s.Why
	case Ended:
		says = "has ended"
	}
	return nil, fault.Newf(kind, "the %s `%s` %s", k.Kind, k.Name, says).
		WithHelp("it is started again by itself; `plugins` shows what it is doing").Because(ErrNotBegun)
}

// await returns the state as soon as it is as wanted, or when ctx ends.
func (k *keeper) await(ctx context.Context, wanted func(State) bool) State {
	for {
		k.mu.Lock()
		s, changed := k.now, k.changed
		k.mu.Unlock()
		if wanted(s) {
			return s
		}
		select {
		case <-ctx.Done():
			return s
		case <-changed:
		}
	}
}

// atMost is a writer with an end.
type atMost struct {
	w    io.Writer
	left int
}

func (a *atMost) Write(p []byte) (int, error) {
	if a.left -= len(p); a.left < 0 {
		return 0, fault.Newf(fault.Refused, "it wrote more than %d MiB", MaxOutput>>20).WithHelp("ask for less")
	}
	return a.w.Write(p)
}
