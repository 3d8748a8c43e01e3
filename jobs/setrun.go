package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"ferry/internal/chat"
	"ferry/internal/deploy"
	"ferry/internal/fault"
	"ferry/internal/job"
)

// setRun is one run of a set.
type setRun struct {
	changer
	cmd  chat.Command
	job  *job.Job
	save func(context.Context) error
	row  setRow
	// showing guards view.
	showing sync.Mutex
	view    setView
}

// carry takes a set from wherever its row says to its end.
func (s *setRun) carry(ctx context.Context) (chat.Message, error) {
	if m, over, err := s.cancelled(ctx); over || err != nil {
		return m, err
	}
	if s.job.Step == "" {
		if err := s.begin(ctx); err != nil {
			return chat.Message{}, err
		}
	}
	if s.job.Step == stepConfirm {
		if err := s.confirmed(ctx); err != nil {
			return chat.Message{}, err
		}
	}
	for s.job.Step != stepAccount {
		if s.job.Step == stepStay {
			if err := s.soak(ctx); err != nil || s.job.Step == stepAccount {
				if err != nil {
					return chat.Message{}, err
				}
				break
			}
		}
		if s.job.Step != stepFollow {
			if err := s.deliver(ctx); err != nil {
				return chat.Message{}, err
			}
		}
		if err := s.follow(ctx); err != nil {
			return chat.Message{}, err
		}
	}
	return s.account(ctx, nil)
}

// begin plans everything and remembers it.
func (s *setRun) begin(ctx context.Context) error {
	if err := s.show(ctx, func(*setView) {}); err != nil {
		return err
	}
	found, left, err := s.pick(ctx, s.cmd)
	if err != nil {
		return err
	}
	found = slices.DeleteFunc(found, func(f candidate) bool { return !slices.Contains(s.job.Queues, f.Target.String()) })
	if len(found) == 0 {
		return fault.New(fault.Refused, "what was asked for is not there any more", "ask again")
	}
	d, err := s.draftSet(ctx, s.cmd, found, left)
	if err != nil {
		return err
	}
	now := s.Now()
	s.row = setRow{Began: now, Asked: now, Hash: d.hash, Waves: d.waves, Left: d.left}
	s.job.Title, s.job.Note = s.title(), "waits to be confirmed"
	return s.step(ctx, stepConfirm)
}

// title says what is done, once it is known what is left out.
func (s *setRun) title() string {
	var all []deploy.Target
	for i := range s.row.Waves {
		all = append(all, s.row.Waves[i].targets()...)
	}
	return s.setTitle(s.cmd, all, s.row.Waves[0].Moves[0].Change.Version)
}

// touched reports whether a commit of the set is in Git.
func (s *setRun) touched() bool {
	return slices.ContainsFunc(s.row.Waves, func(w wave) bool { return w.Commit.SHA != "" })
}

