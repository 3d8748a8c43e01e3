package jobs

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ferry/internal/chat"
	"ferry/internal/deploy"
	"ferry/internal/fault"
	"ferry/internal/job"
)

// soaked is a theatre in which a promotion was seen healthy at the start.
type soaked struct {
	*theatre
	t    *testing.T
	made following
	o    Options
	job  *job.Job
	ran  *job.Job   // as the latest run left it
	rows []*job.Job // unfinished
}

func (s *soaked) Unfinished(context.Context) ([]*job.Job, error)        { return s.rows, nil }
func (s *soaked) Get(context.Context, job.ID) (*job.Job, error)         { return s.job, nil }
func (s *soaked) Recent(context.Context, int) ([]*job.Job, error)       { return s.rows, nil }
func (s *soaked) ByKey(context.Context, string) (*job.Job, bool, error) { return nil, false, nil }
func (s *soaked) Of(_ context.Context, _ deploy.Target, fn func(deploy.Record) bool) error {
	fn(deploy.Record{Version: "6.5.3", Healthy: true, Field: deploy.FieldImage})
	return nil
}

var watchCommand = chat.Command{Key: "job/j1/watch", User: self, Verb: soakVerb, Cause: "j1", Args: chat.Args{App: "apps/podinfo", Cluster: "prod", Version: "6.5.4", Targets: "prod"}}

func newSoaked(t *testing.T, mode deploy.RetreatMode, script []event) *soaked {
	t.Helper()
	s := &soaked{theatre: newTheatre(arrivedImage(), imageSite, script), t: t}
	becomes(newRevision)(&s.first)
	s.start = time.Now()
	s.o = Options{
		Fleet: s, Cluster: s, Delivery: s, History: s, People: s, Replier: s, Rows: s, Rollout: time.Minute, Grace: 10 * time.Second, Follower: &s.made,
		Retreat: func(deploy.Target) deploy.Retreat { return deploy.Retreat{Mode: mode, Soak: 5 * time.Minute} },
	}
	s.plan.Change = deploy.Change{Target: s.apps["prod"][0].Target, Version: "6.5.4"}
	data, err := json.Marshal(changeRow{
		Change: s.plan.Change, Plan: s.plan, Commit: deploy.Commit{SHA: "c0ffee"}, Followed: s.start.Add(-time.Minute),
		Soak: &soaking{Healthy: s.start, Until: s.start.Add(5 * time.Minute)},
	})
	if err != nil {
		t.Fatal(err)
	}
	s.job = &job.Job{ID: "w1", Verb: string(soakVerb), Data: data, After: "j1"}
	return s
}

func (s *soaked) run(ctx context.Context) (chat.Message, error) {
	row, err := json.Marshal(s.job)
	if err != nil {
		return chat.Message{}, err
	}
	j := new(job.Job) // as another process reads it
	if err := json.Unmarshal(row, j); err != nil {
		return chat.Message{}, err
	}
	j.Cancel, s.ran = s.job.Cancel, j
	return Own(s.o)[0].Work.Run(ctx, watchCommand, j, func(context.Context) error {
		kept := *j
		s.job = &kept
		return nil
	})
}

