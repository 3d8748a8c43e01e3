package pipeline

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"ferry/internal/event"
	"ferry/plugins/rows"
)

// Rows of the log.
const (
	logRow    = "event/log/"    // + number → the events of a batch, a JSON array
	idsRow    = "event/ids/"    // + number → when the batch was written, its size, digests of its events' IDs
	cursorRow = "event/cursor/" // + source → where it goes on
	atRow     = "event/at/"     // + reader → the next event that it reads
)

// Position is the place of an event in the log; the zero value is before the first.
type Position struct {
	Batch uint64 `json:"batch"`
	Index int    `json:"index"`
}

// batch is what was written at once.
type batch struct {
	number uint64
	events []event.Event
	raw    [][]byte
}

// Pace of the log. The zero value is right for a disk.
type logPace struct {
	linger   time.Duration // how long a batch waits for more events
	gap      time.Duration // between two batches, so that a stream makes few
	most     int           // events of a batch
	mostSize int           // bytes of a batch
	keepSize int           // bytes that are kept although everybody read them
	hardSize int           // bytes that are kept although somebody has not
	recent   int           // batches that are in memory, too
}

// Log is the durable order of all events. What is written is numbered, kept until
// every reader is past it, and as long as there is room. An event whose ID is in it
// is not written again.
type Log struct {
	store rows.Store
	pace  logPace
	log   *slog.Logger
	now   func() time.Time
	in    chan entry
	// urgent has a token if what is in in should not wait. owed says whether it still is
	// for that: how many entries are there that somebody waits for.
	urgent chan struct{}
	owed   atomic.Int64

	seen    map[digest]struct{} // Run's alone once it runs
	kept    []keptBatch         // the oldest first; Run's alone
	size    int
	wrote   time.Time
	failed  error // of the first batch that was not written: after it nothing is said to be durable
	mu      sync.Mutex
	cursors map[string]string
	head    uint64 // the last batch
	recent  []batch
	grown   chan struct{} // closed when there is a new batch
	readers map[string]Position
	aboard  map[string]Position // what goes with the next batch (ride.go)
	// carrying is held while positions are written, so that none overtakes a later one.
	carrying sync.Mutex
}

// keptBatch is a batch in the store.
type keptBatch struct {
	number uint64
	size   int
	ids    []digest
}

// entry is what a source hands over: an event or, without one, a cursor alone.
type entry struct {
	source, cursor string
	event          *event.Event
	raw            []byte
	id             digest
	done           chan<- error // told when it is durable
}

func newLog(store rows.Store, pace logPace, now func() time.Time, log *slog.Logger) *Log {
	return &Log{
		store: store, pace: pace, log: log, now: now, in: make(chan entry, 1024), urgent: make(chan struct{}, 1),
		seen: map[digest]struct{}{}, cursors: map[string]string{}, grown: make(chan struct{}), readers: map[string]Position{}, aboard: map[string]Position{},
	}
}

func number(n uint64) string { return fmt.Sprintf("%016x", n) }

// load reads what is there: cursors, and which events are in the log.
func (l *Log) load(ctx context.Context) error {
	err := rows.Each(ctx, l.store, cursorRow, func(r rows.Row) error {
		l.cursors[strings.TrimPrefix(r.Key, cursorRow)] = string(r.Value)
		return nil
	})
	if err != nil {
		return err
	}
	return rows.Each(ctx, l.store, idsRow, func(r rows.Row) error {
		k, err := decodeIDs(r)
		if err != nil {
			return err
		}
		for _, id := range k.ids {
			l.seen[id] = struct{}{}
		}
		l.kept, l.size, l.head = append(l.kept, k), l.size+k.size, k.number
		return nil
	})
}

func (k *keptBatch) encode() []byte {
	out := binary.BigEndian.AppendUint64(make([]byte, 0, 8+len(k.ids)*len(digest{})), uint64(k.size))
	for _, id := range k.ids {
		out = append(out, id[:]...)
	}
	return out
}

func decodeIDs(r rows.Row) (k keptBatch, err error) {
	if _, err := fmt.Sscanf(r.Key[len(idsRow):], "%x", &k.number); err != nil || len(r.Value)%len(digest{}) != 8 {
		return k, fmt.Errorf("row %s makes no sense", r.Key)
	}
	k.size = int(binary.BigEndian.Uint64(r.Value))
	for rest := r.Value[8:]; len(rest) > 0; rest = rest[len(digest{}):] {
		k.ids = append(k.ids, digest(rest))
	}
	return k, nil
}

