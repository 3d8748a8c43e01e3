package main

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ferry/playground/slack"
)

// outage is a playground with the ferry that users get, and a source plugin that reads
// events from a file.
type outage struct {
	*running
	file string
	n    int
}

func newOutage(t *testing.T) *outage {
	t.Helper()
	binary, dir := compileFerry(t), t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(dir, "lines"), ".")
	build.Dir, build.Env = "testdata/lines", append(os.Environ(), "GOWORK=off")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the source: %v\n%s", err, out)
	}
	if out, err := exec.CommandContext(t.Context(), binary, "plugin", "index", dir).CombinedOutput(); err != nil {
		t.Fatalf("index: %v\n%s", err, out)
	}
	o := &outage{file: filepath.Join(t.TempDir(), "events")}
	if err := os.WriteFile(o.file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	rules := developers + "plugins:\n  dir: " + t.TempDir() + "\n  repositories: {local: {index: " + dir + "}}\n  sources: {lines: {plugin: local/lines, config: {file: " + o.file + "}}}\n" +
		`alerts:
  route:
    receiver: deployments
    group_interval: 1s
    routes: [{matchers: ['node!=""'], group_by: [cluster, node], group_wait: 500ms, group_interval: 1s}]
  receivers: {deployments: {sinks: [{slack: {channel: C0DEPLOY}}]}}
  filters: [{keep: 'event.namespace != "noise"'}]
`
	o.running = openWith(t, Options{Ferry: binary, Gates: rules})
	return o
}

