package k8s

import "context"

// Settled returns when every cluster was either followed or found not to
// answer for the first time, or when ctx ends. It needs Run.
func (f *Fleet) Settled(ctx context.Context) error {
	for _, c := range f.members {
		select {
		case <-c.looked:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
