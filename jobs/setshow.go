package jobs

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"ferry/internal/chat"
	"ferry/internal/deploy"
	"ferry/internal/job"
)

// How much of a set people see at once.
const (
	mostShown    = 20  // apps in the table of a plan
	mostTrouble  = 10  // targets that are told of by name, while they are followed
	mostTold     = 6   // and in the end, of what failed and of what goes back
	mostListed   = 150 // lines of a list
	mostLineSize = 190
)

// setView is what a set's status message shows beside its row.
type setView struct {
	asks bool        // somebody has to confirm it
	now  []*follower // of the wave that is followed
	over bool
	tone chat.Tone
}

func (v *setView) watch(all []*follower) { v.now, v.asks = all, false }

func (v *setView) ended(err error) {
	v.over, v.asks, v.now, v.tone = true, false, nil, toneOf(err)
}

// show edits the status message; equal states cost nothing.
func (s *setRun) show(ctx context.Context, edit func(*setView)) error {
	s.showing.Lock()
	defer s.showing.Unlock()
	edit(&s.view)
	return s.Replier.Put(ctx, s.cmd.Thread, "job/"+string(s.job.ID)+"/status", s.status())
}

func (s *setRun) status() chat.Message {
	var m chat.Message
	switch {
	case s.view.asks:
		m = s.planned()
		id := string(s.job.ID)
		n := 0
		for i := range s.row.Waves {
			n += len(s.row.Waves[i].targets())
		}
		m.Lines = append(m.Lines, fmt.Sprintf("Nothing has happened yet: `confirm %s` begins it.", id))
		m.Buttons = []chat.Button{
			{Label: fmt.Sprintf("Promote %d", n), Command: "confirm " + id, Confirm: fmt.Sprintf("This promotes %s on %s.", s.what(), spokenClusters(s.clusters()))},
			{Label: "Cancel", Command: "cancel " + id, Danger: true},
		}
	case len(s.row.Waves) == 0:
		m = chat.Message{Title: s.job.Title, Steps: []chat.Step{{State: chat.StepRunning, Text: "Plan all of it and prove the edits"}}}
		if s.view.over {
			m.Steps[0].State = chat.StepFailed
		}
	default:
		m = s.progress()
	}
	m.Tone, m.By, m.Footer, m.Final = chat.Progress, s.cmd.User, "job "+string(s.job.ID), s.view.over
	if s.view.tone != "" {
		m.Tone = s.view.tone
	}
	if s.row.Confirmed != "" {
		m.Footer += " · confirmed by " + s.row.Confirmed
	}
	if s.job.Attempts > 1 && !s.view.over {
		m.Footer += " · resumed"
	}
	return m
}

// progress is a step for each wave, and a line for each target that is not well yet.
func (s *setRun) progress() chat.Message {
	m := chat.Message{Title: s.job.Title, Lines: s.row.Glass.lines()}
	for i := range s.row.Waves {
		w := &s.row.Waves[i]
		name := fmt.Sprintf("%s: %s on %s", capital(s.ordinal(i)), count(len(w.targets()), "change"), spokenClusters(w.Clusters))
		step := chat.Step{State: chat.StepWaiting, Text: name}
		total, well, bad := w.tally()
		switch {
		case w.Commit.SHA != "" && bad > 0:
			step.State, step.Text = chat.StepFailed, fmt.Sprintf("%s: %d healthy, %d not", name, well, total-well)
			if total == 1 {
				step.Text = name + ": not healthy"
			}
		case !w.Healthy.IsZero():
			all := ": all healthy"
			if total == 1 {
				all = ": healthy"
			}
			step.State, step.Text = chat.StepDone, name+all
			if i == s.row.At && s.job.Step == stepStay && !s.view.over {
				step.State, step.Text = chat.StepRunning, name+all+"; watched until "+w.Healthy.Add(w.Soak).UTC().Format("15:04:05")+" UTC"
			}
		case w.Commit.SHA != "" && i == s.row.At && s.view.now != nil:
			step.State = chat.StepRunning
			healthy, lines := s.watched()
			step.Text, m.Lines = fmt.Sprintf("%s: %d of %d healthy", name, healthy, total), append(m.Lines, lines...)
		case w.Commit.SHA != "":
			step.State, step.Text = chat.StepRunning, name+": in Git"
		case i == s.row.At && s.job.Step == stepApproval:
			step.State, step.Text = chat.StepRunning, name+": waits for approval"
		case i == s.row.At:
			step.State = chat.StepRunning
		}
		if s.view.over && (step.State == chat.StepRunning || step.State == chat.StepWaiting) {
			step.State = chat.StepSkipped
		}
		if w.Commit.URL != "" {
			step.URL = w.Commit.URL
		}
		m.Steps = append(m.Steps, step)
	}
	return m
}

