package main

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"testing/fstest"

	"ferry/internal/deploy"
	"ferry/internal/job"
	"ferry/playground/chaos/verdict"
	"ferry/playground/github"
	"ferry/playground/slack"
)

func closing(text string) slack.Message {
	return slack.Message{Text: text, Metadata: json.RawMessage(`{"event_payload":{"key":"job/x/closing"}}`)}
}

// TestWhatComesAfterIsWaitedFor: a closing reply that says that something goes back is
// not the last one.
func TestWhatComesAfterIsWaitedFor(t *testing.T) {
	t.Parallel()
	healthy, failed := closing("a `2` is healthy on stage"), closing("a `2` failed\nferry goes back to `1`, the last version seen healthy there: job y.")
	fell, back := closing("a `2` fell over on stage, 3 s after it was healthy\nferry goes back to `1`, the last version seen healthy there: job y."), closing("a `1` is back on stage and healthy")
	for name, c := range map[string]struct {
		kind kind
		said []slack.Message
		over bool
		want aftermath
	}{
		"done":                         {tryKind, []slack.Message{healthy}, true, aftermath{}},
		"failed":                       {lostKind, []slack.Message{failed}, false, aftermath{back: 1}},
		"failed and back":              {lostKind, []slack.Message{failed, back}, true, aftermath{back: 1}},
		"healthy, and will fall":       {fallsKind, []slack.Message{healthy}, false, aftermath{}},
		"fell":                         {fallsKind, []slack.Message{healthy, fell}, false, aftermath{back: 1, fell: 1}},
		"fell and back":                {fallsKind, []slack.Message{healthy, fell, back}, true, aftermath{back: 1, fell: 1}},
		"cancelled":                    {wearKind, []slack.Message{closing("it was cancelled")}, true, aftermath{}},
		"failed before it was, so far": {wearKind, []slack.Message{failed}, false, aftermath{back: 1}},
	} {
		cmd := &command{play: playOf(c.kind)}
		cmd.head = cmd
		a := aftermathOf(c.said)
		if over := a.over(cmd, verdict.Count(c.said)["closing"]); a != c.want || over != c.over {
			t.Errorf("%s: %+v, over %v", name, a, over)
		}
		if got := cmd.thread(a); got.Jobs != 1+a.back || got.Fallen != a.fell {
			t.Errorf("%s: thread %+v", name, got)
		}
	}
}

// TestAReleaseIsInTheTrailOnce, whatever its answer says.
func TestAReleaseIsInTheTrailOnce(t *testing.T) {
	t.Parallel()
	c := &command{play: playOf(mendedKind), text: "release b00 on stage because 1"}
	e := job.Entry{Deed: job.Released, Command: c.text}
	other := job.Entry{Deed: job.Released, Command: "release b01 on stage because 2"}
	for n, entries := range [][]job.Entry{{other}, {e, other}, {e, e}} {
		if err := c.released(&verdict.State{Entries: entries}); (err == nil) != (n == 1) {
			t.Errorf("%d times: %v", n, err)
		}
	}
}

// TestWhatFerryDoesByItselfIsJudged: each failed target goes back once, with one commit
// and one record, and is held back once.
func TestWhatFerryDoesByItselfIsJudged(t *testing.T) {
	t.Parallel()
	server, err := github.New(github.Options{
		Dir:          t.TempDir(),
		Repositories: []github.Repository{{Owner: owner, Name: name, Seed: fstest.MapFS{"x": {Data: []byte("x")}}, DefaultBranch: branch}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	w := &world{github: server}
	if _, err := w.repo().Commit(branch, "Go back\n\nFerry-Job: backk", map[string]string{"x": "y"}); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "git", "--git-dir", w.repo().Dir(), "log", "--format=%B", branch).Output(); err != nil || !strings.Contains(string(out), "backk") {
		t.Fatalf("%s, %v", out, err)
	}
	on := deploy.Target{Cluster: direct, App: deploy.App{Namespace: space, Name: "b00"}}
	own := func(id, verb string, how job.Outcome) job.Job {
		return job.Job{ID: job.ID(id), Verb: verb, Outcome: how, Request: fmt.Appendf(nil, `{"user":"ferry"}`)}
	}
	back, once := own("backk", "rollback", job.Done), aftermath{back: 1}
	held := job.Entry{Deed: job.Held, Job: "first"}
	for name, c := range map[string]struct {
		outcome job.Outcome
		own     []job.Job
		entries []job.Entry
		holds   int
		a       aftermath
		fine    bool
	}{
		"back":                          {job.RolledBack, []job.Job{back}, []job.Entry{held}, 1, once, true},
		"back, after it fell":           {job.RolledBack, []job.Job{own("w", "watch", job.Failed), back}, []job.Entry{held}, 1, aftermath{1, 1}, true},
		"cancelled":                     {job.Cancelled, nil, nil, 0, aftermath{}, true},
		"watched, and nothing fell":     {job.Done, []job.Job{own("w", "watch", job.Superseded)}, nil, 0, aftermath{}, true},
		"cancelled, and back":           {job.Cancelled, []job.Job{back}, []job.Entry{held}, 1, once, false},
		"not back":                      {job.RolledBack, nil, nil, 0, aftermath{}, false},
		"back twice":                    {job.RolledBack, []job.Job{back, back}, []job.Entry{held}, 1, once, false},
		"back without a commit":         {job.RolledBack, []job.Job{own("other", "rollback", job.Done)}, []job.Entry{held}, 1, once, false},
		"the way back failed":           {job.RolledBack, []job.Job{own("backk", "rollback", job.Failed)}, []job.Entry{held}, 1, once, false},
		"not held back":                 {job.RolledBack, []job.Job{back}, nil, 0, once, false},
		"held back twice":               {job.RolledBack, []job.Job{back}, []job.Entry{held, held}, 1, once, false},
		"the hold is gone":              {job.RolledBack, []job.Job{back}, []job.Entry{held}, 0, once, false},
		"fell, and nobody was told":     {job.RolledBack, []job.Job{own("w", "watch", job.Failed), back}, []job.Entry{held}, 1, once, false},
		"something else of ferry's own": {job.Done, []job.Job{own("w", "promote", job.Done)}, nil, 0, aftermath{}, false},
	} {
		cmd := &command{play: playOf(wearKind), target: target{direct, "b00"}, want: "2-broken", back: "1"}
		cmd.head = cmd
		s := &verdict.State{Entries: c.entries, Records: []deploy.Record{{Target: on, Version: "1", Job: "backk", Command: "rollback", Outcome: "done"}}}
		for range c.holds {
			s.Holds = append(s.Holds, deploy.Hold{Target: on, Version: "2-broken"})
		}
		if err := w.after(cmd, job.Job{ID: "first", Outcome: c.outcome}, c.own, c.a, s); (err == nil) != c.fine {
			t.Errorf("%s: %v", name, err)
		}
	}
}
