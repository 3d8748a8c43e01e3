// Package silence keeps what people do not want to hear of for a while: matchers,
// until when, whose wish it was, and why. Silences are durable; whether an event is
// muted is answered from memory.
package silence

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"ferry/internal/event"
	"ferry/internal/fault"
	"ferry/internal/job"
	"ferry/plugins/match"
	"ferry/plugins/rows"
)

// row is the key of a silence: + its ID. placedRow counts them: an ID does not come
// back, so that to end one twice ends nobody else's.
const (
	row       = "event/silence/"
	placedRow = "event/silences"
)

// Limits of what people may wish.
const (
	MaxSpan = 90 * 24 * time.Hour
	most    = 200 // silences in force
)

// Silence mutes what its matchers match, until it ends.
type Silence struct {
	ID       string    `json:"id"`
	Matchers string    `json:"matchers"`
	By       string    `json:"by"`             // whose wish it was: a chat's identifier
	Name     string    `json:"name,omitempty"` // what they are called
	Reason   string    `json:"reason"`
	Key      string    `json:"key"` // of the command; the same command makes one silence
	At       time.Time `json:"at"`
	Until    time.Time `json:"until"`
}

// Over reports whether it ended.
func (s *Silence) Over(now time.Time) bool { return !now.Before(s.Until) }

type kept struct {
	Silence
	matchers match.Matchers
}

// Silences are those in a store. They implement the pipeline's Muter.
type Silences struct {
	store rows.Store
	now   func() time.Time

	write  sync.Mutex // from the decision to the row
	placed uint64     // so many ever
	mu     sync.RWMutex
	all    []kept // in the order in which they were placed
}

// Load reads what is in force; what is over is forgotten.
func Load(ctx context.Context, store rows.Store, now func() time.Time) (*Silences, error) {
	s := &Silences{store: store, now: now}
	r, ok, err := store.Get(ctx, placedRow)
	if err == nil && ok {
		s.placed, err = strconv.ParseUint(string(r.Value), 10, 64)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", placedRow, err)
	}
	err = rows.Each(ctx, store, row, func(r rows.Row) error {
		var one Silence
		if err := json.Unmarshal(r.Value, &one); err != nil {
			return fmt.Errorf("decode %s: %w", r.Key, err)
		}
		if one.Over(now()) {
			return store.Commit(ctx, rows.Txn{Delete: []string{r.Key}})
		}
		ms, err := match.Parse(one.Matchers)
		if err != nil {
			return fmt.Errorf("decode %s: %w", r.Key, err)
		}
		s.all = append(s.all, kept{one, ms})
		return nil
	})
	slices.SortFunc(s.all, func(a, b kept) int { return a.At.Compare(b.At) })
	return s, err
}

// Place stores a silence and gives it an ID; placed again by the same command it
// stays as it is. It is Invalid if its matchers cannot be read or choose nothing, or if
// its time is too long, and Refused if there are too many. What is told of it,
// as it was placed, is written with it.
func (s *Silences) Place(ctx context.Context, one Silence, told ...func(Silence) job.Entry) (Silence, error) {
	ms, err := match.Parse(one.Matchers)
	switch {
	case err != nil:
		return one, fault.New(fault.Invalid, err.Error(), `for example: silence cluster=prod,namespace=~"kube-.*" for 2h because …`)
	case ms.Empty():
		return one, fault.New(fault.Invalid, "those matchers choose everything", "name at least one label that must have a value, such as cluster=prod")
	case one.Until.Sub(one.At) <= 0 || one.Until.Sub(one.At) > MaxSpan:
		return one, fault.Newf(fault.Invalid, "a silence lasts at most %d days", int(MaxSpan/(24*time.Hour)))
	case one.Key == "":
		return one, errors.New("a silence without the key of its command")
	}
	s.write.Lock()
	defer s.write.Unlock()
	if err := s.sweep(ctx); err != nil {
		return one, err
	}
	inForce := s.All()
	for _, old := range inForce {
		if old.Key == one.Key {
			return old, nil
		}
	}
	if len(inForce) >= most {
		return one, fault.Newf(fault.Refused, "%d silences are in force already", most).WithHelp("`unsilence` ends some of them")
	}
	number := s.placed + 1
	one.Matchers, one.ID = ms.String(), fmt.Sprint("s", number)
	raw, err := json.Marshal(one)
	if err != nil {
		return one, fmt.Errorf("encode silence: %w", err)
	}
	put := []rows.Row{{Key: row + one.ID, Value: raw}, {Key: placedRow, Value: strconv.AppendUint(nil, number, 10)}}
	txn := rows.Txn{Put: put}
	for _, of := range told {
		txn.Told = append(txn.Told, of(one))
	}
	if err := s.store.Commit(ctx, txn); err != nil {
		return one, fmt.Errorf("store silence: %w", err)
	}
	s.placed = number
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, kept{one, ms})
	return one, nil
}

// sweep forgets what is over: a ferry that runs for long is asked about each event
// whether one of them mutes it.
func (s *Silences) sweep(ctx context.Context) error {
	var over []string
	s.mu.RLock()
	for i := range s.all {
		if k := &s.all[i]; k.Over(s.now()) && len(over) < rows.MaxOps {
			over = append(over, row+k.ID)
		}
	}
	s.mu.RUnlock()
	if len(over) == 0 {
		return nil
	}
	if err := s.store.Commit(ctx, rows.Txn{Delete: over}); err != nil {
		return fmt.Errorf("forget silences that are over: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = slices.DeleteFunc(s.all, func(k kept) bool { return slices.Contains(over, row+k.ID) })
	return nil
}

// End removes a silence and returns it; NotFound if there is none of that ID. What is
// told of it is written with that.
func (s *Silences) End(ctx context.Context, id string, told ...job.Entry) (Silence, error) {
	s.write.Lock()
	defer s.write.Unlock()
	have := s.All()
	i := slices.IndexFunc(have, func(o Silence) bool { return o.ID == id })
	if i < 0 {
		return Silence{}, fault.Newf(fault.NotFound, "there is no silence `%s`", id).WithHelp("`silences` lists them")
	}
	if err := s.store.Commit(ctx, rows.Txn{Delete: []string{row + id}, Told: told}); err != nil {
		return Silence{}, fmt.Errorf("end silence %s: %w", id, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = slices.DeleteFunc(s.all, func(k kept) bool { return k.ID == id })
	return have[i], nil
}

// All returns what is in force, in the order in which it was placed.
func (s *Silences) All() (out []Silence) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for i := range s.all {
		if !s.all[i].Over(s.now()) {
			out = append(out, s.all[i].Silence)
		}
	}
	return out
}

// Mutes reports whether a silence in force matches an event.
func (s *Silences) Mutes(e *event.Event) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for i := range s.all {
		if k := &s.all[i]; !k.Over(s.now()) && k.matchers.Matches(e) {
			return true
		}
	}
	return false
}
