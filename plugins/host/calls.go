package host

import (
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

// Deliver delivers with the notifier of that name; Binding and Config are filled
// in here. An error is worth another try if api.Retry says so or its kind is
// Unavailable.
func (h *Host) Deliver(ctx context.Context, name string, n api.Notification) (receipt api.Receipt, err error) {
	k, err := h.keeper(api.KindNotifier, name)
	if err != nil {
		return api.Receipt{}, err
	}
	n.Binding, n.Config = k.Name, k.Config
	err = k.call(ctx, 30*time.Second, fault.Unavailable, func(ctx context.Context, p Peer) error {
		receipt, err = p.Deliver(ctx, n)
		return err
	})
	return receipt, err
}

// Find looks whether something was delivered. known is false if the notifier
// cannot tell.
func (h *Host) Find(ctx context.Context, name string, n api.Notification) (receipt api.Receipt, found, known bool, err error) {
	k, err := h.keeper(api.KindNotifier, name)
	if err != nil {
		return api.Receipt{}, false, false, err
	}
	n.Binding, n.Config = k.Name, k.Config
	err = k.call(ctx, 30*time.Second, fault.Unavailable, func(ctx context.Context, p Peer) error {
		k.mu.Lock()
		known = k.finds
		k.mu.Unlock()
		if !known {
			return nil
		}
		receipt, found, err = p.Find(ctx, n)
		return err
	})
	return receipt, found, known, err
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
	p, err := k.running(ctx, broken)
	if err != nil {
		return err
	}
	if k.Timeout > 0 {
		most = k.Timeout
	}
	timed, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	err = ask(timed, p)
	k.mu.Lock()
	k.now.Calls++
	k.mu.Unlock()
	switch failure := (api.Failure{}); {
	case err == nil, errors.As(err, &failure), fault.KindOf(err) != fault.Internal:
		return err
	case ctx.Err() != nil:
		return ctx.Err()
	case timed.Err() != nil, status.Code(err) == codes.DeadlineExceeded:
		return fault.Newf(fault.Expired, "the %s `%s` took longer than %s and was cancelled", k.Kind, k.Name, most).Because(err)
	default:
		return k.broken(ctx, broken, err)
	}
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
		WithHelp("it is started again by itself; `plugins` shows what it is doing")
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
