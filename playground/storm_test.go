package main

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestAStormIsADigest has forty workloads fail that nothing groups, with ferry killed
// twice meanwhile, and something else in the middle of it.
func TestAStormIsADigest(t *testing.T) {
	t.Parallel()
	o := newOutage(t)
	failing := func(from, to int, more string) (out []string) {
		for i := from; i < to; i++ {
			out = append(out, fmt.Sprintf(`"cluster":"prod","kind":"Deployment","namespace":"shop","name":"app-%d","reason":"ImagePullBackOff","severity":"error","title":"Deployment app-%d cannot pull its image"%s`, i, i, more))
		}
		return out
	}
	says := func(n int, words ...string) func() bool {
		return func() bool {
			all := o.told(t)
			text := fmt.Sprint(all)
			for _, w := range words {
				if !strings.Contains(text, w) {
					return false
				}
			}
			return len(all) == n
		}
	}
	o.happens(t, failing(0, 20, "")...)
	eventually(t, says(4, "Storm on prod: 17 more incidents open"))
	o.ferry(t, "kill")
	o.happens(t, failing(20, 30, "")...)
	o.ferry(t, "start")
	eventually(t, says(4, "Storm on prod: 27 more incidents open"))
	o.happens(t, failing(30, 40, "")...)
	o.ferry(t, "kill")
	o.ferry(t, "start")
	eventually(t, says(4, "Storm on prod: 37 more incidents open", "37 × ImagePullBackOff in shop on prod"))
	began := time.Now()
	o.happens(t, `"cluster":"stage","kind":"Job","namespace":"ops","name":"backup","reason":"BackoffLimitExceeded","severity":"warning","title":"Job backup failed","text":"3 pods failed."`)
	eventually(t, says(5, "Job backup failed on stage"))
	t.Logf("what has nothing to do with the storm is told after %s", time.Since(began).Round(10*time.Millisecond))
	thread := o.say(t, "events cluster=prod")
	eventually(t, func() bool { return len(o.thread(t, thread)) == 1 })
	if said := o.thread(t, thread)[0]; !strings.Contains(said, "40 incidents with `cluster=prod` are open") {
		t.Errorf("events: %q", said)
	}
	t.Cleanup(func() {
		if t.Failed() {
			for _, m := range o.told(t) {
				t.Logf("%d edits; the message reads\n%s", len(m.Edits), m.Text)
			}
		}
	})
	o.happens(t, failing(0, 40, `,"resolved":true`)...)
	eventually(t, says(5, "The storm on prod is over: 37 more incidents resolved", "Resolved: Deployment app-0 cannot pull its image on prod"))
	for _, m := range o.told(t) {
		t.Logf("%d edits; the message reads\n%s", len(m.Edits), m.Text)
	}
}
