package events

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"ferry/plugins/sources/cluster/clustertest"
)

const (
	pods   = "/api/v1/pods"
	nodes  = "/api/v1/nodes"
	jobs   = "/apis/batch/v1/jobs"
	notes  = "/apis/events.k8s.io/v1/events"
	quick  = "resolve_after: 300ms\npending_after: 500ms\n"
	silent = quick + "events: {disabled: true}\n"
)

func podOf(name, status string) string {
	return fmt.Sprintf(`{"metadata":{"name":%q,"namespace":"a","creationTimestamp":"2020-01-01T00:00:00Z","labels":{"pod-template-hash":"6f5d9"},
"ownerReferences":[{"kind":"ReplicaSet","name":"web-6f5d9","controller":true}]},"spec":{"nodeName":"n1","containers":[{"name":"app","image":"web:1"}]},"status":%s}`, name, status)
}

const (
	fine    = `{"phase":"Running","containerStatuses":[{"name":"app","image":"web:1","state":{"running":{"startedAt":"2020-01-01T00:00:00Z"}}}]}`
	crashes = `{"phase":"Running","containerStatuses":[{"name":"app","restartCount":3,"state":{"waiting":{"reason":"CrashLoopBackOff","message":"back-off"}},"lastState":{"terminated":{"reason":"Error","exitCode":1}}}]}`
	pulls   = `{"phase":"Pending","containerStatuses":[{"name":"app","image":"web:none","state":{"waiting":{"reason":"%s","message":"not found"}}}]}`
	waiting = `{"phase":"Pending","conditions":[{"type":"PodScheduled","status":"False","message":"0/1 nodes are available"}]}`
)

// TestProblems plants each problem on two pods of one workload, looks that it is told
// once, survives a restart in silence, and is resolved once.
func TestProblems(t *testing.T) {
	now := time.Now().UTC().Format(time.RFC3339)
	for _, c := range []struct{ name, path, bad, good, title string }{
		{"a crash loop", pods, podOf("web-6f5d9-%s", crashes), podOf("web-6f5d9-%s", fine), "web is in a crash loop"},
		{"an image that is not there", pods, podOf("web-6f5d9-%s", fmt.Sprintf(pulls, "ErrImagePull")), podOf("web-6f5d9-%s", fine), "web cannot pull its image"},
		{"a configuration that is not there", pods, podOf("web-6f5d9-%s", fmt.Sprintf(pulls, "CreateContainerConfigError")), podOf("web-6f5d9-%s", fine), "web cannot create its container"},
		{"pending", pods, podOf("web-6f5d9-%s", waiting), podOf("web-6f5d9-%s", fine), "web has a pod that is pending for more than 500ms"},
		{"evicted", pods, podOf("web-6f5d9-%s", `{"phase":"Failed","reason":"Evicted","message":"The node was low on memory","conditions":[{"type":"Ready","lastTransitionTime":"`+now+`"}]}`), "", "web was evicted from n1"},
		{"out of memory", pods, podOf("web-6f5d9-%s", strings.Replace(crashes, `"reason":"Error","exitCode":1`, `"reason":"OOMKilled","exitCode":137,"finishedAt":"`+now+`"`, 1)), podOf("web-6f5d9-%s", fine), "web was killed because it took too much memory"},
		{"a node", nodes, `{"metadata":{"name":"n1","annotations":{"x":"%s"}},"status":{"conditions":[{"type":"Ready","status":"Unknown","reason":"NodeStatusUnknown"}]}}`, `{"metadata":{"name":"n1","annotations":{"x":"%s"}},"status":{"conditions":[{"type":"Ready","status":"True"}]}}`, "n1 is not ready"},
		{"a node's disk", nodes, `{"metadata":{"name":"n1","annotations":{"x":"%s"}},"status":{"conditions":[{"type":"DiskPressure","status":"True"}]}}`, `{"metadata":{"name":"n1","annotations":{"x":"%s"}},"status":{}}`, "n1 runs short of something"},
		{"a job", jobs, `{"metadata":{"name":"load","namespace":"a","annotations":{"x":"%s"}},"status":{"conditions":[{"type":"Failed","status":"True","reason":"BackoffLimitExceeded","lastTransitionTime":"2020-01-01T00:00:00Z"}]}}`, "", "load failed"},
		{"an autoscaler", "/apis/autoscaling/v2/horizontalpodautoscalers", `{"metadata":{"name":"web","namespace":"a","annotations":{"x":"%s"}},"spec":{"maxReplicas":4},"status":{"currentReplicas":4,"conditions":[{"type":"ScalingLimited","status":"True","reason":"TooManyReplicas"}]}}`, `{"metadata":{"name":"web","namespace":"a","annotations":{"x":"%s"}},"spec":{"maxReplicas":4},"status":{"currentReplicas":3,"conditions":[{"type":"ScalingLimited","status":"False"}]}}`, "web is at its limit of 4 replicas"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := clustertest.New(t)
			s.Put(c.path, fmt.Sprintf(c.bad, "aaaaa"))
			l := clustertest.Listen(t, Source{}, s, silent)
			opened := l.Await(t, c.title, 1)
			if opened.Moment {
				t.Error("a problem has no end")
			}
			s.Put(c.path, fmt.Sprintf(c.bad, "bbbbb")) // another of the same
			s.Put(c.path, fmt.Sprintf(c.bad, "aaaaa")) // nothing new
			l.Stop(t)
			l.Start(t)
			end := func(suffix string) {
				if c.good != "" {
					s.Put(c.path, fmt.Sprintf(c.good, suffix))
				} else if c.path == pods || suffix == "bbbbb" {
					name := map[string]string{pods: "web-6f5d9-" + suffix, jobs: "load"}[c.path]
					s.Delete(c.path, "a", name)
				}
			}
			end("aaaaa")
			end("bbbbb")
			var over string
			for _, e := range []int{1} {
				got := l.Await(t, opened.Name+": "+opened.Reason, e) // a crash loop may end beside it
				over = got.About
				if !got.Resolved || got.ID == opened.ID {
					t.Errorf("it ends with %+v", got)
				}
			}
			if over != opened.About {
				t.Errorf("%q ends %q", over, opened.About)
			}
			kinds := map[string]int{}
			for _, e := range l.Events() {
				kinds[fmt.Sprint(e.Reason, e.Resolved)]++
			}
			for what, n := range kinds {
				if n != 1 {
					t.Errorf("%s was told %d times: %q", what, n, l.Titles())
				}
			}
		})
	}
}

