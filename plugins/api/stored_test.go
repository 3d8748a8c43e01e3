package api

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"ferry/plugins/api/wire"
)

// stream is a source that does as it is told.
type stream func(ctx context.Context, r StreamRequest, emit func(Event) error) error

func (stream) Info() Info { return Info{Name: "stream"} }

func (s stream) Stream(ctx context.Context, r StreamRequest, emit func(Event) error) error {
	return s(ctx, r, emit)
}

// between serves a source on a connection.
func between(t *testing.T, s Source) *grpc.ClientConn {
	t.Helper()
	listener, server := bufconn.Listen(1<<20), grpc.NewServer()
	var calls sync.WaitGroup
	wire.RegisterSourceServer(server, sourceServer{source: s, calls: &calls, marks: &marks{}})
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	conn, err := grpc.NewClient("passthrough:x", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = conn.Close()
		server.Stop()
		calls.Wait()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return conn
}

// disk is a ferry that takes events, and has them on its disk when it is asked.
type disk struct {
	mu            sync.Mutex
	taken, stored []string
	asked         atomic.Int64
	fails         error
}

func (d *disk) take(e Event) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.taken = append(d.taken, e.ID)
	return nil
}

func (d *disk) flush(context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked.Add(1)
	if d.fails == nil {
		d.stored = slices.Clone(d.taken)
	}
	return d.fails
}

func (d *disk) has(id string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Contains(d.stored, id)
}

// TestStored: each of many who wait is told when its event is on the disk and not
// before, and they share what is asked.
func TestStored(t *testing.T) {
	const many = 300
	d := &disk{}
	s := stream(func(ctx context.Context, r StreamRequest, emit func(Event) error) error {
		var all sync.WaitGroup
		for i := range many {
			all.Go(func() {
				id := fmt.Sprint(i)
				if err := emit(Event{ID: id}); err != nil {
					t.Error(err)
				}
				if err := r.Stored(ctx); err != nil || !d.has(id) {
					t.Errorf("event %s: told %v, stored %v", id, err, d.has(id))
				}
			})
		}
		all.Wait()
		return errors.New("all were told")
	})
	err := Connect(between(t, s)).Stream(t.Context(), StreamRequest{Stored: d.flush}, d.take)
	if err == nil || err.Error() != "all were told" {
		t.Error(err)
	}
	if n := d.asked.Load(); n < 1 || n > many {
		t.Errorf("%d questions for %d who wait", n, many)
	} else {
		t.Logf("%d questions for %d who wait", n, many)
	}
	if len(d.taken) != many {
		t.Errorf("%d events", len(d.taken))
	}
}

// TestNobodyAsks: a source that does not want to know costs no question.
func TestNobodyAsks(t *testing.T) {
	d := &disk{}
	s := stream(func(_ context.Context, _ StreamRequest, emit func(Event) error) error {
		return errors.Join(emit(Event{ID: "1"}), emit(Event{ID: "2"}))
	})
	if err := Connect(between(t, s)).Stream(t.Context(), StreamRequest{Stored: d.flush}, d.take); err != nil {
		t.Error(err)
	}
	if len(d.taken) != 2 || d.asked.Load() != 0 {
		t.Errorf("%v were taken, %d questions", d.taken, d.asked.Load())
	}
}

// TestNotStored: a ferry that cannot write ends the stream, and says why on its
// side; whoever waits for an answer gets an error.
func TestNotStored(t *testing.T) {
	full := errors.New("the disk is full")
	d := &disk{fails: full}
	told := make(chan error, 1)
	s := stream(func(ctx context.Context, r StreamRequest, emit func(Event) error) error {
		err := emit(Event{ID: "1"})
		told <- errors.Join(err, r.Stored(ctx))
		return nil
	})
	if err := Connect(between(t, s)).Stream(t.Context(), StreamRequest{Stored: d.flush}, d.take); !errors.Is(err, full) {
		t.Errorf("the stream ends with %v", err)
	}
	if err := <-told; err == nil {
		t.Error("what is not stored is said to be")
	}
}

// TestStoredEnds: who waits no longer than some time, or longer than the stream, is
// told so.
func TestStoredEnds(t *testing.T) {
	later := make(chan error, 1)
	s := stream(func(ctx context.Context, r StreamRequest, _ func(Event) error) error {
		short, cancel := context.WithCancel(ctx)
		cancel()
		if err := r.Stored(short); !errors.Is(err, context.Canceled) {
			t.Errorf("after its own time: %v", err)
		}
		go func() { later <- r.Stored(context.WithoutCancel(ctx)) }()
		return nil
	})
	never := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	if err := Connect(between(t, s)).Stream(t.Context(), StreamRequest{Stored: never}, func(Event) error { return nil }); err != nil {
		t.Error(err)
	}
	if err := <-later; !errors.Is(err, errStreamEnded) {
		t.Errorf("after the stream: %v", err)
	}
}

// TestOlderFerry does not tell, which the source sees, and gets no message that is
// no event.
func TestOlderFerry(t *testing.T) {
	tells := make(chan bool, 1)
	s := stream(func(_ context.Context, r StreamRequest, emit func(Event) error) error {
		tells <- r.Stored != nil
		return emit(Event{ID: "1"})
	})
	m, err := wire.NewSourceClient(between(t, s)).Stream(t.Context(), &wire.StreamRequest{Binding: "b"})
	if err != nil {
		t.Fatal(err)
	}
	for {
		e, err := m.Recv()
		if err != nil {
			break
		}
		if e.GetEvent().GetId() != "1" {
			t.Errorf("it gets %v", e)
		}
	}
	if <-tells {
		t.Error("the source believes that it will be told")
	}
}

// TestMarksOfOthers: a plugin of another make may put marks on events and send them
// faster than they are answered; the last of a stream is answered.
func TestMarksOfOthers(t *testing.T) {
	other := &hasty{answered: make(chan uint64, 100)}
	listener, server := bufconn.Listen(1<<20), grpc.NewServer()
	wire.RegisterSourceServer(server, other)
	go func() { _ = server.Serve(listener) }()
	defer server.Stop()
	conn, err := grpc.NewClient("passthrough:x", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	d := &disk{}
	if err := Connect(conn).Stream(t.Context(), StreamRequest{Stored: d.flush}, d.take); err != nil {
		t.Error(err)
	}
	if len(d.taken) != 50 {
		t.Errorf("%d events of 50", len(d.taken))
	}
}

type hasty struct {
	wire.UnimplementedSourceServer
	answered chan uint64
}

func (*hasty) event(i uint64) *wire.Event { return &wire.Event{Id: fmt.Sprint(i)} }

func (h *hasty) Stream(_ *wire.StreamRequest, s grpc.ServerStreamingServer[wire.StreamResponse]) error {
	for i := range uint64(50) {
		if err := s.Send(&wire.StreamResponse{Event: h.event(i), Mark: i + 1}); err != nil {
			return err
		}
	}
	for {
		select {
		case last := <-h.answered:
			if last == 50 {
				return nil
			}
		case <-s.Context().Done():
			return s.Context().Err()
		}
	}
}

func (h *hasty) Stored(_ context.Context, r *wire.StoredRequest) (*wire.StoredResponse, error) {
	h.answered <- r.GetMark()
	return &wire.StoredResponse{}, nil
}
