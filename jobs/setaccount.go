package jobs

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"ferry/internal/chat"
	"ferry/internal/deploy"
	"ferry/internal/fault"
	"ferry/internal/job"
)

// closing is the account: the outcome first, then what is where.
func (s *setRun) closing(why error, follows []string, buttons []chat.Button) (chat.Message, error) {
	failedAt := slices.IndexFunc(s.row.Waves, func(w wave) bool { _, _, bad := w.tally(); return bad > 0 })
	if failedAt < 0 && why == nil {
		m := s.success()
		m.Lines = append(m.Lines, follows...)
		return m, nil
	}
	m := chat.Message{Buttons: buttons[:min(len(buttons), 5)]}
	var never []deploy.Cluster
	for i := range s.row.Waves {
		if w := &s.row.Waves[i]; w.Commit.SHA == "" {
			never = append(never, w.Clusters...)
		}
	}
	end := s.worded(failedAt, why, never)
	m.Tone, m.Title = toneOf(end), capital(end.Says)
	e, ok := errors.AsType[*fault.Error](why)
	if why != nil && !ok {
		m.Lines = append(m.Lines, "Something went wrong inside ferry; whoever runs it finds what in its log.")
	}
	if ok && failedAt < 0 {
		if e.Says != "" {
			m.Lines = append(m.Lines, sentence(e.Says))
		}
		for line := range strings.Lines(e.Help) {
			m.Lines = append(m.Lines, sentence(strings.TrimSpace(line)))
		}
	}
	m.Lines = append(append(m.Lines, s.trouble()...), follows...)
	for i := range s.row.Waves {
		if w := &s.row.Waves[i]; w.Commit.SHA != "" {
			m.Lines = append(m.Lines, s.stateOf(i))
			m.Links = append(m.Links, waveLink(i, w.Commit)...)
		}
	}
	if len(never) > 0 {
		m.Lines = append(m.Lines, fmt.Sprintf("Untouched: %s.", spokenClusters(never)))
	}
	m.Lines = append(m.Lines, fmt.Sprintf("`retry %s` shows what is missing, and goes on with that.", s.job.ID))
	m.Lines = append(m.Lines, s.row.Glass.lines()...)
	m.Table = s.where()
	if left := s.leftOut(); len(left) > 0 {
		m.Code = &chat.Code{Text: "Left out:\n" + listed(left)}
	}
	if why != nil && !ok {
		return m, errors.Join(end, why)
	}
	return m, end
}

func waveLink(i int, c deploy.Commit) []chat.Link {
	links := commitLink(c)
	for k := range links {
		links[k].Text = fmt.Sprintf("wave %d: %s", i+1, links[k].Text)
	}
	return links
}

// worded is the outcome in one line.
func (s *setRun) worded(failedAt int, why error, never []deploy.Cluster) *fault.Error {
	tail := ""
	if len(never) > 0 {
		tail = fmt.Sprintf(", %s is untouched", spokenClusters(never))
		if len(never) > 1 {
			tail = fmt.Sprintf(", %s are untouched", spokenClusters(never))
		}
	}
	if failedAt < 0 {
		e, ok := errors.AsType[*fault.Error](why)
		if !ok {
			e = fault.New(fault.Internal, "", "")
		}
		done := 0
		for i := range s.row.Waves {
			if !s.row.Waves[i].Healthy.IsZero() {
				done++
			}
		}
		how := "it ended"
		switch e.Kind {
		case fault.Cancelled:
			how = "it was cancelled"
		case fault.Superseded:
			how = "it gave way"
		default:
		}
		return fault.Newf(e.Kind, "%s after %d of %s%s", how, done, count(len(s.row.Waves), "wave"), tail)
	}
	w := &s.row.Waves[failedAt]
	kind := fault.Expired
	for i := range w.Moves {
		for _, f := range w.Moves[i].Ends {
			switch {
			case f.Outcome == job.Failed:
				kind = fault.Failed
			case f.Outcome == job.Superseded && kind != fault.Failed:
				kind = fault.Superseded
			}
		}
	}
	apps, well := w.wellApps()
	says := fmt.Sprintf("%d of %s are healthy on %s", well, count(apps, "app"), spokenClusters(w.Clusters))
	if apps == 1 {
		says = fmt.Sprintf("%s is not healthy on %s", w.Moves[0].Change.Target.App.Name, spokenClusters(w.unwell()))
	}
	if len(s.row.Waves) == 1 {
		return fault.Newf(kind, "%s%s", says, tail)
	}
	return fault.Newf(kind, "wave %d of %d failed: %s%s", failedAt+1, len(s.row.Waves), says, tail)
}

// wellApps counts the apps of a wave, and those that are healthy wherever it goes.
func (w *wave) wellApps() (all, well int) {
	bad := map[deploy.App]bool{}
	for i := range w.Moves {
		for k, p := range parts(w.Moves[i].Plan) {
			bad[p.Target.App] = bad[p.Target.App] || len(w.Moves[i].Ends) <= k || w.Moves[i].Ends[k].Outcome != job.Done
		}
	}
	for _, is := range bad {
		if !is {
			well++
		}
	}
	return len(bad), well
}

// unwell are the clusters of a wave on which something is not healthy.
func (w *wave) unwell() []deploy.Cluster {
	var out []deploy.Cluster
	for i := range w.Moves {
		for k, p := range parts(w.Moves[i].Plan) {
			well := k < len(w.Moves[i].Ends) && w.Moves[i].Ends[k].Outcome == job.Done
			if !well && !slices.Contains(out, p.Target.Cluster) {
				out = append(out, p.Target.Cluster)
			}
		}
	}
	return out
}

