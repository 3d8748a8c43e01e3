package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// world answers a feed's requests, without a network, so that time is synctest's.
type world func(r *http.Request) (code int, body string, err error)

// RoundTrip implements http.RoundTripper. A watch is silent, and ends
// after a minute.
func (w world) RoundTrip(r *http.Request) (*http.Response, error) {
	code, body, err := w(r)
	if err != nil {
		return nil, err
	}
	var open io.Reader = strings.NewReader(body)
	if r.URL.Query().Has("watch") && code == http.StatusOK {
		open = silence{r.Context()}
	}
	return &http.Response{StatusCode: code, Status: http.StatusText(code), Body: io.NopCloser(open), Request: r}, nil
}

type silence struct{ ctx context.Context }

func (s silence) Read([]byte) (int, error) {
	select {
	case <-time.After(time.Minute):
		return 0, io.EOF
	case <-s.ctx.Done():
		return 0, s.ctx.Err()
	}
}

// overhear is what a feed says, in words.
func overhear(ctx context.Context, w world, f *Feed[struct{}]) *[]string {
	said := &[]string{}
	say := func(format string, a ...any) error {
		*said = append(*said, fmt.Sprintf(format, a...))
		return nil
	}
	f.Client, f.Path = &Client{base: "http://cluster", http: &http.Client{Transport: w}}, "/pods"
	f.Trouble = func(_ context.Context, err error) error { return say("trouble: %v", err) }
	f.Listed = func(_ context.Context, _ []struct{}, _, version string, _ bool) error {
		return say("listed %s", version)
	}
	f.Seen = func(_ context.Context, version string) error { return say("seen %s", version) }
	go func() {
		if err := f.Run(ctx); err != nil {
			_ = say("ended: %v", err)
		}
	}()
	return said
}

const listAt5 = `{"kind":"List","metadata":{"resourceVersion":"5"},"items":[]}`

// TestTroubleIsWhatLasts: an API server that is restarted is no trouble, one that does
// not come back is, and so is, soon, what is not allowed.
func TestTroubleIsWhatLasts(t *testing.T) {
	down, busy := errors.New("refused"), `{"code":503,"message":"starting"}`
	for _, c := range []struct {
		name string
		code int
		body string
		err  error
		last time.Duration
		want bool
	}{
		{"a restart", 0, "", down, 20 * time.Second, false},
		{"a slow start", 503, busy, nil, 20 * time.Second, false},
		{"an outage", 0, "", down, 3 * time.Minute, true},
		{"a server that says that it is busy", 429, strings.ReplaceAll(busy, "503", "429"), nil, 3 * time.Minute, true},
		{"what is not allowed", 403, strings.ReplaceAll(busy, "503", "403"), nil, 10 * time.Second, true},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			wrong := time.Now().Add(c.last)
			said := overhear(ctx, func(*http.Request) (int, string, error) {
				if time.Now().Before(wrong) {
					return c.code, c.body, c.err
				}
				return 200, listAt5, nil
			}, &Feed[struct{}]{})
			time.Sleep(c.last + time.Minute)
			synctest.Wait()
			n := len(slices.DeleteFunc(*said, func(s string) bool { return !strings.HasPrefix(s, "trouble") }))
			if want := map[bool]int{true: 2}[c.want]; n != want { // that it began, and that it is over
				t.Errorf("%s: it told of trouble %d times, want %d", c.name, n, want)
			}
			cancel()
		})
	}
}

// TestAClusterFromABackup: whose versions are lower is listed anew; a watch from the
// version that was seen would say nothing until they have caught up.
func TestAClusterFromABackup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		said := overhear(ctx, func(r *http.Request) (int, string, error) {
			if from := r.URL.Query().Get("resourceVersion"); from != "" && from != "5" {
				t.Errorf("it goes on from %s", from)
			}
			return 200, listAt5, nil
		}, &Feed[struct{}]{From: "1000", Recalled: func(context.Context, []struct{}) error { t.Error("a world of another cluster"); return nil }})
		time.Sleep(time.Second)
		synctest.Wait()
		if got := *said; len(got) != 1 || got[0] != "listed 5" {
			t.Errorf("%q", got)
		}
		cancel()
	})
}

// TestRecalledAfterAnOutage: a cluster that does not answer yet has forgotten nothing.
func TestRecalledAfterAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		up, recalled := time.Now().Add(40*time.Second), 0
		said := overhear(ctx, func(r *http.Request) (int, string, error) {
			if time.Now().Before(up) && r.URL.Query().Has("resourceVersionMatch") {
				return 0, "", errors.New("refused")
			}
			return 200, listAt5, nil
		}, &Feed[struct{}]{From: "4", Recalled: func(context.Context, []struct{}) error { recalled++; return nil }})
		time.Sleep(3 * time.Minute)
		synctest.Wait()
		if recalled != 1 || slices.Contains(*said, "listed 5") || !slices.Contains(*said, "seen 4") {
			t.Errorf("recalled %d times, then %q", recalled, *said)
		}
		cancel()
	})
}

