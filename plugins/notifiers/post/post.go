// Package post is what the notifiers share that speak HTTP: a client that reuses its
// connections, one reading of an answer as what it means for a delivery, and what
// messages for people are made of.
package post

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"ferry/plugins/api"
)

// Client returns a client for one notifier. It follows no redirects: what is sent may
// carry a secret. The context of a delivery bounds its time; a bound of the client's own
// would cost each request a timer and a context more.
func Client() *http.Client {
	t := &http.Transport{
		Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: 16, IdleConnTimeout: 90 * time.Second,
		TLSHandshakeTimeout: 5 * time.Second, ForceAttemptHTTP2: true, DisableCompression: true,
		ExpectContinueTimeout: time.Second, // where a request asks before it sends its body
	}
	return &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// Address checks one that a configuration or a file gives. Its error does not show it.
func Address(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("%s is no address: it begins with https:// or http:// and names a host, as in https://example.com/hook", Redact(s))
	}
	return nil
}

// Redact leaves of an address what is no secret.
func Redact(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" {
		return "…"
	}
	return u.Scheme + "://" + u.Host + "/…"
}

// maxAnswer is how much of an answer is read: a page of posts is the largest.
const maxAnswer = 8 << 20

// Do asks, and returns the answer's body if it is one of success. Any other is an error
// that says what it means: 408, 425, 429 and 5xx may pass, with Retry-After if the other
// side says so; the rest is for good. An error of the network may pass, and never shows
// the address, because that often is the secret.
func Do(ctx context.Context, c *http.Client, method, address string, header http.Header, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("%s %s: no such address", method, Redact(address))
	}
	req.Header = header
	resp, err := c.Do(req)
	if err != nil {
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err
		}
		return nil, api.Again(fmt.Errorf("%s %s: %w", method, Redact(address), err), 0)
	}
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	resp.Body.Close()
	if resp.StatusCode >= 200 && resp.StatusCode < 300 {
		if err != nil {
			return nil, api.Again(fmt.Errorf("%s %s: %w", method, Redact(address), err), 0)
		}
		return answer, nil
	}
	err = fmt.Errorf("%s %s: %s: %s", method, Redact(address), resp.Status, excerpt(answer))
	if resp.StatusCode == http.StatusRequestEntityTooLarge {
		return answer, TooLarge{err, len(body)}
	}
	return answer, Status(resp.StatusCode, resp.Header, err)
}

// Permanent reports whether no other try can succeed.
func Permanent(err error) bool {
	_, again := api.Retry(err)
	return err != nil && !again
}

// Status is what a status means for a delivery.
func Status(code int, h http.Header, err error) error {
	switch {
	case code == http.StatusTooManyRequests || code == http.StatusServiceUnavailable && h.Get("Retry-After") != "":
		return api.Again(err, RetryAfter(h, time.Now()))
	case code == http.StatusRequestTimeout, code == http.StatusTooEarly, code >= 500:
		return api.Again(err, 0)
	}
	return err
}

// RetryAfter reads the header of that name, seconds (with a fraction, as Discord
// says them) or a date; a second if it says nothing.
func RetryAfter(h http.Header, now time.Time) time.Duration {
	v := h.Get("Retry-After")
	if s, err := strconv.ParseFloat(v, 64); err == nil && s > 0 && s < 1e6 {
		return time.Duration(s * float64(time.Second))
	}
	if at, err := http.ParseTime(v); err == nil && at.After(now) {
		return at.Sub(now)
	}
	return time.Second
}

func excerpt(b []byte) string {
	return strings.Join(strings.Fields(strings.ToValidUTF8(string(b[:min(len(b), 300)]), "")), " ")
}
