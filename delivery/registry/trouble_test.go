package registry

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ferry/internal/fault"
)

// TestStatuses has the registry answer with each status, to the tag and to the
// first greeting alike.
func TestStatuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		code  int
		kind  fault.Kind
		words []string
	}{
		{http.StatusUnauthorized, fault.Denied, []string{"does not let ferry read", "credentials for 127.0.0.1:", "registries.docker_config"}},
		{http.StatusForbidden, fault.Denied, []string{"does not let ferry read", "credentials for 127.0.0.1:"}},
		{http.StatusTooManyRequests, fault.Unavailable, []string{"limits ferry's requests", "asked again after 30s"}},
		{http.StatusInternalServerError, fault.Unavailable, []string{"answers with 500 Internal Server Error"}},
		{http.StatusBadGateway, fault.Unavailable, []string{"answers with 502 Bad Gateway"}},
		{http.StatusServiceUnavailable, fault.Unavailable, []string{"answers with 503 Service Unavailable"}},
		{http.StatusTeapot, fault.Unavailable, []string{"answers with 418", "check the name"}},
	} {
		for _, greeting := range []bool{false, true} {
			if greeting && c.code == http.StatusUnauthorized {
				continue // that is how it says that it wants to know who asks
			}
			h := newHub(t)
			h.be(func(w http.ResponseWriter, r *http.Request) bool {
				return (greeting || r.URL.Path != "/v2/") && answering(c.code)(w, r)
			})
			r, _ := made(t, Options{})
			_, err := r.Image(t.Context(), h.host()+"/team/app", "1.0.0")
			explained(t, err, c.kind, c.words...)
		}
	}
}

func TestNoRegistryThere(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	h.be(func(w http.ResponseWriter, _ *http.Request) bool {
		http.Error(w, "<html>a shop for tea</html>", http.StatusNotFound)
		return true
	})
	r, _ := made(t, Options{})
	_, err := r.Image(t.Context(), h.host()+"/team/app", "1.0.0")
	explained(t, err, fault.Unavailable, "answers with 404 Not Found", "registries.mirrors can name another address")
}

// TestLimits has a host that wants to be left alone: it is, for as long as it
// says.
func TestLimits(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	h.push(t, "team/app", single, "1.0.0")
	h.be(func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/v2/" {
			return false
		}
		w.Header().Set("Retry-After", "90")
		return answering(http.StatusTooManyRequests)(w, r)
	})
	r, clock := made(t, Options{})
	_, err := r.Image(t.Context(), h.host()+"/team/app", "1.0.0")
	explained(t, err, fault.Unavailable, "limits ferry's requests", "after 1m30s")
	h.be(nil)
	h.asked()
	clock.pass(89 * time.Second)
	_, err = r.Image(t.Context(), h.host()+"/team/other", "2")
	explained(t, err, fault.Unavailable, "limits ferry's requests")
	if asked := h.asked(); len(asked) > 0 {
		t.Errorf("it was asked: %q", asked)
	}
	_, err = r.Chart(t.Context(), Chart{h.URL + "/charts", "app"}, "1.0.0")
	explained(t, err, fault.Unavailable, "limits ferry's requests")
	if asked := h.asked(); len(asked) > 0 {
		t.Errorf("it was asked for an index: %q", asked)
	}
	clock.pass(time.Second)
	if f, err := r.Image(t.Context(), h.host()+"/team/app", "1.0.0"); err != nil || !f.Exists {
		t.Errorf("%+v %v", f, err)
	}
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone := l.Addr().String()
	l.Close()
	r, _ := made(t, Options{})
	_, err = r.Image(t.Context(), gone+"/team/app", "1.0.0")
	explained(t, err, fault.Unavailable, gone+" cannot be reached")
	_, err = r.Chart(t.Context(), Chart{"http://" + gone + "/charts", "app"}, "1.0.0")
	explained(t, err, fault.Unavailable, gone+" cannot be reached")
}

// wire is a transport without a network, for bubbles of time.
type wire struct {
	handler http.Handler
	asked   atomic.Int32
}

func (w *wire) RoundTrip(req *http.Request) (*http.Response, error) {
	w.asked.Add(1)
	if req.URL.Scheme != "http" {
		return nil, errors.New("it speaks plain HTTP")
	}
	got := httptest.NewRecorder()
	done := make(chan struct{})
	go func() {
		w.handler.ServeHTTP(got, req)
		close(done)
	}()
	select {
	case <-done:
		resp := got.Result()
		resp.Request = req
		return resp, nil
	case <-req.Context().Done():
		return nil, req.Context().Err()
	}
}

const local = "registry.localhost"

func TestTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &wire{handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/v2/" {
				<-r.Context().Done()
			}
		})}
		r, err := New(Options{Transport: w, Insecure: []string{local}, Timeout: 3 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		_, err = r.Image(t.Context(), local+"/team/app", "1.0.0")
		explained(t, err, fault.Unavailable, "did not answer in time", "name a mirror")
		if took := time.Since(start); took != 3*time.Second {
			t.Errorf("it took %s", took)
		}
		asked := w.asked.Load()
		_, err = r.Image(t.Context(), local+"/team/other", "1.0.0")
		explained(t, err, fault.Unavailable, "did not answer in time")
		if time.Since(start) != 3*time.Second || w.asked.Load() != asked {
			t.Error("it is asked again at once")
		}
		_, err = r.Chart(t.Context(), Chart{"http://charts.localhost", "app"}, "1.0.0")
		explained(t, err, fault.Unavailable, "did not answer in time")
		if took := time.Since(start); took != 3*time.Second+patience*3*time.Second {
			t.Errorf("the index took %s", took)
		}
	})
}

