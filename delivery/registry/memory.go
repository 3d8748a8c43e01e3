package registry

import (
	"container/list"
	"sync"
	"time"
)

// memory keeps values for a while, the lately used ones up to a weight. It is
// safe for concurrent use.
type memory[T any] struct {
	limit int
	now   func() time.Time

	mu    sync.Mutex
	size  int
	byKey map[string]*list.Element
	order *list.List // of *kept[T], the latest used first
}

type kept[T any] struct {
	key    string
	value  T
	weight int
	until  time.Time
}

func newMemory[T any](limit int, now func() time.Time) *memory[T] {
	return &memory[T]{limit: limit, now: now, byKey: map[string]*list.Element{}, order: list.New()}
}

func (m *memory[T]) get(key string) (value T, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	el, ok := m.byKey[key]
	if !ok {
		return value, false
	}
	k := el.Value.(*kept[T])
	if !m.now().Before(k.until) {
		m.remove(el)
		return value, false
	}
	m.order.MoveToFront(el)
	return k.value, true
}

// put keeps a value for a time. What weighs more than all may is not kept.
func (m *memory[T]) put(key string, value T, weight int, life time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if el, ok := m.byKey[key]; ok {
		m.remove(el)
	}
	m.byKey[key] = m.order.PushFront(&kept[T]{key, value, weight, m.now().Add(life)})
	m.size += weight
	for m.size > m.limit {
		m.remove(m.order.Back())
	}
}

func (m *memory[T]) drop(key string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if el, ok := m.byKey[key]; ok {
		m.remove(el)
	}
}

func (m *memory[T]) remove(el *list.Element) {
	k := m.order.Remove(el).(*kept[T])
	delete(m.byKey, k.key)
	m.size -= k.weight
}
