package pipeline

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"ferry/internal/event"
	"ferry/plugins/sink"
)

// shown is what people are told of a digest.
type shown struct {
	*stormDigest
	members []member
}

// member is an incident as a digest tells of it.
type member struct {
	id       string
	event    *event.Event // the one that speaks for it
	state    event.State
	severity event.Severity
	count    int
}

// memberOf is what is told of a parcel's incident. The parcel has events.
func memberOf(p *Parcel) member {
	t := p.Incident
	return member{id: t.ID, event: speaker(p.Events), state: t.State, severity: t.Severity(), count: max(1, t.Count)}
}

// speaker is the event by which an incident is called: the latest of those that fire,
// or of all.
func speaker(events []event.Event) (out *event.Event) {
	for i := range events {
		e := &events[i]
		if out == nil || out.Resolved && !e.Resolved || out.Resolved == e.Resolved && !e.At.Before(out.At) {
			out = e
		}
	}
	return out
}

// delivery renders a digest's present state: what is built in, because a template is
// written for one event.
func (g *shown) delivery() sink.Delivery {
	lines := g.lines()
	revision := g.Revision + 1
	d := sink.Delivery{
		ID: fmt.Sprintf("%s/%d", g.ID, revision), Key: g.ID, Revision: revision, At: g.Changed, Opened: g.Opened, State: string(g.State),
		Things: len(g.members), Labels: labelsOf(g.members[0].event),
	}
	if revision > 1 && !g.Dirty {
		d.Repeat = g.Repeat + 1
	}
	severity, worst := event.Info, event.Info
	critical := 0
	for _, m := range g.members {
		d.Count += m.count
		worst = worse(worst, m.severity)
		if m.state == event.Firing {
			d.Firing++
			severity = worse(severity, m.severity)
			if m.severity == event.Critical {
				critical++
			}
		}
		for name, v := range d.Labels {
			if m.event.Label(name) != v {
				delete(d.Labels, name)
			}
		}
	}
	if d.Firing == 0 {
		severity = worst
	}
	d.Severity = string(severity)
	d.Title, d.Text = clip(g.title(d.Firing, critical), maxTitle), g.text()
	for i, l := range lines {
		if g.alone() != nil {
			break
		}
		if i == maxDetails {
			d.Details = append(d.Details, fmt.Sprintf("… and %d more such lines", len(lines)-maxDetails))
			break
		}
		d.Details = append(d.Details, l.String())
	}
	return d
}

func worse(a, b event.Severity) event.Severity {
	if b.Rank() > a.Rank() {
		return b
	}
	return a
}

// alone is the incident of a digest that has one so far: it is called by its name.
func (g *shown) alone() *event.Event {
	if len(g.members) == 1 {
		return g.members[0].event
	}
	return nil
}

// title says how it stands.
func (g *shown) title(firing, critical int) string {
	if e := g.alone(); e != nil {
		return headline(calledOf(e), e.Cluster, g.State)
	}
	all, where := len(g.members), ""
	clusters := g.clusters()
	switch n := len(clusters); {
	case n == 2:
		where = " on " + clusters[0] + " and " + clusters[1]
	case n > 0:
		where = " on " + clusters[0]
		if n > 1 {
			where += fmt.Sprintf(" and %d more clusters", n-1)
		}
	}
	switch g.State {
	case event.Firing:
		says := fmt.Sprintf("Storm%s: %d more %s open", where, firing, incidents(firing))
		if firing < all {
			says = fmt.Sprintf("Storm%s: %d of %d more %s open", where, firing, all, incidents(all))
		}
		if critical > 0 {
			says += fmt.Sprintf(", %d critical", critical)
		}
		return says
	case event.Expired:
		return fmt.Sprintf("Storm%s: of %d more %s nothing is heard any more", where, all, incidents(all))
	}
	return fmt.Sprintf("The storm%s is over: %d more %s resolved", where, all, incidents(all))
}

// text says why they share a message.
func (g *shown) text() string {
	switch g.State {
	case event.Firing:
		filter := ""
		if c := g.clusters(); len(c) == 1 {
			filter = " cluster=" + c[0]
		}
		if e := g.alone(); e != nil {
			return strings.TrimSpace(clip(e.Text, maxText) + "\n" + fmt.Sprintf("More than %d incidents began within %s: further ones join this one.", g.Timing.Storm.MoreThan, spoken(g.Timing.Storm.Within)))
		}
		return fmt.Sprintf("More than %d began within %s: these share this message. `events%s` shows each.", g.Timing.Storm.MoreThan, spoken(g.Timing.Storm.Within), filter)
	case event.Expired:
		last := g.stormDigest.members[0].Changed
		for _, t := range g.stormDigest.members {
			last = later(last, t.Changed)
		}
		return fmt.Sprintf("The last was heard at %s; whether all are over, nobody said.", clock(last))
	}
	return lasted(&g.Incident)
}