// ordinal names a wave: "wave 2 of 3", also where it is alone.
func (s *setRun) ordinal(i int) string {
	if len(s.row.Waves) == 1 {
		return "one commit"
	}
	return s.wave(i)
}

// tally counts the targets of a wave, those that are healthy and those that failed.
func (w *wave) tally() (total, well, bad int) {
	for i := range w.Moves {
		total += 1 + len(w.Moves[i].Change.With)
		for _, f := range w.Moves[i].Ends {
			switch f.Outcome {
			case job.Done:
				well++
			case "":
			default:
				bad++
			}
		}
	}
	return total, well, bad
}

// watched counts who is healthy of those that are followed, and tells of the others.
func (s *setRun) watched() (healthy int, lines []string) {
	var rest []string
	for _, x := range s.view.now {
		if x.shown.verdict == arrived {
			healthy++
			continue
		}
		t := x.goal.Change.Target
		text := firstOf(x.shown.reason, "Flux has not applied the commit yet")
		if x.shown.cause != "" {
			text += "; " + x.shown.cause
		}
		if x.trouble != nil {
			text = strings.TrimSuffix(inTheWay(x.trouble), ".")
			if !x.over {
				text += "; ferry goes on trying"
			}
		}
		rest = append(rest, clipTo(fmt.Sprintf("%s on %s: %s", t.App.Name, t.Cluster, text), mostLineSize))
	}
	if healthy == 0 && len(rest) > mostTrouble && !slices.ContainsFunc(s.view.now, func(x *follower) bool { return x.shown.verdict == failed || x.shown.verdict == failing }) {
		return 0, nil // all are on their way: that is no news
	}
	if more := len(rest) - mostTrouble; more > 0 {
		rest = append(rest[:mostTrouble], fmt.Sprintf("… and %d more", more))
	}
	return healthy, rest
}

func (s *setRun) clusters() []deploy.Cluster {
	var out []deploy.Cluster
	for i := range s.row.Waves {
		out = append(out, s.row.Waves[i].Clusters...)
	}
	return out
}

// apps are those of a set, by name.
func (s *setRun) apps() []deploy.App {
	var out []deploy.App
	for i := range s.row.Waves {
		for _, t := range s.row.Waves[i].targets() {
			if !slices.Contains(out, t.App) {
				out = append(out, t.App)
			}
		}
	}
	slices.SortStableFunc(out, byName)
	return out
}

// what names what is promoted: an app, or how many.
func (s *setRun) what() string {
	apps := s.apps()
	if len(apps) == 1 {
		return fmt.Sprintf("%s to %s", apps[0].Name, s.row.Waves[0].Moves[0].Change.Version)
	}
	return count(len(apps), "app")
}

