package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"ferry/playground/github"
)

// broken ends the versions that cannot start.
const broken = "-broken"

// perEpisode is how many commands are asked for between two looks at the state
// file.
const perEpisode = 10

// kind is what somebody asks for.
type kind string

const (
	promoteKind  kind = "promote"
	pullKind     kind = "promote through a pull request"
	closedKind   kind = "promote through a pull request that is closed"
	conflictKind kind = "promote through a pull request that conflicts"
	pairKind     kind = "promote through a pull request that is displaced"
	rollbackKind kind = "rollback"
	pinKind      kind = "pin"
	brokenKind   kind = "promote what cannot start"
	mistakeKind  kind = "mistake"
	listKind     kind = "list"
	holdKind     kind = "hold"
	slashKind    kind = "promote by slash command"
	elseKind     kind = "slash command where ferry is not"
	withKind     kind = "promote what clusters share, with all of them"
	unpinKind    kind = "unpin"

	// Each of these is followed by the one below it.
	cancelledKind kind = "promote what is cancelled"
	cancelKind    kind = "cancel"
	retriedKind   kind = "promote what is retried"
	retryKind     kind = "retry"
	sharedKind    kind = "promote what clusters share"
	allKind       kind = "press promote all"
	regretKind    kind = "promote what cannot start and is pressed back"
	backKind      kind = "press roll back"
)

// deck is what episodes draw from; what is in it more often is drawn more often.
var deck = [...]kind{
	promoteKind, promoteKind, promoteKind, pullKind, pullKind, closedKind, conflictKind, pairKind, rollbackKind, rollbackKind, pinKind,
	brokenKind, mistakeKind, listKind, holdKind, slashKind, elseKind,
	withKind, unpinKind, cancelledKind, cancelledKind, retriedKind, sharedKind, regretKind,
}

// command is one thing that somebody asks for, once, whatever Slack delivers.
type command struct {
	kind    kind
	text    string
	channel string
	target  target
	with    []target
	want    string   // the version that is to run in the end
	after   *command // that it is about
	next    *command // that is about this one
	copies  int      // deliveries beside the first
	at      time.Duration

	asked    time.Time
	sent     atomic.Bool  // Slack has it; what is above and envelope is not changed any more
	presses  atomic.Int32 // of a button
	landed   bool         // a commit came of it
	root     string       // of the thread, once it is known
	envelope string       // of a slash command
	lost     bool         // Slack told the person that it did not work
	answered time.Duration
}

// work reports whether a job is to come of it.
func (c *command) work() bool {
	return c.kind != mistakeKind && c.kind != listKind && c.kind != holdKind && c.kind != elseKind && c.kind != cancelKind
}

// slash reports whether it is typed as one.
func (c *command) slash() bool { return c.kind == slashKind || c.kind == elseKind }

// outcomes are how its job may end.
func (c *command) outcomes() []string {
	switch c.kind {
	case closedKind, retriedKind, sharedKind:
		return []string{"refused"}
	case cancelledKind:
		if c.proposed() {
			return []string{"cancelled"}
		}
		return []string{"done", "cancelled"} // whichever is first
	case brokenKind, regretKind:
		return []string{"failed"}
	case pairKind:
		return []string{"done", "superseded"}
	}
	return []string{"done"}
}

// draw makes the commands of an episode, no two on one target but for pairs.
func (w *world) draw(n int) []*command {
	var out []*command
	used := map[target]bool{}
	cards := slices.Clone(deck[:])
	w.rand.Shuffle(len(cards), func(i, j int) { cards[i], cards[j] = cards[j], cards[i] })
	for _, k := range cards {
		if len(out) >= n {
			break
		}
		c := &command{kind: k}
		if !w.fill(c, used) {
			continue
		}
		out = append(out, c)
		if next := w.follow(c); next != nil {
			out = append(out, next)
		}
		if k == pairKind { // the first of them gives way
			w.serial++
			second := &command{kind: pullKind, target: c.target, want: fmt.Sprintf("1.%d.0", w.serial)}
			second.text = promotion(second)
			out = append(out, second)
		}
	}
	for i, c := range out {
		c.channel = channel(i)
		if c.kind == elseKind {
			c.channel = elsewhere
		}
		c.copies = w.rand.IntN(4)
		c.at = time.Duration(w.rand.IntN(2000)) * time.Millisecond
		if i > 0 && out[i-1].kind == pairKind {
			c.at = out[i-1].at + time.Second
		}
		if c.kind == cancelKind {
			c.at = []time.Duration{0, 300 * time.Millisecond, time.Second, 3 * time.Second}[w.rand.IntN(4)]
		}
	}
	return out
}

func promotion(c *command) string {
	return fmt.Sprintf("promote %s@%s to %s", c.target.app, c.want, c.target.cluster)
}

