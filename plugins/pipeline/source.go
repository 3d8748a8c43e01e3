package pipeline

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"

	"ferry/internal/event"
)

// Source is where events come from.
type Source interface {
	// Stream calls emit with what happens after the place that a cursor names ("" for
	// now), until ctx ends. emit blocks while the pipeline has its hands full, and
	// fails when ctx ends. A source that can go on where it was gives every event the
	// cursor after it, and may tell of some events twice, with the same IDs. A return
	// is no end: the stream is opened again, after a pause.
	Stream(ctx context.Context, cursor string, emit func(event.Event) error) error
}

// Binding is a source under a name, and the stages that its events pass before they
// are written: filters and enrichment.
type Binding struct {
	Name   string
	Source Source
	Stages Chain
}

// Pauses before a stream is opened again. They begin anew after it was up for so long.
const (
	firstPause = 500 * time.Millisecond
	lastPause  = time.Minute
	healthy    = time.Minute
)

// feedFrom keeps the stream of a binding open until ctx ends.
func (l *Log) feedFrom(ctx context.Context, b Binding) error {
	for pause := firstPause; ; {
		began := time.Now()
		err := l.stream(ctx, b)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // told to stop
		}
		if time.Since(began) > healthy {
			pause = firstPause
		}
		l.log.Warn("a source ended; it is opened again", "source", b.Name, "pause", pause, "error", err)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil
		}
		pause = min(2*pause, lastPause)
	}
}

// stream opens a source where its last durable event was. A panic in it is an error.
func (l *Log) stream(ctx context.Context, b Binding) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("source %s: panic: %v", b.Name, p)
		}
	}()
	if err := l.Flush(ctx); err != nil {
		return err
	}
	return b.Source.Stream(ctx, l.cursor(b.Name), func(e event.Event) error {
		entry, err := prepare(ctx, b, e, l.now)
		if err != nil {
			return err
		}
		return l.hand(ctx, entry)
	})
}

func (l *Log) hand(ctx context.Context, e entry) error {
	if e.done != nil {
		l.owed.Add(1)
	}
	select {
	case l.in <- e:
	case <-ctx.Done():
		if e.done != nil {
			l.owed.Add(-1)
		}
		return ctx.Err()
	}
	if e.done != nil || len(l.in) >= l.pace.most {
		select {
		case l.urgent <- struct{}{}:
		default:
		}
	}
	return nil
}

// Flush returns when everything that was emitted before is durable.
func (l *Log) Flush(ctx context.Context) error {
	return l.wait(ctx, entry{})
}

// Append writes one event and returns when it is durable: for sources that answer
// somebody, such as incoming webhooks.
func (l *Log) Append(ctx context.Context, b Binding, e event.Event) error {
	entry, err := prepare(ctx, b, e, l.now)
	if err != nil || entry.event == nil && entry.cursor == "" {
		return err
	}
	return l.wait(ctx, entry)
}

func (l *Log) wait(ctx context.Context, e entry) error {
	done := make(chan error, 1)
	e.done = done
	if err := l.hand(ctx, e); err != nil {
		return err
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// maxEvent is how large an event may be; a larger one loses its object.
const maxEvent = 32 << 10

// prepare takes an event through a binding's stages and encodes it. What the stages
// take out leaves its cursor.
func prepare(ctx context.Context, b Binding, e event.Event, now func() time.Time) (entry, error) {
	out := entry{source: b.Name, cursor: e.Cursor}
	if cursorAlone(&e) {
		return out, nil
	}
	e.Source = b.Name
	if e.At.IsZero() {
		e.At = now()
	}
	p := &Parcel{Events: []event.Event{e}}
	if err := b.Stages.Exec(ctx, p); err != nil || len(p.Events) == 0 {
		return out, err
	}
	e = p.Events[0]
	e.About = event.Of(&e)
	if !json.Valid(e.Object) {
		e.Object = nil
	}
	if e.ID == "" {
		e.ID = identify(&e)
	}
	raw, err := encode(&e)
	if len(raw) > maxEvent {
		e.Object, e.Title, e.Text = nil, clip(e.Title, 300), clip(e.Text, 3000)
		if raw, err = encode(&e); len(raw) > maxEvent {
			e.Labels = nil
			raw, err = encode(&e)
		}
	}
	if err != nil {
		return out, fmt.Errorf("encode event %s: %w", e.ID, err)
	}
	out.event, out.raw, out.id = &e, raw, digestOf(b.Name+"\x00"+string(e.ID))
	return out, nil
}

// encode makes JSON of an event. Its object is JSON already, and put in as it is:
// encoding/json would read it twice more.
func encode(e *event.Event) ([]byte, error) {
	rest := *e
	rest.Object = nil
	raw, err := json.Marshal(&rest)
	if err != nil || len(e.Object) == 0 {
		return raw, err
	}
	const key = `,"object":`
	out := append(make([]byte, 0, len(raw)+len(key)+len(e.Object)), raw[:len(raw)-1]...)
	return append(append(append(out, key...), e.Object...), '}'), nil
}

// cursorAlone reports whether an event only says how far its source is.
func cursorAlone(e *event.Event) bool {
	return e.Cursor != "" && e.ID == "" && e.Title == "" && e.Text == "" && e.Name == "" && e.Reason == "" && e.About == "" && len(e.Object) == 0
}

// identify makes an ID for an event whose source gave none: what says the same at
// the same time is the same.
func identify(e *event.Event) event.ID {
	return event.ID(fmt.Sprintf("%x", digestOf(fmt.Sprint(e.Source, e.About, e.At.UnixNano(), e.Title, e.Text, e.Count, e.Resolved))))
}

// digest stands for an ID where there are many.
type digest [16]byte

func digestOf(s string) digest {
	h := sha256.Sum256([]byte(s))
	return digest(h[:16])
}

// clip cuts a text to so many bytes, at a whole character.
func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && s[most]&0xC0 == 0x80 {
		most--
	}
	return s[:most] + "…"
}