// TestCredentials that are not taken any more are given up soon, and without a word:
// there may be newer ones. Those that never were are told as trouble, and given up later.
func TestCredentials(t *testing.T) {
	const no = `{"code":401,"reason":"Unauthorized","message":"Unauthorized"}`
	for _, c := range []struct {
		name     string
		from, to time.Duration // when they are not taken
		troubled bool
		within   time.Duration
		want     []string
	}{
		{"rotated", time.Second, time.Hour, false, time.Minute + 10*time.Second, []string{
			"listed 5", "seen 5", "ended: the API server no longer takes the credentials of the kubeconfig, which is to be read anew: Unauthorized",
		}},
		{"a moment", time.Minute, time.Minute + time.Second, false, 3 * time.Minute, []string{"listed 5", "seen 5", "seen 5"}},
		{"never taken", 0, time.Hour, false, 2 * time.Minute, []string{
			"trouble: Unauthorized", "ended: the API server does not take the credentials of the kubeconfig: Unauthorized",
		}},
		{"not taken in a life before, nor in this one", 0, time.Hour, true, 2 * time.Minute, []string{
			"ended: the API server does not take the credentials of the kubeconfig: Unauthorized",
		}},
		{"not taken in a life before", time.Hour, time.Hour, true, 30 * time.Second, []string{"listed 5", "trouble: <nil>"}},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			began, asked := time.Now(), 0
			said := overhear(ctx, func(*http.Request) (int, string, error) {
				asked++
				if at := time.Since(began); at >= c.from && at < c.to {
					return 401, no, nil
				}
				return 200, listAt5, nil
			}, &Feed[struct{}]{Troubled: c.troubled})
			time.Sleep(c.within)
			synctest.Wait()
			if !slices.Equal(*said, c.want) || asked > 12 {
				t.Errorf("%s: it said %q after %d requests, want %q", c.name, *said, asked, c.want)
			}
			cancel()
		})
	}
}

// TestAServerThatStartsMayTakeNoCredentials for a moment, after it did not answer: that
// says nothing of them.
func TestAServerThatStartsMayTakeNoCredentials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		asked := 0
		said := overhear(ctx, func(*http.Request) (int, string, error) {
			switch asked++; {
			case asked > 3 && asked < 9:
				return 0, "", errors.New("refused")
			case asked == 9 || asked == 10:
				return 401, `{"code":401,"message":"Unauthorized"}`, nil
			}
			return 200, listAt5, nil
		}, &Feed[struct{}]{})
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if asked < 12 || slices.ContainsFunc(*said, func(s string) bool { return strings.HasPrefix(s, "ended") }) {
			t.Errorf("asked %d times, it said %q", asked, *said)
		}
		cancel()
	})
}

// TestAKindThatIsServedElsewhere: a server behind the API server that does not take the
// credentials is trouble of its kinds, and ends nothing.
func TestAKindThatIsServedElsewhere(t *testing.T) {
	for _, known := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			asked := 0
			said := overhear(ctx, func(r *http.Request) (int, string, error) {
				asked++
				if r.URL.Path == "/version" || known && asked < 3 {
					return 200, listAt5, nil
				}
				return 401, `{"code":401,"message":"Unauthorized"}`, nil
			}, &Feed[struct{}]{})
			time.Sleep(10 * time.Minute)
			synctest.Wait()
			want := []string{"trouble: Unauthorized"}
			if known {
				want = []string{"listed 5", "seen 5", "trouble: Unauthorized"}
			}
			if !slices.Equal(*said, want) || asked < 20 || asked > 60 {
				t.Errorf("asked %d times, it said %q, want %q", asked, *said, want)
			}
			cancel()
		})
	}
}

// TestTheWorldIsRecalledWithNewCredentials: those that are not taken say nothing of what
// the API server has forgotten.
func TestTheWorldIsRecalledWithNewCredentials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		refusals, recalled := 2, 0
		said := overhear(ctx, func(r *http.Request) (int, string, error) {
			if r.URL.Query().Has("resourceVersionMatch") && refusals > 0 {
				refusals--
				return 401, `{"code":401,"message":"Unauthorized"}`, nil
			}
			return 200, listAt5, nil
		}, &Feed[struct{}]{From: "4", Recalled: func(context.Context, []struct{}) error { recalled++; return nil }})
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if recalled != 1 || len(*said) > 0 {
			t.Errorf("recalled %d times, and said %q", recalled, *said)
		}
		cancel()
	})
}
