package k8s

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ferry/internal/deploy"
	"ferry/internal/fault"
)

// questions are what ferry asks a cluster, by how it begins.
func questions() map[string]func(ctx context.Context, c *client) error {
	var into struct{}
	deployments := deployments().path("a", "web")
	return map[string]func(ctx context.Context, c *client) error{
		"GET /version": func(ctx context.Context, c *client) error { return c.get(ctx, "/version", nil, &into) },
		"GET /readyz":  func(ctx context.Context, c *client) error { return c.ready(ctx) },
		"WATCH /apis": func(ctx context.Context, c *client) error {
			body, err := c.watch(ctx, kustomizations().path("", ""), url.Values{"watch": {"true"}})
			if err == nil {
				err = body.Close()
			}
			return err
		},
		"POST /apis": func(ctx context.Context, c *client) error {
			_, err := (&controller{name: "one", client: c}).allowed(ctx, gitRepositories(), "patch", "")
			return err
		},
		"PATCH /apis": func(ctx context.Context, c *client) error {
			return c.merge(ctx, deployments, map[string]any{"metadata": map[string]any{"annotations": map[string]string{"x": "y"}}})
		},
	}
}

// TestAnswersForAMomentAreAskedAgain: whatever ferry asks, it is not what a server says
// while it starts, stops or has no leader that is believed.
func TestAnswersForAMomentAreAskedAgain(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"initializing":  initializing(),
		"too many":      text(http.StatusTooManyRequests, "Too many requests, please try again later.", "1"),
		"not installed": status(http.StatusServiceUnavailable, "ServiceUnavailable", "the request has been made before all known HTTP paths have been installed, please try again", 1),
		"no leader":     status(http.StatusInternalServerError, "", "etcdserver: leader changed", 0),
		"etcd is slow":  status(http.StatusInternalServerError, "", "etcdserver: request timed out", 0),
		"a proxy":       text(http.StatusBadGateway, "bad gateway", ""),
		"a balancer":    text(http.StatusServiceUnavailable, "no backend", ""),
		"in time":       status(http.StatusGatewayTimeout, "Timeout", "request did not complete within the allotted timeout", 0),
	} {
		for begins, ask := range questions() {
			t.Run(name+"/"+begins, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					a := newAPI(t)
					deploymentOf(t, a)
					c := a.client()
					a.answers(begins, 2, answer)
					began := time.Now()
					if err := ask(t.Context(), c); err != nil {
						t.Errorf("it is told: %v", err)
					}
					if n := a.count(begins); n != 3 {
						t.Errorf("asked %d times", n)
					}
					if took := time.Since(began); took < 2*soonest || took > 2500*time.Millisecond {
						t.Errorf("it took %s", took)
					}
				})
			})
		}
	}
}

// TestWhatLastsIsToldInTime: a server that stays away is told of by what it says, no
// later than if it had not answered at all.
func TestWhatLastsIsToldInTime(t *testing.T) {
	for begins, ask := range questions() {
		t.Run(begins, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newAPI(t)
				c := a.client()
				a.answers(begins, -1, initializing())
				began := time.Now()
				err := ask(t.Context(), c)
				took, most := time.Since(began), 9*time.Second
				if begins == "GET /readyz" {
					most = 3 * time.Second
				}
				said := reasonOf(err)
				if said != "it answers: storage is (re)initializing" && said != "it answers: the server has received too many requests and has asked us to try again later" {
					t.Errorf("it says: %s", said)
				}
				if n := a.count(begins); took > most || took < most-2*time.Second || n < 3 {
					t.Errorf("asked %d times in %s", n, took)
				}
			})
		})
	}
}

