package main

import (
	"slices"
	"strings"

	"ferry/playground/cluster/workload"
)

// sour ends the versions that start on one cluster and not on those of the waves.
const sour = "-sour"

// sours is what becomes of images on the clusters of the waves.
func sours(image string) workload.Verdict {
	if strings.HasSuffix(image, sour) {
		return workload.CannotPull
	}
	return workload.Judge(image)
}

// What takes all apps takes them only while they are healthy at their source, and an app
// is not while Flux applies a commit there, whatever it changes: that is why such a set
// has the world for itself.

// settable reports whether a target may have what a command asks for as far as sets go:
// one of all apps needs all of them, and one that fails a version to go back to.
func (w *world) settable(c *command, t target, used map[target]bool) bool {
	if c.kind != freshKind && c.kind != sourKind {
		return true
	}
	for other := range used {
		if strings.HasPrefix(other.app, setApps) {
			return false
		}
	}
	return c.kind == freshKind || w.targets[target{canary, t.app}].good()
}

// gather makes a command a set of all apps, as it will be when what comes before it is
// done: every app whose version is another one at its source.
func (w *world) gather(c *command) {
	app := c.head.target.app
	c.target, c.want, c.wants = target{canary, app}, c.head.want, map[target]string{}
	c.back = w.targets[c.target].now
	for t, v := range w.targets {
		from, ok := w.targets[target{direct, t.app}]
		if !strings.HasPrefix(t.app, setApps) || t.cluster == direct || !ok {
			continue
		}
		want := from.now
		if t.app == app {
			want = c.want
		}
		if want == v.now {
			continue
		}
		if c.wants[t] = want; t != c.target {
			c.with = append(c.with, t)
		}
	}
	slices.SortFunc(c.with, func(a, b target) int { return strings.Compare(a.cluster+a.app, b.cluster+b.app) })
}

// wantOn is what a target is to run.
func (c *command) wantOn(t target) string {
	if want, ok := c.wants[t]; ok {
		return want
	}
	return c.want
}

// set reports whether a command goes in waves.
func (c *command) set() bool { return c.says == sets || c.says == all }

// reached reports whether a command came to a target: the waves after one that fails
// never begin.
func (c *command) reached(t target) bool {
	return c.kind != badSetKind && c.kind != partKind || t.cluster == canary
}

// stays reports whether something of a set that fails stays where it arrived: then the
// set is one that failed, also when what failed is back.
func (c *command) stays() bool {
	return c.kind == partKind && slices.ContainsFunc(c.with, func(t target) bool { return c.reached(t) })
}

// waved is how many waves of a set were committed.
func (c *command) waved() int {
	on := map[string]bool{}
	for _, t := range c.targets() {
		if c.reached(t) {
			on[t.cluster] = true
		}
	}
	return len(on)
}
