package snapshot

import (
	"container/list"
	"context"
	"fmt"
	"sync"
)

// Fetcher gets contents from where they are kept. It returns those of all the
// SHAs, or an error.
type Fetcher interface {
	Blobs(ctx context.Context, shas []string) (map[string][]byte, error)
}

// Blobs keeps contents by SHA, the lately used ones up to a number of bytes. It
// is safe for concurrent use.
type Blobs struct {
	from  Fetcher
	limit int

	mu    sync.Mutex
	bytes int
	bySHA map[string]*list.Element
	order *list.List // of *blob, the latest used first
}

type blob struct {
	sha  string
	data []byte
}

// NewBlobs returns an empty cache of at most limit bytes; 0 means 64 MiB.
func NewBlobs(from Fetcher, limit int) *Blobs {
	if limit <= 0 {
		limit = 64 << 20
	}
	return &Blobs{from: from, limit: limit, bySHA: map[string]*list.Element{}, order: list.New()}
}

// Bytes returns how much is kept.
func (b *Blobs) Bytes() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.bytes
}

// Get returns one content, which the caller must not change.
func (b *Blobs) Get(ctx context.Context, sha string) ([]byte, error) {
	if data, ok := b.lookup(sha); ok {
		return data, nil
	}
	got, err := b.from.Blobs(ctx, []string{sha})
	if err != nil {
		return nil, fmt.Errorf("fetch blob %s: %w", sha, err)
	}
	b.keep(got)
	return got[sha], nil
}

// Prefetch makes contents present, in as few requests as the fetcher can.
func (b *Blobs) Prefetch(ctx context.Context, shas []string) error {
	var missing []string
	seen := map[string]bool{}
	for _, sha := range shas {
		if _, ok := b.lookup(sha); !ok && !seen[sha] {
			seen[sha] = true
			missing = append(missing, sha)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	got, err := b.from.Blobs(ctx, missing)
	if err != nil {
		return fmt.Errorf("fetch %d blobs: %w", len(missing), err)
	}
	b.keep(got)
	return nil
}

// Add keeps contents that the caller has anyway.
func (b *Blobs) Add(data []byte) { b.keep(map[string][]byte{HashBlob(data): data}) }

// Cached returns one content if it is kept.
func (b *Blobs) Cached(sha string) ([]byte, bool) { return b.lookup(sha) }

func (b *Blobs) lookup(sha string) ([]byte, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	el, ok := b.bySHA[sha]
	if !ok {
		return nil, false
	}
	b.order.MoveToFront(el)
	return el.Value.(*blob).data, true
}

func (b *Blobs) keep(got map[string][]byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for sha, data := range got {
		if _, ok := b.bySHA[sha]; ok {
			continue
		}
		b.bySHA[sha] = b.order.PushFront(&blob{sha, data})
		b.bytes += len(data)
	}
	for b.bytes > b.limit && b.order.Len() > 1 {
		el := b.order.Back()
		old := b.order.Remove(el).(*blob)
		delete(b.bySHA, old.sha)
		b.bytes -= len(old.data)
	}
}
