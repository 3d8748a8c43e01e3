package forge

import (
	"slices"
	"sync"
	"time"
)

// behind is for how long after a newer head was seen or made an older one is taken
// for the word of a replica that lags. GitHub promises no time; what is older for
// longer than this was put there by somebody.
const behind = 20 * time.Second

// maxPassed is how many heads are known to be passed.
const maxPassed = 64

// passed knows in which order heads of the branch were seen and made, so that ferry
// does not forget its own commit when it reads the branch from a replica that lags.
type passed struct {
	mu     sync.Mutex
	older  []string
	newest Head
	since  time.Time
}

// latest returns the newest head that is known, now that GitHub says it is h.
func (p *passed) latest(h Head, now time.Time) Head {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case h.SHA == p.newest.SHA:
	case slices.Contains(p.older, h.SHA) && now.Sub(p.since) < behind:
	default:
		p.pass(h, now)
	}
	return p.newest
}

// made notes a commit of ferry's own on another one. One that was passed while its
// answer was on its way is none to go back to.
func (p *passed) made(on string, m Made, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.newest.SHA == on && m.Tree != "" {
		p.pass(Head{SHA: m.SHA, Tree: m.Tree, At: m.At}, now)
	}
}

// forget believes what GitHub says next: what was known turned out to be wrong.
func (p *passed) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.older, p.newest = nil, Head{}
}

func (p *passed) pass(h Head, now time.Time) {
	p.older = slices.DeleteFunc(p.older, func(sha string) bool { return sha == h.SHA })
	if p.newest.SHA != "" {
		p.older = append(p.older, p.newest.SHA)
	}
	if over := len(p.older) - maxPassed; over > 0 {
		p.older = slices.Delete(p.older, 0, over)
	}
	p.newest, p.since = h, now
}
