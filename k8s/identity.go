package k8s

import (
	"sync"
	"time"

	"ferry/internal/deploy"
)

// identities tell which clusters are one API server.
type identities struct {
	allowed bool

	mu    sync.RWMutex
	known map[deploy.Cluster]identity
}

type identity struct {
	uid    string // of the namespace kube-system; empty if it may not be read
	server string
	since  time.Time
}

func newIdentities(allowed bool) *identities {
	return &identities{allowed: allowed, known: map[deploy.Cluster]identity{}}
}

// learn notes who a cluster is and reports whether that is new.
func (i *identities) learn(name deploy.Cluster, uid, server string, at time.Time) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	before, known := i.known[name]
	if known && before.uid == uid && before.server == server {
		return false
	}
	i.known[name] = identity{uid, server, at}
	return true
}

// conflict returns another cluster that is the same API server, if that is not
// allowed, and since when it is known.
func (i *identities) conflict(name deploy.Cluster) (other deploy.Cluster, since time.Time) {
	if i.allowed {
		return "", time.Time{}
	}
	i.mu.RLock()
	defer i.mu.RUnlock()
	me, known := i.known[name]
	if !known {
		return "", time.Time{}
	}
	for n, it := range i.known {
		same := it.server == me.server || it.uid != "" && it.uid == me.uid
		if n == name || !same || other != "" && other < n {
			continue
		}
		if other, since = n, it.since; me.since.After(since) {
			since = me.since
		}
	}
	return other, since
}
