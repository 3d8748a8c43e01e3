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

// treeOf returns the tree of a commit that some reference was at.
func (c *headCache) treeOf(sha string) (string, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, known := range c.byID {
		if known.head.SHA == sha {
			return known.head.Tree, true
		}
	}
	return "", false
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
