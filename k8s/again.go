package k8s

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	knet "k8s.io/apimachinery/pkg/util/net"
)

const (
	// soonest and latest bound the pause before a server is asked again that answers
	// and does not say when.
	soonest, latest = 250 * time.Millisecond, 2 * time.Second
)

// passes reports whether an answer is of the kind that a server gives for a moment:
// it is starting ("storage is (re)initializing": its watch cache has not listed yet),
// stopping, too busy, or its store has no leader. client-go asks again by itself only
// where Retry-After stands on the answer, as it does not on those of etcd, and for as
// long as that says, whoever waits.
func passes(err error) bool {
	status, ok := errors.AsType[*apierrors.StatusError](err)
	if !ok || apierrors.HasStatusCause(err, metav1.CauseTypeResourceVersionTooLarge) {
		return false // a version that is not there yet may never be: listing anew mends that
	}
	code := status.ErrStatus.Code
	return code == http.StatusTooManyRequests || code >= http.StatusInternalServerError && code != http.StatusNotImplemented
}

// interrupted is passes, or that no server took the request, or none that it took
// was answered: for what may be sent twice.
func interrupted(err error) bool {
	return passes(err) || knet.IsConnectionRefused(err) || knet.IsConnectionReset(err) || knet.IsProbableEOF(err) || knet.IsHTTP2ConnectionLost(err)
}

// starts reports whether a session ended because its server, which answers, is not there
// altogether.
func starts(err error) bool {
	_, failing := errors.AsType[notReady](err)
	return failing || passes(err)
}

// patiently asks until the answer is one that lasts. As soon as that would take longer
// than within, or than ctx has, it returns what the server said last.
func patiently(ctx context.Context, within time.Duration, again func(error) bool, ask func() error) error {
	end := time.Now().Add(within)
	if deadline, ok := ctx.Deadline(); ok && deadline.Before(end) {
		end = deadline
	}
	for try := 0; ; try++ {
		err := ask()
		if !again(err) {
			return err
		}
		wait := respite(err, try)
		if time.Now().Add(wait).After(end) || pause(ctx, wait) != nil {
			return err
		}
	}
}

// respite is how long to leave a server alone after its answer to a try: never shorter
// than it asks for, and not as long for everybody.
func respite(err error, try int) time.Duration {
	wait := min(soonest<<min(try, 10), latest)
	if seconds, ok := apierrors.SuggestsClientDelay(err); ok {
		wait = max(wait, time.Duration(seconds)*time.Second)
	}
	return wait + rand.N(soonest)
}
