package api

import (
	"context"
	"errors"
	"sync"

	"ferry/plugins/api/wire"
)

// marks are the questions of a source process that have no answer yet.
type marks struct {
	mu   sync.Mutex
	last uint64
	open map[uint64]chan struct{}
}

// ask makes a mark; answered is closed when ferry says that it is reached.
func (m *marks) ask() (mark uint64, answered <-chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.open == nil {
		m.open = map[uint64]chan struct{}{}
	}
	m.last++
	c := make(chan struct{})
	m.open[m.last] = c
	return m.last, c
}

// answer ends a question. That nobody asks any more is no error.
func (m *marks) answer(mark uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if c, ok := m.open[mark]; ok {
		close(c)
		delete(m.open, mark)
	}
}

func (m *marks) forget(mark uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.open, mark)
}

// errStreamEnded is for those who wait for an answer that will not come.
var errStreamEnded = errors.New("the stream has ended")

// inquiry asks ferry what of a stream is on its disk, one question at a time: who
// comes meanwhile shares the next one.
type inquiry struct {
	marks *marks
	send  func(*wire.StreamResponse) error
	ended <-chan struct{} // the stream
	want  chan struct{}   // somebody waits for next
	mu    sync.Mutex
	next  chan struct{} // closed with the answer to the question after the present one
}

func newInquiry(ended <-chan struct{}, m *marks, send func(*wire.StreamResponse) error) *inquiry {
	return &inquiry{marks: m, send: send, ended: ended, want: make(chan struct{}, 1), next: make(chan struct{})}
}

// stored implements StreamRequest.Stored.
func (q *inquiry) stored(ctx context.Context) error {
	q.mu.Lock()
	answered := q.next
	q.mu.Unlock()
	select {
	case q.want <- struct{}{}:
	default:
	}
	select {
	case <-answered:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-q.ended:
		return errStreamEnded
	}
}

// run asks until the stream ends.
func (q *inquiry) run() {
	for {
		select {
		case <-q.want:
		case <-q.ended:
			return
		}
		q.mu.Lock()
		asked := q.next
		q.next = make(chan struct{})
		q.mu.Unlock()
		mark, answered := q.marks.ask()
		if err := q.send(&wire.StreamResponse{Mark: mark}); err == nil {
			select {
			case <-answered:
				close(asked)
				continue
			case <-q.ended:
			}
		}
		q.marks.forget(mark)
		return
	}
}

// notStored is why ferry ends a stream whose source it cannot answer.
type notStored struct{ error }

// answers are given to a source by its host, as soon as they are so. Nothing runs
// until the first mark comes.
type answers struct {
	client wire.SourceClient
	stored func(context.Context) error
	// fail ends the stream with a notStored.
	fail    context.CancelCauseFunc
	latest  chan uint64 // the newest mark that was not taken up
	once    sync.Once
	running sync.WaitGroup
}

// owe notes a mark. What it answers, it answers for the marks before it.
func (a *answers) owe(ctx context.Context, mark uint64) {
	if a.stored == nil {
		return
	}
	a.once.Do(func() { a.running.Go(func() { a.run(ctx) }) })
	select {
	case <-a.latest:
	default:
	}
	a.latest <- mark // there is room: nobody else puts one in
}

func (a *answers) run(ctx context.Context) {
	for {
		var mark uint64
		select {
		case mark = <-a.latest:
		case <-ctx.Done():
			return
		}
		err := a.stored(ctx)
		if err == nil {
			_, err = a.client.Stored(ctx, &wire.StoredRequest{Mark: mark})
		}
		if err != nil {
			a.fail(notStored{err})
			return
		}
	}
}