func incidents(n int) string {
	if n == 1 {
		return "incident"
	}
	return "incidents"
}

// clusters returns where they are, where the most are first.
func (g *shown) clusters() (out []string) {
	many := map[string]int{}
	for _, m := range g.members {
		if c := m.event.Cluster; c != "" {
			if many[c]++; many[c] == 1 {
				out = append(out, c)
			}
		}
	}
	slices.SortFunc(out, func(a, b string) int { return cmp.Or(cmp.Compare(many[b], many[a]), cmp.Compare(a, b)) })
	return out
}

// bundle are the incidents of one reason at one place.
type bundle struct {
	cluster, namespace, reason string
	first                      *event.Event
	severity                   event.Severity // of what fires, or else of all
	firing, all                int
	names                      []string // of what fires, the first few
}

// mostNames is how many are called by their name.
const mostNames = 3

// lines sum the incidents up by cluster, namespace and reason, the worst first.
func (g *shown) lines() (out []*bundle) {
	by := map[[3]string]*bundle{}
	for _, m := range g.members {
		e := m.event
		key := [3]string{e.Cluster, e.Namespace, e.Reason}
		a := by[key]
		if a == nil {
			a = &bundle{cluster: e.Cluster, namespace: e.Namespace, reason: e.Reason, severity: event.Info}
			by[key] = a
			out = append(out, a)
		}
		fires := m.state == event.Firing
		if fires && a.firing == 0 {
			a.severity, a.first = event.Info, e
		}
		if a.first == nil {
			a.first = e
		}
		a.all++
		if fires || a.firing == 0 {
			a.severity = worse(a.severity, m.severity)
		}
		if fires {
			if a.firing++; len(a.names) < mostNames && e.Name != "" && !slices.Contains(a.names, e.Name) {
				a.names = append(a.names, e.Name)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b *bundle) int {
		return cmp.Or(
			cmp.Compare(min(1, b.firing), min(1, a.firing)), cmp.Compare(b.severity.Rank(), a.severity.Rank()), cmp.Compare(b.firing, a.firing),
			cmp.Compare(b.all, a.all), strings.Compare(a.cluster+"\x00"+a.namespace+"\x00"+a.reason, b.cluster+"\x00"+b.namespace+"\x00"+b.reason),
		)
	})
	return out
}

// String is the line: "critical: 12 × NodeLost in shop on prod (web-1, web-2, …), 3 resolved".
func (a *bundle) String() string {
	var b strings.Builder
	state := string(a.severity)
	if a.firing == 0 {
		state = "over"
	}
	b.WriteString(state + ": ")
	if a.all == 1 {
		b.WriteString(strings.TrimSpace(calledOf(a.first)))
		if where := strings.Trim(a.namespace+"/"+a.first.Name, "/"); where != "" && !strings.Contains(calledOf(a.first), a.first.Name) {
			b.WriteString(", " + where)
		} else if a.namespace != "" {
			b.WriteString(" in " + a.namespace)
		}
	} else {
		n := a.firing
		if n == 0 {
			n = a.all
		}
		fmt.Fprintf(&b, "%d × %s", n, cmp.Or(a.reason, "trouble"))
		if a.namespace != "" {
			b.WriteString(" in " + a.namespace)
		}
	}
	if a.cluster != "" {
		b.WriteString(" on " + a.cluster)
	}
	if a.all > 1 && len(a.names) > 0 {
		b.WriteString(" (" + strings.Join(a.names, ", "))
		if a.firing > len(a.names) {
			b.WriteString(", …")
		}
		b.WriteString(")")
	}
	if a.firing > 0 && a.firing < a.all {
		fmt.Fprintf(&b, ", %d over", a.all-a.firing)
	}
	return clip(b.String(), maxText)
}

// spoken is a time as people say it, in its largest unit or two.
func spoken(d time.Duration) string {
	d = max(d, time.Second).Round(time.Second)
	unit := func(big, small time.Duration, bigName, smallName string) string {
		says := fmt.Sprintf("%d %s", d/big, bigName)
		if rest := d % big / small; rest > 0 {
			says += fmt.Sprintf(" %d %s", rest, smallName)
		}
		return says
	}
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < 10*time.Minute:
		return unit(time.Minute, time.Second, "min", "s")
	case d < time.Hour:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d < 24*time.Hour:
		return unit(time.Hour, time.Minute, "h", "min")
	}
	return unit(24*time.Hour, time.Hour, "d", "h")
}

// clock is a moment that may be days ago.
func clock(t time.Time) string { return t.UTC().Format("15:04 UTC on 2006-01-02") }
