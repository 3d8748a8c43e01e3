package pipeline

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"ferry/internal/event"
	"ferry/plugins/rows"
)

// Storm bounds how many new incidents of a receiver get a message of their own. The
// further ones are told in a digest: one message, which is edited as they develop.
type Storm struct {
	// MoreThan so many that people were told of first Within the last so long are a
	// storm. 3 within a minute; a negative number is never.
	MoreThan int           `json:"more_than,omitempty"`
	Within   time.Duration `json:"within,omitempty"`
}

// Timing of digests.
const (
	digestWait = time.Second      // before the first state: a storm comes in a rush
	digestPace = 3 * time.Second  // between two, while it grows; group_interval later
	digestRest = 10 * time.Minute // after the last one joined, another storm is another digest
)

// begun is what is remembered of how people came to know of an incident.
type begun struct {
	At       time.Time `json:"at"`
	Critical bool      `json:"critical,omitempty"`
	// Kind is its cluster and reason.
	Kind string `json:"kind"`
	// Apart is one that has a message of its own although there is, or was, a storm.
	Apart bool `json:"apart,omitempty"`
	// First is one that is set apart as the first of its kind.
	First bool `json:"first,omitempty"`
}

func begin(t *Trouble, now time.Time) *begun {
	return &begun{At: now, Critical: t.Severity() == event.Critical, Kind: kindOf(t)}
}

func kindOf(t *Trouble) string {
	p := t.Latest()
	return p.Cluster + "/" + p.Reason
}

// swallows reports whether a new incident is told in a digest, by those that began
// within the storm's time. Some get through: critical ones, as many as may come without
// a storm; and, half as many, the first of a kind, which has nothing to do with the
// storm. Which kinds a digest tells of already is known.
func (s Storm) swallows(recent []begun, b *begun, known func(kind string) bool) bool {
	critical, firsts := 0, 0
	alike := false
	for i := range recent {
		if recent[i].Critical {
			critical++
		}
		if recent[i].First {
			firsts++
		}
		alike = alike || recent[i].Kind == b.Kind
	}
	if len(recent) < s.MoreThan {
		return false
	}
	switch {
	case b.Critical && critical < s.MoreThan:
		b.Apart = true
	case !alike && firsts < (s.MoreThan+1)/2 && !known(b.Kind):
		b.Apart, b.First = true, true
	}
	return !b.Apart
}

// stormRow is the key of a digest: + its ID.
const stormRow = "event/digest/"

// stormDigest is the one message of incidents that came in a storm. What is told of them
// follows from their rows, which name it; its own row says what people know. Its
// Incident has no problems.
type stormDigest struct {
	Trouble
	// Joined is when the last one came.
	Joined time.Time `json:"joined"`
	// Hidden stands for those that people were spared when they were told last.
	Hidden string `json:"hidden,omitempty"`

	members []*Trouble
}

// storms know who began when, and the digests. Their caller sees to it that one at a
// time uses them.
type storms struct {
	recent  map[string][]begun      // by receiver, in the order of time
	digests map[string]*stormDigest // by ID; those that ended long ago are left out
	// touched are those whose rows are to be written.
	touched map[*stormDigest]bool
	longest time.Duration // of what any storm looks at
}

func loadStorms(ctx context.Context, store rows.Store, route *Route) (*storms, error) {
	s := &storms{recent: map[string][]begun{}, digests: map[string]*stormDigest{}, touched: map[*stormDigest]bool{}}
	route.walk(func(r *Route) { s.longest = max(s.longest, r.Storm.Within) })
	return s, rows.Each(ctx, store, stormRow, func(r rows.Row) error {
		g, err := decodeStorm(r)
		if err == nil {
			s.digests[g.ID] = g
		}
		return err
	})
}

func decodeStorm(r rows.Row) (*stormDigest, error) {
	g := &stormDigest{}
	if err := json.Unmarshal(r.Value, g); err != nil {
		return nil, fmt.Errorf("decode row %s: %w", r.Key, err)
	}
	return g, nil
}

// mostDigest is how many bytes a digest's row has at most.
const mostDigest = 2 << 10

func (g *stormDigest) row() (rows.Row, error) {
	raw, err := json.Marshal(g)
	if err != nil {
		return rows.Row{}, fmt.Errorf("encode digest %s: %w", g.ID, err)
	}
	return rows.Row{Key: stormRow + g.ID, Value: raw}, nil
}

// restore takes an incident's row in, after the rows of the digests.
func (s *storms) restore(t *Trouble, now time.Time) {
	if g := s.digests[t.Digest]; g != nil {
		g.members = append(g.members, t)
	}
	if t.Begun != nil && t.Begun.At.After(now.Add(-s.longest)) {
		s.recent[t.Receiver] = append(s.recent[t.Receiver], *t.Begun)
	}
}

// restored puts in order what was restored.
func (s *storms) restored() {
	for _, r := range s.recent {
		slices.SortStableFunc(r, func(a, b begun) int { return a.At.Compare(b.At) })
	}
	for _, g := range s.digests {
		slices.SortFunc(g.members, func(a, b *Trouble) int {
			return cmp.Or(a.Begun.At.Compare(b.Begun.At), cmp.Compare(a.ID, b.ID))
		})
	}
}

