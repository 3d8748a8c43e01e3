// Package rowstest has stores for tests: one in memory that can die at any
// operation, and the house's own as the pipeline sees it.
package rowstest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"ferry/plugins/rows"
	"ferry/storage"
)

// ErrKilled is what a store says whose process is gone.
var ErrKilled = errors.New("killed")

// Memory is what is on a disk: it outlives the stores opened on it.
type Memory struct {
	mu   sync.Mutex
	rows map[string]rows.Row
	keys []string // sorted
	rev  uint64
}

// Open returns a store on it that dies at its n-th operation: before it took effect
// or, if after is set, right after. 0 is never. killed, if set, is called once then.
func (m *Memory) Open(n int, after bool, killed func()) *Store {
	return &Store{m: m, dies: n, after: after, killed: killed}
}

// Keys returns the keys of a prefix.
func (m *Memory) Keys(prefix string) (out []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, k := range m.keys {
		if strings.HasPrefix(k, prefix) {
			out = append(out, k)
		}
	}
	return out
}

// Store implements rows.Store.
type Store struct {
	m      *Memory
	dies   int
	after  bool
	killed func()

	mu   sync.Mutex
	ops  int
	dead bool
}

// Ops is how many operations there were.
func (s *Store) Ops() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ops
}

// step counts an operation; it returns whether it may take effect and whether its
// caller may hear of it.
func (s *Store) step() (effect, answer bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dead {
		return false, false
	}
	s.ops++
	if s.ops != s.dies {
		return true, true
	}
	s.dead = true
	if s.killed != nil {
		s.killed()
	}
	return s.after, false
}

// Get implements rows.Store.
func (s *Store) Get(_ context.Context, key string) (rows.Row, bool, error) {
	if _, ok := s.step(); !ok {
		return rows.Row{}, false, ErrKilled
	}
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	r, ok := s.m.rows[key]
	r.Value = slices.Clone(r.Value)
	return r, ok, nil
}

// Scan implements rows.Store.
func (s *Store) Scan(_ context.Context, prefix, after string, limit int) (out []rows.Row, _ error) {
	if _, ok := s.step(); !ok {
		return nil, ErrKilled
	}
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	i, _ := slices.BinarySearch(s.m.keys, max(prefix, after))
	for ; i < len(s.m.keys) && len(out) < limit && strings.HasPrefix(s.m.keys[i], prefix); i++ {
		if k := s.m.keys[i]; k > after {
			r := s.m.rows[k]
			r.Value = slices.Clone(r.Value)
			out = append(out, r)
		}
	}
	return out, nil
}

// Commit implements rows.Store.
func (s *Store) Commit(_ context.Context, t rows.Txn) error {
	effect, answer := s.step()
	var err error
	if effect {
		err = s.m.commit(t)
	}
	if !answer {
		return ErrKilled
	}
	return err
}

func (m *Memory) commit(t rows.Txn) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if t.Ops() > rows.MaxOps || t.Bytes() > rows.MaxBytes {
		return errors.New("the transaction is too large")
	}
	for _, c := range t.If {
		if m.rows[c.Key].Revision != c.Revision {
			return rows.ErrConflict
		}
	}
	if m.rows == nil {
		m.rows = map[string]rows.Row{}
	}
	m.rev++
	for _, p := range t.Put {
		if i, there := slices.BinarySearch(m.keys, p.Key); !there {
			m.keys = slices.Insert(m.keys, i, p.Key)
		}
		m.rows[p.Key] = rows.Row{Key: p.Key, Value: slices.Clone(p.Value), Revision: m.rev}
	}
	for _, k := range t.Delete {
		if i, there := slices.BinarySearch(m.keys, k); there {
			m.keys = slices.Delete(m.keys, i, i+1)
			delete(m.rows, k)
		}
	}
	return nil
}

// Of is a store of the house as the pipeline sees it.
type Of struct{ storage.KV }

// Get implements rows.Store.
func (o Of) Get(ctx context.Context, key string) (rows.Row, bool, error) {
	e, ok, err := o.KV.Get(ctx, key)
	return rows.Row(e), ok, err
}

// Scan implements rows.Store.
func (o Of) Scan(ctx context.Context, prefix, after string, limit int) ([]rows.Row, error) {
	entries, err := o.KV.Scan(ctx, storage.Scan{Prefix: prefix, After: after, Limit: limit})
	out := make([]rows.Row, len(entries))
	for i, e := range entries {
		out[i] = rows.Row(e)
	}
	return out, err
}

// Commit implements rows.Store.
func (o Of) Commit(ctx context.Context, t rows.Txn) error {
	s := storage.Txn{Delete: t.Delete}
	for _, c := range t.If {
		s.If = append(s.If, storage.Compare(c))
	}
	for _, p := range t.Put {
		s.Put = append(s.Put, storage.Put{Key: p.Key, Value: p.Value})
	}
	_, err := o.KV.Commit(ctx, s)
	if errors.Is(err, storage.ErrConflict) {
		return rows.ErrConflict
	}
	return err
}
