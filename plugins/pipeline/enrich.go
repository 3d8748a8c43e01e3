package pipeline

import (
	"context"
	"time"

	"ferry/internal/event"
)

// Context knows what else is known of an event's object. It answers from memory,
// within a millisecond or so: it stands in every event's way.
type Context interface {
	// Labels returns labels to add: owner (the workload), app, node, and promotion
	// (the job that changed the app lately). Those that it does not know are left out.
	Labels(ctx context.Context, e *event.Event) map[string]string
}

// patience is how long a Context may take for a parcel.
const patience = 250 * time.Millisecond

// Enrich adds what a Context knows. What a source said itself is not overwritten,
// and an event about which nothing is known goes on as it is.
type Enrich struct{ Context Context }

// Exec implements Stage.
func (s Enrich) Exec(ctx context.Context, p *Parcel) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for i := range p.Events {
		e := &p.Events[i]
		if s.Context != nil {
			for name, value := range s.Context.Labels(ctx, e) {
				if e.Labels[name] != "" || value == "" {
					continue
				}
				if e.Labels == nil {
					e.Labels = map[string]string{}
				}
				e.Labels[name] = value
			}
		}
		e.About = event.Of(e)
	}
	return nil
}
