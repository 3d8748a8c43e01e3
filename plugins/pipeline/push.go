package pipeline

import (
	"context"

	"ferry/internal/event"
)

// Take hands over an event of a source that ferry does not pull: a plugin's. It
// blocks while the pipeline has its hands full, and returns before the event is
// durable: whoever opens that source again asks Cursor where, and gets the place
// behind what is; whoever owes somebody an answer asks Flush first.
func (p *Pipeline) Take(ctx context.Context, b Binding, e event.Event) error {
	entry, err := prepare(ctx, b, e, p.log.now)
	if err != nil || entry.event == nil && entry.cursor == "" {
		return err
	}
	return p.log.hand(ctx, entry)
}

// Cursor returns where a source goes on, once all that was taken is durable.
func (p *Pipeline) Cursor(ctx context.Context, source string) (string, error) {
	if err := p.log.Flush(ctx); err != nil {
		return "", err
	}
	return p.log.cursor(source), nil
}

// Flush returns when all that was taken is durable, was there already, or was
// filtered out. Several that ask at once share a write.
func (p *Pipeline) Flush(ctx context.Context) error { return p.log.Flush(ctx) }
