package jobs

import (
	"fmt"

	"ferry/internal/chat"
	"ferry/internal/deploy"
	"ferry/internal/job"
)

// progress is the status message of a change: four steps, of which the ones
// that are behind say what happened and the present one what is awaited.
type progress struct {
	verb  string // what the job does, capitalised
	title string
	by    chat.UserID
	job   job.ID
	steps [4]chat.Step
	at    int
	// state is what the present step awaits, without why it takes so long: the
	// closing message tells that.
	state    string
	done     bool
	tone     chat.Tone
	commit   deploy.Commit
	warnings []string
}

// The names of the steps before they say anything better.
var stepNames = [4]string{"Find the version in Git and prove the edit", "Commit", "Flux applies it", "The workloads roll out"}

func (p *progress) message() chat.Message {
	m := chat.Message{Tone: chat.Progress, Title: p.title, By: p.by, Footer: "job " + string(p.job), Final: p.done, Lines: p.warnings}
	if p.tone != "" {
		m.Tone = p.tone
	}
	for i, s := range p.steps {
		if s.Text == "" {
			s.Text = stepNames[i]
		}
		if s.State == "" {
			s.State = chat.StepWaiting
			if i == p.at && !p.done {
				s.State = chat.StepRunning
			}
		}
		if !p.done || s.State != chat.StepSkipped { // what never came is not told in the end
			m.Steps = append(m.Steps, s)
		}
	}
	return m
}

func (p *progress) set(i int, state chat.StepState, text string) {
	p.steps[i] = chat.Step{State: state, Text: text}
}

func (p *progress) planned(plan deploy.Plan) {
	if plan.Already {
		p.set(0, chat.StepDone, fmt.Sprintf("Git holds `%s` already", plan.Change.Version))
	} else if plan.Change.Version != "" {
		p.title = fmt.Sprintf("%s %s from `%s` to `%s` on %s", p.verb, plan.Change.Target.App.Name, plan.From, plan.Change.Version, plan.Change.Target.Cluster)
	}
	if n := len(plan.Edits); n > 0 {
		place := fmt.Sprintf("`%s` line %d", plan.Edits[0].File, plan.Edits[0].Line)
		if n > 1 {
			place += fmt.Sprintf(" and %d more", n-1)
		}
		p.set(0, chat.StepDone, place)
	}
	p.at, p.warnings = 1, plan.Warnings
}

func (p *progress) committed(c deploy.Commit) {
	p.steps[1] = chat.Step{State: chat.StepDone, Text: "Commit " + short(c.SHA), URL: c.URL}
	p.commit, p.at = c, 2
}

// seen shows a judgement that is not final.
func (p *progress) seen(j judgement, o deploy.Observation) {
	p.state = capital(j.reason)
	text := p.state
	if j.cause != "" {
		text += "; " + j.cause
	}
	if j.stage <= applying {
		p.at = 2
		p.set(2, chat.StepRunning, text)
		p.set(3, "", "")
		return
	}
	p.set(2, chat.StepDone, "Flux applied "+applied(o.Applied, p.commit))
	p.at = 3
	p.set(3, chat.StepRunning, text)
}

func (p *progress) arrived(o deploy.Observation) {
	p.set(2, chat.StepDone, "Flux applied "+applied(o.Applied, p.commit))
	var ready, desired int32
	for _, w := range o.Workloads {
		ready, desired = ready+w.Ready, desired+w.Desired
	}
	p.set(3, chat.StepDone, readiness(ready, desired, "pod"))
	p.done, p.tone = true, chat.Done
}

// untouched ends it where nothing had to be done.
func (p *progress) untouched() {
	for i := 1; i < len(p.steps); i++ {
		p.set(i, chat.StepSkipped, stepNames[i])
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
	text := stepNames[p.at]
	if p.state != "" {
		text = p.state
	}
	p.set(p.at, chat.StepFailed, text)
	for i := p.at + 1; i < len(p.steps); i++ {
		p.set(i, chat.StepSkipped, "")
	}
}
