package executor

import (
	"crypto/sha256"
	"encoding/json"
	"sync"
	"time"

	"ferry/plugins/kubectl/guard"
)

// How long a question is remembered, and how many at once.
const (
	patient = time.Hour
	most    = 1000
)

// pending remembers what people were asked to confirm: exactly what would be run,
// by a hash of it. What is confirmed but was not asked, or has become something
// else meanwhile, is not done. It is in memory: after a restart people are asked
// again. Its methods may be called from several goroutines.
type pending struct {
	now func() time.Time

	mu    sync.Mutex
	asked map[[sha256.Size]byte]time.Time
}

// ask remembers a question.
func (p *pending) ask(user string, runs []guard.Run) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.asked == nil {
		p.asked = map[[sha256.Size]byte]time.Time{}
	}
	now := p.now()
	for key, at := range p.asked {
		if now.Sub(at) > patient || len(p.asked) >= most {
			delete(p.asked, key)
		}
	}
	p.asked[digest(user, runs)] = now
}

// take says whether a person was asked about these very runs, and forgets it.
func (p *pending) take(user string, runs []guard.Run) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	key := digest(user, runs)
	at, ok := p.asked[key]
	delete(p.asked, key)
	return ok && p.now().Sub(at) <= patient
}

func digest(user string, runs []guard.Run) [sha256.Size]byte {
	text, _ := json.Marshal(struct {
		User string
		Runs []guard.Run
	}{user, runs})
	return sha256.Sum256(text)
}