// planned shows the plan: what comes from which version to which, wave by wave, and
// what is left out.
func (s *setRun) planned() chat.Message {
	apps, n := s.apps(), 0
	m := chat.Message{Title: s.job.Title, Table: &chat.Table{Columns: []string{"App"}}}
	var order []string
	for i := range s.row.Waves {
		w := &s.row.Waves[i]
		n += len(w.targets())
		order = append(order, spokenClusters(w.Clusters))
		m.Table.Columns = append(m.Table.Columns, joined(w.Clusters))
	}
	switch waves := count(len(order), "wave"); {
	case len(order) > 1:
		m.Lines = append(m.Lines, fmt.Sprintf("%s in %s, one commit each: %s.", capital(count(n, "change")), waves, strings.Join(order, "; then ")))
		if soak := s.row.Waves[0].Soak; soak > 0 {
			m.Lines = append(m.Lines, fmt.Sprintf("Each wave has to stay healthy for %s before the next one begins.", span(soak)))
		}
	default:
		m.Lines = append(m.Lines, fmt.Sprintf("%s in one commit.", capital(count(n, "change"))))
	}
	called := naming(s.Fleet)
	for i, app := range apps {
		if i == mostShown && len(apps) > mostShown+1 {
			m.Lines = append(m.Lines, fmt.Sprintf("The table shows %d of %d apps, the list below it the others.", mostShown, len(apps)))
			break
		}
		m.Table.Rows = append(m.Table.Rows, s.planRow(app, called(app)))
	}
	var below []string
	if len(m.Table.Rows) < len(apps) {
		for _, app := range apps[len(m.Table.Rows):] {
			row := s.planRow(app, called(app))
			below = append(below, row[0]+"  "+strings.Join(row[1:], "  "))
		}
	}
	same, left := 0, s.leftOut()
	for _, l := range s.row.Left {
		if l.Same {
			same++
		}
	}
	if same > 0 {
		m.Lines = append(m.Lines, fmt.Sprintf("%s the same already.", are(same)))
	}
	if len(left) > 0 {
		m.Lines = append(m.Lines, fmt.Sprintf("*%s left out*, for the reasons below.", are(len(left))))
		below = append(append(below, "Left out:"), left...)
	}
	if len(below) > 0 {
		m.Code = &chat.Code{Text: listed(below)}
	}
	return m
}

// are counts in the way of a sentence: "1 is", "4 are".
func are(n int) string {
	if n == 1 {
		return "1 is"
	}
	return fmt.Sprintf("%d are", n)
}

// planRow is a row of the table of a plan.
func (s *setRun) planRow(app deploy.App, called string) []string {
	row := []string{called}
	for i := range s.row.Waves {
		var from []string
		var to deploy.Version
		w := &s.row.Waves[i]
		for k := range w.Moves {
			for _, p := range parts(w.Moves[k].Plan) {
				if p.Target.App == app {
					to = w.Moves[k].Change.Version
					if v := shortVersion(p.From); !slices.Contains(from, v) {
						from = append(from, v)
					}
				}
			}
		}
		cell := "–"
		if len(from) > 0 {
			cell = strings.Join(from, ", ") + " → " + shortVersion(to)
		}
		row = append(row, cell)
	}
	return row
}

func joined(all []deploy.Cluster) string {
	out := make([]string, len(all))
	for i, c := range all {
		out[i] = string(c)
	}
	return strings.Join(out, ", ")
}

// listed is a list for a preformatted block.
func listed(lines []string) string {
	if more := len(lines) - mostListed; more > 0 {
		lines = append(lines[:mostListed:mostListed], fmt.Sprintf("… and %d more", more))
	}
	return strings.Join(lines, "\n")
}

// listing is all of a wave, for those who approve it.
func (s *setRun) listing(w *wave) string {
	var out []string
	called := naming(s.Fleet)
	for i := range w.Moves {
		for _, p := range parts(w.Moves[i].Plan) {
			out = append(out, fmt.Sprintf("%s on %s: %s → %s", called(p.Target.App), p.Target.Cluster, p.From, w.Moves[i].Change.Version))
		}
	}
	return listed(out)
}
