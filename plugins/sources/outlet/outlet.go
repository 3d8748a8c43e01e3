// Package outlet is what lies between the feeds of a source and ferry: it lets them
// work one at a time, sends what they have to tell in that order, and gives the last
// event of what was waiting a cursor that says all that the source has told until
// then. So a cursor may be large and still cost little in a storm, and a source
// that is stopped anywhere goes on with what it has not told.
package outlet

import (
	"bytes"
	"compress/flate"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"ferry/plugins/api"
)

// most is how many events wait before those who tell have to.
const most = 1000

// Outlet sends events. State is encoded as their cursor.
type Outlet struct {
	emit  func(api.Event) error
	state func() any

	mu      sync.Mutex
	waiting []api.Event
	marked  bool          // the cursor is to be sent, whether anything waits or not
	ready   chan struct{} // something waits
	room    chan struct{} // closed and made anew when nothing waits any more
}

// New returns an outlet. state is called while nobody else works; what it returns
// becomes a cursor.
func New(emit func(api.Event) error, state func() any) *Outlet {
	return &Outlet{emit: emit, state: state, ready: make(chan struct{}, 1), room: make(chan struct{})}
}

// Do lets one feed work at a time; what it tells is sent by Run, in this order. It
// waits while ferry is behind.
func (o *Outlet) Do(ctx context.Context, work func(tell func(api.Event))) error {
	o.mu.Lock()
	for len(o.waiting) >= most {
		room := o.room
		o.mu.Unlock()
		select {
		case <-room:
		case <-ctx.Done():
			return ctx.Err()
		}
		o.mu.Lock()
	}
	defer o.mu.Unlock()
	work(func(e api.Event) { o.waiting = append(o.waiting, e) })
	if len(o.waiting) > 0 {
		select {
		case o.ready <- struct{}{}:
		default:
		}
	}
	return nil
}

// Mark has the cursor sent although there may be nothing to tell: who is stopped
// before anything happened goes on from here, and not from where it starts again.
func (o *Outlet) Mark() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.marked = true
	select {
	case o.ready <- struct{}{}:
	default:
	}
}

// together is how long what there is to tell waits for what comes with it: to send
// things together, with one cursor, costs less.
const together = 5 * time.Millisecond

// Run sends until ctx ends or nobody takes events any more.
func (o *Outlet) Run(ctx context.Context) error {
	for {
		select {
		case <-o.ready:
		case <-ctx.Done():
			return nil
		}
		select {
		case <-time.After(together):
		case <-ctx.Done():
			return nil
		}
		events, cursor, err := o.take()
		if err != nil {
			return err
		}
		for i, e := range events {
			if i == len(events)-1 {
				e.Cursor = cursor
			}
			if err := Emit(o.emit, e); err != nil {
				return err
			}
		}
		// A large cursor is not made for each event: 1 ms for each KiB of it.
		select {
		case <-time.After(time.Duration(len(cursor)>>10) * time.Millisecond):
		case <-ctx.Done():
			return nil
		}
	}
}

func (o *Outlet) take() ([]api.Event, string, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	events := o.waiting
	if len(events) == 0 && o.marked {
		events = []api.Event{{}} // with the cursor alone
	}
	o.waiting, o.marked = nil, false
	close(o.room)
	o.room = make(chan struct{})
	cursor, err := Encode(o.state())
	return events, cursor, err
}

// Emit emits an event, without its object if it is too large with it.
func Emit(emit func(api.Event) error, e api.Event) error {
	err := emit(e)
	if errors.Is(err, api.ErrTooLarge) && e.Object != nil {
		e.Object = nil
		err = emit(e)
	}
	return err
}

// longest is how much a cursor may hold.
const longest = 8 << 20

// Encode makes a cursor.
func Encode(state any) (string, error) {
	text, err := json.Marshal(state)
	if err != nil {
		return "", err
	}
	if len(text) < 512 {
		return string(text), nil
	}
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestSpeed)
	if err != nil {
		return "", err
	}
	if _, err := w.Write(text); err != nil {
		return "", err
	}
	if err := w.Close(); err != nil {
		return "", err
	}
	return "z" + base64.RawStdEncoding.EncodeToString(b.Bytes()), nil
}

// Decode reads a cursor; an empty one leaves state as it is.
func Decode(cursor string, state any) error {
	if cursor == "" {
		return nil
	}
	text := []byte(cursor)
	if packed, ok := strings.CutPrefix(cursor, "z"); ok {
		raw, err := base64.RawStdEncoding.DecodeString(packed)
		if err != nil {
			return fmt.Errorf("read the cursor: %w", err)
		}
		if text, err = io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(raw)), longest)); err != nil {
			return fmt.Errorf("read the cursor: %w", err)
		}
	}
	if err := json.Unmarshal(text, state); err != nil {
		return fmt.Errorf("read the cursor: %w", err)
	}
	return nil
}