// TestSoaking plays what comes after an arrival, with a new process in the middle.
func TestSoaking(t *testing.T) {
	falls := []event{sec(60, pods(2, 1, 2), pod("CrashLoopBackOff"))}
	for _, c := range []struct {
		name   string
		mode   deploy.RetreatMode
		script []event
		busy   string // another job on this queue
		quiet  job.Outcome
		after  int
		made   bool
		button bool
		note   string // "nothing fell over within 5 min" where it is empty
	}{
		{name: "it holds", mode: deploy.RetreatAuto, quiet: job.Done, after: 300},
		{name: "it falls over", mode: deploy.RetreatAuto, script: falls, after: 70, made: true},
		{name: "it falls over, offer", mode: deploy.RetreatOffer, script: falls, after: 70, button: true},
		{name: "it falls over, off", mode: deploy.RetreatOff, script: falls, after: 70},
		{name: "it stumbles", mode: deploy.RetreatAuto, script: []event{sec(60, pods(2, 1, 2), pod("CrashLoopBackOff")), sec(65, pods(2, 2, 2), noProblem)}, quiet: job.Done, after: 300},
		{name: "a node is drained", mode: deploy.RetreatAuto, script: []event{sec(60, pods(2, 0, 2), pod(deploy.NotReady)), sec(120, pods(2, 2, 2), noProblem)}, quiet: job.Done, after: 300},
		{name: "somebody changes it", mode: deploy.RetreatAuto, script: []event{sec(60, becomes(otherRevision))}, quiet: job.Superseded, after: 60},
		{name: "somebody changes it while it falls", mode: deploy.RetreatAuto, script: []event{falls[0], sec(66, becomes(otherRevision))}, quiet: job.Superseded, after: 66},
		{name: "somebody is at it", mode: deploy.RetreatAuto, script: falls, busy: "prod/apps/podinfo", quiet: job.Superseded, after: 70},
		{name: "somebody is at another one", mode: deploy.RetreatAuto, script: falls, busy: "prod/apps/other", after: 70, made: true},
		{name: "the cluster is lost", mode: deploy.RetreatAuto, script: []event{sec(60, lost)}, quiet: job.Done, after: 300, note: "nothing was seen to fall over within 5 min, but prod does not answer"},
		{name: "a later commit still holds it", mode: deploy.RetreatAuto, script: []event{sec(30, becomes(laterRevision)), falls[0]}, after: 70, made: true},
		{name: "it falls just before the end", mode: deploy.RetreatAuto, script: []event{sec(295, pods(2, 1, 2), pod("CrashLoopBackOff"))}, quiet: job.Done, after: 300},
	} {
		for _, restart := range []time.Duration{0, 20 * time.Second, 45 * time.Second} {
			t.Run(c.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := newSoaked(t, c.mode, c.script)
					if s.rows = []*job.Job{s.job}; c.busy != "" {
						s.rows = append(s.rows, &job.Job{ID: "j9", Queues: []string{c.busy}})
					}
					if restart > 0 {
						life, cancel := context.WithTimeout(t.Context(), restart)
						if _, err := s.run(life); life.Err() == nil {
							t.Fatalf("it ended: %v", err)
						}
						cancel()
					}
					m, err := s.run(t.Context())
					if after := time.Since(s.start); after != time.Duration(c.after)*time.Second {
						t.Errorf("it ended after %s", after)
					}
					quiet, _ := errors.AsType[*job.Quiet](err)
					if c.quiet != "" && (quiet == nil || quiet.Outcome != c.quiet || m.Title != "") || c.quiet == "" && quiet != nil {
						t.Fatalf("ended with %+v, %v", m, err)
					}
					if (len(s.made.made) == 1) != c.made || (len(m.Buttons) == 1) != c.button {
						t.Errorf("jobs %+v, buttons %+v", s.made.cmds, m.Buttons)
					}
					if c.quiet != "" {
						if want := cmp.Or(c.note, "nothing fell over within 5 min"); c.quiet == job.Done && s.ran.Note != want {
							t.Errorf("it notes %q, want %q", s.ran.Note, want)
						}
						return
					}
					if !fault.Is(err, fault.Failed) || m.Title != "podinfo `6.5.4` fell over on prod, 60 s after it was healthy" || !strings.HasPrefix(m.Lines[0], "*CrashLoopBackOff*") {
						t.Errorf("it says %+v, %v", m, err)
					}
					if c.made && (s.made.cmds[0].Cause != "j1" || s.made.made[0].After != "w1" || s.made.cmds[0].Key != "job/w1/rollback/prod/apps/podinfo") {
						t.Errorf("the command is %+v", s.made.cmds[0])
					}
				})
			})
		}
	}
}

