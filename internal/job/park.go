package job

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Park is what a handler returns that has nothing to do before a time, or before
// another job wants what it has: the job goes on existing as a row alone, and
// keeps its queues. The handler is called again then, and with the row saved as
// j is.
type Park struct{ Until time.Time }

// Error implements error.
func (p *Park) Error() string {
	return fmt.Sprintf("nothing to do before %s", p.Until.UTC().Format(time.RFC3339))
}

// Quiet is what a handler returns whose end nobody need hear of: the row gets the
// outcome and its note, and no message is posted.
type Quiet struct{ Outcome Outcome }

// Error implements error.
func (q *Quiet) Error() string { return string(q.Outcome) + ", and nobody need hear of it" }

// Cancel is somebody's wish that a job end.
type Cancel struct {
	By string    `json:"by"` // as chat.UserID
	At time.Time `json:"at"`
}

// ErrCancelled is what saving returns once somebody wished so: nothing was saved,
// and what the save was to announce must not be done. The handler returns it and
// is called again, with Job.Cancel set.
var ErrCancelled = errors.New("somebody cancelled the job")

type askedKey struct{}

// WithAsked returns a context that tells when the job is to be cancelled.
func WithAsked(ctx context.Context, asked <-chan struct{}) context.Context {
	return context.WithValue(ctx, askedKey{}, asked)
}

// Asked is closed when somebody cancels the job of a handler's context. Only who
// waits need look: saving tells the others.
func Asked(ctx context.Context) <-chan struct{} {
	asked, _ := ctx.Value(askedKey{}).(<-chan struct{})
	return asked
}
