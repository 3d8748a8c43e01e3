package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ferry/internal/chat"
	"ferry/internal/deploy"
	"ferry/internal/fault"
)

// newTogether is a promotion on prod with stage and another app on dev.
func newTogether(t *testing.T, w *world) *bench {
	t.Helper()
	first := w.apps["prod"][0]
	for cluster, name := range map[deploy.Cluster]string{"stage": "podinfo", "dev": "worker"} {
		app := first
		app.Target = deploy.Target{Cluster: cluster, App: deploy.App{Namespace: "apps", Name: name}}
		app.Owner = deploy.Owner{Kustomization: deploy.Ref{Kind: "Kustomization", Name: "of-" + string(cluster)}}
		w.apps[cluster] = []deploy.AppState{app}
	}
	w.states = append(w.states, deploy.ClusterState{Name: "dev", Synced: true})
	for _, c := range []string{"stage", "dev"} {
		part := deploy.Part{Target: w.apps[deploy.Cluster(c)][0].Target, From: "6.5.3", Site: imageSite}
		part.Site.Value = "on-" + c + ":6.5.4"
		w.plan.Parts = append(w.plan.Parts, part)
	}
	b := newBench(t, w)
	b.cmd.Text = "promote podinfo@6.5.4 to prod with stage, dev/worker"
	b.cmd.Args.Targets = "stage,dev/worker"
	return b
}

// on is what a target shows when it has arrived.
func on(t deploy.Target) deploy.Observation {
	o := arrivedImage()
	if t.Cluster != "prod" {
		o.SiteValue = "on-" + string(t.Cluster) + ":6.5.4"
	}
	return o
}

func TestAllThatShareAreFollowedHome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		release := make(chan struct{})
		w.showOn = func(target deploy.Target, n int) *deploy.Observation {
			o := on(target)
			if target.Cluster == "dev" { // the last one
				if n == 0 {
					o.Applied, o.Attempted = "main@sha1:old", "main@sha1:old"
				} else {
					<-release
				}
			}
			return &o
		}
		b := newTogether(t, w)
		c := b.command("promote")
		title, targets, err := c.Work.Admit(t.Context(), b.cmd)
		if err != nil || title != "Promote podinfo to `6.5.4` on prod, stage and dev/worker" || len(targets) != 3 {
			t.Fatalf("admitted %q, %v, %v", title, targets, err)
		}
		var m chat.Message
		over := make(chan error)
		go func() {
			var err error
			m, err = b.run()
			over <- err
		}()
		synctest.Wait()
		status := w.put["job/j1/status"]
		if got := stepTexts(status); got != "done apps/prod/kustomization.yaml line 7|done Commit c0ffee0|done prod: 2 of 2 pods are ready|done stage: 2 of 2 pods are ready|running dev/worker: Flux has not applied the commit yet" || status.Final {
			t.Errorf("on the way it shows %s", got)
		}
		close(release)
		if err := <-over; err != nil || m.Title != "podinfo `6.5.4` is healthy on prod, stage and dev/worker" {
			t.Fatalf("closing = %+v, %v", m, err)
		}
		if status := w.put["job/j1/status"]; !status.Final || status.Tone != chat.Done || strings.Contains(stepTexts(status), "running") ||
			status.Title != "Promote podinfo from `6.5.3` to `6.5.4` on prod, stage and dev/worker" {
			t.Errorf("it ends with %s, %+v", stepTexts(status), status)
		}
		var got []string
		for _, r := range b.records() {
			if r.Command == seen {
				got = append(got, fmt.Sprintf("%s before: %s", r.Target, r.Version))
			} else {
				got = append(got, fmt.Sprintf("%s: %s by %s, %v", r.Target, r.Version, r.Site.Value, r.Healthy))
			}
		}
		slices.Sort(got)
		if want := []string{
			"dev/apps/worker before: 6.5.3", "dev/apps/worker: 6.5.4 by on-dev:6.5.4, true",
			"prod/apps/podinfo before: 6.5.3", "prod/apps/podinfo: 6.5.4 by podinfo:6.5.4, true",
			"stage/apps/podinfo before: 6.5.3", "stage/apps/podinfo: 6.5.4 by on-stage:6.5.4, true",
		}; !slices.Equal(got, want) {
			t.Errorf("history is %q", got)
		}
		if w.nudges != 3 || len(w.commits) != 1 {
			t.Errorf("%d nudges, %d commits", w.nudges, len(w.commits))
		}
	})
}