// TestAWatchThatIsOverWhenFerryComesBack looks once more and says when it did; what is
// seen long after the end is told, and does not go back by itself.
func TestAWatchThatIsOverWhenFerryComesBack(t *testing.T) {
	crashes := []edit{pods(2, 1, 2), pod("CrashLoopBackOff")}
	for name, c := range map[string]struct {
		script []event
		away   time.Duration // from the middle of the watch on
		note   string
		title  string
		made   bool
	}{
		"it is healthy":          {away: time.Hour, note: "it was healthy when ferry looked again, 56 min after the 5 min were over"},
		"the cluster is lost":    {away: time.Hour, script: []event{sec(400, lost)}, note: "nothing was seen to fall over, but ferry did not watch when the 5 min were over, and prod does not answer"},
		"a node is drained":      {away: time.Hour, script: []event{sec(400, pods(2, 0, 2), pod(deploy.NotReady))}, note: "it was not ready when ferry looked again, 56 min after the 5 min were over, and nothing says that it failed"},
		"it has fallen over":     {away: time.Hour, script: []event{sec(400, crashes...)}, title: "podinfo `6.5.4` fell over on prod: seen 61 min after it was healthy"},
		"a restart at the end":   {away: 245 * time.Second, script: []event{sec(280, crashes...)}, title: "podinfo `6.5.4` fell over on prod, 5 min after it was healthy", made: true},
		"a restart near the end": {away: 238 * time.Second, script: []event{sec(280, crashes...)}, title: "podinfo `6.5.4` fell over on prod, 4 min after it was healthy", made: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSoaked(t, deploy.RetreatAuto, c.script)
				s.rows = []*job.Job{s.job}
				life, cancel := context.WithTimeout(t.Context(), time.Minute)
				if _, err := s.run(life); life.Err() == nil {
					t.Fatalf("it ended: %v", err)
				}
				cancel()
				time.Sleep(c.away)
				began := time.Now()
				m, err := s.run(t.Context())
				if took := time.Since(began); took > 15*time.Second || m.Title != c.title || len(s.made.made) == 1 != c.made {
					t.Fatalf("after %s: %q, %d rollbacks, %v", took, m.Title, len(s.made.made), err)
				}
				if quiet, _ := errors.AsType[*job.Quiet](err); c.note != "" && (quiet == nil || quiet.Outcome != job.Done || s.ran.Note != c.note) {
					t.Errorf("it notes %q, %v", s.ran.Note, err)
				}
				said := strings.Join(m.Lines, "\n")
				if late := c.title != "" && !c.made; late != strings.Contains(said, "ferry was to watch it for 5 min, and did not watch when they were over: it may have fallen over later.") ||
					late != strings.Contains(said, "ferry does not go back by itself, because it was seen only after the time for which it was to be watched.") || late != (len(m.Buttons) == 1) {
					t.Errorf("it says %s, buttons %+v", said, m.Buttons)
				}
			})
		})
	}
}

// TestAWatchCanBeCancelled by whoever may promote there.
func TestAWatchCanBeCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSoaked(t, deploy.RetreatAuto, nil)
		asked := make(chan struct{})
		time.AfterFunc(time.Minute, func() { close(asked) })
		if _, err := s.run(job.WithAsked(t.Context(), asked)); !errors.Is(err, job.ErrCancelled) || time.Since(s.start) != time.Minute {
			t.Fatalf("%v after %s", err, time.Since(s.start))
		}
		s.job.Cancel = &job.Cancel{By: "U2", At: time.Now()}
		m, err := s.run(t.Context())
		if !fault.Is(err, fault.Cancelled) || m.Title != "ferry no longer watches podinfo `6.5.4` on prod" || m.By != "U2" {
			t.Errorf("%+v, %v", m, err)
		}
		r := &rightsOf{}
		s.o.Rights = r
		if err := s.o.mayAsk(t.Context(), "U3", s.job); err != nil || !slices.Equal(r.asked, []string{"U3 promote [prod/apps/podinfo]"}) {
			t.Errorf("%v, asked %q", err, r.asked)
		}
	})
}

// rightsOf notes what is asked of roles.
type rightsOf struct{ asked []string }

func (r *rightsOf) Allow(_ context.Context, user chat.UserID, verb chat.Verb, targets []deploy.Target) error {
	names := make([]string, len(targets))
	for i, t := range targets {
		names[i] = t.String()
	}
	r.asked = append(r.asked, string(user)+" "+string(verb)+" ["+strings.Join(names, " ")+"]")
	return nil
}

