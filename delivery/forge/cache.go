package forge

import "sync"

// headCache keeps the last answer for each reference with its ETag; a handful,
// because a promotion asks for one branch and few commits.
type headCache struct {
	mu   sync.Mutex
	byID map[string]cachedHead
}

type cachedHead struct {
	head Head
	etag string
}

const maxHeads = 64

func (c *headCache) get(ref string) (Head, string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := c.byID[ref]
	return h.head, h.etag
}

func (c *headCache) put(ref string, h Head, etag string) {
	if etag == "" {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byID == nil || len(c.byID) >= maxHeads {
		c.byID = map[string]cachedHead{}
	}
	c.byID[ref] = cachedHead{h, etag}
}
