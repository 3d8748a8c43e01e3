package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"

	"ferry/internal/deploy"
	"ferry/internal/event"
	"ferry/internal/fault"
	"ferry/internal/job"
	"ferry/jobs"
	"ferry/plugins/match"
	"ferry/plugins/pipeline"
	"ferry/plugins/silence"
)

// talk lets commands ask the pipeline and tell it something.
func (a *alerts) talk(o *jobs.Options) {
	if a == nil {
		return
	}
	o.Alerts, o.Silences, o.Notifications, o.Letters = spoken{a.pipeline}, spokenSilences{a.silences}, a.channels, letters{a.pipeline}
}

// spoken implements jobs.Alerts.
type spoken struct{ *pipeline.Pipeline }

// matchersOf reads what somebody wrote.
func matchersOf(text string) (match.Matchers, error) {
	ms, err := match.Parse(text)
	if err != nil {
		return nil, fault.New(fault.Invalid, err.Error(), `for example: cluster=prod namespace=~"kube-.*"`)
	}
	return ms, nil
}

// Incidents implements jobs.Alerts.
func (s spoken) Incidents(matchers string) ([]event.Incident, error) {
	ms, err := matchersOf(matchers)
	if err != nil {
		return nil, err
	}
	var out []event.Incident
	for _, i := range s.Pipeline.Incidents() {
		matches := len(ms) == 0
		for k := range i.Problems {
			matches = matches || ms.Matches(&i.Problems[k].Event)
		}
		if matches {
			out = append(out, i)
		}
	}
	return out, nil
}

// Scope implements jobs.Alerts.
func (spoken) Scope(matchers string) (deploy.Target, error) {
	ms, err := matchersOf(matchers)
	if err != nil {
		return deploy.Target{}, err
	}
	t := deploy.Target{Cluster: deploy.Everywhere}
	if c, ok := ms.Demanded("cluster"); ok && c != "" {
		t.Cluster = deploy.Cluster(c)
	}
	t.App.Namespace, _ = ms.Demanded("namespace")
	t.App.Name, _ = ms.Demanded("app")
	return t, nil
}

// spokenSilences implement jobs.Silences.
type spokenSilences struct{ s *silence.Silences }

// Place implements jobs.Silences.
func (s spokenSilences) Place(ctx context.Context, one jobs.Silence, told func(jobs.Silence) job.Entry) (jobs.Silence, error) {
	placed, err := s.s.Place(ctx, silence.Silence{
		Matchers: one.Matchers, By: one.By, Name: one.Name, Reason: one.Reason, Key: one.Key, At: one.At, Until: one.Until,
	}, func(placed silence.Silence) job.Entry { return told(silenceOf(placed)) })
	return silenceOf(placed), err
}

// End implements jobs.Silences.
func (s spokenSilences) End(ctx context.Context, id string, told ...job.Entry) (jobs.Silence, error) {
	ended, err := s.s.End(ctx, id, told...)
	return silenceOf(ended), err
}

// All implements jobs.Silences.
func (s spokenSilences) All() (out []jobs.Silence) {
	for _, one := range s.s.All() {
		out = append(out, silenceOf(one))
	}
	return out
}

func silenceOf(s silence.Silence) jobs.Silence {
	return jobs.Silence{ID: s.ID, Matchers: s.Matchers, By: s.By, Name: s.Name, Reason: s.Reason, Key: s.Key, At: s.At, Until: s.Until}
}

// letters implement jobs.Letters. What the pipeline calls them is too long to be typed.
type letters struct{ *pipeline.Pipeline }

// mostLetters bounds how many are looked at.
const mostLetters = 200

// Undelivered implements jobs.Letters.
func (l letters) Undelivered(ctx context.Context) ([]jobs.Letter, error) {
	dead, err := l.Dead(ctx, mostLetters)
	out := make([]jobs.Letter, len(dead))
	for i, d := range dead {
		out[i] = jobs.Letter{ID: letterID(d.ID), Sink: d.Sink, Title: d.Delivery.Title, Why: d.Why, Tries: d.Tries, At: d.At}
	}
	return out, err
}

// Resend implements jobs.Letters.
func (l letters) Resend(ctx context.Context, id string, told func(jobs.Letter) job.Entry) (jobs.Letter, error) {
	dead, err := l.Dead(ctx, mostLetters)
	if err != nil {
		return jobs.Letter{}, err
	}
	for _, d := range dead {
		if letterID(d.ID) == id {
			one := jobs.Letter{ID: id, Sink: d.Sink, Title: d.Delivery.Title, Why: d.Why, Tries: d.Tries, At: d.At}
			return one, l.Pipeline.Resend(ctx, d.ID, told(one))
		}
	}
	return jobs.Letter{}, fault.Newf(fault.NotFound, "no notification `%s` was given up", id).WithHelp("`undelivered` lists those that were; one that was sent again is there no more")
}

func letterID(id string) string {
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:4])
}