func stepTexts(m chat.Message) string {
	var out []string
	for _, s := range m.Steps {
		out = append(out, string(s.State)+" "+strings.ReplaceAll(s.Text, "`", ""))
	}
	return strings.Join(out, "|")
}

// TestOneOfThemFails says which are healthy, and how all go back.
func TestOneOfThemFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.showOn = func(target deploy.Target, n int) *deploy.Observation {
			o := on(target)
			switch target.Cluster {
			case "stage":
				if n > 0 {
					return nil
				}
				o.Workloads[0].Stuck, o.Workloads[0].Ready = "ProgressDeadlineExceeded", 0
			case "dev":
				if n > 0 {
					return nil
				}
				o.Applied, o.Attempted = "main@sha1:old", "main@sha1:old"
			}
			return &o
		}
		b := newTogether(t, w)
		began := time.Now()
		m, err := b.run()
		if took := time.Since(began); took >= b.options.Rollout {
			t.Errorf("it was told %s after one had failed", took)
		}
		if !fault.Is(err, fault.Failed) || m.Title != "podinfo `6.5.4` did not become healthy on stage" {
			t.Fatalf("closing = %+v, %v", m, err)
		}
		text := strings.Join(m.Lines, " ")
		for _, want := range []string{"gave up", "It is healthy on prod.", "It was still on its way on dev/worker", "`rollback podinfo on prod with stage, dev/worker` brings it back"} {
			if !strings.Contains(text, want) {
				t.Errorf("%q is not in %s", want, text)
			}
		}
		if len(m.Buttons) != 1 || m.Buttons[0].Command != "rollback podinfo on prod to 6.5.3 with stage, dev/worker" || !strings.Contains(m.Buttons[0].Confirm, "on prod, stage and dev/worker") {
			t.Errorf("buttons %+v", m.Buttons)
		}
		outcomes := map[string]string{}
		for _, r := range b.records() {
			if r.Command == "promote" {
				outcomes[string(r.Target.Cluster)] = fmt.Sprint(r.Outcome, r.Healthy)
			}
		}
		if outcomes["prod"] != "donetrue" || outcomes["stage"] != "failedfalse" || outcomes["dev"] != "failedfalse" {
			t.Errorf("recorded %v", outcomes)
		}
		status := w.put["job/j1/status"]
		if got := stepTexts(status); !status.Final || status.Tone != chat.Failure || !strings.Contains(got, "done prod: ") || !strings.Contains(got, "failed stage: ") || !strings.Contains(got, "failed dev/worker: not followed to its end") {
			t.Errorf("it ends with %s", got)
		}
	})
}

// TestTogetherUntilTheDeadline ends for all at once, and a job that comes back goes
// on with all of them and records each once.
func TestTogetherUntilTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.showOn = func(target deploy.Target, n int) *deploy.Observation {
			if target.Cluster != "prod" && n > 0 {
				return nil
			}
			o := on(target)
			if target.Cluster != "prod" {
				o.Workloads[0].Updated = 1
			}
			return &o
		}
		b := newTogether(t, w)
		m, err := b.run()
		if !fault.Is(err, fault.Expired) || !strings.HasPrefix(m.Title, "podinfo `6.5.4` was not healthy on stage within") || !strings.Contains(strings.Join(m.Lines, " "), "It is healthy on prod.") {
			t.Fatalf("closing = %+v, %v", m, err)
		}
		before := len(b.records())
		if b.job.Step != stepEnd {
			t.Fatalf("the row says %q", b.job.Step)
		}
		if _, err := b.run(); !fault.Is(err, fault.Expired) || len(b.records()) != before || len(w.commits) != 1 {
			t.Errorf("told again: %v, %d records, %d commits", err, len(b.records()), len(w.commits))
		}
		b.job.Step = stepFollow
		if _, err := b.run(); !fault.Is(err, fault.Expired) || len(b.records()) != before || len(w.commits) != 1 {
			t.Errorf("again: %v, %d records, %d commits", err, len(b.records()), len(w.commits))
		}
	})
}

func TestARepeatedErrorOfOneIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.showOn = func(target deploy.Target, n int) *deploy.Observation { o := on(target); return &o }
		b := newTogether(t, w)
		b.options.Cluster = deaf{w}
		_, err := b.run()
		if !fault.Is(err, fault.Unavailable) || slices.ContainsFunc(b.records(), func(r deploy.Record) bool { return r.Command != seen }) {
			t.Errorf("%v, %v", err, b.records())
		}
	})
}

// deaf cannot observe stage.
type deaf struct{ *world }

func (d deaf) Observe(ctx context.Context, t deploy.Target, o deploy.Owner, s deploy.Site, fn func(deploy.Observation) bool) error {
	if t.Cluster == "stage" {
		return fault.Newf(fault.Unavailable, "no answer")
	}
	return d.world.Observe(ctx, t, o, s, fn)
}

// TestAllThatShareAreOffered is for a refusal because of a shared version.
func TestAllThatShareAreOffered(t *testing.T) {
	for _, c := range []struct {
		name   string
		may    func(context.Context, chat.UserID, chat.Verb, []deploy.Target) error
		share  []string
		roll   bool
		offer  fault.Offer
		help   string
		wanted bool
	}{
		{
			name: "everybody", share: []string{"stage", "dev"}, wanted: true, help: "`with` promotes all 3 that share it, and nothing else",
			offer: fault.Offer{Command: "promote podinfo@6.5.4 to prod with stage, dev/worker", Label: "Promote all 3", Confirm: "This promotes podinfo to 6.5.4 on prod, stage and dev/worker."},
		},
		{
			name: "one that runs in another namespace than Git says", share: []string{"elsewhere"}, wanted: true, help: "`with` promotes all 2",
			offer: fault.Offer{Command: "promote podinfo@6.5.4 to prod with stage", Label: "Promote all 2", Confirm: "This promotes podinfo to 6.5.4 on prod and stage."},
		},
		{
			name: "a rollback", share: []string{"stage"}, roll: true, wanted: true, help: "`with` promotes all 2",
			offer: fault.Offer{Command: "rollback podinfo on prod to 6.5.2 with stage", Label: "Roll back all 2", Confirm: "This takes podinfo back to 6.5.2 on prod and stage."},
		},
		{name: "somebody who may not", share: []string{"stage"}, may: func(_ context.Context, _ chat.UserID, _ chat.Verb, all []deploy.Target) error {
			return fault.Newf(fault.Denied, "you may not promote %s on %s", all[1].App.Name, all[1].Cluster)
		}, help: "`promote podinfo@6.5.4 to prod with stage` promotes all 2, for somebody who may: you may not promote podinfo on stage"},
		{name: "one that is not on its cluster", share: []string{"stage", "gone"}, help: "they all read"},
		{name: "things that are no apps", help: "they all read"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld()
			b := newTogether(t, w)
			b.cmd.Args.Targets, b.options.May = "", c.may
			w.refuse = fault.Newf(fault.Refused, "podinfo on prod shares its version with others").WithHelp("`x:1` is what they all read").WithChoices("promote podinfo@6.5.4 to prod pin")
			for _, s := range c.share {
				name := "podinfo"
				if s == "dev" {
					name = "worker"
				}
				t := deploy.Target{Cluster: deploy.Cluster(s), App: deploy.App{Namespace: "apps", Name: name}}
				if s == "elsewhere" {
					t = deploy.Target{Cluster: "stage", App: deploy.App{Namespace: "other", Name: name}}
				}
				w.sharing = append(w.sharing, t)
			}
			if c.roll {
				if err := b.history.Append(t.Context(), &deploy.Record{Target: w.apps["prod"][0].Target, Version: "6.5.2", Healthy: true, At: b.job.Created.Add(1)}); err != nil {
					t.Fatal(err)
				}
				b.cmd.Verb, b.cmd.Args = "rollback", chat.Args{App: "podinfo", Cluster: "prod"}
			}
			_, err := b.run()
			e, ok := errors.AsType[*fault.Error](err)
			if !ok || !strings.Contains(e.Help, c.help) || len(e.Choices) != 1 || (len(e.Offers) > 0) != c.wanted || c.wanted && e.Offers[0] != c.offer {
				t.Errorf("%+v", e)
			}
		})
	}
}

