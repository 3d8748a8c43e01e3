package registry

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"ferry/internal/fault"
)

const (
	// limited is how long a host that limits requests is left alone if it does not
	// say; longest, if it asks for more.
	limited, longest = 30 * time.Second, 10 * time.Minute
)

// status is an answer that is no success.
type status struct {
	code  int
	after time.Duration // for how long it wants to be left alone
}

// Error implements error.
func (s *status) Error() string {
	return strings.TrimSpace(fmt.Sprintf("%d %s", s.code, http.StatusText(s.code)))
}

func statusOf(resp *http.Response) *status {
	s := &status{code: resp.StatusCode}
	if n, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && n > 0 {
		s.after = time.Duration(n) * time.Second
	} else if at, err := http.ParseTime(resp.Header.Get("Retry-After")); err == nil {
		s.after = time.Until(at)
	}
	return s
}

// paused returns the error with which a host is not asked now, if it is not.
func (r *Registry) paused(host string) error {
	if e, ok := r.pauses.get(host); ok {
		return e
	}
	return nil
}

// explain makes of what went wrong with a host an error for who asked about a
// repository, and leaves a host alone that cannot answer.
func (r *Registry) explain(ctx context.Context, err error, host, what string) error {
	if e, ok := errors.AsType[*fault.Error](err); ok {
		return e
	}
	s, answered := errors.AsType[*status](err)
	if t, ok := errors.AsType[*transport.Error](err); ok { // from signing in
		s, answered = &status{code: t.StatusCode}, true
	}
	switch {
	case answered && (s.code == http.StatusUnauthorized || s.code == http.StatusForbidden):
		return fault.Newf(fault.Denied, "%s does not let ferry read %s", host, what).
			WithHelp("it is private, or does not exist: check the name, or give credentials for %s in the file that registries.docker_config names", host).Because(err)
	case answered && s.code == http.StatusTooManyRequests:
		wait := min(s.after, longest)
		if wait <= 0 {
			wait = limited
		}
		return r.pause(host, wait, fault.Newf(fault.Unavailable, "%s limits ferry's requests", host).
			WithHelp("it is asked again after %s; credentials for %s, or a mirror, may raise the limit", wait.Round(time.Second), host).Because(err))
	case answered:
		return fault.Newf(fault.Unavailable, "%s answers with %s when it is asked for %s", host, s, what).
			WithHelp("check the name; if %s is not what answers there, registries.mirrors can name another address", host).Because(err)
	case timedOut(ctx, err):
		return r.pause(host, briefly, fault.Newf(fault.Unavailable, "%s did not answer in time", host).
			WithHelp("check that ferry can reach it, or name a mirror in registries.mirrors").Because(err))
	}
	if _, network := errors.AsType[*net.OpError](err); network {
		return r.pause(host, briefly, fault.Newf(fault.Unavailable, "%s cannot be reached", host).
			WithHelp("check that ferry can reach it, or name a mirror in registries.mirrors").Because(err))
	}
	return fault.Newf(fault.Unavailable, "%s could not be asked for %s", host, what).
		WithHelp("%s", err.Error()).Because(err)
}

func timedOut(ctx context.Context, err error) bool {
	var slow net.Error
	return ctx.Err() != nil || errors.As(err, &slow) && slow.Timeout()
}

// pause leaves a host alone for a time, in which the error is the answer.
func (r *Registry) pause(host string, wait time.Duration, e *fault.Error) error {
	r.pauses.put(host, e, 1, wait)
	return e
}
