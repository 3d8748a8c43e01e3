package pipeline

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"sync/atomic"
	"text/template"

	"ferry/internal/event"
	"ferry/plugins/sink"
)

// Limits of a rendered message. A sink cuts further, to what its other side takes.
const (
	maxTitle   = 500
	maxBody    = 8000
	maxDetails = 20
)

// Render makes deliveries of a parcel: one of an incident, or one of each event.
type Render struct {
	title, text *template.Template // nil for what is built in
	log         *slog.Logger
	broken      atomic.Bool
}

// Data is what a template sees.
type Data struct {
	// Event is the event, or the latest one of the incident.
	Event *event.Event
	// Incident is nil if the event stands for itself.
	Incident *event.Incident
	// Firing is how many problems fire that people are not spared, Things how many
	// there are or were.
	Firing, Things int
}

// NewRender compiles templates (text/template over Data); an empty one is what is
// built in. The place is where they stand in the configuration.
func NewRender(title, text string, at Place, log *slog.Logger) (*Render, error) {
	r := &Render{log: log}
	for _, one := range []struct {
		name, text string
		to         **template.Template
	}{{"title", title, &r.title}, {"text", text, &r.text}} {
		if one.text == "" {
			continue
		}
		t, err := template.New(one.name).Option("missingkey=zero").Parse(one.text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", at, err) // which begins with "template: "
		}
		if err := tried(t); err != nil {
			return nil, fmt.Errorf("%s: template: %s: %w", at, one.name, err)
		}
		*one.to = t
	}
	return r, nil
}

// Exec implements Stage.
func (r *Render) Exec(_ context.Context, p *Parcel) error {
	if p.storm != nil {
		p.Deliveries = []sink.Delivery{p.storm.delivery()}
		return nil
	}
	if p.Incident != nil {
		if d, ok := r.incident(p); ok {
			p.Deliveries = []sink.Delivery{d}
		}
		return nil
	}
	p.Deliveries = make([]sink.Delivery, len(p.Events))
	for i := range p.Events {
		e := &p.Events[i]
		id := string(e.ID)
		if e.Source != "" {
			id = e.Source + "/" + id
		}
		data := Data{Event: e, Firing: 1, Things: 1}
		p.Deliveries[i] = sink.Delivery{
			ID: id, Key: id, Revision: 1, At: e.At, Severity: string(e.Severity),
			Title: r.run(r.title, &data, titleOf), Text: r.run(r.text, &data, textOf), Count: e.Count, Labels: labelsOf(e),
		}
		if e.Resolved {
			p.Deliveries[i].State = string(event.Resolved)
		}
		if p.Raw != nil {
			p.Deliveries[i].Event = p.Raw[i]
		}
	}
	return nil
}

// incident renders the present state; ok is false if all that fires is muted.
func (r *Render) incident(p *Parcel) (d sink.Delivery, ok bool) {
	t := p.Incident
	data := Data{Incident: &t.Incident, Firing: len(t.Rest), Things: t.things()}
	for i := range p.Events {
		if !p.Events[i].Resolved {
			data.Firing++
		}
	}
	data.Event = speaker(p.Events)
	if t.State == event.Firing && data.Firing == 0 {
		return d, false
	}
	if t.State != event.Firing {
		data.Firing = 0
	}
	revision := t.Revision + 1
	d = sink.Delivery{
		ID: fmt.Sprintf("%s/%d", t.ID, revision), Key: t.ID, Revision: revision, At: t.Changed, Opened: t.Opened, State: string(t.State), Severity: string(t.Severity()),
		Title: r.run(r.title, &data, titleOf), Text: r.run(r.text, &data, textOf),
		Count: t.Count, Firing: data.Firing, Things: data.Things, Labels: map[string]string{}, Details: details(p, &data),
	}
	if revision > 1 && !t.Dirty {
		d.Repeat = t.Repeat + 1
	}
	maps.Copy(d.Labels, t.Group)
	if data.Things == 1 {
		d.Labels = labelsOf(data.Event)
	}
	return d, true
}

