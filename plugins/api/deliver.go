package api

import (
	"context"
	"fmt"
	"hash/maphash"
	"sync"
	"time"

	"google.golang.org/grpc"

	"ferry/plugins/api/wire"
)

type notifierServer struct {
	wire.UnimplementedNotifierServer
	notifier Notifier
	calls    *sync.WaitGroup
}

// Deliver implements wire.NotifierServer.
func (s notifierServer) Deliver(stream grpc.BidiStreamingServer[wire.DeliverRequest, wire.DeliverResponse]) error {
	s.calls.Add(1)
	defer s.calls.Done()
	q, err := stream.Recv()
	if err != nil {
		return err
	}
	d := &delivering{notifier: s.notifier, timeout: q.GetTimeout().AsDuration(), stop: make(chan struct{})}
	for m := q; ; {
		for _, n := range m.GetNotifications() {
			d.all = append(d.all, notificationFromWire(n, q))
		}
		if !m.GetMore() {
			break
		}
		if m, err = stream.Recv(); err != nil {
			return err
		}
	}
	d.known = make(chan *wire.DeliverResponse_Outcome, len(d.all))
	go func() { // ends with the stream
		_, _ = stream.Recv()
		close(d.stop)
	}()
	var running sync.WaitGroup
	running.Go(func() { d.run(stream.Context()) })
	err = d.tell(stream)
	running.Wait()
	return err
}

// delivering is what was asked for together.
type delivering struct {
	notifier Notifier
	timeout  time.Duration
	all      []Notification
	known    chan *wire.DeliverResponse_Outcome
	stop     chan struct{} // closed once nothing more is to be begun

	mu     sync.Mutex
	paused bool // the other side wants to be left alone
}

// tellAtMost is for how long an outcome is kept for others to travel with.
const tellAtMost = 20 * time.Millisecond

// tell sends outcomes, several at once where they are many.
func (d *delivering) tell(stream grpc.ServerStreamingServer[wire.DeliverResponse]) error {
	for left := len(d.all); left > 0; {
		m := &wire.DeliverResponse{Outcomes: []*wire.DeliverResponse_Outcome{<-d.known}}
		timer := time.NewTimer(tellAtMost)
		for more := true; more && len(m.Outcomes) < left; {
			select {
			case o := <-d.known:
				m.Outcomes = append(m.Outcomes, o)
			case <-timer.C:
				more = false
			}
		}
		timer.Stop()
		left -= len(m.Outcomes)
		if err := stream.Send(m); err != nil {
			return err
		}
	}
	return nil
}

func (d *delivering) outcome(i int, o Outcome, held bool) {
	d.known <- &wire.DeliverResponse_Outcome{Index: uint32(i), Receipt: receiptToWire(o.Receipt), Failure: failureToWire(o.Err), Held: held}
}

// run tries every delivery once and makes an outcome for each, whatever the plugin
// does: those of one order one after the other, and none behind one that failed.
func (d *delivering) run(ctx context.Context) {
	lanes := make([][]int, max(1, min(Lanes, len(d.all))))
	seed := maphash.MakeSeed()
	_, together := d.notifier.(Batcher)
	for i := range d.all {
		lane := uint64(0)
		if !together {
			lane = maphash.String(seed, d.all[i].Order) % uint64(len(lanes))
		}
		lanes[lane] = append(lanes[lane], i)
	}
	var all sync.WaitGroup
	for _, lane := range lanes {
		switch {
		case len(lane) == 0:
		case together:
			d.batch(ctx, lane)
		default:
			all.Go(func() { d.lane(ctx, lane) })
		}
	}
	all.Wait()
}

func (d *delivering) lane(ctx context.Context, lane []int) {
	failed := map[string]bool{}
	for _, i := range lane {
		n := &d.all[i]
		if failed[n.Order] || d.held(ctx) {
			failed[n.Order] = true
			d.outcome(i, Outcome{}, true)
			continue
		}
		o := d.one(ctx, n)
		if o.Err != nil {
			failed[n.Order] = true
			d.heed(o.Err)
		}
		d.outcome(i, o, false)
	}
}

// held reports whether nothing more is to be begun.
func (d *delivering) held(ctx context.Context) bool {
	select {
	case <-d.stop:
		return true
	case <-ctx.Done():
		return true
	default:
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.paused
}

func (d *delivering) heed(err error) {
	if after, _ := Retry(err); after > 0 {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.paused = true
	}
}

func (d *delivering) one(ctx context.Context, n *Notification) (o Outcome) {
	ctx, cancel := d.timed(ctx)
	defer cancel()
	if f, ok := d.notifier.(Finder); ok {
		if r, found, err := f.Find(ctx, *n); found || err != nil {
			return Outcome{Receipt: r, Err: err}
		}
	}
	o.Receipt, o.Err = d.notifier.Deliver(ctx, *n)
	return o
}

func (d *delivering) timed(ctx context.Context) (context.Context, context.CancelFunc) {
	if d.timeout <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, d.timeout)
}

// batch hands all to a Batcher but what was delivered before.
func (d *delivering) batch(ctx context.Context, lane []int) {
	ctx, cancel := d.timed(ctx)
	defer cancel()
	var left []int
	var ns []Notification
	f, finds := d.notifier.(Finder)
	for _, i := range lane {
		if finds {
			if r, found, err := f.Find(ctx, d.all[i]); found || err != nil {
				d.outcome(i, Outcome{Receipt: r, Err: err}, false)
				continue
			}
		}
		left, ns = append(left, i), append(ns, d.all[i])
	}
	if len(ns) == 0 {
		return
	}
	os := d.notifier.(Batcher).DeliverAll(ctx, ns)
	for k, i := range left {
		o := Outcome{Err: Again(fmt.Errorf("the notifier answered %d of %d deliveries", len(os), len(ns)), 0)}
		if len(os) == len(ns) {
			o = os[k]
		}
		d.outcome(i, o, false)
	}
}
