// Package asked remembers what people were asked to confirm: exactly what would be
// done, by a hash of it. What is confirmed but was not asked, or has become
// something else meanwhile, is not done. It is in memory: after a restart people are
// asked again.
package asked

import (
	"crypto/sha256"
	"encoding/json"
	"sync"
	"time"
)

// How long a question is remembered, and how many at once.
const (
	patient = time.Hour
	most    = 1000
)

// Questions are those that wait for an answer. Its methods may be called from
// several goroutines.
type Questions struct {
	now func() time.Time

	mu    sync.Mutex
	asked map[[sha256.Size]byte]time.Time
}

// New returns none.
func New() *Questions { return &Questions{now: time.Now, asked: map[[sha256.Size]byte]time.Time{}} }

// Ask remembers a question to a person, "" for everybody: what would be done, as
// anything that JSON can say whole.
func (q *Questions) Ask(user string, what any) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := q.now()
	for key, at := range q.asked {
		if now.Sub(at) > patient || len(q.asked) >= most {
			delete(q.asked, key)
		}
	}
	q.asked[digest(user, what)] = now
}

// Take says whether a person was asked about this very thing, and forgets it.
func (q *Questions) Take(user string, what any) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	key := digest(user, what)
	at, ok := q.asked[key]
	delete(q.asked, key)
	return ok && q.now().Sub(at) <= patient
}

func digest(user string, what any) [sha256.Size]byte {
	text, _ := json.Marshal(struct {
		User string
		What any
	}{user, what})
	return sha256.Sum256(text)
}
