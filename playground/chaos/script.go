package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// broken ends the versions that cannot start.
const broken = "-broken"

// command is one thing that somebody asks for, once, whatever Slack delivers.
type command struct {
	play
	text    string
	channel string
	target  target
	with    []target
	number  int
	want    string            // the version that is to run in the end
	id      string            // what ferry calls what it is about
	trouble string            // what a silence or a notification is about
	back    string            // the one that runs if it goes back by itself
	wants   map[target]string // of a set of several apps: what is to run where
	// head is the first of its chain, itself if there is none; chain are those that
	// follow a head. mate is the other one of a pair.
	head  *command
	chain []*command
	mate  *command

	copies int // deliveries beside the first
	at     time.Duration
	late   int64 // it is asked for once there were so many kills

	asked    time.Time
	sent     atomic.Bool  // Slack has it; what is above and envelope is not changed any more
	presses  atomic.Int32 // of a button
	landed   bool         // a commit came of it
	fell     bool         // it was healthy, and did not stay so
	made     time.Time    // when its job was
	root     once         // of the thread, once it is known
	spared   atomic.Bool  // there was no need to ask for it
	envelope string       // of a slash command
	lost     bool         // Slack told the person that it did not work
	answered time.Duration
	// What whoever looks saw of it: when something was said first, how long a step ran
	// without a reason, and that it is over.
	first, puzzle time.Duration
	heard         bool
}

// once is a text that is found out later, by whoever looks first. It is safe for
// concurrent use.
type once struct{ found atomic.Pointer[string] }

func (o *once) get() string {
	if s := o.found.Load(); s != nil {
		return *s
	}
	return ""
}

func (o *once) set(s string) { o.found.Store(&s) }

// slash reports whether it is typed as one.
func (c *command) slash() bool { return c.kind == slashKind || c.kind == elseKind }

// click reports whether it is a button in the thread of its head; what comes of it
// stands there too.
func (c *command) click() bool { return c.button != "" }

// changes reports whether it may change what its targets run.
func (c *command) changes() bool { return c.work() && c.kind != sharedKind && c.kind != unpinKind }

// targets are all that it is about.
func (c *command) targets() []target {
	if c.target == (target{}) {
		return nil
	}
	return append([]target{c.target}, c.with...)
}

// proposed reports whether it goes through a pull request.
func (c *command) proposed() bool {
	return slices.ContainsFunc(c.targets(), func(t target) bool { return t.cluster == proposed })
}

// fill writes the command for its target.
func (c *command) fill(text, job string) string {
	return strings.NewReplacer("APP", c.target.app, "VERSION", c.want, "CLUSTER", c.target.cluster, "JOB", job, "NUMBER", strconv.Itoa(c.number), "TROUBLE", c.trouble, "ID", c.id).Replace(text)
}

// draw makes at least n commands of an episode, fewer if it runs out of targets. No
// two are about one target, but for chains and pairs.
func (w *world) draw(n int) []*command {
	var out []*command
	used := map[target]bool{}
	w.drawn++
	for before := -1; len(out) < n && len(out) > before; {
		before = len(out)
		for _, p := range w.deck(w.drawn%w.size.alone == 0) {
			if len(out) >= n {
				break
			}
			out = append(out, w.cast(p, used)...)
		}
	}
	for i, c := range out {
		if c.channel == "" {
			c.channel = channel(i)
		}
		if c.kind == elseKind {
			c.channel = elsewhere
		}
		c.copies = w.rand.IntN(4)
		if w.mode == modeKill && c.head == c && c.mate == nil {
			c.late = int64(i * 2 / 3)
		}
		c.at = time.Duration(w.rand.IntN(2000)) * time.Millisecond
		switch {
		case c.mate != nil && c.mate == out[max(0, i-1)]:
			c.at = c.mate.at + time.Second
		case c.kind == cancelKind:
			c.at = []time.Duration{0, 300 * time.Millisecond, time.Second, 3 * time.Second}[w.rand.IntN(4)]
		case c.head != c:
			c.at = time.Duration(w.rand.IntN(500)) * time.Millisecond
		}
	}
	return out
}