// TestWhatArrivesIsWatched where a rule says so, for as long as it says, and once.
func TestWhatArrivesIsWatched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, b, f, _ := crashing(t, deploy.Retreat{Mode: deploy.RetreatOffer, Soak: 10 * time.Minute})
		w.show = func(int) *deploy.Observation { return at(arrivedImage()) }
		for range 2 {
			m, err := b.run()
			if err != nil || m.Lines[len(m.Lines)-1] != "ferry watches it for another 10 min." {
				t.Fatalf("%+v, %v", m, err)
			}
		}
		row, err := rowOf(f.made[0])
		if err != nil || len(f.made) != 1 || f.cmds[0].Verb != soakVerb || f.cmds[0].Cause != "j1" || row.Soak.Until.Sub(row.Soak.Healthy) != 10*time.Minute || row.End != nil {
			t.Errorf("%+v, %+v, %v", f.cmds, row, err)
		}
		title, targets, err := Own(b.options)[0].Work.Admit(t.Context(), f.cmds[0])
		if title != "Watch podinfo `6.5.4` on prod" || targets != nil || err != nil {
			t.Errorf("%q, %v, %v", title, targets, err)
		}
		b.cmd, b.job = chat.Command{Key: "k2", User: "U1", Verb: "rollback", Text: "rollback podinfo on prod", Args: chat.Args{App: "podinfo", Cluster: "prod"}}, &job.Job{ID: "j2"}
		if m, err := b.run(); err != nil || len(f.made) != 1 {
			t.Errorf("a rollback is watched: %+v, %v", m, err)
		}
	})
}

// TestAWishAfterItFellOver: what follows from that is made, and the end is stored before.
func TestAWishAfterItFellOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSoaked(t, deploy.RetreatAuto, []event{sec(60, pods(2, 1, 2), pod("CrashLoopBackOff"))})
		stored := false
		run := func(save func() error) error {
			_, err := Own(s.o)[0].Work.Run(t.Context(), watchCommand, s.job, func(context.Context) error { return save() })
			return err
		}
		err := run(func() error {
			if s.job.Step == stepEnd {
				return job.ErrCancelled
			}
			return nil
		})
		if !errors.Is(err, job.ErrCancelled) || len(s.made.made) > 0 {
			t.Fatalf("%d rollbacks, %v", len(s.made.made), err)
		}
		s.job.Cancel = &job.Cancel{By: "U2", At: time.Now()}
		err = run(func() error {
			stored = len(s.made.made) == 0 && strings.Contains(string(s.job.Data), `"end"`)
			return nil
		})
		if !fault.Is(err, fault.Failed) || !stored || len(s.made.made) != 1 {
			t.Errorf("stored before: %v, %d rollbacks, %v", stored, len(s.made.made), err)
		}
	})
}

// TestAWatchThatCannotLookEnds some time after it was to end, and says so: the cluster
// may be in no configuration any more.
func TestAWatchThatCannotLookEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSoaked(t, deploy.RetreatAuto, nil)
		s.o.Cluster = &blindOn{Cluster: s, target: s.apps["prod"][0].Target, err: fault.Newf(fault.NotFound, "there is no cluster prod"), until: time.Now().Add(24 * time.Hour)}
		began := time.Now()
		for {
			_, err := Own(s.o)[0].Work.Run(t.Context(), watchCommand, s.job, func(context.Context) error { return nil })
			if quiet, ends := errors.AsType[*job.Quiet](err); ends {
				if took := time.Since(began); quiet.Outcome != job.Done || took < 5*time.Minute || s.job.Note != "nothing was seen to fall over within 5 min, but prod does not answer" {
					t.Errorf("after %s: %q, %v", took, s.job.Note, err)
				}
				return
			}
			if !fault.Is(err, fault.Unavailable) || time.Since(began) > 2*time.Hour {
				t.Fatalf("after %s: %v", time.Since(began), err)
			}
			time.Sleep(time.Minute)
		}
	})
}
