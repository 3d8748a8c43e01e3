package events

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"ferry/plugins/api"
	"ferry/plugins/sources/cluster/clustertest"
)

// workload is a pod of a deployment of that name.
func workload(deployment, status string) string {
	return fmt.Sprintf(`{"metadata":{"name":"%s-6f5d9-aaaaa","namespace":"a","creationTimestamp":"2020-01-01T00:00:00Z","labels":{"pod-template-hash":"6f5d9"},
"ownerReferences":[{"kind":"ReplicaSet","name":"%s-6f5d9","controller":true}]},"spec":{"nodeName":"n1"},"status":%s}`, deployment, deployment, status)
}

func ago(d time.Duration) string { return time.Now().Add(-d).UTC().Format(time.RFC3339) }

func killedAgo(d time.Duration) string {
	return `{"phase":"Running","containerStatuses":[{"name":"app","restartCount":1,"state":{"running":{}},"lastState":{"terminated":{"reason":"OOMKilled","exitCode":137,"finishedAt":"` + ago(d) + `"}}}]}`
}

// TestWhatHappenedOnceMeanwhile: what happened after the cursor is told, however long
// ago that is, and is over some time after it could be seen; what happened before is not.
// Who has no cursor tells what is recent.
func TestWhatHappenedOnceMeanwhile(t *testing.T) {
	t.Parallel()
	const job = `{"metadata":{"name":"load-%d","namespace":"a","creationTimestamp":%q,"ownerReferences":[{"kind":"CronJob","name":"load","controller":true}]},
"status":{"conditions":[{"type":%q,"status":"True","lastTransitionTime":%q}]}}`
	s := clustertest.New(t)
	s.Put(pods, podOf("web-6f5d9-aaaaa", killedAgo(time.Hour)))
	s.Put(pods, podOf("web-6f5d9-bbbbb", killedAgo(2*time.Hour))) // which the one before does not hide
	s.Put(pods, workload("before", killedAgo(4*time.Hour)))
	s.Put(pods, workload("evicted", `{"phase":"Failed","reason":"Evicted","conditions":[{"type":"Ready","lastTransitionTime":"`+ago(2*time.Hour)+`"}]}`))
	s.Put(jobs, fmt.Sprintf(job, 0, ago(5*time.Hour), "Failed", ago(5*time.Hour)))
	s.Put(jobs, fmt.Sprintf(job, 1, ago(2*time.Hour), "Failed", ago(2*time.Hour)))
	s.Put(jobs, fmt.Sprintf(job, 2, ago(time.Hour), "Complete", ago(time.Hour)))
	const config = silent + "recent: 1s\n"

	began := ago(24 * time.Hour)
	l := clustertest.ListenFrom(t, Source{}, s, config, fmt.Sprintf(`{"at":%q,"began":%q,"looks":{"pods":{"until":%q},"jobs":{"until":%q}}}`, began, began, ago(3*time.Hour), ago(3*time.Hour)))
	for _, reason := range []string{"web: OOMKilled", "evicted: Evicted", "load: JobFailed"} {
		l.Await(t, reason+" is over", 1)
	}
	want := []string{
		"evicted was evicted from n1", "evicted: Evicted is over *", "load failed", "load: JobFailed is over *",
		"web was killed because it took too much memory", "web was killed because it took too much memory", "web: OOMKilled is over *",
	}
	if got := slices.Sorted(slices.Values(l.Titles())); !slices.Equal(got, want) {
		t.Errorf("it told %q, want %q", got, want)
	}
	l.Stop(t)
	s.Put(pods, workload("now", killedAgo(0)))
	l.Start(t)
	l.Await(t, "now: OOMKilled is over", 1)
	if got := l.Titles(); len(got) != len(want)+2 {
		t.Errorf("in another life it told %q", got[len(want):])
	}

	first := clustertest.Listen(t, Source{}, s, silent)
	first.AwaitCursor(t, `"pods"`)
	first.AwaitCursor(t, `"jobs"`)
	first.Stop(t)
	if got := first.Titles(); !slices.Equal(got, []string{"now was killed because it took too much memory"}) {
		t.Errorf("without a cursor it told %q", got)
	}
}

