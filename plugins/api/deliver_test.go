package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"ferry/plugins/api/wire"
)

// deliver is a notifier that does as it is told.
type deliver func(ctx context.Context, n Notification) (Receipt, error)

func (deliver) Info() Info { return Info{Name: "deliver"} }

func (d deliver) Deliver(ctx context.Context, n Notification) (Receipt, error) { return d(ctx, n) }

// finder is one that knows some deliveries.
type finder struct {
	deliver

	find func(n Notification) (Receipt, bool, error)
}

func (f finder) Find(_ context.Context, n Notification) (Receipt, bool, error) { return f.find(n) }

// notifying returns a notifier as its host sees it, and how many requests have come
// there.
func notifying(t testing.TB, n Notifier) (Remote, *atomic.Int64) {
	t.Helper()
	var calls sync.WaitGroup
	return serving(t, notifierServer{notifier: n, calls: &calls}, &calls)
}

func serving(t testing.TB, n wire.NotifierServer, calls *sync.WaitGroup) (Remote, *atomic.Int64) {
	t.Helper()
	var requests atomic.Int64
	listener := bufconn.Listen(1 << 20)
	server := grpc.NewServer(grpc.MaxRecvMsgSize(maxRequest), grpc.StreamInterceptor(func(srv any, s grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) error {
		return next(srv, counted{s, &requests})
	}))
	wire.RegisterNotifierServer(server, n)
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	conn, err := grpc.NewClient("passthrough:x", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = conn.Close()
		server.Stop()
		calls.Wait()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return Connect(conn), &requests
}

type counted struct {
	grpc.ServerStream

	requests *atomic.Int64
}

func (c counted) RecvMsg(m any) error {
	err := c.ServerStream.RecvMsg(m)
	if err == nil {
		c.requests.Add(1)
	}
	return err
}

// burst are deliveries whose order is what stands before the slash of their ID.
func burst(ids string) Deliveries {
	q := Deliveries{Binding: "b", Config: []byte("config")}
	for _, id := range strings.Fields(ids) {
		order, _, _ := strings.Cut(id, "/")
		q.Notifications = append(q.Notifications, Notification{ID: id, Order: order, Incident: order, State: Updated})
	}
	return q
}

// outcomes asks for deliveries and says in a word what became of each: its receipt,
// "held", "again", "wait", "failed", or nothing if that is not known.
func outcomes(ctx context.Context, t *testing.T, r Remote, q Deliveries) (string, error) {
	t.Helper()
	is := make([]string, len(q.Notifications))
	err := r.Deliver(ctx, q, func(i int, o Outcome) {
		after, again := Retry(o.Err)
		switch {
		case is[i] != "":
			is[i] += " twice"
		case errors.Is(o.Err, ErrHeld):
			is[i] = "held"
		case after > 0:
			is[i] = "wait"
		case again:
			is[i] = "again"
		case o.Err != nil:
			is[i] = "failed"
		default:
			is[i] = o.Receipt.Ref
		}
	})
	return strings.Join(is, " "), err
}

// asTold answers by the last letter of an ID: f fails for good, a may be tried again,
// w wants to be left alone.
func asTold(_ context.Context, n Notification) (Receipt, error) {
	switch n.ID[len(n.ID)-1] {
	case 'f':
		return Receipt{}, errors.New("no")
	case 'a':
		return Receipt{}, Again(errors.New("not now"), 0)
	case 'w':
		return Receipt{}, Again(errors.New("not now"), time.Minute)
	}
	return Receipt{Ref: "ok"}, nil
}

// TestDeliver: nothing comes after what failed before it within an order, and nothing
// at all once the other side wants to be left alone.
func TestDeliver(t *testing.T) {
	t.Parallel()
	for ids, want := range map[string]string{
		"a/1":                     "ok",
		"a/1 b/1 c/1":             "ok ok ok",
		"a/1 a/2f b/1 a/3 b/2":    "ok failed ok held ok",
		"a/1a b/1 a/2 a/3f b/2":   "again ok held held ok",
		"a/1 a/2w a/3":            "ok wait held",
		"/1 /2w /3":               "ok wait held",
		"a/1 a/2a a/3 b/1 b/2f b": "ok again held ok failed held",
	} {
		r, _ := notifying(t, deliver(asTold))
		if got, err := outcomes(t.Context(), t, r, burst(ids)); got != want || err != nil {
			t.Errorf("%s: %q, %v, want %q", ids, got, err, want)
		}
	}
}

// TestWaitHoldsAll: who wants to be left alone is, by every lane.
func TestWaitHoldsAll(t *testing.T) {
	t.Parallel()
	var tried atomic.Int64
	r, _ := notifying(t, deliver(func(ctx context.Context, n Notification) (Receipt, error) {
		tried.Add(1)
		return asTold(ctx, n)
	}))
	var ids []string
	for i := range 200 {
		ids = append(ids, fmt.Sprintf("%d/w", i))
	}
	got, err := outcomes(t.Context(), t, r, burst(strings.Join(ids, " ")))
	if n := int(tried.Load()); err != nil || n > Lanes || strings.Count(got, "wait") != n || strings.Count(got, "held") != 200-n {
		t.Errorf("it tried %d, %v: %s", tried.Load(), err, got)
	}
}

// TestLanes: several orders are under way at once, as many as there are lanes, and
// each of them in its order, once.
func TestLanes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		last, now, most := map[string]string{}, map[string]bool{}, 0
		r, _ := notifying(t, deliver(func(_ context.Context, n Notification) (Receipt, error) {
			mu.Lock()
			if now[n.Order] || n.ID <= last[n.Order] {
				t.Errorf("%s after %s, under way: %v", n.ID, last[n.Order], now)
			}
			last[n.Order], now[n.Order] = n.ID, true
			most = max(most, len(now))
			mu.Unlock()
			time.Sleep(time.Second)
			mu.Lock()
			delete(now, n.Order)
			mu.Unlock()
			return Receipt{Ref: "ok"}, nil
		}))
		var ids []string
		for i := range 300 {
			ids = append(ids, fmt.Sprintf("%d/%03d", i%30, i))
		}
		got, err := outcomes(t.Context(), t, r, burst(strings.Join(ids, " ")))
		if err != nil || strings.Count(got, "ok") != 300 || most != Lanes {
			t.Errorf("%d at once, %v: %s", most, err, got)
		}
	})
}

