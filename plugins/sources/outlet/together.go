package outlet

import (
	"context"
	"sync"
)

// Together runs parts until ctx ends or one of them fails, and waits for all. The
// end of ctx is no error.
func Together(ctx context.Context, parts ...func(context.Context) error) error {
	inner, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var all sync.WaitGroup
	for _, part := range parts {
		all.Go(func() {
			if err := part(inner); err != nil {
				cancel(err)
			}
		})
	}
	<-inner.Done()
	all.Wait()
	if ctx.Err() != nil {
		return nil
	}
	return context.Cause(inner)
}