// deck are the plays, each as often as it weighs, shuffled: those that need the world
// for themselves, or the others.
func (w *world) deck(alone bool) (out []play) {
	for _, p := range plays() {
		if p.alone != alone {
			continue
		}
		for range p.weight {
			out = append(out, p)
		}
	}
	w.rand.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

// cast makes the commands of one play; none if there is no target for it.
func (w *world) cast(p play, used map[target]bool) []*command {
	c := w.command(p)
	c.head = c
	if p.apps != "" {
		if !w.aim(c, used) {
			return nil
		}
	} else if !w.held.about(c) {
		return nil
	}
	out := []*command{c}
	for _, k := range p.then {
		next := w.command(playOf(k))
		next.head, next.target, next.back = c, c.target, c.want
		c.follow(next)
		switch k {
		case wholeKind, partKind:
			w.gather(next)
		case clearedKind:
			next.target.cluster = canary
		case badSetKind:
			next.with = c.with
		case barredKind:
			next.want = out[len(out)-1].want
		case allKind:
			next.want, next.with = c.want, []target{{proposed, c.target.app}}
		case backKind:
			next.want = w.targets[c.target].now
		case retryKind:
			next.want = c.want
		}
		c.chain = append(c.chain, next)
		out = append(out, next)
	}
	if p.kind == pairKind { // whichever comes first gives way
		second := w.command(p)
		second.head, second.target, second.mate, c.mate = second, c.target, c, second
		out = append(out, second)
	}
	for _, one := range out {
		one.text, one.tells = one.fill(one.says, "JOB"), one.fill(one.tells, "JOB")
		if one.click() {
			one.button = one.fill(one.button, "")
			one.text = "[" + one.button + "]"
		}
	}
	return out
}

// command makes one with a number of its own, which is its version too.
func (w *world) command(p play) *command {
	w.serial++
	c := &command{play: p, number: w.serial, want: fmt.Sprintf("1.%d.0", w.serial)}
	if p.bad || slices.Equal(p.ends, []string{"failed"}) {
		c.want += broken
	}
	return c
}

// aim chooses a target; it reports false if there is none.
func (w *world) aim(c *command, used map[target]bool) bool {
	var free []target
	for t, v := range w.targets {
		if (c.on == "" || t.cluster == c.on) && c.has(t.app) && !used[t] && w.settable(c, t, used) && (c.fits == nil || c.fits(v)) {
			free = append(free, t)
		}
	}
	if len(free) == 0 {
		return false
	}
	slices.SortFunc(free, func(a, b target) int { return strings.Compare(a.app+a.cluster, b.app+b.cluster) })
	c.target = free[w.rand.IntN(len(free))]
	used[c.target] = true
	switch c.kind {
	case withKind:
		c.with = []target{{proposed, c.target.app}}
	case setKind:
		c.with = []target{{others, c.target.app}}
	case freshKind, sourKind:
		for t := range w.targets {
			used[t] = used[t] || strings.HasPrefix(t.app, setApps)
		}
		if c.kind == sourKind {
			c.want += sour
		}
	case unpinKind:
		c.want = first // that of the base
	case rollbackKind:
		c.want = w.targets[c.target].before
	}
	return true
}

// good reports whether ferry brought what runs now, and saw it healthy.
func (v *version) good() bool {
	return v.now != first && v.now != "" && !strings.HasSuffix(v.now, broken)
}

// learn notes what the targets run after an episode, in the order in which their
// jobs were made.
func (w *world) learn(commands []*command, outcome map[*command]string) {
	in := slices.Clone(commands)
	slices.SortStableFunc(in, func(a, b *command) int {
		if a.mate == b {
			return a.made.Compare(b.made)
		}
		return 0
	})
	for _, c := range in {
		for _, t := range c.targets() {
			if v := w.targets[t]; v != nil && (c.wants == nil || c.reached(t)) {
				v.learn(c, outcome[c], c.wantOn(t))
			}
		}
	}
}

func (v *version) learn(c *command, how, want string) {
	if c.kind == partKind && how == "failed" {
		how = "rolled back" // that is, what failed of it
	}
	if how == "rolled back" && want != c.want {
		how = "done" // of a set, and healthy: it stays
	}
	switch {
	case c.kind == unpinKind && how == "done":
		v.unpinned = true
		return
	case !c.changes():
		return
	case how == "rolled back":
		v.now, v.before, v.doubted = c.back, "", false
		return
	case how == "cancelled" && c.landed: // nobody looked whether it is healthy
		v.now, v.before, v.doubted = want, "", true
		return
	case how != "done" && how != "failed":
		return
	case v.good() && !v.doubted:
		v.before = v.now
	case c.kind == rollbackKind || c.kind == backKind: // back from one that failed: what was before that is not known
		v.before = ""
	}
	v.now, v.doubted = want, false
}

// kinds tells what is asked for in an episode, for people.
func kinds(commands []*command) string {
	n := map[kind]int{}
	for _, c := range commands {
		n[c.kind]++
	}
	var out []string
	for _, k := range slices.Sorted(maps.Keys(n)) {
		out = append(out, fmt.Sprintf("%d %s", n[k], k))
	}
	return strings.Join(out, ", ")
}