// TestStop: when ferry stops nothing more is begun, and what becomes of what is under
// way is known.
func TestStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var begun atomic.Int64
		finish, said := make(chan struct{}), make(chan string, 1)
		r, _ := notifying(t, deliver(func(ctx context.Context, _ Notification) (Receipt, error) {
			begun.Add(1)
			<-finish
			return Receipt{Ref: "ok"}, ctx.Err()
		}))
		ctx, stop := context.WithCancel(t.Context())
		go func() {
			got, err := outcomes(ctx, t, r, burst("a/1 a/2 a/3"))
			said <- fmt.Sprint(got, " ", err)
		}()
		synctest.Wait()
		stop()
		synctest.Wait() // it has heard that
		close(finish)
		if got := <-said; got != "ok held held <nil>" || begun.Load() != 1 {
			t.Errorf("%s; %d were begun", got, begun.Load())
		}
	})
}

// TestStopWhileItHangs: who stops does not wait for ever for one that takes long.
func TestStopWhileItHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := notifying(t, deliver(func(ctx context.Context, _ Notification) (Receipt, error) {
			<-ctx.Done()
			return Receipt{}, ctx.Err()
		}))
		ctx, stop := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, stop)
		began := time.Now()
		q := burst("a/1 a/2")
		q.Timeout = time.Minute
		got, err := outcomes(ctx, t, r, q)
		if took := time.Since(began); got != " " || !errors.Is(err, context.Canceled) || took != time.Second+parting {
			t.Errorf("%q, %v after %v", got, err, took)
		}
	})
}

// TestHangs: a delivery that takes too long is tried again, and one that does not heed
// that it takes too long keeps none of the others from being known.
func TestHangs(t *testing.T) {
	t.Parallel()
	r, _ := notifying(t, deliver(func(ctx context.Context, n Notification) (Receipt, error) {
		if strings.HasPrefix(n.ID, "slow") {
			<-ctx.Done()
			return Receipt{}, fmt.Errorf("post: %w", ctx.Err())
		}
		return Receipt{Ref: "ok"}, nil
	}))
	q := burst("slow/1 b/1 slow/2 c/1 b/2")
	q.Timeout = 20 * time.Millisecond
	if got, err := outcomes(t.Context(), t, r, q); got != "again ok held ok ok" || err != nil {
		t.Errorf("%s, %v", got, err)
	}
}

// TestDeaf is TestHangs for a notifier that does not heed its context.
func TestDeaf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := make(chan struct{})
		r, _ := notifying(t, deliver(func(_ context.Context, n Notification) (Receipt, error) {
			if n.Order == "deaf" {
				<-hang
			}
			return Receipt{Ref: "ok"}, nil
		}))
		q := burst("deaf/1 deaf/2 b/1 b/2")
		q.Timeout = time.Second
		// b may be behind deaf in its lane, and is then not known either.
		for try := 0; ; try++ {
			began := time.Now()
			got, err := outcomes(t.Context(), t, r, q)
			if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) < q.Timeout+lateness || time.Since(began) > 2*(q.Timeout+lateness) {
				t.Errorf("%v after %v", err, time.Since(began))
			}
			if got == "  ok ok" {
				break
			}
			if got != "   " || try > 50 {
				t.Errorf("%q", got)
				break
			}
		}
		close(hang)
	})
}

