package troubles

import (
	"context"
	"time"

	"ferry/plugins/api"
	"ferry/plugins/host"
)

const (
	idleFor     = time.Minute // a plugin that ended is started again within seconds
	healthyFor  = time.Minute // after it, as for the host, it has recovered
	refusedText = "It is refused: "
)

// idle looks at plugins that do not run, or never for long.
type idle struct {
	from  Plugins
	lives map[subject]*life
}

// life is what was seen of a plugin.
type life struct {
	restarts int
	// well is since when it runs without a break; down since when it has not run for
	// long enough to be healthy. Zero if it is not so.
	well, down time.Time
}

func (i *idle) look(_ context.Context, now time.Time) (out []finding, _ error) {
	for _, s := range i.from.States() {
		who := subject{Reason: PluginNotRunning, Kind: s.Kind, Name: s.Name}
		l := i.lives[who]
		if l == nil {
			l = &life{restarts: s.Restarts}
			i.lives[who] = l
		}
		if l.see(&s, now) {
			continue
		}
		out = append(out, finding{subject: who, sure: l.troubled(&s, now), text: plight(&s)})
	}
	return out, nil
}

// see takes note of a state; it reports whether the plugin is healthy.
func (l *life) see(s *host.State, now time.Time) bool {
	runs := s.Status == host.Running && s.Why == "" && s.Restarts == l.restarts
	l.restarts = s.Restarts
	switch {
	case !runs:
		l.well = time.Time{}
		if l.down.IsZero() {
			l.down = now
		}
		return false
	case l.well.IsZero():
		l.well = now
	}
	if now.Sub(l.well) < healthyFor {
		return false
	}
	l.down = time.Time{}
	return true
}

// troubled reports whether people are to know. One that ends is what happens when ferry
// stops.
func (l *life) troubled(s *host.State, now time.Time) bool {
	switch {
	case s.Status == host.Ended, !l.well.IsZero():
		return false
	case s.Status == host.Refused:
		return true
	}
	return now.Sub(l.down) >= idleFor
}

// plight says why, and what it means.
func plight(s *host.State) string {
	why := s.Why
	if why == "" {
		why = s.Err
	}
	if why == "" {
		why = "it is still being started"
	}
	if s.Status == host.Refused {
		why = refusedText + why
	}
	means := "nothing that it brings arrives"
	switch s.Kind {
	case api.KindExecutor:
		means = "its commands are refused"
	case api.KindNotifier:
		means = "what it is to deliver waits"
	}
	return sentence(capital(why), mostWhy) + " Until it runs " + means + ". It is tried again and again; `plugins` shows how it is."
}