// TestWhatIsMeantIsNotAskedAgain has the answers that ferry acts upon.
func TestWhatIsMeantIsNotAskedAgain(t *testing.T) {
	const watch, ready = "WATCH /apis", "GET /readyz"
	for name, c := range map[string]struct {
		begins string
		answer http.HandlerFunc
	}{
		"forbidden":       {watch, status(http.StatusForbidden, "Forbidden", "no", 0)},
		"not there":       {watch, status(http.StatusNotFound, "NotFound", "no", 0)},
		"who are you":     {watch, status(http.StatusUnauthorized, "Unauthorized", "no", 0)},
		"too old":         {watch, status(http.StatusGone, "Expired", "too old resource version", 0)},
		"too new":         {watch, tooNew()},
		"in half an hour": {watch, text(http.StatusServiceUnavailable, "closed", "1800")},
		"not built":       {watch, text(http.StatusNotImplemented, "no", "")},
		"not ready":       {ready, text(http.StatusInternalServerError, "[+]ping ok\n[-]etcd failed: reason withheld\nreadyz check failed", "")},
	} {
		synctest.Test(t, func(t *testing.T) {
			a := newAPI(t)
			a.answers(c.begins, -1, c.answer)
			began := time.Now()
			err := questions()[c.begins](t.Context(), a.client())
			if n, took := a.count(c.begins), time.Since(began); err == nil || n != 1 || took > 0 {
				t.Errorf("%s: %v, asked %d times in %s", name, err, n, took)
			}
		})
	}
}

// TestACutConnectionShowsAtOnce: what is read is not asked again of nobody.
func TestACutConnectionShowsAtOnce(t *testing.T) {
	for begins, ask := range questions() {
		synctest.Test(t, func(t *testing.T) {
			a := newAPI(t)
			a.refused = 100
			began := time.Now()
			err := ask(t.Context(), a.client())
			once := a.count("refused") == 1 && time.Since(began) == 0
			if patch := strings.HasPrefix(begins, "PATCH"); once == patch || reasonOf(err) != "no connection: connection refused" {
				t.Errorf("%s: %v after %s", begins, err, time.Since(began))
			}
		})
	}
}

// TestAServerThatJustStarted lists at once and takes a watch later: it is not fresh
// before that, and does not fall back from it.
func TestAServerThatJustStarted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAPI(t)
		a.answers("WATCH /apis/kustomize", 2, initializing())
		f := follow(t, a)
		after(time.Second / 2)
		if s := f.now(); !s.Stale {
			t.Errorf("it is fresh though it is not followed: %+v", s)
		}
		after(3 * time.Second)
		if s := f.now(); s.Stale {
			t.Errorf("it is not fresh: %+v", s)
		}
		after(time.Minute)
		f.never(t)
	})
}

// TestAServerThatIsStartingIsFollowedSoon: who asks when it is up is not refused because
// it was not a while ago.
func TestAServerThatIsStartingIsFollowedSoon(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"not ready": text(http.StatusInternalServerError, "[+]ping ok\n[-]poststarthook/rbac/bootstrap-roles failed: reason withheld\nreadyz check failed", ""),
		"no paths":  status(http.StatusServiceUnavailable, "ServiceUnavailable", "the request has been made before all known HTTP paths have been installed, please try again", 1),
	} {
		for range 10 { // the pauses are drawn
			synctest.Test(t, func(t *testing.T) {
				a := newAPI(t)
				a.answers("GET /readyz", -1, answer)
				f := follow(t, a)
				after(5 * time.Minute)
				if !f.now().Stale {
					t.Errorf("%s: it is %+v", name, f.now())
				}
				if n := a.count("GET /readyz"); n > 400 {
					t.Errorf("%s: asked %d times in 5 minutes", name, n)
				}
				a.mu.Lock()
				a.instead = nil
				a.mu.Unlock()
				after(latest + 10*time.Millisecond)
				if s := f.now(); s.Stale {
					t.Errorf("%s: it is up, and %+v", name, s)
				}
			})
		}
	}
}

// TestAWatchGoesOnWhereTheServerIsNew: the connections of a fresh cluster break, as when
// its server is replaced by the next one, which answers for a moment only.
func TestAWatchGoesOnWhereTheServerIsNew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAPI(t)
		f := follow(t, a)
		after(2 * time.Second)
		a.answers("WATCH ", 2, initializing())
		a.cut()
		after(time.Second / 2)
		deploymentOf(t, a) // nobody watches
		for range 40 {
			if after(time.Second / 4); f.now().Stale {
				t.Fatalf("it is %+v", f.now())
			}
		}
		if len(f.store.snapshot("one", nil)) != 1 {
			t.Error("what changed meanwhile was missed")
		}
		f.never(t)

		// One that does not get on is told of, as ever.
		a.answers("WATCH ", -1, initializing())
		a.cut()
		after(12 * time.Second)
		if s := f.now(); !s.Stale || s.Reason != "it answers: storage is (re)initializing" {
			t.Errorf("it is %+v", s)
		}
	})
}