// happens appends events to what the source reads.
func (o *outage) happens(t *testing.T, events ...string) {
	t.Helper()
	f, err := os.OpenFile(o.file, os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, e := range events {
		o.n++
		if _, err := fmt.Fprintf(f, `{"id":"e%d",%s}`+"\n", o.n, e); err != nil {
			t.Fatal(err)
		}
	}
}

func pods(from, to int, more string) (out []string) {
	for i := from; i < to; i++ {
		out = append(out, fmt.Sprintf(`"cluster":"prod","kind":"Pod","namespace":"shop","name":"web-%d","reason":"NodeLost","severity":"critical","title":"Pod web-%d does not answer","labels":{"node":"n1"}%s`, i, i, more))
	}
	return out
}

// told are ferry's messages in the channel, those of threads left out.
func (o *outage) told(t *testing.T) (out []slack.Message) {
	t.Helper()
	all, err := o.slack.Messages("C0DEPLOY", "")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range all {
		if m.User == "U0FERRY" && (m.ThreadTS == "" || m.ThreadTS == m.TS) {
			out = append(out, m)
		}
	}
	return out
}

func (o *outage) ferry(t *testing.T, state string) {
	t.Helper()
	if code := o.call(t, "POST", "/playground/ferry", `{"state":"`+state+`"}`, nil); code != http.StatusOK {
		t.Fatalf("%s: %d", state, code)
	}
}

// TestAnOutageIsOneMessage has 300 pods of a node fail, with ferry killed twice
// meanwhile, and something else in the middle of it.
func TestAnOutageIsOneMessage(t *testing.T) {
	t.Parallel()
	o := newOutage(t)
	says := func(n int, words ...string) func() bool {
		return func() bool {
			all := o.told(t)
			for _, w := range words {
				found := false
				for _, m := range all {
					found = found || strings.Contains(m.Text, w)
				}
				if !found {
					return false
				}
			}
			return len(all) == n
		}
	}
	o.happens(t, `"cluster":"dev","kind":"Pod","namespace":"noise","name":"x","reason":"BackOff","title":"Nobody wants to hear of it"`)
	o.happens(t, pods(0, 100, "")...)
	eventually(t, says(1, "100 in trouble"))
	o.ferry(t, "kill")
	o.happens(t, pods(100, 200, "")...)
	o.ferry(t, "start")
	o.happens(t, pods(200, 250, "")...)
	eventually(t, says(1, "in trouble: NodeLost"))
	o.ferry(t, "kill")
	o.happens(t, pods(250, 300, "")...)
	o.ferry(t, "start")
	eventually(t, says(1, "300 in trouble: NodeLost (cluster prod, node n1)"))

	o.happens(t, pods(0, 300, `,"text":"again"`)...)
	began := time.Now()
	o.happens(t, `"cluster":"stage","kind":"Job","namespace":"ops","name":"backup","reason":"BackoffLimitExceeded","severity":"warning","title":"Job backup failed","text":"3 pods failed, the last one with exit code 1."`)
	eventually(t, says(2, "300 in trouble", "Job backup failed on stage"))
	t.Logf("what has nothing to do with the outage is told after %s", time.Since(began).Round(10*time.Millisecond))

	t.Logf("while it lasts the channel reads\n%s", o.told(t)[0].Text)
	thread := o.say(t, "events cluster=prod")
	eventually(t, func() bool { return len(o.thread(t, thread)) == 1 })
	if said := o.thread(t, thread)[0]; !strings.Contains(said, "1 incident with `cluster=prod` is open") {
		t.Errorf("events: %q", said)
	}
	o.happens(t, pods(0, 300, `,"resolved":true`)...)
	eventually(t, says(2, "300 were in trouble: NodeLost (cluster prod, node n1)"))
	for _, m := range o.told(t) {
		t.Logf("%d edits; the message reads\n%s\nblocks: %s", len(m.Edits), m.Text, m.Blocks)
	}
}

// TestAlertsAreSpokenOf silences something, turns a channel off, and asks what a
// promotion has to do with what fails.
func TestAlertsAreSpokenOf(t *testing.T) {
	t.Parallel()
	o := newOutage(t)
	ask := func(text string) string {
		t.Helper()
		thread := o.say(t, text)
		eventually(t, func() bool { return len(o.thread(t, thread)) == 1 })
		said := o.thread(t, thread)[0]
		t.Logf("@ferry %s\n%s", text, said)
		return said
	}
	failing := func(name string) string {
		return fmt.Sprintf(`"cluster":"prod","kind":"Job","namespace":"ops","name":%q,"reason":"Failed","severity":"warning","title":"Job %s failed"`, name, name)
	}
	for _, c := range []struct{ text, want string }{
		{"silence cluster=prod name=quiet for 2h because it is being rebuilt", "`cluster=\"prod\",name=\"quiet\"` is silent for 2 h, until"},
		{"silences", "1 silence is in force"},
		{"silence name=~\"a(\" for 2h because x", "missing closing"},
		{"silence app!=x for 2h because x", "those matchers choose everything"},
		{"events", "Nothing is in trouble"},
		{"undelivered", "No notification was given up"},
		{"resend 12345678", "No notification `12345678` was given up"},
		{"plugins", "The only plugin runs"},
	} {
		if said := ask(c.text); !strings.Contains(said, c.want) {
			t.Errorf("%s: %q, want %q", c.text, said, c.want)
		}
	}
	denied, err := o.slack.Say("U0BOB", "C0DEPLOY", "<@U0FERRY> silence app=podinfo for 2h because I may not", "")
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool { return len(o.thread(t, denied)) == 1 })
	if said := o.thread(t, denied)[0]; !strings.Contains(said, "may not silence podinfo on all clusters") {
		t.Errorf("somebody without a role is told %q", said)
	}
	o.happens(t, failing("quiet"), failing("loud"))
	eventually(t, func() bool { return strings.Contains(fmt.Sprint(o.told(t)), "Job loud failed") })
	ask("notify off")
	o.happens(t, failing("unheard"), strings.Replace(failing("loud"), `"title"`, `"resolved":true,"title"`, 1))
	eventually(t, func() bool { return strings.Contains(fmt.Sprint(o.told(t)), "Resolved: Job loud failed on prod") })
	if said := ask("events"); !strings.Contains(said, "2 incidents are open, 1 is over") {
		t.Errorf("events: %q", said)
	}
	ask("unsilence s1")
	if all := fmt.Sprint(o.told(t)); strings.Contains(all, "Job quiet") || strings.Contains(all, "Job unheard") {
		t.Errorf("the channel was told: %s", all)
	}
	ask("notify on")

	thread := o.say(t, "promote podinfo@6.5.4 to dev")
	eventually(t, func() bool { return strings.Contains(strings.Join(o.thread(t, thread), ""), "is healthy on dev") })
	o.happens(t, `"cluster":"dev","kind":"Pod","namespace":"podinfo","name":"podinfo-7d9f8b6c5-x2x4z","reason":"BackOff","severity":"critical","title":"Back-off restarting podinfo"`)
	eventually(t, func() bool { return strings.Contains(fmt.Sprint(o.told(t)), "Back-off restarting podinfo on dev") })
	all := o.told(t)
	last := all[len(all)-1]
	t.Logf("after a promotion\n%s\n%s", last.Text, last.Blocks)
	for _, want := range []string{"app podinfo", "Shortly before: ", " → 6.5.4 by job ", "The commit"} {
		if !strings.Contains(last.Text+string(last.Blocks), want) {
			t.Errorf("the message lacks %q", want)
		}
	}
}