// TestOptionsReachTheChange is for options, alone and together.
func TestOptionsReachTheChange(t *testing.T) {
	for option, want := range map[chat.Word][2]bool{"": {}, "pin": {true, false}, "tag-only": {false, true}, "pin tag-only": {true, true}, "tag-only pin": {true, true}} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld()
			w.show = func(int) *deploy.Observation { return at(arrivedImage()) }
			b := newBench(t, w)
			b.cmd.Args.Option = option
			if _, err := b.run(); err != nil {
				t.Fatal(err)
			}
			var row changeRow
			if err := json.Unmarshal(b.job.Data, &row); err != nil || row.Change.Pin != want[0] || row.Change.TagOnly != want[1] {
				t.Errorf("%q makes %+v, %v", option, row.Change, err)
			}
		})
	}
}

// TestFurtherTargetsAreLookedUp refuses what is not there before anything happens.
func TestFurtherTargetsAreLookedUp(t *testing.T) {
	for targets, c := range map[string]struct {
		says, choice string
		kind         fault.Kind
	}{
		"stage,stage,dev/apps/worker": {},
		"dev":                         {says: "there is no app", kind: fault.NotFound},
		"prod":                        {says: "podinfo on prod is what the command is about already", kind: fault.Invalid},
		"stage,dev/workre":            {says: "there is no app workre on dev", kind: fault.NotFound, choice: "promote podinfo@6.5.4 to prod with stage, dev/worker"},
	} {
		w := newWorld()
		b := newTogether(t, w)
		b.cmd.Args.Targets = chat.Word(targets)
		b.cmd.Text = "promote podinfo@6.5.4 to prod with " + targets
		_, found, err := b.command("promote").Work.Admit(t.Context(), b.cmd)
		if c.says == "" {
			if err != nil || len(found) != 3 {
				t.Errorf("%s: %v, %v", targets, found, err)
			}
			continue
		}
		e, ok := errors.AsType[*fault.Error](err)
		if !ok || !strings.Contains(e.Says, c.says) || e.Kind != c.kind || c.choice != "" && !slices.Contains(e.Choices, c.choice) {
			t.Errorf("%s: %+v", targets, e)
		}
	}
	w := newWorld()
	b := newTogether(t, w)
	b.cmd.Args.Option = "pin"
	if _, _, err := b.command("promote").Work.Admit(t.Context(), b.cmd); !fault.Is(err, fault.Invalid) {
		t.Errorf("with a pin: %v", err)
	}
	w.states[1].Stale, w.states[1].Reason = true, "gone"
	b.cmd.Args.Option = ""
	if _, _, err := b.command("promote").Work.Admit(t.Context(), b.cmd); !fault.Is(err, fault.Stale) {
		t.Errorf("a stale one: %v", err)
	}
}

// onlyStage wants pull requests for one of several clusters.
type onlyStage struct{ *pulls }

func (o onlyStage) Way(_ context.Context, c deploy.Cluster) (bool, string, error) {
	return c == "stage", "stage wants one", nil
}

// TestOneThatWantsAPullRequestDecidesForAll is for targets on clusters whose changes
// go different ways: what needs people waits for them.
func TestOneThatWantsAPullRequestDecidesForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.showOn = func(target deploy.Target, _ int) *deploy.Observation { o := on(target); return &o }
		b := newTogether(t, w)
		p := &pulls{world: w, state: at3}
		b.options.Proposer, b.options.Proposals = onlyStage{p}, p
		m, err := b.run()
		if err != nil || p.opened != 1 || len(w.commits) != 0 || m.Title != "podinfo `6.5.4` is healthy on prod, stage and dev/worker" {
			t.Errorf("%d opened, %d commits, %+v, %v", p.opened, len(w.commits), m, err)
		}
		if got := stepTexts(w.put["job/j1/status"]); !strings.Contains(got, "Pull request #12: stage wants one|done Merged by ana") || !strings.HasSuffix(got, "done dev/worker: 2 of 2 pods are ready") {
			t.Errorf("it shows %s", got)
		}
	})
}
