package main

import (
	"maps"
	"math/rand/v2"
	"testing"

	"ferry/internal/job"
)

// TestASetHasWhatDiffers: of all apps those that run another version at the source than
// on the clusters of the waves; what a failed wave reached counts, what comes after it
// does not.
func TestASetHasWhatDiffers(t *testing.T) {
	t.Parallel()
	at := func(cluster, app string) target { return target{cluster, app} }
	w := &world{rand: rand.New(rand.NewPCG(1, 1)), targets: map[target]*version{
		at(direct, "s00"): {now: "1.1.0"}, at(canary, "s00"): {now: "1.2.0"}, at(others, "s00"): {now: "1.1.0"},
		at(direct, "s01"): {now: "1.1.0"}, at(canary, "s01"): {now: "1.3.0"}, at(others, "s01"): {now: "1.3.0"},
		at(direct, "s02"): {now: "1.4.0"}, at(canary, "s02"): {now: "1.4.0"}, at(others, "s02"): {now: "1.4.0"},
		at(direct, "a00"): {now: "1.1.0"},
	}}
	head := &command{play: playOf(sourKind), target: at(direct, "s01"), want: "1.5.0" + sour}
	head.head = head
	whole, part := &command{play: playOf(wholeKind), head: head}, &command{play: playOf(partKind), head: head}
	w.gather(whole)
	w.gather(part)
	want := map[target]string{at(canary, "s00"): "1.1.0", at(canary, "s01"): head.want, at(others, "s01"): head.want}
	if !maps.Equal(part.wants, want) || part.target != at(canary, "s01") || len(part.with) != 2 || part.back != "1.3.0" {
		t.Errorf("%v, first %v, with %v, back to %s", part.wants, part.target, part.with, part.back)
	}
	if whole.waved() != 2 || part.waved() != 1 {
		t.Errorf("%d and %d waves, want 2 and 1", whole.waved(), part.waved())
	}
	for _, c := range []struct {
		on      target
		outcome job.Outcome
		reached bool
	}{{at(canary, "s01"), job.Failed, true}, {at(canary, "s00"), job.Done, true}, {at(others, "s01"), job.Done, false}} {
		if j, reached := part.recorded(job.Job{Outcome: job.Failed}, c.on, aftermath{back: 1}); j.Outcome != c.outcome || reached != c.reached {
			t.Errorf("%v is recorded as %s, %v", c.on, j.Outcome, reached)
		}
	}
	if alone := (&command{play: part.play, target: part.target}); !part.stays() || alone.stays() || whole.stays() {
		t.Errorf("what stays: %v of a part, %v where there is nothing else, %v of all", part.stays(), alone.stays(), whole.stays())
	}
	w.learn([]*command{part}, map[*command]string{part: "failed"})
	for on, now := range map[target]string{at(canary, "s00"): "1.1.0", at(canary, "s01"): "1.3.0", at(others, "s00"): "1.1.0", at(others, "s01"): "1.3.0"} {
		if got := w.targets[on].now; got != now {
			t.Errorf("%v runs %s, want %s", on, got, now)
		}
	}
	w.learn([]*command{whole}, map[*command]string{whole: "done"})
	if got := w.targets[at(others, "s01")].now; got != head.want {
		t.Errorf("after all waves it runs %s", got)
	}
}