// trouble tells of what failed.
func (s *setRun) trouble() []string {
	var out []string
	called := naming(s.Fleet)
	for i := range s.row.Waves {
		w := &s.row.Waves[i]
		for k := range w.Moves {
			for n, p := range parts(w.Moves[k].Plan) {
				if n < len(w.Moves[k].Ends) {
					if f := w.Moves[k].Ends[n]; f.Outcome != "" && f.Outcome != job.Done {
						out = append(out, clipTo(fmt.Sprintf("*%s on %s* (`%s`): %s", called(p.Target.App), p.Target.Cluster, w.Moves[k].Change.Version, f.Why), mostLineSize))
					}
				}
			}
		}
	}
	if more := len(out) - mostTold; more > 1 {
		out = append(out[:mostTold], fmt.Sprintf("… and %d more: the table below has them all.", more))
	}
	return out
}

// stateOf tells how far a wave is that is in Git.
func (s *setRun) stateOf(i int) string {
	w := &s.row.Waves[i]
	total, well, bad := w.tally()
	on := fmt.Sprintf("%s (%s)", capital(s.ordinal(i)), spokenClusters(w.Clusters))
	open := total - well - bad
	switch {
	case bad == 0 && open == 0:
		return fmt.Sprintf("%s: healthy, %s.", on, count(total, "change"))
	case bad == 0 && well == 0:
		return fmt.Sprintf("%s: in Git, and not followed to its end.", on)
	case total == 1:
		return on + ": not healthy."
	case open == 0 && well == 0:
		return fmt.Sprintf("%s: none of %d healthy.", on, total)
	case open == 0:
		return fmt.Sprintf("%s: %d of %d healthy; they stay.", on, well, total)
	}
	return fmt.Sprintf("%s: %d of %d healthy, which stay; %d were still on their way: `list` shows how they go on.", on, well, total, open)
}

// where is the exact account: what each app is on each cluster, those that are not
// well first.
func (s *setRun) where() *chat.Table {
	clusters, called := s.clusters(), naming(s.Fleet)
	t := &chat.Table{Columns: []string{"App", "To"}}
	for _, c := range clusters {
		t.Columns = append(t.Columns, string(c))
	}
	var well [][]string
	for _, app := range s.apps() {
		row, all := []string{called(app), ""}, true
		for range clusters {
			row = append(row, "–")
		}
		for i := range s.row.Waves {
			w := &s.row.Waves[i]
			for k := range w.Moves {
				for n, p := range parts(w.Moves[k].Plan) {
					if p.Target.App != app {
						continue
					}
					state := w.stateOf(k, n)
					row[1] = shortVersion(w.Moves[k].Change.Version)
					row[2+slices.Index(clusters, p.Target.Cluster)] = state
					all = all && (state == ending(job.Done) || state == untouched)
				}
			}
		}
		if all {
			well = append(well, row)
		} else {
			t.Rows = append(t.Rows, row)
		}
	}
	t.Rows = append(t.Rows, well...)
	return t
}

const untouched = "untouched"

// stateOf words what became of a target of a wave.
func (w *wave) stateOf(move, part int) string {
	switch ends := w.Moves[move].Ends; {
	case w.Commit.SHA == "":
		return untouched
	case part < len(ends) && ends[part].Unknown:
		return "not known"
	case part < len(ends) && ends[part].Outcome != "":
		return ending(ends[part].Outcome)
	}
	return "on its way"
}

// leftOut are the reasons for what is not in the set, but for what is the same.
func (s *setRun) leftOut() []string {
	var out []string
	for _, l := range s.row.Left {
		if !l.Same {
			out = append(out, l.text())
		}
	}
	return out
}

// success is the end in which all is healthy.
func (s *setRun) success() chat.Message {
	apps := s.apps()
	m := chat.Message{Tone: chat.Done, Title: fmt.Sprintf("%s are healthy on %s", count(len(apps), "app"), spokenClusters(s.clusters())), Lines: s.row.Glass.lines()}
	if len(apps) == 1 {
		m.Title = fmt.Sprintf("%s `%s` is healthy on %s", apps[0].Name, s.row.Waves[0].Moves[0].Change.Version, spokenClusters(s.clusters()))
	}
	n, already := 0, 0
	for i := range s.row.Waves {
		w := &s.row.Waves[i]
		n += len(w.targets())
		m.Links = append(m.Links, waveLink(i, w.Commit)...)
		for k := range w.Moves {
			if w.Moves[k].Plan.Already {
				already++
			}
		}
	}
	took := span(s.row.Waves[len(s.row.Waves)-1].Healthy.Sub(s.row.Waves[0].Followed))
	m.Lines = append(m.Lines, fmt.Sprintf("%s in %s; %s from the first commit to all healthy.", capital(count(n, "change")), count(len(s.row.Waves), "wave"), took))
	if already > 0 {
		m.Lines = append(m.Lines, fmt.Sprintf("Git held %d of them already.", already))
	}
	left := s.leftOut()
	if len(left) > 0 {
		m.Lines = append(m.Lines, fmt.Sprintf("%s left out:", are(len(left))))
		m.Code = &chat.Code{Text: listed(left)}
	}
	return m
}