// TestLarge: what is more than a request may have comes with several, and is delivered
// in its order.
func TestLarge(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var got []string
	r, requests := notifying(t, deliver(func(_ context.Context, n Notification) (Receipt, error) {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, fmt.Sprint(n.ID, len(n.Event)+len(n.Text), n.Binding, string(n.Config)))
		return Receipt{Ref: "ok"}, nil
	}))
	q := burst("a/1 a/2 a/3 a/4 a/5 a/6")
	event := append(append([]byte{'"'}, bytes.Repeat([]byte("e"), 3<<20)...), '"')
	for i := range q.Notifications {
		q.Notifications[i].Event = event
	}
	q.Notifications[2].Event, q.Notifications[2].Text = nil, strings.Repeat("x", 6<<20)
	if said, err := outcomes(t.Context(), t, r, q); said != "ok ok ok ok ok ok" || err != nil {
		t.Errorf("%s, %v", said, err)
	}
	want := "[a/13145730bconfig a/23145730bconfig a/36291456bconfig a/43145730bconfig a/53145730bconfig a/63145730bconfig]"
	if fmt.Sprint(got) != want || requests.Load() != 6 {
		t.Errorf("%d requests: %v", requests.Load(), got)
	}
}

// TestFind: what is there is not delivered.
func TestFind(t *testing.T) {
	t.Parallel()
	find := func(n Notification) (Receipt, bool, error) {
		switch n.Order {
		case "known":
			return Receipt{Ref: "found"}, true, nil
		case "unsure":
			return Receipt{}, false, Again(errors.New("cannot look"), 0)
		}
		return Receipt{}, false, nil
	}
	q := burst("a/1 known/1 unsure/1 unsure/2 b/1f")
	want := "ok found again held failed"
	r, _ := notifying(t, finder{asTold, find})
	if got, err := outcomes(t.Context(), t, r, q); got != want || err != nil {
		t.Errorf("%s, %v, want %s", got, err, want)
	}
	r, _ = notifying(t, struct {
		batcher
		Finder
	}{batcher{all: oneByOne}, finder{find: find}})
	if got, err := outcomes(t.Context(), t, r, q); got != want || err != nil {
		t.Errorf("in batches: %s, %v, want %s", got, err, want)
	}
}

// liar is a notifier that speaks the wire itself.
type liar struct {
	wire.UnimplementedNotifierServer

	says []*wire.DeliverResponse
}

func (l liar) Deliver(stream grpc.BidiStreamingServer[wire.DeliverRequest, wire.DeliverResponse]) error {
	if _, err := stream.Recv(); err != nil {
		return err
	}
	for _, m := range l.says {
		if err := stream.Send(m); err != nil {
			return err
		}
	}
	return nil
}

// TestLies: what a plugin says of deliveries that nobody asked for, or says twice, is
// not believed, and silence is an error.
func TestLies(t *testing.T) {
	t.Parallel()
	of := func(i uint32) *wire.DeliverResponse {
		return &wire.DeliverResponse{Outcomes: []*wire.DeliverResponse_Outcome{{Index: i, Receipt: &wire.Receipt{Ref: "ok"}}}}
	}
	for name, c := range map[string]struct {
		says       []*wire.DeliverResponse
		want, told string
	}{
		"nobody asked": {[]*wire.DeliverResponse{of(2)}, "delivery 2, which is not awaited", " "},
		"twice":        {[]*wire.DeliverResponse{of(1), of(1)}, "delivery 1, which is not awaited", " ok"},
		"silent":       {[]*wire.DeliverResponse{of(0)}, errNoOutcome.Error(), "ok "},
	} {
		var calls sync.WaitGroup
		r, _ := serving(t, liar{says: c.says}, &calls)
		got, err := outcomes(t.Context(), t, r, burst("a/1 b/1"))
		if got != c.told || err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// BenchmarkDeliver shows what a delivery costs the two sides, alone and with others.
func BenchmarkDeliver(b *testing.B) {
	event := []byte(`{"id":"1","title":"Back-off restarting failed container","object":{"reason":"BackOff","type":"Warning","note":"` + strings.Repeat("x", 600) + `"}}`)
	for _, many := range []int{1, 64} {
		b.Run(fmt.Sprint(many), func(b *testing.B) {
			r, _ := notifying(b, deliver(asTold))
			q := Deliveries{Binding: "b", Config: []byte("config"), Timeout: time.Minute}
			for i := range many {
				q.Notifications = append(q.Notifications, Notification{
					ID: fmt.Sprint("i", i, "/1"), Incident: fmt.Sprint("i", i), Order: fmt.Sprint("i", i), State: Opened, At: time.Now(), Severity: SeverityWarning,
					Title: "BackOff pod web", Text: "back-off restarting", Labels: map[string]string{"cluster": "prod", "namespace": "web", "app": "web"}, Event: event,
				})
			}
			b.ReportAllocs()
			for left := b.N; left > 0; left -= many { // b.N counts deliveries
				err := r.Deliver(b.Context(), q, func(_ int, o Outcome) {
					if o.Err != nil {
						b.Error(o.Err)
					}
				})
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
