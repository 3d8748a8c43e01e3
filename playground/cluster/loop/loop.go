// Package loop runs one function for the keys that something happened to: each
// key once however often it was added meanwhile, one at a time, some of them
// later. It is the work queue of the simulated controllers, without goroutines
// of its own and without any work while nothing happens.
package loop

import (
	"container/heap"
	"context"
	"sync"
	"time"
)

// Loop is a queue of keys. The zero value is ready.
type Loop[K comparable] struct {
	mu      sync.Mutex
	ready   []K
	queued  map[K]bool
	later   schedule[K]
	due     map[K]*entry[K]
	wake    chan struct{}
	started bool
}

// Add has the key worked on as soon as possible.
func (l *Loop[K]) Add(key K) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.init()
	l.add(key)
	l.signal()
}

// After has the key worked on after d at the latest; an earlier date stands.
func (l *Loop[K]) After(key K, d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.init()
	at := time.Now().Add(d)
	if e := l.due[key]; e != nil {
		if e.at.After(at) {
			e.at = at
			heap.Fix(&l.later, e.index)
			l.signal()
		}
		return
	}
	e := &entry[K]{key: key, at: at}
	l.due[key] = e
	heap.Push(&l.later, e)
	l.signal()
}

// Run works until ctx ends, in this goroutine.
func (l *Loop[K]) Run(ctx context.Context, work func(K)) {
	l.mu.Lock()
	l.init()
	l.mu.Unlock()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		key, ok, wait := l.next()
		if ctx.Err() != nil {
			return
		}
		if ok {
			work(key)
			continue
		}
		timer.Reset(wait)
		select {
		case <-l.wake:
		case <-timer.C:
		case <-ctx.Done():
			return
		}
	}
}

// next takes a key, or says how long there will be none.
func (l *Loop[K]) next() (key K, ok bool, wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	for len(l.later) > 0 && !l.later[0].at.After(now) {
		e := heap.Pop(&l.later).(*entry[K])
		delete(l.due, e.key)
		l.add(e.key)
	}
	if len(l.ready) > 0 {
		key, l.ready = l.ready[0], l.ready[1:]
		delete(l.queued, key)
		return key, true, 0
	}
	if len(l.later) > 0 {
		return key, false, l.later[0].at.Sub(now)
	}
	return key, false, time.Hour
}

func (l *Loop[K]) init() {
	if !l.started {
		l.queued, l.due, l.wake, l.started = map[K]bool{}, map[K]*entry[K]{}, make(chan struct{}, 1), true
	}
}

func (l *Loop[K]) add(key K) {
	if !l.queued[key] {
		l.queued[key] = true
		l.ready = append(l.ready, key)
	}
}

func (l *Loop[K]) signal() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

type entry[K comparable] struct {
	key   K
	at    time.Time
	index int
}

// schedule is a heap, the earliest first.
type schedule[K comparable] []*entry[K]

func (s schedule[K]) Len() int           { return len(s) }
func (s schedule[K]) Less(i, j int) bool { return s[i].at.Before(s[j].at) }
func (s schedule[K]) Swap(i, j int) {
	s[i], s[j] = s[j], s[i]
	s[i].index, s[j].index = i, j
}

// Push implements heap.Interface.
func (s *schedule[K]) Push(x any) {
	e := x.(*entry[K])
	e.index = len(*s)
	*s = append(*s, e)
}

// Pop implements heap.Interface.
func (s *schedule[K]) Pop() any {
	old := *s
	e := old[len(old)-1]
	*s = old[:len(old)-1]
	return e
}