// TestSeenBeforeAnythingHappened: who is stopped before there was anything to tell knows
// all the same until when it looked.
func TestSeenBeforeAnythingHappened(t *testing.T) {
	t.Parallel()
	l := clustertest.Listen(t, Source{}, clustertest.New(t), silent)
	l.AwaitCursor(t, `"pods"`)
	l.AwaitCursor(t, `"jobs"`)
}

// TestAbsences: when nobody looked, in one life and over several.
func TestAbsences(t *testing.T) {
	t.Parallel()
	c, err := parse(nil)
	if err != nil {
		t.Fatal(err)
	}
	at := func(minutes int) time.Time { return time.Unix(int64(60*minutes), 0) }
	now := at(0)
	w := &watcher{config: c, tracker: newTracker("prod", nil, time.Minute), now: func() time.Time { return now }, cursor: cursor{Looks: map[string]looks{}}}
	for _, row := range []struct {
		minute   int
		first    bool
		from, to int // of the absence that is known then
	}{
		{10, true, 0, 0},    // nobody ever looked before
		{11, false, 0, 0},   // a bookmark
		{13, false, 0, 0},   // a late one
		{60, false, 13, 60}, // the API server was down
		{61, false, 13, 60},
		{65, true, 13, 65}, // ferry starts again, while nodes still tell what happened
		{66, false, 13, 65},
		{67, false, 13, 65},
		{300, true, 67, 300}, // long after the one before
	} {
		now = at(row.minute)
		w.looked("pods", row.first)
		want := absence{}
		if row.to > 0 {
			want = absence{From: at(row.from), To: at(row.to)}
		}
		if got := w.cursor.Looks["pods"]; got.Away != want || !got.Until.Equal(now) {
			t.Errorf("at minute %d it knows %+v, want %+v", row.minute, got, want)
		}
	}
	for _, row := range []struct{ minute, from int }{{10, 0}, {60, 10}, {61, 60}} { // what became of a job is told once
		now = at(row.minute)
		if w.looked("jobs", true); row.from > 0 && !w.cursor.Looks["jobs"].Away.From.Equal(at(row.from)) {
			t.Errorf("at minute %d it was away from jobs since %+v", row.minute, w.cursor.Looks["jobs"])
		}
	}
	if w.looked("nodes", true); len(w.cursor.Looks) != 2 {
		t.Errorf("it keeps %v", w.cursor.Looks)
	}

	// What is told late is a problem for as long as what is told at once.
	for _, row := range []struct {
		killed, now int // minutes
		want        bool
	}{{61, 300, false}, {63, 300, true}, {299, 300, true}, {63, 309, true}, {63, 310, false}, {301, 310, true}, {301, 311, false}} {
		p := &pod{}
		p.Status.Containers = []container{killedAt("app", at(row.killed))}
		v := lookAtPod(p, w.lens("pods", at(row.now)))
		if got := slices.ContainsFunc(v.findings, func(f finding) bool { return f.Reason == oomKilled }); got != row.want {
			t.Errorf("killed at minute %d and looked at in minute %d: %v, want %v", row.killed, row.now, got, row.want)
		}
	}
}

// TestTwoKillsOfOnePod: whichever container stands first.
func TestTwoKillsOfOnePod(t *testing.T) {
	t.Parallel()
	c, err := parse(nil)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	p := &pod{}
	p.Status.Containers = []container{killedAt("late", now.Add(-time.Minute)), killedAt("early", now.Add(-2*time.Minute))}
	tr := newTracker("prod", nil, time.Minute)
	told := 0
	tr.see("pods", "a/web", now, func(now time.Time) view { return lookAtPod(p, lens{now: now, began: now, config: &c, jobs: tr.runs}) }, func(api.Event) { told++ })
	if told != 2 {
		t.Errorf("it told of %d kills, want 2", told)
	}
}
