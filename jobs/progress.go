package jobs

import (
	"fmt"
	"slices"

	"ferry/internal/chat"
	"ferry/internal/deploy"
	"ferry/internal/job"
)

// The steps that people see of a change.
const (
	atFind = iota
	atCommit
	atMerge // of a pull request alone
	atFlux
	atRollout
)

// progress is the status message of a change: four steps, or five with a pull
// request, of which the ones that are behind say what happened and the present one
// what is awaited.
type progress struct {
	verb  string // what the job does, capitalised
	title string
	by    chat.UserID
	job   job.ID
	again bool // another process began it
	steps [5]chat.Step
	at    int
	// parts are a step for each of several targets, called by names, in the place of
	// the last two.
	parts []chat.Step
	names []string
	// pull: it goes through a pull request; notes are what was wanted of that and
	// could not be done.
	pull  bool
	notes []string
	// glass announces what had to be passed.
	glass []string
	// state is what the present step awaits, without why it takes so long: the
	// closing message tells that.
	state string
	// delay is what did not answer when this step was tried last.
	delay    string
	done     bool
	tone     chat.Tone
	commit   deploy.Commit
	warnings []string
}

// The names of the steps before they say anything better.
var stepNames = [5]string{"Find the version in Git and prove the edit", "Commit", "Somebody merges it", "Flux applies it", "The workloads roll out"}

func (p *progress) name(i int) string {
	if i == atCommit && p.pull {
		return "Open a pull request"
	}
	return stepNames[i]
}

func (p *progress) message() chat.Message {
	m := chat.Message{Tone: chat.Progress, Title: p.title, By: p.by, Footer: "job " + string(p.job), Final: p.done}
	if p.again && !p.done {
		m.Footer += " · resumed"
	}
	if p.tone != "" {
		m.Tone = p.tone
	}
	m.Lines = slices.Concat(p.glass, p.warnings, p.notes)
	for i, s := range p.steps {
		if i == atMerge && !p.pull || i == atRollout && p.verb == unpinning || i >= atFlux && len(p.parts) > 0 {
			continue
		}
		if s.Text == "" {
			s.Text = p.name(i)
		}
		if s.State == "" {
			s.State = chat.StepWaiting
			if i == p.at && !p.done {
				s.State = chat.StepRunning
			}
		}
		if !p.done || s.State != chat.StepSkipped { // what never came is not told in the end
			m.Steps = append(m.Steps, p.late(s))
		}
	}
	m.Steps = append(m.Steps, p.parts...)
	return m
}

func (p *progress) set(i int, state chat.StepState, text string) {
	p.steps[i] = chat.Step{State: state, Text: text}
}

func (p *progress) planned(plan deploy.Plan) {
	if plan.Already {
		p.set(atFind, chat.StepDone, fmt.Sprintf("Git holds `%s` already", plan.Change.Version))
	} else if plan.Change.Unpin {
		p.title = fmt.Sprintf("Unpin %s on %s, which stays at `%s`", plan.Change.Target.App.Name, plan.Change.Target.Cluster, plan.From)
	} else if plan.Change.Version != "" {
		p.title = fmt.Sprintf("%s %s from `%s` to `%s` on %s", p.verb, plan.Change.Target.App.Name, plan.From, plan.Change.Version, places(plan.Change))
	}
	if n := len(plan.Edits); n > 0 {
		place := fmt.Sprintf("`%s` line %d", plan.Edits[0].File, plan.Edits[0].Line)
		if n > 1 {
			place += fmt.Sprintf(" and %d more", n-1)
		}
		p.set(atFind, chat.StepDone, place)
	}
	p.at, p.warnings = atCommit, plan.Warnings
}

func (p *progress) committed(c deploy.Commit) {
	p.pull = false
	p.steps[atCommit] = chat.Step{State: chat.StepDone, Text: "Commit " + short(c.SHA), URL: c.URL}
	p.commit, p.at = c, atFlux
}

// proposed shows an open pull request and what it waits for.
func (p *progress) proposed(r changeRow) {
	p.opened(r)
	text := r.Proposal.Waits
	if text == "" {
		text = "it waits to be merged"
	}
	p.state, p.delay = capital(text), ""
	p.set(atMerge, chat.StepRunning, p.state)
	p.at = atMerge
}

func (p *progress) opened(r changeRow) {
	text := fmt.Sprintf("Pull request #%d", r.Proposal.Number)
	if r.Why != "" {
		text += ": " + r.Why
	}
	p.pull, p.notes = true, nil
	for _, w := range r.Proposal.Warnings {
		p.notes = append(p.notes, sentence(w))
	}
	p.steps[atCommit] = chat.Step{State: chat.StepDone, Text: text, URL: r.Proposal.URL}
}

// delivered shows what is in Git, whichever way it came there.
func (p *progress) delivered(r changeRow) {
	if r.Proposal.Number == 0 {
		p.committed(r.Commit)
		return
	}
	p.opened(r)
	text := "Merged as " + short(r.Commit.SHA)
	if r.Proposal.MergedBy != "" {
		text = "Merged by " + r.Proposal.MergedBy + " as " + short(r.Commit.SHA)
	}
	p.steps[atMerge] = chat.Step{State: chat.StepDone, Text: text, URL: r.Commit.URL}
	p.commit, p.at, p.state = r.Commit, atFlux, ""
}

// seen shows a judgement that is not final.
func (p *progress) seen(j judgement, o deploy.Observation) {
	p.state, p.delay = capital(j.reason), ""
	text := p.state
	if j.cause != "" {
		text += "; " + j.cause
	}
	if j.stage <= applying {
		p.at = atFlux
		p.set(atFlux, chat.StepRunning, text)
		p.set(atRollout, "", "")
		return
	}
	p.set(atFlux, chat.StepDone, "Flux applied "+applied(o.Applied, p.commit))
	p.at = atRollout
	p.set(atRollout, chat.StepRunning, text)
}

func (p *progress) arrived(o deploy.Observation) {
	p.set(atFlux, chat.StepDone, "Flux applied "+applied(o.Applied, p.commit))
	p.set(atRollout, chat.StepDone, ready(o))
	p.done, p.tone = true, chat.Done
}

// untouched ends it where nothing had to be done.
func (p *progress) untouched() {
	for i := 1; i < len(p.steps); i++ {
		p.set(i, chat.StepSkipped, p.name(i))
	}
	p.done, p.tone = true, chat.Info
}

// fail marks the present step as the one at which it ended; the closing
// message says why.
func (p *progress) fail(err error) {
	if p.done {
		return
	}
	p.done, p.tone = true, toneOf(err)
	text := p.name(p.at)
	switch {
	case p.at == atMerge:
		text = "Not merged"
	case p.state != "":
		text = p.state
	}
	p.set(p.at, chat.StepFailed, text)
	for i := p.at + 1; i < len(p.steps); i++ {
		p.set(i, chat.StepSkipped, "")
	}
}