// cursor returns where a source goes on.
func (l *Log) cursor(source string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cursors[source]
}

// run writes what is handed over until ctx ends, and then what was handed over by
// then.
func (l *Log) run(ctx context.Context) error {
	for {
		select {
		case first := <-l.in:
			l.write(ctx, l.collect(ctx, first))
		case <-ctx.Done():
			return nil
		}
	}
}

// collect waits a moment, and then takes what came meanwhile: nobody is woken for a
// single event of many. Somebody who waits for his event ends that, and so does a
// batch that is full.
func (l *Log) collect(ctx context.Context, first entry) []entry {
	if first = l.depart(ctx, first); first.done == nil && !first.waits() {
		timer := time.NewTimer(max(l.pace.linger, l.pace.gap-time.Since(l.wrote)))
		defer timer.Stop()
		for waits := true; waits; {
			select {
			case <-timer.C:
				waits = false
			case <-l.urgent:
				waits = l.owed.Load() == 0 && len(l.in) < l.pace.most
			case <-ctx.Done():
				waits = false
			}
		}
	}
	batch, size := []entry{first}, len(first.raw)
	for len(batch) < l.pace.most && size < l.pace.mostSize {
		select {
		case e := <-l.in:
			batch, size = append(batch, e), size+len(e.raw)
			continue
		default:
		}
		break
	}
	for _, e := range batch {
		if e.done != nil {
			l.owed.Add(-1)
		}
	}
	return batch
}

// write makes a batch durable, however long that takes, unless ctx ends before.
func (l *Log) write(ctx context.Context, entries []entry) {
	l.wrote = time.Now()
	next := batch{number: l.head + 1}
	k := keptBatch{number: next.number}
	cursors := map[string]string{}
	for _, e := range entries {
		if e.cursor != "" {
			cursors[e.source] = e.cursor
		}
		if e.event == nil {
			continue
		}
		if _, twice := l.seen[e.id]; twice {
			continue
		}
		l.seen[e.id] = struct{}{}
		k.ids, next.events, next.raw = append(k.ids, e.id), append(next.events, *e.event), append(next.raw, e.raw)
	}
	err := l.commit(ctx, &next, &k, cursors)
	if err == nil {
		l.publish(next, k, cursors)
	}
	if l.failed == nil {
		l.failed = err
	}
	for _, e := range entries {
		if e.done != nil {
			e.done <- l.failed
		}
	}
}

func (l *Log) commit(ctx context.Context, next *batch, k *keptBatch, cursors map[string]string) error {
	var t rows.Txn
	for source, c := range cursors {
		t.Put = append(t.Put, rows.Row{Key: cursorRow + source, Value: []byte(c)})
	}
	if len(next.events) > 0 {
		value := array(next.raw)
		k.size = len(value)
		t.Put = append(t.Put, rows.Row{Key: logRow + number(next.number), Value: value}, rows.Row{Key: idsRow + number(next.number), Value: k.encode()})
	}
	l.carrying.Lock()
	defer l.carrying.Unlock()
	aboard := l.board()
	for name, at := range aboard {
		t.Put = append(t.Put, at.row(name))
	}
	if len(t.Put) == 0 {
		return nil
	}
	gone := l.surplus((rows.MaxOps - t.Ops()) / 2)
	for _, old := range l.kept[:gone] {
		t.Delete = append(t.Delete, logRow+number(old.number), idsRow+number(old.number))
	}
	if err := persist(ctx, l.store, t, l.log); err != nil {
		return err
	}
	for name, at := range aboard {
		l.passed(name, at)
	}
	for _, old := range l.kept[:gone] {
		l.size -= old.size
		for _, id := range old.ids {
			delete(l.seen, id)
		}
	}
	l.kept = l.kept[gone:]
	return nil
}

// array makes a JSON array.
func array(raw [][]byte) []byte {
	size := 0
	for _, one := range raw {
		size += len(one) + 2
	}
	out := append(make([]byte, 0, size+2), '[')
	for i, one := range raw {
		if i > 0 {
			out = append(out, ',', '\n')
		}
		out = append(out, one...)
	}
	return append(out, ']')
}

// surplus is how many of the oldest batches can go; the newest always stays, for
// its number.
func (l *Log) surplus(most int) (n int) {
	least := l.slowest()
	size := l.size
	for n < min(most, len(l.kept)-1) && size > l.pace.keepSize {
		if l.kept[n].number >= least.Batch && size <= l.pace.hardSize {
			break
		}
		size -= l.kept[n].size
		n++
	}
	return n
}