// TestWhatEndedMeanwhile restarts while a problem ends, and begins.
func TestWhatEndedMeanwhile(t *testing.T) {
	s := clustertest.New(t)
	s.Put(pods, podOf("web-6f5d9-aaaaa", crashes))
	l := clustertest.Listen(t, Source{}, s, silent)
	l.Await(t, "web is in a crash loop", 1)
	l.Stop(t)
	s.Delete(pods, "a", "web-6f5d9-aaaaa")
	s.Put(nodes, `{"metadata":{"name":"n1"},"status":{"conditions":[{"type":"Ready","status":"False"}]}}`)
	l.Start(t)
	l.Await(t, "web: CrashLoopBackOff is over", 1)
	l.Await(t, "n1 is not ready", 1)
	if got := l.Titles(); len(got) != 3 {
		t.Errorf("it told %q", got)
	}
}

// TestCrashesAndRuns looks that a container that runs for a while between two crashes
// is one problem, and that a cluster that cannot be asked ends nothing.
func TestCrashesAndRuns(t *testing.T) {
	s := clustertest.New(t)
	s.Put(pods, podOf("web-6f5d9-aaaaa", crashes))
	l := clustertest.Listen(t, Source{}, s, "resolve_after: 2s\nevents: {disabled: true}\nskip: [IngressTLS, IngressBackend]")
	l.Await(t, "web is in a crash loop", 1)
	for range 3 {
		s.Put(pods, podOf("web-6f5d9-aaaaa", fine))
		s.Put(pods, podOf("web-6f5d9-aaaaa", crashes))
	}
	l.Stop(t)
	s.Refuse(pods, 403)
	l.Start(t)
	l.Await(t, "pods of prod cannot be watched", 1)
	s.Refuse(pods, 0)
	l.Await(t, "pods of prod are watched again", 1)
	s.Delete(pods, "a", "web-6f5d9-aaaaa")
	l.Await(t, "web: CrashLoopBackOff is over", 1)
	if got := l.Titles(); len(got) != 4 {
		t.Errorf("it told %q", got)
	}
}

