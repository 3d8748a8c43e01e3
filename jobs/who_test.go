package jobs

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"ferry/internal/chat"
	"ferry/internal/deploy"
	"ferry/internal/fault"
	"ferry/internal/job"
)

func TestWho(t *testing.T) {
	w := fleet()
	podinfo := w.apps["stage"][0].Target // 6.5.4, degraded
	nginx := w.apps["stage"][1].Target   // chart 17.0.0, healthy
	gone := deploy.Target{Cluster: "stage", App: deploy.App{Namespace: "apps", Name: "gone"}}
	for _, c := range []struct {
		name   string
		app    chat.Word
		record deploy.Record
		title  string
		says   string // of the lines, in this order
		fields string
	}{
		{
			"healthy since", "nginx",
			deploy.Record{Target: nginx, Version: "17.0.0", From: "16.0.0", Field: deploy.FieldChart, Healthy: true, Outcome: "done", Approvers: []string{"U2", "U3"}, Why: "the old one is out of support"},
			"Ada promoted nginx to `17.0.0` on stage 3 h ago", "It was `16.0.0` before. Why: The old one is out of support. It was seen healthy 3 h ago and is healthy now.",
			"Asked=`promote it`; Job=JOB; Approved by=Ada and Ada",
		},
		{
			"fell over since", "podinfo",
			deploy.Record{Target: podinfo, Version: "6.5.4", Field: deploy.FieldImage, Healthy: true, Outcome: "done", Command: "rollback"},
			"Ada rolled podinfo back to `6.5.4` on stage 3 h ago", "It was seen healthy 3 h ago; now it is degraded: 1 pod crashes.", "Asked=`promote it`; Job=JOB; Approved by=nobody was asked",
		},
		{
			"failed", "podinfo",
			deploy.Record{Target: podinfo, Version: "6.5.4", Field: deploy.FieldImage, Outcome: "expired", Reason: "1 pod crashes"},
			"Ada promoted podinfo to `6.5.4` on stage 3 h ago", "It ended as timed out: 1 pod crashes. Now it is degraded: 1 pod crashes.", "Asked=`promote it`; Job=JOB; Approved by=nobody was asked",
		},
		{
			"replaced by hand", "apps/podinfo",
			deploy.Record{Target: podinfo, Version: "6.5.3", Field: deploy.FieldImage, Healthy: true, Outcome: "done"},
			"Ada promoted podinfo to `6.5.3` on stage 3 h ago", "stage runs `6.5.4` now: that did not come through ferry.", "Asked=`promote it`; Job=JOB; Approved by=nobody was asked",
		},
		{
			"read from Git", "nginx",
			deploy.Record{Target: nginx, Version: "17.0.0", FromGit: true},
			"Ada promoted nginx to `17.0.0` on stage 3 h ago", "This is read from Git: ferry does not know whether it became healthy. It runs there and is healthy now.", "Asked=`promote it`; Job=JOB",
		},
		{
			"gone", "gone",
			deploy.Record{Target: gone, Version: "1", Healthy: true, Outcome: "done"},
			"Ada promoted gone to `1` on stage 3 h ago", "It is not on stage any more.", "Asked=`promote it`; Job=JOB; Approved by=nobody was asked",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, w)
			b.options.Now = func() time.Time { return noon }
			j := &job.Job{Key: "k", Created: noon, Request: request(t, "promote it")}
			if _, err := b.options.Rows.(interface {
				Create(context.Context, *job.Job) (bool, error)
			}).Create(t.Context(), j); err != nil {
				t.Fatal(err)
			}
			r := c.record
			r.At, r.By, r.Job = noon.Add(-3*time.Hour), "U1", string(j.ID)
			r.Commit, r.URL = "0123456789", "https://git/c/0123456789"
			if r.Command == "" {
				r.Command = "promote"
			}
			older := deploy.Record{Target: r.Target, Version: "0", Command: "promote", Job: "old", At: noon.Add(-5 * time.Hour), Healthy: true, By: "U9"}
			newer := deploy.Record{Target: r.Target, Version: "9", Command: seen, Job: "new", At: noon, Healthy: true, By: "U9"}
			for _, r := range []*deploy.Record{&older, &r, &newer} {
				if err := b.history.Append(t.Context(), r); err != nil {
					t.Fatal(err)
				}
			}
			m, err := b.command("who").Query.Answer(t.Context(), chat.Command{Args: chat.Args{App: c.app, Cluster: "stage"}})
			if err != nil || m.Title != c.title || strings.Join(m.Lines, " ") != c.says {
				t.Errorf("%v\n%s\n%s", err, m.Title, strings.Join(m.Lines, " "))
			}
			var fields []string
			for _, f := range m.Fields {
				fields = append(fields, f.Name+"="+f.Value)
			}
			if want := strings.ReplaceAll(c.fields, "JOB", string(j.ID)); strings.Join(fields, "; ") != want {
				t.Errorf("fields %q", fields)
			}
			if len(m.Links) != 1 || m.Links[0].URL != r.URL {
				t.Errorf("links %+v", m.Links)
			}
		})
	}
}

func TestWhoWithoutHistory(t *testing.T) {
	m, err := ask(t, fleet(), "who", chat.Args{App: "podinfo", Cluster: "prod"})
	if err != nil || m.Title != "ferry has not changed podinfo on prod yet" || m.Lines[0] != "It runs `6.5.10`; the repository's log tells who brought it." {
		t.Errorf("%v %+v", err, m)
	}
	if len(m.Lines) != 2 || !strings.Contains(m.Lines[1], "has not answered") {
		t.Errorf("a stale cluster is not told: %q", m.Lines)
	}
	_, err = ask(t, fleet(), "who", chat.Args{App: "podinf", Cluster: "dev"})
	var f *fault.Error
	if f, _ = err.(*fault.Error); f == nil || f.Kind != fault.NotFound || !slices.Equal(f.Choices, []string{"who podinfo on dev"}) {
		t.Errorf("%v %+v", err, f)
	}
}

// TestWhatWasBeforeIsRememberedWhole: the record of what is to be gone back to
// has the field with the value that stood there.
func TestWhatWasBeforeIsRememberedWhole(t *testing.T) {
	p := deploy.Part{From: "6.5.3", Site: deploy.Site{Path: "/spec/x", Value: "r/podinfo:6.5.4"}}
	if s := before(p, "6.5.4"); s.Value != "r/podinfo:6.5.3" || s.Path != "/spec/x" {
		t.Errorf("%+v", s)
	}
	p.Site.Value = "6.5.4@sha256:1"
	if s := before(p, "6.5.4"); s.Value != "" {
		t.Errorf("a value that cannot be told is %q", s.Value)
	}
}

func request(t *testing.T, text string) []byte {
	t.Helper()
	raw, err := json.Marshal(chat.Command{Text: text, User: "U1"})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
