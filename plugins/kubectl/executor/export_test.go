package executor

import (
	"context"
	"io"

	"ferry/plugins/kubectl/child"
)

// Process lets tests start a child with words that no guard has seen.
func Process(ctx context.Context, e *Executor, job child.Job, out io.Writer) (int, error) {
	return e.process(ctx, job, out)
}