// take decides who tells of a change of an incident: a digest, the incident's own
// message, or both.
func (s *storms) take(t *Trouble, now time.Time) (own bool) {
	if g := s.digests[t.Digest]; g != nil {
		if t.Dirty {
			s.touch(g, now)
		}
		return t.Begun.Apart || s.rises(t, now)
	}
	if t.Begun != nil || t.Revision > 0 || t.Timing.Storm.MoreThan <= 0 {
		return true
	}
	t.Begun = begin(t, now)
	open := s.open(t.Receiver, now)
	known := func(kind string) bool {
		return open != nil && slices.ContainsFunc(open.members, func(m *Trouble) bool { return m.Begun.Kind == kind })
	}
	joins := t.Timing.Storm.swallows(s.since(t.Receiver, now.Add(-t.Timing.Storm.Within)), t.Begun, known)
	s.recent[t.Receiver] = append(s.since(t.Receiver, now.Add(-s.longest)), *t.Begun)
	if !joins {
		return true
	}
	if open == nil {
		d := digestOf("digest\x00" + t.ID)
		open = &stormDigest{Trouble: Trouble{Incident: event.Incident{ID: fmt.Sprintf("%x", d[:10]), Receiver: t.Receiver, State: event.Firing, Opened: now}}}
		s.digests[open.ID] = open
	}
	t.Digest, open.Timing, open.Joined = open.ID, t.Timing, now
	open.members = append(open.members, t)
	s.touch(open, now)
	return false
}

// rises reports whether an incident of a digest became so bad that it gets a message
// of its own as well.
func (s *storms) rises(t *Trouble, now time.Time) bool {
	if t.Begun.Critical || t.State != event.Firing || t.Severity() != event.Critical {
		return false
	}
	b := *begin(t, now)
	if t.Timing.Storm.swallows(s.since(t.Receiver, now.Add(-t.Timing.Storm.Within)), &b, func(string) bool { return true }) {
		return false
	}
	t.Begun.Critical, t.Begun.Apart, b.Apart = true, true, true
	s.recent[t.Receiver] = append(s.since(t.Receiver, now.Add(-s.longest)), b)
	return true
}

// since returns the incidents of a receiver that began after an edge.
func (s *storms) since(receiver string, edge time.Time) []begun {
	r := s.recent[receiver]
	i, _ := slices.BinarySearchFunc(r, edge, func(b begun, edge time.Time) int {
		if b.At.After(edge) {
			return 1
		}
		return -1
	})
	return r[i:]
}

// open returns the digest that takes a receiver's further incidents; nil if a new one
// begins.
func (s *storms) open(receiver string, now time.Time) (out *stormDigest) {
	for _, g := range s.digests {
		if g.Receiver == receiver && g.State == event.Firing && now.Sub(g.Joined) <= digestRest && (out == nil || g.Opened.After(out.Opened)) {
			out = g
		}
	}
	return out
}

// touch says that something changed in a digest.
func (s *storms) touch(g *stormDigest, now time.Time) {
	g.Changed, g.Dirty = now, true
	g.follow(now)
	pace := g.Timing.GroupInterval
	if now.Sub(g.Joined) < g.Timing.Storm.Within {
		pace = min(pace, digestPace)
	}
	switch {
	case g.Revision > 0:
		g.Due = later(now, g.Told.Add(pace))
	case g.Due.IsZero():
		g.Due = now.Add(digestWait)
	}
	s.touched[g] = true
}

// follow makes the state follow from the members: it is over when all of them are, and
// nobody said so if nobody did of one of them.
func (g *stormDigest) follow(now time.Time) {
	state := event.Resolved
	for _, t := range g.members {
		switch {
		case t.State == event.Firing:
			g.State, g.Ended = event.Firing, time.Time{}
			return
		case t.State == event.Expired:
			state = event.Expired
		}
	}
	if g.State == event.Firing {
		g.Ended = now
	}
	g.State = state
}

// due returns the digests that people are to be told of.
func (s *storms) due(now time.Time) (out []*stormDigest) {
	for id, g := range s.digests {
		switch {
		case !g.Due.IsZero() && !g.Due.After(now):
			out = append(out, g)
		case g.State != event.Firing && g.Due.IsZero() && now.Sub(g.Ended) > max(time.Hour, 2*g.Timing.GroupInterval):
			delete(s.digests, id) // its row stays for a while
		}
	}
	slices.SortFunc(out, func(a, b *stormDigest) int { return cmp.Or(a.Due.Compare(b.Due), cmp.Compare(a.ID, b.ID)) })
	return out
}

// next is when a digest is due; later than that if none is.
func (s *storms) next(at time.Time) time.Time {
	for _, g := range s.digests {
		if !g.Due.IsZero() && g.Due.Before(at) {
			at = g.Due
		}
	}
	return at
}