// TestStuck has something in the way that does not obey its context.
func TestStuck(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		never := make(chan struct{})
		defer close(never)
		r, err := New(Options{Transport: deaf{}, Credentials: map[string]Credential{local: {Secret: func(context.Context) (string, error) {
			<-never
			return "", errors.New("too late")
		}}}})
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		_, err = r.Image(t.Context(), local+"/team/app", "1.0.0")
		explained(t, err, fault.Unavailable, "the look-up of "+local+"/team/app 1.0.0 did not end within 5s")
		if took := time.Since(start); took != 6*time.Second {
			t.Errorf("it took %s", took)
		}
	})
}

// TestTogether has many ask the same while the registry thinks; some leave.
func TestTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		answer := make(chan struct{})
		var heads atomic.Int32
		w := &wire{handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodHead {
				heads.Add(1)
				<-answer
			}
			w.Header().Set("Docker-Content-Digest", "sha256:"+strings.Repeat("a", 64))
		})}
		r, err := New(Options{Transport: w, Insecure: []string{local}})
		if err != nil {
			t.Fatal(err)
		}
		leaving, leave := context.WithCancel(t.Context())
		left, stayed := make(chan error), make(chan error)
		go func() { // the one who began the asking
			_, err := r.Image(leaving, local+"/team/app", "1.0.0")
			left <- err
		}()
		synctest.Wait()
		const many = 20
		for range many {
			go func() {
				f, err := r.Image(t.Context(), local+"/team/app", "1.0.0")
				if err == nil && !f.Exists {
					err = fmt.Errorf("%+v", f)
				}
				stayed <- err
			}()
		}
		synctest.Wait()
		leave()
		if err := <-left; !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "look up "+local+"/team/app 1.0.0") {
			t.Errorf("who left was told: %v", err)
		}
		close(answer)
		for range many {
			if err := <-stayed; err != nil {
				t.Error(err)
			}
		}
		if n := heads.Load(); n != 1 {
			t.Errorf("%d requests", n)
		}
	})
}

func TestCancelledBefore(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	h.push(t, "team/app", single, "1.0.0")
	r, _ := made(t, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Chart(ctx, Chart{h.URL + "/charts", "app"}, "1.0.0"); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	// A host is not left alone because somebody who asked went away.
	if f, err := r.Image(t.Context(), h.host()+"/team/app", "1.0.0"); err != nil || !f.Exists {
		t.Errorf("%+v %v", f, err)
	}
}

// TestPlainHTTP has hosts that may not be asked without encryption, and one that
// may because a mirror says so.
func TestPlainHTTP(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	h.push(t, "team/app", single, "1.0.0")
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", h.host())
	}
	direct := &http.Transport{DialContext: dial}
	t.Cleanup(direct.CloseIdleConnections)
	transport := &schemes{next: direct}
	r, _ := made(t, Options{Transport: transport})
	for _, host := range []string{"10.0.0.7:5000", "registry.example"} {
		_, err := r.Image(t.Context(), host+"/team/app", "1.0.0")
		explained(t, err, fault.Unavailable)
	}
	for _, asked := range h.asked() {
		t.Errorf("it was asked in plain text: %s", asked)
	}
	r, _ = made(t, Options{Transport: transport, Mirrors: map[string]string{"10.0.0.7:5000": "http://10.0.0.7:5000"}})
	if f, err := r.Image(t.Context(), "10.0.0.7:5000/team/app", "1.0.0"); err != nil || !f.Exists {
		t.Errorf("%+v %v", f, err)
	}
	transport.encrypted.Store(0)
	r, _ = made(t, Options{Transport: transport, Insecure: []string{"registry.example"}})
	if f, err := r.Image(t.Context(), "registry.example/team/app", "1.0.0"); err != nil || !f.Exists {
		t.Errorf("%+v %v", f, err)
	}
	if n := transport.encrypted.Load(); n > 0 {
		t.Errorf("one that speaks plain HTTP was asked otherwise %d times", n)
	}
}

// schemes counts the requests that are encrypted.
type schemes struct {
	next      http.RoundTripper
	encrypted atomic.Int32
}

func (s *schemes) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme == "https" {
		s.encrypted.Add(1)
	}
	return s.next.RoundTrip(req)
}

func TestRedirects(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	secure := httptest.NewTLSServer(http.RedirectHandler(h.URL+"/index.yaml", http.StatusFound))
	t.Cleanup(secure.Close)
	r, _ := made(t, Options{Transport: secure.Client().Transport})
	_, err := r.Chart(t.Context(), Chart{secure.URL, "app"}, "1.0.0")
	explained(t, err, fault.Unavailable, "a redirect from https to http://")
	if asked := h.asked(); len(asked) > 0 {
		t.Errorf("it was followed: %q", asked)
	}
}