// run fills in a template; one that fails gives way to what is built in.
func (r *Render) run(t *template.Template, data *Data, builtIn func(*Data) string) string {
	if t == nil {
		return builtIn(data)
	}
	var b strings.Builder
	if err := t.Execute(&limited{to: &b, left: maxBody}, data); err != nil {
		if !r.broken.Swap(true) {
			r.log.Warn("a template fails; its messages look as they do without it", "template", t.Name(), "error", err)
		}
		return builtIn(data)
	}
	return b.String()
}

// limited takes no more than a message may have, so that no template fills memory.
type limited struct {
	to   *strings.Builder
	left int
}

func (l *limited) Write(p []byte) (int, error) {
	if len(p) > l.left {
		return 0, fmt.Errorf("more than %d bytes", maxBody)
	}
	l.left -= len(p)
	return l.to.Write(p)
}

// titleOf says what is wrong, where, and how much of it.
func titleOf(data *Data) string {
	e := data.Event
	what := calledOf(e)
	i := data.Incident
	switch {
	case i == nil:
	case data.Things > 1:
		what = fmt.Sprintf("%d in trouble", data.Firing)
		if i.State != event.Firing {
			what = fmt.Sprintf("%d were in trouble", data.Things)
		}
		if reason := commonReason(i); reason != "" {
			what += ": " + reason
		}
		if where := i.Called(); where != "" {
			what += " (" + where + ")"
		}
		return clip(what, maxTitle)
	case i.Count > 1:
		what += fmt.Sprintf(" (%d times)", i.Count)
	}
	state := event.Firing
	if i != nil {
		state = i.State
	} else if e.Resolved {
		state = event.Resolved
	}
	return clip(headline(what, e.Cluster, state), maxTitle)
}

// headline says first whether it is over.
func headline(what, cluster string, state event.State) string {
	if cluster != "" {
		what += " on " + cluster
	}
	switch state {
	case event.Resolved:
		return "Resolved: " + what
	case event.Expired:
		return "Not heard of any more: " + what
	}
	return what
}

// lasted is what is said of what was resolved.
func lasted(i *event.Incident) string { return "It lasted " + spoken(i.Ended.Sub(i.Opened)) + "." }

// calledOf is what an event says of itself.
func calledOf(e *event.Event) string {
	if e.Title != "" {
		return e.Title
	}
	return strings.TrimSpace(strings.Join([]string{e.Reason, strings.ToLower(e.Kind), e.Name}, " "))
}

func commonReason(i *event.Incident) string {
	reason := ""
	for k := range i.Problems {
		switch p := &i.Problems[k]; {
		case p.Past:
		case reason != "" && p.Reason != reason, p.Reason == "":
			return ""
		default:
			reason = p.Reason
		}
	}
	return reason
}

func textOf(data *Data) string {
	switch i := data.Incident; {
	case i == nil || i.State == event.Firing:
		return clip(data.Event.Text, maxBody)
	case i.State == event.Expired:
		return fmt.Sprintf("The last was heard at %s; whether it is over, nobody said.", clock(i.Changed))
	default:
		return lasted(i)
	}
}

// details names the problems, those that fire first.
func details(p *Parcel, data *Data) (out []string) {
	if data.Things < 2 {
		return nil
	}
	for _, resolved := range []bool{false, true} {
		for i := range p.Events {
			e := &p.Events[i]
			if e.Resolved != resolved {
				continue
			}
			if len(out) == maxDetails {
				return append(out, fmt.Sprintf("… and %d more", data.Things-maxDetails))
			}
			line := strings.Trim(e.Namespace+"/"+e.Name, "/")
			if resolved {
				line += ": resolved"
			} else if why := strings.TrimSpace(e.Reason + " " + clip(e.Text, 150)); why != "" {
				line += ": " + why
			}
			out = append(out, line)
		}
	}
	if more := data.Things - len(out); more > 0 {
		out = append(out, fmt.Sprintf("… and %d more", more))
	}
	return out
}

func labelsOf(e *event.Event) map[string]string {
	out := make(map[string]string, len(e.Labels)+5)
	maps.Copy(out, e.Labels)
	for _, name := range []string{"cluster", "kind", "namespace", "name", "reason"} {
		if v := e.Label(name); v != "" {
			out[name] = v
		}
	}
	return out
}