// TestAWatchThatEndsWithAnAnswerForAMoment: where the answer stands in the stream.
func TestAWatchThatEndsWithAnAnswerForAMoment(t *testing.T) {
	within := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = fmt.Fprintf(w, `{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","status":"Failure","message":"etcdserver: leader changed","code":%d}}`, code)
		}
	}
	for _, c := range []struct{ code, times, lost int }{
		{http.StatusInternalServerError, 2, 0}, {http.StatusInternalServerError, 3, 1}, {http.StatusBadRequest, 1, 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			a := newAPI(t)
			f := follow(t, a)
			after(2 * time.Second)
			a.answers("WATCH /apis/helm", c.times, within(c.code))
			a.cut()
			after(10 * time.Second)
			if f.mu.Lock(); len(f.lost) != c.lost {
				t.Errorf("%+v: lost %s", c, f.lost)
			}
			f.mu.Unlock()
			if s := f.now(); s.Stale {
				t.Errorf("%+v: it is %+v", c, s)
			}
		})
	}
}

// TestWhatIsWrittenReachesAServerThatWasAway: both patches do no harm when repeated.
func TestWhatIsWrittenReachesAServerThatWasAway(t *testing.T) {
	const automation = "/apis/image.toolkit.fluxcd.io/v1/namespaces/x/imageupdateautomations/updates"
	synctest.Test(t, func(t *testing.T) {
		a := newAPI(t)
		fleet := &Fleet{byName: map[deploy.Cluster]*controller{"one": {name: "one", client: a.client()}}}
		patched := 0
		a.instead = func(w http.ResponseWriter, r *http.Request) bool {
			switch r.URL.Path {
			case "/apis/image.toolkit.fluxcd.io":
				_, _ = io.WriteString(w, `{"name":"image.toolkit.fluxcd.io","versions":[{"version":"v1"}],"preferredVersion":{"version":"v1"}}`)
			case "/apis/image.toolkit.fluxcd.io/v1":
				_, _ = io.WriteString(w, `{"resources":[{"name":"imageupdateautomations","kind":"ImageUpdateAutomation"}]}`)
			case automation:
				if patched++; patched == 1 {
					initializing()(w, r)
				} else {
					_, _ = io.WriteString(w, "{}")
				}
			}
			return true
		}
		ref := deploy.Ref{Kind: "ImageUpdateAutomation", Namespace: "x", Name: "updates"}
		if err := fleet.SuspendAutomation(t.Context(), "one", ref, "j1"); err != nil || patched != 2 {
			t.Errorf("%v after %d tries", err, patched)
		}

		source := deploy.Ref{Kind: "GitRepository", Namespace: "x", Name: "fleet"}
		a.instead, a.asked = nil, nil
		fleet.byName["one"].client.forget()
		a.cut()
		a.refused = 2
		err := fleet.byName["one"].request(t.Context(), source, time.Now())
		if n := a.count("refused"); !fault.Is(err, fault.NotFound) || n != 2 { // it is not there, which somebody says
			t.Errorf("%v after %d refusals", err, n)
		}

		// Whoever waits briefly is told the answer in time, or at once if there is none to be had.
		for after, most := range map[int]time.Duration{1: 3 * time.Second, 5: 0} {
			timed, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			a.answers("PATCH ", -1, status(http.StatusTooManyRequests, "TooManyRequests", "storage is (re)initializing", after))
			began := time.Now()
			err = fleet.byName["one"].request(timed, source, began)
			if !fault.Is(err, fault.Unavailable) || !strings.Contains(fmt.Sprint(errors.Unwrap(err)), "(re)initializing") || time.Since(began) > most {
				t.Errorf("%v after %s", err, time.Since(began))
			}
			cancel()
		}
	})
}

// TestWhoStopsAskingIsNotKept: a pause ends with what it is for.
func TestWhoStopsAskingIsNotKept(t *testing.T) {
	for begins, ask := range questions() {
		synctest.Test(t, func(t *testing.T) {
			a := newAPI(t)
			a.answers(begins, -1, initializing())
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			defer time.AfterFunc(soonest, cancel).Stop()
			began := time.Now()
			if err := ask(ctx, a.client()); err == nil || time.Since(began) != soonest {
				t.Errorf("%s: %v after %s", begins, err, time.Since(began))
			}
		})
	}
}
