package jobs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"ferry/internal/chat"
	"ferry/internal/deploy"
	"ferry/internal/job"
)

// account ends a set: it tells what is where, and what becomes of what failed and of
// what is healthy. why is set where something else ended it.
func (s *setRun) account(ctx context.Context, why error) (chat.Message, error) {
	if err := s.accounted(ctx, why); err != nil {
		return chat.Message{}, err
	}
	lines, buttons, err := s.retreats(ctx)
	if err != nil {
		return chat.Message{}, err
	}
	watched, err := s.watches(ctx)
	if err != nil {
		return chat.Message{}, err
	}
	if watched > 0 {
		lines = append(lines, fmt.Sprintf("ferry watches what is healthy for another %s.", span(watched)))
	}
	m, err := s.closing(why, lines, buttons)
	return m, errors.Join(err, s.show(ctx, func(v *setView) { v.ended(err) }))
}

// mostLabel is how long a button's label may be: Slack refuses more than 75.
const mostLabel = 70

// fallen is a move that did not last.
type fallen struct {
	*change
	loss
}

// retreats is what becomes of what failed, each by the rule for it, in a line each.
func (s *setRun) retreats(ctx context.Context) (lines []string, buttons []chat.Button, err error) {
	losses := s.losses()
	var all []deploy.Target
	for _, l := range losses {
		all = append(append(all, l.Target), l.With...)
	}
	called, part := naming(s.Fleet), len(all) < len(s.brought())
	if err := settledAll(ctx, losses); err != nil {
		return nil, nil, err
	}
	for _, l := range losses {
		l.Part = part
		said, more, err := s.retreatOne(ctx, s.job, s.cmd, l.loss, all)
		if err != nil {
			return nil, nil, err
		}
		lines = append(lines, fmt.Sprintf("*%s on %s*: %s", called(l.Target.App), l.Target.Cluster, strings.Join(said, " ")))
		for _, b := range more {
			if len(losses) > 1 { // else they look alike
				b.Label = clipTo(fmt.Sprintf("Roll back %s on %s", called(l.Target.App), l.Target.Cluster), mostLabel)
			}
			buttons = append(buttons, b)
		}
	}
	if more := len(lines) - mostTold; more > 1 {
		lines = append(lines[:mostTold:mostTold], fmt.Sprintf("… and %d more for which there is a way back: `status` and `history` tell.", more))
	}
	return lines, buttons, nil
}

// settledAll waits until Helm has ended what it does by itself, for all at the same
// time: each has the same deadline.
func settledAll(ctx context.Context, losses []fallen) error {
	errs := make([]error, len(losses))
	var waiting sync.WaitGroup
	for i, l := range losses {
		if l.Asks == "" {
			waiting.Go(func() { errs[i] = l.settled(ctx, []loss{l.loss}) })
		}
	}
	waiting.Wait()
	return errors.Join(errs...)
}

// losses are the moves that failed, for those who decide what becomes of them.
func (s *setRun) losses() []fallen {
	var out []fallen
	for i := range s.row.Waves {
		w := &s.row.Waves[i]
		for k := range w.Moves {
			m := &w.Moves[k]
			lost := func(f fate) bool { return f.Outcome == job.Failed || f.Outcome == job.Expired }
			bad := slices.IndexFunc(m.Ends, func(f fate) bool { return lost(f) && !f.Unsure && !f.Unknown })
			sure := bad >= 0
			if !sure {
				bad = slices.IndexFunc(m.Ends, lost)
			}
			if bad < 0 {
				continue
			}
			t := append([]deploy.Target{m.Change.Target}, m.Change.With...)[bad]
			l := loss{Target: m.Change.Target, With: m.Change.With, Version: m.Change.Version, Field: m.Plan.Site.Field, Why: m.Ends[bad].Why}
			if len(l.With) > 0 {
				l.Why = fmt.Sprintf("On %s: %s", place(l.Target, t), l.Why)
			}
			switch err := fresh(s.Fleet, t.Cluster); {
			case err != nil:
				l.Asks = fmt.Sprintf("%s does not answer", t.Cluster)
			case !sure && m.Ends[bad].Unknown:
				l.Asks = "how it is doing is not known"
			case !sure:
				l.Asks = "it is not ready, and nothing says that the version is to blame"
			}
			out = append(out, fallen{s.of(w, m), l})
		}
	}
	return out
}

// brought are the targets whose versions a set has put into Git.
func (s *setRun) brought() []deploy.Target {
	var out []deploy.Target
	for i := range s.row.Waves {
		if w := &s.row.Waves[i]; w.Commit.SHA != "" {
			out = append(out, w.targets()...)
		}
	}
	return out
}

// watches makes a watch of each move that is healthy, as the rule for it says, and
// returns for how long the longest will be. A watch says nothing if all stays well.
func (s *setRun) watches(ctx context.Context) (longest time.Duration, err error) {
	if s.Follower == nil {
		return 0, nil
	}
	now, all := s.Now(), len(s.brought())
	for i := range s.row.Waves {
		w := &s.row.Waves[i]
		for k := range w.Moves {
			m := &w.Moves[k]
			n := 1 + len(m.Change.With)
			well := len(m.Ends) == n && !slices.ContainsFunc(m.Ends, func(f fate) bool { return f.Outcome != job.Done })
			r := s.of(w, m)
			until := w.Seen.Add(r.rule(loss{Target: m.Change.Target, With: m.Change.With}).Soak)
			if !well || !until.After(now) {
				continue
			}
			key := fmt.Sprintf("job/%s/watch/%s", s.job.ID, m.Change.Target)
			made, err := r.watched(ctx, key, soaking{Healthy: w.Seen, Until: until, Part: n < all})
			if err != nil {
				return 0, err
			}
			if made {
				longest = max(longest, until.Sub(now))
			}
		}
	}
	return longest, nil
}
