package api

import (
	"context"
	"errors"
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
	if b, most := d.batcher(); b != nil {
		d.batches(ctx, b, most)
		return
	}
	lanes := make([][]int, max(1, min(Lanes, len(d.all))))
	seed := maphash.MakeSeed()
	for i := range d.all {
		lane := maphash.String(seed, d.all[i].Order) % uint64(len(lanes))
		lanes[lane] = append(lanes[lane], i)
	}
	var all sync.WaitGroup
	for _, lane := range lanes {
		if len(lane) > 0 {
			all.Go(func() { d.lane(ctx, lane) })
		}
	}
	all.Wait()
}

// batcher is the notifier as one, and how many it takes at once; nil if it takes one.
func (d *delivering) batcher() (b Batcher, most int) {
	b, ok := d.notifier.(Batcher)
	if !ok || len(d.all) == 0 {
		return nil, 0
	}
	s, sized := b.(Sizer)
	if !sized {
		return b, len(d.all)
	}
	if most = s.Batch(d.all[0].Config); most <= 1 {
		return nil, 0
	}
	return b, most
}

// failures are the orders of which one failed.
type failures map[string]bool

func (d *delivering) lane(ctx context.Context, lane []int) {
	failed := failures{}
	for _, i := range lane {
		if d.hold(ctx, i, failed) {
			continue
		}
		d.became(i, d.one(ctx, &d.all[i]), failed)
	}
}

// hold makes the outcome of a delivery that is not to be begun.
func (d *delivering) hold(ctx context.Context, i int, failed failures) bool {
	if !failed[d.all[i].Order] && !d.held(ctx) {
		return false
	}
	d.became(i, Outcome{Err: ErrHeld}, failed)
	return true
}

func (d *delivering) became(i int, o Outcome, failed failures) {
	if o.Err != nil {
		failed[d.all[i].Order] = true
		d.heed(o.Err)
	}
	if errors.Is(o.Err, ErrHeld) {
		d.outcome(i, Outcome{}, true)
		return
	}
	d.outcome(i, o, false)
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

func (d *delivering) one(ctx context.Context, n *Notification) Outcome {
	ctx, cancel := d.timed(ctx)
	defer cancel()
	if o, done := d.find(ctx, n); done {
		return o
	}
	r, err := d.notifier.Deliver(ctx, *n)
	return Outcome{Receipt: r, Err: late(ctx, err)}
}

// find reports whether there is nothing left to deliver.
func (d *delivering) find(ctx context.Context, n *Notification) (Outcome, bool) {
	f, ok := d.notifier.(Finder)
	if !ok {
		return Outcome{}, false
	}
	r, found, err := f.Find(ctx, *n)
	return Outcome{Receipt: r, Err: late(ctx, err)}, found || err != nil
}

// late makes an error of a delivery that took too long one that is tried again: nobody
// knows what became of it.
func late(ctx context.Context, err error) error {
	if _, again := Retry(err); err == nil || again || ctx.Err() == nil || errors.Is(err, ErrHeld) {
		return err
	}
	return Again(err, 0)
}

func (d *delivering) timed(ctx context.Context) (context.Context, context.CancelFunc) {
	if d.timeout <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, d.timeout)
}

// batches hands all to a Batcher in their order, so many at once, but what is not to be
// begun any more.
func (d *delivering) batches(ctx context.Context, b Batcher, most int) {
	failed := failures{}
	var part []int
	for i := range d.all {
		if d.hold(ctx, i, failed) {
			continue
		}
		if part = append(part, i); len(part) == most {
			d.batch(ctx, b, part, failed)
			part = part[:0]
		}
	}
	d.batch(ctx, b, part, failed)
}

// batch hands over a part but what was delivered before.
func (d *delivering) batch(ctx context.Context, b Batcher, part []int, failed failures) {
	ctx, cancel := d.timed(ctx)
	defer cancel()
	var left []int
	var ns []Notification
	for _, i := range part {
		if d.hold(ctx, i, failed) {
			continue
		}
		if o, done := d.find(ctx, &d.all[i]); done {
			d.became(i, o, failed)
			continue
		}
		left, ns = append(left, i), append(ns, d.all[i])
	}
	if len(ns) == 0 {
		return
	}
	os := b.DeliverAll(ctx, ns)
	for k, i := range left {
		o := Outcome{Err: Again(fmt.Errorf("the notifier answered %d of %d deliveries", len(os), len(ns)), 0)}
		if len(os) == len(ns) {
			o = Outcome{Receipt: os[k].Receipt, Err: late(ctx, os[k].Err)}
		}
		d.became(i, o, failed)
	}
}