// TestCronJobs: the job that succeeds ends what the one before began.
func TestCronJobs(t *testing.T) {
	const job = `{"metadata":{"name":"load-%d","namespace":"a","creationTimestamp":"2024-01-01T00:0%d:00Z","ownerReferences":[{"kind":"CronJob","name":"load","controller":true}]},
"status":{"conditions":[{"type":%q,"status":"True","lastTransitionTime":"2024-01-01T00:0%d:30Z"}]}}`
	s := clustertest.New(t)
	l := clustertest.Listen(t, Source{}, s, silent)
	s.Put(jobs, fmt.Sprintf(job, 1, 1, "Failed", 1))
	if e := l.Await(t, "load failed", 1); e.Kind != "CronJob" {
		t.Errorf("it is about %s", e.About)
	}
	s.Put(jobs, fmt.Sprintf(job, 2, 2, "Complete", 2)) // the first stays
	if e := l.Await(t, "load: JobFailed is over", 1); !e.Resolved {
		t.Errorf("%+v", e)
	}
	s.Put(jobs, fmt.Sprintf(job, 3, 3, "Failed", 3))
	l.Await(t, "load failed", 2)
}

func TestChecks(t *testing.T) {
	const ingress = `{"metadata":{"name":"shop","namespace":"a"},"spec":{"tls":[{"secretName":"cert"}],"rules":[{"http":{"paths":[{"path":"/","backend":{"service":{"name":"shop","port":{"name":"http"}}}}]}}]}}`
	const service = `{"metadata":{"name":"shop","namespace":"a"},"spec":{"ports":[{"name":"%s","port":80}]}}`
	s := clustertest.New(t)
	s.Put(pods, `{"metadata":{"name":"old","namespace":"a","creationTimestamp":"2020-01-01T00:00:00Z"},"spec":{"containers":[{"image":"x"}]},"status":{"phase":"Running"}}`)
	s.Put("/apis/networking.k8s.io/v1/ingresses", ingress)
	l := clustertest.Listen(t, Source{}, s, silent)
	if e := l.Await(t, "shop leads to a backend that is not there", 1); e.Text != "there is no Service shop" {
		t.Error(e.Text)
	}
	if e := l.Await(t, "shop has no certificate", 1); e.Text != "there is no Secret cert" {
		t.Error(e.Text)
	}
	s.Put("/api/v1/secrets", `{"metadata":{"name":"cert","namespace":"a"}}`)
	l.Await(t, "shop: IngressTLS is over", 1)
	s.Put("/api/v1/services", fmt.Sprintf(service, "web"))
	s.Put("/api/v1/services", fmt.Sprintf(service, "http"))
	l.Await(t, "shop: IngressBackend is over", 1)
	s.Put(pods, fmt.Sprintf(`{"metadata":{"name":"new","namespace":"a","creationTimestamp":%q},"spec":{"containers":[{"image":"x"}]},"status":{"phase":"Running"}}`, time.Now().Add(time.Minute).Format(time.RFC3339)))
	l.Await(t, "new runs an image whose tag is `latest` or none", 1)
	l.Await(t, "new has no labels", 1)
	if got := l.Titles(); len(got) != 6 {
		t.Errorf("it told %q", got)
	}
}

func TestSkip(t *testing.T) {
	s := clustertest.New(t)
	s.Put(pods, podOf("web-6f5d9-aaaaa", crashes))
	s.Put(nodes, `{"metadata":{"name":"n1"},"status":{"conditions":[{"type":"Ready","status":"False"}]}}`)
	l := clustertest.Listen(t, Source{}, s, silent+"skip: [CrashLoopBackOff, LatestTag]\n")
	l.Await(t, "n1 is not ready", 1)
	s.Put(pods, podOf("web-6f5d9-bbbbb", fmt.Sprintf(pulls, "ImagePullBackOff")))
	l.Await(t, "web cannot pull", 1)
	if got := l.Titles(); len(got) != 2 {
		t.Errorf("it told %q", got)
	}
}

