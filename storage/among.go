package storage

import (
	"context"
	"strings"

	"ferry/internal/deploy"
)

// fewTargets is up to how many targets are read one by one.
const fewTargets = 48

// Among calls fn with the records of the targets that of wants, the newest
// first, until it returns false. Few targets are read by themselves and merged,
// however long ago they were changed; many by the index that all share.
func (h *History) Among(ctx context.Context, of func(deploy.Target) bool, fn func(deploy.Record) (more bool)) error {
	var wanted []deploy.Target
	err := h.Targets(ctx, func(t deploy.Target) bool {
		if of(t) {
			wanted = append(wanted, t)
		}
		return len(wanted) <= fewTargets
	})
	switch {
	case err != nil || len(wanted) == 0:
		return err
	case len(wanted) == 1:
		return h.Of(ctx, wanted[0], fn)
	case len(wanted) > fewTargets:
		return h.indexed(ctx, of, fn)
	}
	return h.merge(ctx, wanted, fn)
}

// Targets calls fn with each target that has records, in the order of their
// names, until it returns false. It reads one key of each.
func (h *History) Targets(ctx context.Context, fn func(deploy.Target) (more bool)) error {
	for after := ""; ; {
		e, err := h.kv.Scan(ctx, Scan{Prefix: historyRow, After: after, Limit: 1})
		if err != nil || len(e) == 0 {
			return err
		}
		t := targetOf(historyAll + "/" + strings.TrimPrefix(e[0].Key, historyRow))
		t.App.Name, _, _ = strings.Cut(t.App.Name, "/") // the time follows
		if !fn(t) {
			return nil
		}
		after = historyRow + t.String() + "/\xff"
	}
}

// stream is the part of a target's records that is read.
type stream struct {
	prefix string
	page   []Entry
	limit  int
	last   bool // there is nothing behind the page
}

// head returns the time in the key of the next record; "" if there is none.
func (s *stream) head(ctx context.Context, kv KV) (string, error) {
	if len(s.page) == 1 && !s.last {
		// The last one of a page stays as the place to go on from.
		more, err := kv.Scan(ctx, Scan{Prefix: s.prefix, After: s.page[0].Key, Limit: s.limit, Reverse: true})
		if err != nil {
			return "", err
		}
		s.last = len(more) < s.limit
		s.page, s.limit = append(s.page, more...), min(2*s.limit, 1024)
	}
	if len(s.page) == 0 {
		return "", nil
	}
	return s.page[0].Key[len(s.prefix):], nil
}

func (h *History) merge(ctx context.Context, targets []deploy.Target, fn func(deploy.Record) (more bool)) error {
	streams := make([]*stream, len(targets))
	for i, t := range targets {
		s := &stream{prefix: historyRow + t.String() + "/", limit: 8}
		page, err := h.kv.Scan(ctx, Scan{Prefix: s.prefix, Limit: s.limit, Reverse: true})
		if err != nil {
			return err
		}
		s.page, s.last = page, len(page) < s.limit
		streams[i] = s
	}
	for {
		var next *stream
		newest := ""
		for _, s := range streams {
			at, err := s.head(ctx, h.kv)
			if err != nil {
				return err
			}
			if at > newest {
				next, newest = s, at
			}
		}
		if next == nil {
			return nil
		}
		more, err := decode(next.page[0], fn)
		if err != nil || !more {
			return err
		}
		next.page = next.page[1:]
	}
}