// deliver sees to it that the wave at hand is in Git: by an earlier run of this job, or
// now.
func (s *setRun) deliver(ctx context.Context) error {
	w := &s.row.Waves[s.row.At]
	if err := s.show(ctx, func(*setView) {}); err != nil {
		return err
	}
	for {
		if s.job.Step == stepApproval {
			if err := s.approved(ctx); err != nil {
				return err
			}
		}
		commit, err := s.commit(ctx, w)
		if e, ok := errors.AsType[*fault.Error](err); ok && e.Code == deploy.NeedsApproval && s.Approvals != nil {
			s.row.Asked, s.row.Plan = s.Now(), w.whole()
			s.row.Change = s.row.Plan.Change
			if err := s.step(ctx, stepApproval); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		w.Commit, w.Followed, s.job.Note = commit, s.Now(), ""
		return s.step(ctx, stepFollow)
	}
}

// commit makes the commit of a wave, or finds it.
func (s *setRun) commit(ctx context.Context, w *wave) (deploy.Commit, error) {
	if s.job.Step == stepCommit {
		if found, ok, err := s.Sets.FindWave(ctx, string(s.job.ID), s.row.At+1, s.job.Created); err != nil || ok {
			return found, err
		}
	}
	by := (&change{changer: s.changer, cmd: s.cmd, job: s.job, row: changeRow{Approvers: s.row.Approvers}}).authorship(ctx)
	by.Wave = s.row.At + 1
	plans, commit, err := s.Sets.ApplySet(ctx, w.changes(), s.Fleet.Declared, by, func(plans []deploy.Plan) error {
		if err := s.asShown(w, plans); err != nil {
			return err
		}
		if err := s.leave(ctx, w); err != nil {
			return err
		}
		for i := range w.Moves {
			w.Moves[i].Plan = slim(plans[i])
			if err := s.of(w, &w.Moves[i]).remember(ctx, plans[i]); err != nil {
				return err
			}
		}
		return s.step(ctx, stepCommit)
	})
	if err != nil {
		return deploy.Commit{}, err
	}
	for i := range w.Moves {
		w.Moves[i].Plan = slim(plans[i])
	}
	if commit.SHA == "" { // Git holds all of it
		commit.SHA = plans[0].Base
	}
	return commit, nil
}

// asShown refuses plans that are others than those which were shown.
func (s *setRun) asShown(w *wave, plans []deploy.Plan) error {
	for i, p := range plans {
		shown := w.Moves[i].Plan
		if p.Hash == shown.Hash || p.Already && p.Site == shown.Site {
			continue
		}
		t := p.Change.Target
		return fault.Newf(fault.Refused, "the plan of %s on %s is not the one that was shown", t.App.Name, t.Cluster).
			WithHelp("Git had `%s` there, and has `%s` now, or something else changed with it\n`retry %s` plans again what is missing, and shows it", shown.From, p.From, s.job.ID).
			WithCode(deploy.Conflict)
	}
	return nil
}

// leave asks the gates at the moment of a wave's commit.
func (s *setRun) leave(ctx context.Context, w *wave) error {
	if s.Gate == nil {
		return nil
	}
	leave, err := s.pass(ctx, w, string(s.job.ID))
	if e, ok := errors.AsType[*fault.Error](err); err == nil || ok && e.Kind != fault.Unavailable && e.Code != deploy.NeedsApproval {
		s.carrier(w).judged(leave, err)
	}
	if err != nil {
		return err
	}
	named := s.row.Approvers
	if s.row.Approvers = leave.Approvers; slices.ContainsFunc(named, func(id string) bool { return !slices.Contains(leave.Approvers, id) }) {
		if err := s.step(ctx, s.job.Step); err != nil {
			return err
		}
		return fault.New(fault.Unavailable, "who approved this has changed just now", "")
	}
	s.row.Glass = glass{}
	if len(leave.Passed) > 0 {
		s.row.Glass = glass{Reason: string(s.cmd.Args.Reason), Passed: leave.Passed}
	}
	return nil
}

// carrier is a change that stands for all of a wave, for the audit trail.
func (s *setRun) carrier(w *wave) *change {
	p := w.whole()
	return &change{changer: s.changer, cmd: s.cmd, job: s.job, row: changeRow{Change: p.Change, Plan: p, Commit: w.Commit}}
}

// of is the change that a move is, as if it were a job's own.
func (s *setRun) of(w *wave, m *move) *change {
	r := &change{changer: s.changer, cmd: s.cmd, job: s.job, save: s.save, row: changeRow{
		Change: m.Change, Owners: m.Owners, Began: s.row.Began, Plan: m.Plan, Commit: w.Commit, Followed: w.Followed, Approvers: s.row.Approvers, Glass: s.row.Glass,
	}}
	r.row.Commit.Site = m.Plan.Site
	return r
}

// step saves the row at a step.
func (s *setRun) step(ctx context.Context, to job.Step) error {
	data, err := json.Marshal(s.row)
	if err != nil {
		return fmt.Errorf("encode row of job %s: %w", s.job.ID, err)
	}
	s.job.Told = append(s.job.Told, s.told(to)...)
	s.job.Step, s.job.Data, s.job.Stuck = to, data, time.Time{}
	return s.save(ctx)
}

// told is what the audit trail is to know of a step.
func (s *setRun) told(to job.Step) []job.Entry {
	if to != stepCommit && to != stepFollow || to == s.job.Step {
		return nil
	}
	w := &s.row.Waves[s.row.At]
	e := s.carrier(w).entry(job.Planned)
	e.Key, e.Says = fmt.Sprintf("%s/plan/%d/%s", s.job.ID, s.row.At+1, e.Plan), fmt.Sprintf("wave %d of %d: %s", s.row.At+1, len(s.row.Waves), count(len(e.Targets), "change"))
	if to == stepFollow {
		e.Deed, e.Key, e.Commit = job.Committed, fmt.Sprintf("%s/commit/%s", s.job.ID, w.Commit.SHA), w.Commit.SHA
	}
	return []job.Entry{e}
}

// soak waits until the wave at hand has been healthy for long enough, looks once more,
// and goes on to the next one. What fell over ends the set.
func (s *setRun) soak(ctx context.Context) error {
	w := &s.row.Waves[s.row.At]
	if until := w.Healthy.Add(w.Soak); s.Now().Before(until) {
		s.job.Note = fmt.Sprintf("%s has to stay healthy until %s UTC", s.wave(s.row.At), until.UTC().Format(time.TimeOnly))
		if err := s.show(ctx, func(*setView) {}); err != nil {
			return err
		}
		return &job.Park{Until: until}
	}
	s.job.Note = ""
	if w.Soak > 0 {
		well, err := s.stands(ctx, w)
		if err != nil {
			return err
		}
		if !well {
			return s.step(ctx, stepAccount)
		}
	}
	s.row.At++
	return nil // the next step is saved with the plans of the next wave, before its commit
}

// decided reports whether it is known how the set ends: a wish that it end comes too late.
func (s *setRun) decided() bool {
	w := &s.row.Waves[s.row.At]
	return s.job.Step == stepAccount || !w.Seen.IsZero() && (w.Healthy.IsZero() || s.row.At == len(s.row.Waves)-1)
}

// cancelled ends a set that somebody wished to end: at once, but for a commit that may
// just have been made.
func (s *setRun) cancelled(ctx context.Context) (m chat.Message, over bool, err error) {
	if s.job.Cancel == nil {
		return m, false, nil
	}
	if s.job.Step == stepAccount || s.job.Step == stepFollow {
		// What was seen may not be stored: the wish came in that moment. It has to be,
		// before anything is made of it.
		if err := s.step(ctx, s.job.Step); err != nil || s.decided() {
			return m, false, err
		}
	}
	if s.job.Step == stepCommit {
		w := &s.row.Waves[s.row.At]
		found, ok, err := s.Sets.FindWave(ctx, string(s.job.ID), s.row.At+1, s.job.Created)
		switch sure := s.job.Cancel.At.Add(late); {
		case err != nil:
			return m, true, err
		case ok:
			w.Commit, w.Followed = found, s.Now()
		case s.Now().Before(sure):
			return m, true, &job.Park{Until: sure}
		default:
			s.job.Step = "" // nothing came of it
		}
	}
	end := fault.New(fault.Cancelled, "this was cancelled before anything happened", "nothing was changed")
	if s.row.Question != "" {
		_ = s.answered(ctx, end)
	}
	if !s.touched() {
		m = chat.Message{Tone: chat.Refused, Title: capital(end.Says), Lines: []string{"Nothing was changed."}, By: chat.UserID(s.job.Cancel.By)}
		return m, true, end
	}
	m, err = s.account(ctx, fault.New(fault.Cancelled, "", "what is in Git stays there"))
	m.By = chat.UserID(s.job.Cancel.By)
	return m, true, err
}

// previewSet shows what a set would do.
func (c changer) previewSet(ctx context.Context, cmd chat.Command) (chat.Message, error) {
	found, left, err := c.pick(ctx, cmd)
	if err != nil {
		return chat.Message{}, err
	}
	d, err := c.draftSet(ctx, cmd, found, left)
	if err != nil {
		return chat.Message{}, err
	}
	s := &setRun{changer: c, cmd: cmd, job: &job.Job{}, row: setRow{Hash: d.hash, Waves: d.waves, Left: d.left}}
	s.job.Title = s.title()
	m := s.planned()
	m.Tone, m.Footer, m.Title = chat.Info, "dry run: nothing was changed", "Would "+strings.ToLower(m.Title[:1])+m.Title[1:]
	for i := range s.row.Waves {
		_, err := s.pass(ctx, &s.row.Waves[i], "")
		e, ok := errors.AsType[*fault.Error](err)
		if err != nil && (!ok || e.Kind == fault.Unavailable) {
			return chat.Message{}, err
		}
		if ok {
			m.Lines = append(m.Lines, sentence(fmt.Sprintf("%s would not begin now: %s", s.wave(i), e.Says)))
		}
	}
	return m, nil
}