// fill chooses a target and words for a command; it reports false if there is none.
func (w *world) fill(c *command, used map[target]bool) bool {
	on := direct
	fits := func(t target, v *version) bool { return strings.HasPrefix(t.app, "a") }
	switch c.kind {
	case mistakeKind:
		c.text = "promote nosuch@1.0.0 to " + direct
		return true
	case listKind, elseKind:
		c.text = "list"
		return true
	case holdKind: // of what nobody promotes
		w.serial++
		c.text = fmt.Sprintf("hold p%02d on %s because of number %d", w.rand.IntN(shared), proposed, w.serial)
		return true
	case pullKind, closedKind, conflictKind, pairKind, retriedKind:
		on = proposed
	case cancelledKind:
		on = []string{direct, proposed}[w.rand.IntN(2)]
	case unpinKind:
		on = []string{direct, proposed}[w.rand.IntN(2)]
		fits = func(t target, v *version) bool { return strings.HasPrefix(t.app, "u") && !v.unpinned }
	case withKind, sharedKind:
		fits = func(t target, _ *version) bool { return strings.HasPrefix(t.app, "w") }
	case regretKind:
		fits = func(t target, v *version) bool { return strings.HasPrefix(t.app, "a") && v.good() && !v.doubted }
	case rollbackKind:
		fits = func(t target, v *version) bool { return v.before != "" && !strings.HasPrefix(t.app, "w") }
	case pinKind:
		fits = func(t target, v *version) bool { return v.now == "" && strings.HasPrefix(t.app, "p") }
	}
	var free []target
	for t, v := range w.targets {
		if t.cluster == on && !used[t] && fits(t, v) {
			free = append(free, t)
		}
	}
	if len(free) == 0 {
		return false
	}
	slices.SortFunc(free, func(a, b target) int { return strings.Compare(a.app, b.app) })
	c.target = free[w.rand.IntN(len(free))]
	used[c.target] = true
	w.serial++
	c.want = fmt.Sprintf("1.%d.0", w.serial)
	if c.kind == brokenKind || c.kind == regretKind {
		c.want += broken
	}
	c.text = promotion(c)
	switch c.kind {
	case pinKind:
		c.text += " pin"
	case withKind:
		c.with = []target{{proposed, c.target.app}}
		c.text += " with " + proposed
	case unpinKind:
		c.want = first // that of the base
		c.text = fmt.Sprintf("unpin %s on %s", c.target.app, c.target.cluster)
	case rollbackKind:
		c.want = w.targets[c.target].before
		c.text = fmt.Sprintf("rollback %s on %s", c.target.app, c.target.cluster)
	}
	return true
}

// good reports whether ferry brought what runs now, and saw it healthy.
func (v *version) good() bool {
	return v.now != first && v.now != "" && !strings.HasSuffix(v.now, broken)
}

// learn notes what the targets run after an episode.
func (w *world) learn(commands []*command, outcome func(*command) string) {
	for _, c := range commands {
		for _, t := range c.targets() {
			if v := w.targets[t]; v != nil {
				v.learn(c, outcome(c))
			}
		}
	}
}

func (v *version) learn(c *command, how string) {
	switch {
	case c.kind == unpinKind && how == "done":
		v.unpinned = true
		return
	case !c.changes():
		return
	case how == "cancelled" && c.landed: // nobody looked whether it is healthy
		v.now, v.before, v.doubted = c.want, "", true
		return
	case how != "done" && how != "failed":
		return
	case v.good() && !v.doubted:
		v.before = v.now
	case c.kind == rollbackKind || c.kind == backKind: // back from one that failed: what was before that is not known
		v.before = ""
	}
	v.now, v.doubted = c.want, false
}

// people look after pull requests: they merge them, close them, or push something
// in between first.
type people struct {
	repo    *github.Repo
	plans   map[target]kind // of the episode
	twice   map[target]bool // a pair, of which the second is merged
	since   map[int]time.Time
	touched map[int]bool
}

func newPeople(repo *github.Repo, commands []*command) *people {
	p := &people{repo: repo, plans: map[target]kind{}, twice: map[target]bool{}, since: map[int]time.Time{}, touched: map[int]bool{}}
	for _, c := range commands {
		p.twice[c.target] = p.twice[c.target] || c.kind == pairKind
		for _, t := range c.targets() {
			p.plans[t] = c.kind
		}
	}
	return p
}

// patience is how long a pull request lies before somebody looks.
const patience = 700 * time.Millisecond

// look does what is due. What fails is tried again at the next look.
func (p *people) look(now time.Time, old int) error {
	pulls := p.repo.Pulls()[old:]
	of := map[target][]github.Pull{}
	for _, pull := range pulls {
		for t := range maps.Keys(p.plans) {
			if t.cluster == proposed && strings.Contains(pull.Branch, t.app) {
				of[t] = append(of[t], pull)
			}
		}
	}
	for t, list := range of {
		pull := list[len(list)-1]
		if p.since[pull.Number].IsZero() {
			p.since[pull.Number] = now
		}
		if pull.State != "open" || now.Sub(p.since[pull.Number]) < patience || p.twice[t] && len(list) < 2 {
			continue
		}
		switch k := p.plans[t]; {
		case k == cancelledKind: // somebody else will
		case k == closedKind || k == retryKind && len(list) == 1:
			if err := p.repo.ClosePull(pull.Number); err != nil {
				return err
			}
		case k == conflictKind && !p.touched[pull.Number]:
			if err := p.touch(t, pull.Number); err != nil {
				return err
			}
		default:
			method := []string{"merge", "squash", "rebase"}[pull.Number%3]
			_, _ = p.repo.MergePull(pull.Number, method, "ada") // while it conflicts it cannot be
		}
	}
	return nil
}

// touch changes the line below the version, so that the pull request conflicts.
func (p *people) touch(t target, number int) error {
	file := "apps/" + t.cluster + "/" + t.app + "/kustomization.yaml"
	text, err := p.repo.ReadFile(branch, file)
	if err != nil {
		return err
	}
	head, _, _ := strings.Cut(text, "# owner")
	p.touched[number] = true
	_, err = p.repo.Commit(branch, "Name an owner", map[string]string{file: fmt.Sprintf("%s# owner: team %d\n", head, number)})
	return err
}
