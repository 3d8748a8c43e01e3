package cluster

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	knet "k8s.io/apimachinery/pkg/util/net"
)

const (
	// moment is for how long a cluster that was interrupted is asked again.
	moment = 3 * time.Second
	// soonest is the shortest pause before that.
	soonest = 250 * time.Millisecond
)

// interrupted says whether a cluster may answer the next time: nobody took the request
// or answered it, or what did has just started, stops, or has lost its store. What tells
// when to come back (Retry-After) client-go asks again by itself.
func interrupted(err error) bool {
	if status, ok := errors.AsType[*apierrors.StatusError](err); ok {
		code := status.ErrStatus.Code
		return code == http.StatusTooManyRequests || code >= http.StatusInternalServerError && code != http.StatusNotImplemented
	}
	return knet.IsConnectionRefused(err) || knet.IsConnectionReset(err) || knet.IsProbableEOF(err) || knet.IsHTTP2ConnectionLost(err)
}

// patiently asks what may be asked twice until the cluster is not interrupted, for a
// moment; then it returns what it said last.
func patiently[T any](ctx context.Context, ask func() (T, error)) (T, error) {
	end := time.Now().Add(moment)
	for wait := soonest; ; wait *= 2 {
		out, err := ask()
		pause := wait + rand.N(soonest)
		if !interrupted(err) || time.Now().Add(pause).After(end) {
			return out, err
		}
		select {
		case <-ctx.Done():
			return out, err
		case <-time.After(pause):
		}
	}
}