func (l *Log) slowest() Position {
	l.mu.Lock()
	defer l.mu.Unlock()
	least := Position{Batch: l.head + 1}
	for _, p := range l.readers {
		if p.Batch < least.Batch {
			least = p
		}
	}
	return least
}

func (l *Log) publish(next batch, k keptBatch, cursors map[string]string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for source, c := range cursors {
		l.cursors[source] = c
	}
	if len(next.events) == 0 {
		return
	}
	l.kept, l.size, l.head = append(l.kept, k), l.size+k.size, next.number
	if l.recent = append(l.recent, next); len(l.recent) > l.pace.recent {
		l.recent = append(l.recent[:0:0], l.recent[1:]...)
	}
	close(l.grown)
	l.grown = make(chan struct{})
}

// reader returns where a reader goes on. One that is new begins with what comes.
func (l *Log) reader(ctx context.Context, name string) (at Position, err error) {
	r, ok, err := l.store.Get(ctx, atRow+name)
	if err != nil {
		return at, err
	}
	l.mu.Lock()
	at = Position{Batch: l.head + 1}
	l.mu.Unlock()
	if ok {
		if err := json.Unmarshal(r.Value, &at); err != nil {
			return at, fmt.Errorf("decode row %s: %w", r.Key, err)
		}
	} else if err := l.store.Commit(ctx, rows.Txn{Put: []rows.Row{at.row(name)}}); err != nil {
		return at, err
	}
	l.passed(name, at)
	return at, nil
}

// row is how a reader's position is stored.
func (p Position) row(reader string) rows.Row {
	return rows.Row{Key: atRow + reader, Value: fmt.Appendf(nil, `{"batch":%d,"index":%d}`, p.Batch, p.Index)}
}

// passed says that a reader needs nothing before at any more; it is durable.
func (l *Log) passed(name string, at Position) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.readers[name] = at
}

// next returns the batch at a position, or what comes instead of it if it is there
// no more, which costs events and is said. ok is false while there is none: grown is
// closed when there may be.
func (l *Log) next(ctx context.Context, at Position) (b batch, ok bool, grown <-chan struct{}, err error) {
	l.mu.Lock()
	head, grown := l.head, l.grown
	for i := range l.recent {
		if l.recent[i].number == at.Batch {
			b = l.recent[i]
		}
	}
	l.mu.Unlock()
	switch {
	case b.number != 0:
		return b, true, grown, nil
	case at.Batch > head:
		return b, false, grown, nil
	}
	r, there, err := l.store.Get(ctx, logRow+number(at.Batch))
	if err == nil && !there {
		var rest []rows.Row
		rest, err = l.store.Scan(ctx, logRow, logRow+number(at.Batch), 1)
		if err == nil && len(rest) == 0 {
			err = errors.New("the log ends before its head")
		}
		if err == nil {
			r = rest[0]
			l.log.Error("events are gone that were not delivered: somebody did not take them for too long", "from", number(at.Batch), "to", r.Key[len(logRow):])
		}
	}
	if err != nil {
		return b, false, grown, fmt.Errorf("read events: %w", err)
	}
	b, err = decodeBatch(r)
	return b, err == nil, grown, err
}

func decodeBatch(r rows.Row) (b batch, err error) {
	var raw []json.RawMessage
	if _, err = fmt.Sscanf(r.Key[len(logRow):], "%x", &b.number); err == nil {
		err = json.Unmarshal(r.Value, &raw)
	}
	for _, one := range raw {
		var e event.Event
		if err == nil {
			err = json.Unmarshal(one, &e)
		}
		b.events, b.raw = append(b.events, e), append(b.raw, one)
	}
	if err != nil {
		return b, fmt.Errorf("decode row %s: %w", r.Key, err)
	}
	return b, nil
}

// persist writes a transaction, again and again if the store fails: what is in
// memory is true of the store at any time. When ctx ends it gives up, but not before
// it tried once: what arrived is to be known.
func persist(ctx context.Context, s rows.Store, t rows.Txn, log *slog.Logger) error {
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
		err := s.Commit(context.WithoutCancel(ctx), t)
		if err == nil || errors.Is(err, rows.ErrConflict) || ctx.Err() != nil {
			return err
		}
		log.Warn("events could not be stored; they wait", "error", err, "pause", pause)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return err
		}
	}
}