func TestLatest(t *testing.T) {
	for image, want := range map[string]bool{
		"x": true, "x:latest": true, "r.example.com:5000/x": true, "r.example.com:5000/x:1": false, "x:1": false, "x@sha256:00": false, "x:latest@sha256:00": false,
	} {
		if got := latest(image); got != want {
			t.Errorf("%s: %v", image, got)
		}
	}
}

func noteOf(name, reason, text string, count int) string {
	at := time.Now().UTC().Format(time.RFC3339)
	return fmt.Sprintf(`{"metadata":{"name":%q,"namespace":"a","creationTimestamp":%q},"type":"Warning","reason":%q,"note":%q,"deprecatedCount":%d,"deprecatedLastTimestamp":%q,
"regarding":{"kind":"Pod","namespace":"a","name":"web-6f5d9-aaaaa"}}`, name, at, reason, text, count, at)
}

// TestNotes restarts, forgets and repeats, and counts.
func TestNotes(t *testing.T) {
	s := clustertest.New(t)
	s.Put(notes, noteOf("old", "Unhealthy", "before anybody looked", 1))
	l := clustertest.Listen(t, Source{}, s, quick)
	s.AwaitLists(t, 8)
	put := func(name string) { s.Put(notes, noteOf(name, "Unhealthy", name+" probe", 1)) }
	seen := func(name string) { l.Await(t, "web-6f5d9-aaaaa: Unhealthy: "+name, 1) }
	put("n1")
	seen("n1")
	s.Put(notes, noteOf("x1", "BackOff", "Back-off restarting failed container", 1)) // a problem tells it
	l.Stop(t)
	put("n2")
	put("n3")
	l.Start(t)
	seen("n3")
	l.Stop(t)
	put("n4")
	s.Delete(notes, "a", "n1")
	s.Forget()
	put("n5")
	l.Start(t)
	seen("n5")
	s.Forget() // while it watches
	put("n6")
	seen("n6")
	s.Put(notes, noteOf("n6", "Unhealthy", "n6 probe", 2))
	l.Await(t, "web-6f5d9-aaaaa: Unhealthy: n6", 2)
	var got []string
	ids := map[string]bool{}
	for _, e := range l.Events() {
		got = append(got, strings.Fields(e.Title)[2])
		if ids[e.ID] || !e.Moment {
			t.Errorf("%s came twice, or has an end", e.ID)
		}
		ids[e.ID] = true
	}
	if want := []string{"n1", "n2", "n3", "n4", "n5", "n6", "n6"}; !slices.Equal(got, want) {
		t.Errorf("%q came, want %q", got, want)
	}
}

// TestTheOrderOfAGap: what came within a second while nobody watched is told in the order in which it came.
func TestTheOrderOfAGap(t *testing.T) {
	s := clustertest.New(t)
	l := clustertest.Listen(t, Source{}, s, quick)
	s.AwaitLists(t, 8)
	put := func(name string) { s.Put(notes, noteOf(name, "Unhealthy", name+" probe", 1)) }
	put("first")
	l.Await(t, "web-6f5d9-aaaaa: Unhealthy: first", 1)
	l.Stop(t)
	want := []string{"first", "z", "a", "m", "y", "b"}
	for _, name := range want[1:] {
		put(name)
	}
	s.Forget()
	l.Start(t)
	l.Await(t, "web-6f5d9-aaaaa: Unhealthy: b", 1)
	var got []string
	for _, e := range l.Events() {
		got = append(got, strings.Fields(e.Title)[2])
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q came, want %q", got, want)
	}
}

// TestStoppedBeforeAnythingHappened: what happens while a source is away that has told nothing yet is told all the same.
func TestStoppedBeforeAnythingHappened(t *testing.T) {
	s := clustertest.New(t)
	s.Put(notes, noteOf("old", "Unhealthy", "before anybody looked", 1))
	l := clustertest.Listen(t, Source{}, s, quick)
	l.AwaitCursor(t, `"events"`)
	l.Stop(t)
	s.Put(notes, noteOf("n1", "Unhealthy", "n1 probe", 1))
	l.Start(t)
	l.Await(t, "web-6f5d9-aaaaa: Unhealthy: n1", 1)
	if got := l.Titles(); len(got) != 1 {
		t.Errorf("it told %q", got)
	}
}
