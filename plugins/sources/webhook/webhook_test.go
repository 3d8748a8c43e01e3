package webhook

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ferry/plugins/api"
)

const alerts = `{"version":"4","groupKey":"{}:{alertname=\"Down\"}","status":"firing","receiver":"ferry","alerts":[
{"status":"firing","labels":{"alertname":"Down","severity":"critical","cluster":"stage","namespace":"a","pod":"web-1"},"annotations":{"summary":"web is down","description":"for 5m"},"startsAt":"2024-01-01T00:00:00Z","endsAt":"0001-01-01T00:00:00Z","fingerprint":"f1"},
{"status":"resolved","labels":{"alertname":"Slow"},"annotations":{},"startsAt":"2024-01-01T00:00:00Z","endsAt":"2024-01-01T00:05:00Z","fingerprint":"f2"}]}`

const fluxEvent = `{"involvedObject":{"kind":"Kustomization","namespace":"flux-system","name":"apps","uid":"u1"},"severity":"error","timestamp":"2024-01-01T00:00:00Z",
"message":"build failed\nline two","reason":"BuildFailed","metadata":{"kustomize.toolkit.fluxcd.io/revision":"main@sha1:aaa"},"reportingController":"kustomize-controller"}`

const mapped = `
paths:
  - path: /builds
    format: json
    anybody: true
    map:
      each: body.builds
      when: item.state != "running"
      id: item.id
      title: '"build " + string(item.number) + " of " + item.repo + ": " + item.state'
      severity: 'item.state == "failed" ? "error" : "info"'
      resolved: item.state == "passed"
      about: '"build/" + item.repo'
      at: item.at
      labels: {repo: item.repo, agent: 'headers["x-agent"]'}
`

// post posts a body to a handler made of a configuration, and returns the answer and
// what was emitted.
func post(t *testing.T, config, path, body string, header map[string]string, fails error) (*httptest.ResponseRecorder, []api.Event) {
	t.Helper()
	c, err := parse([]byte(config))
	if err != nil {
		t.Fatal(err)
	}
	var got []api.Event
	h, err := newHandler(c, "prod", func(_ context.Context, events []api.Event) error {
		if fails != nil {
			return fails
		}
		got = append(got, events...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	for name, value := range header {
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w, got
}

const open = "paths: [{path: /am, format: alertmanager, anybody: true}, {path: /flux, format: flux, anybody: true}]"

func TestAlertmanager(t *testing.T) {
	w, got := post(t, open, "/am", alerts, nil, nil)
	if w.Code != http.StatusAccepted || len(got) != 2 {
		t.Fatalf("%d %s: %+v", w.Code, w.Body, got)
	}
	a, b := got[0], got[1]
	if a.Title != "web is down" || a.Severity != api.SeverityCritical || a.Cluster != "stage" || a.Kind != "Pod" || a.Name != "web-1" || a.Reason != "Down" || a.About != "alertmanager/f1" || a.Resolved || a.Moment {
		t.Errorf("%+v", a)
	}
	if b.Title != "Slow" || !b.Resolved || b.Cluster != "prod" || b.About != "alertmanager/f2" || b.At.Minute() != 5 {
		t.Errorf("%+v", b)
	}
	_, again := post(t, open, "/am", alerts, nil, nil)
	if again[0].ID != a.ID || again[1].ID != b.ID || a.ID == b.ID {
		t.Error("what is repeated has another ID")
	}
	_, later := post(t, open, "/am", strings.ReplaceAll(alerts, "2024-01-01T00:00", "2024-01-02T00:00"), nil, nil)
	if later[0].ID == a.ID || later[0].About != a.About {
		t.Error("the next time is not told apart")
	}
}

func TestFlux(t *testing.T) {
	_, got := post(t, open, "/flux", fluxEvent, nil, nil)
	e := got[0]
	if e.Title != "Kustomization flux-system/apps: build failed" || e.Text != "line two" || e.Severity != api.SeverityWarning || e.Resolved || e.Labels["revision"] != "main@sha1:aaa" {
		t.Errorf("%+v", e)
	}
	_, well := post(t, open, "/flux", strings.NewReplacer(`"error"`, `"info"`, "BuildFailed", "ReconciliationSucceeded").Replace(fluxEvent), nil, nil)
	if !well[0].Resolved || well[0].About != e.About || well[0].ID == e.ID {
		t.Errorf("%+v", well[0])
	}
}

func TestMapped(t *testing.T) {
	w, got := post(t, mapped, "/builds", `{"builds":[{"id":"1","number":7,"repo":"web","state":"failed","at":"2024-01-01T00:00:00Z"},
{"id":"2","number":8,"repo":"web","state":"passed","at":"2024-01-01T00:01:00Z"},{"state":"running"}]}`, map[string]string{"X-Agent": "ci"}, nil)
	if w.Code != http.StatusAccepted || len(got) != 2 {
		t.Fatalf("%d %s: %+v", w.Code, w.Body, got)
	}
	a, b := got[0], got[1]
	if a.ID != "webhook/builds/1" || a.Title != "build 7 of web: failed" || a.Severity != api.SeverityWarning || a.Labels["agent"] != "ci" || !strings.Contains(string(a.Object), `"number":7`) {
		t.Errorf("%+v %s", a, a.Object)
	}
	if !b.Resolved || b.About != a.About || b.At.Minute() != 1 || a.Moment {
		t.Errorf("%+v", b)
	}
}

// TestMappedTwice: without an id two items of a request are two events, and the same
// two when it is sent again. Nothing says how they would be over: they merely happened.
func TestMappedTwice(t *testing.T) {
	const config = `paths: [{path: /x, format: json, anybody: true, map: {each: body, title: '"the same"', text: item}}]`
	_, got := post(t, config, "/x", `["one","two"]`, nil, nil)
	_, again := post(t, config, "/x", `["one","two"]`, nil, nil)
	if len(got) != 2 || got[0].ID == got[1].ID || got[0].ID != again[0].ID || got[1].ID != again[1].ID || !got[0].Moment {
		t.Errorf("%+v, then %+v", got, again)
	}
}

// TestRefusals: what is not taken is said, and nothing of it is emitted.
func TestRefusals(t *testing.T) {
	const token = "paths: [{path: /am, format: alertmanager, token: T}]"
	const signed = "paths: [{path: /am, format: alertmanager, hmac_key: K}]"
	mac := hmac.New(sha256.New, []byte("K"))
	mac.Write([]byte(alerts))
	sum := hex.EncodeToString(mac.Sum(nil))
	for _, c := range []struct {
		name, config, path, body string
		header                   map[string]string
		fails                    error
		code                     int
	}{
		{"no token", token, "/am", alerts, nil, nil, 401},
		{"another token", token, "/am", alerts, map[string]string{"Authorization": "Bearer t"}, nil, 401},
		{"the token", token, "/am", alerts, map[string]string{"Authorization": "Bearer T"}, nil, 202},
		{"the token as a password", token, "/am", alerts, map[string]string{"Authorization": "Basic eDpU"}, nil, 202},
		{"no signature", signed, "/am", alerts, nil, nil, 401},
		{"another body's signature", signed, "/am", alerts + " ", map[string]string{"X-Signature": "sha256=" + sum}, nil, 401},
		{"another algorithm", signed, "/am", alerts, map[string]string{"X-Signature": "none=" + sum}, nil, 401},
		{"the signature", signed, "/am", alerts, map[string]string{"X-Signature": "sha256=" + sum}, nil, 202},
		{"too large", strings.Replace(open, "anybody", "max_body: 100, anybody", 1), "/am", alerts, nil, nil, 413},
		{"not JSON", open, "/am", "{", nil, nil, 400},
		{"not Alertmanager's", open, "/am", fluxEvent, nil, nil, 400},
		{"not Flux's", open, "/flux", alerts, nil, nil, 400},
		{"an expression that fails", mapped, "/builds", `{"builds":[{"state":"failed"}]}`, nil, nil, 400},
		{"no list", mapped, "/builds", `{"builds":3}`, nil, nil, 400},
		{"nobody there", open, "/nowhere", alerts, nil, nil, 404},
		{"nobody takes it", open, "/am", alerts, nil, errors.New("ferry is gone"), 503},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, got := post(t, c.config, c.path, c.body, c.header, c.fails)
			if w.Code != c.code || (c.code == 202) != (len(got) > 0) {
				t.Errorf("%d %s, want %d; %d events", w.Code, w.Body, c.code, len(got))
			}
			if c.code == 503 && w.Header().Get("Retry-After") == "" {
				t.Error("it does not say when to send it again")
			}
		})
	}
}

func TestCostly(t *testing.T) {
	w, _ := post(t, `paths: [{path: /x, format: json, anybody: true, map: {title: 'string(body.a.map(x, body.a.map(y, body.a.map(z, x*y*z))).size())'}}]`,
		"/x", `{"a":[`+strings.Repeat("1,", 300)+`1]}`, nil, nil)
	if w.Code != 400 || !strings.Contains(w.Body.String(), "cost") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestParse(t *testing.T) {
	for _, c := range []struct{ config, want string }{
		{"{}", "name at least one"},
		{"paths: [{path: /x, format: flux}]", "say who may post"},
		{"paths: [{path: x, format: flux, anybody: true}]", "is no path"},
		{"paths: [{path: /x, format: flux, anybody: true, token: T}]", "say who may post"},
		{"paths: [{path: /x, format: flux, token_file: /nowhere}]", "no such file"},
		{"paths: [{path: /x, format: flux, anybody: true}, {path: /x, format: flux, anybody: true}]", "there twice"},
		{"paths: [{path: /x, format: flux, anybody: true, what: 1}]", "unknown field"},
	} {
		if _, err := read([]byte(c.config)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", c.config, err, c.want)
		}
	}
	c, err := parse([]byte(strings.Replace(mapped, "item.state != ", "item.state ! ", 1)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := newHandler(c, "", nil); err == nil || !strings.Contains(err.Error(), "paths[0].map.when") {
		t.Errorf("%v", err)
	}
}

// TestServe ends when it is told to, and not before what is under way has an answer.
func TestServe(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	inside := make(chan struct{})
	done := make(chan error, 1)
	go func() {
		done <- serve(ctx, listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			close(inside)
			<-ctx.Done()
			w.WriteHeader(http.StatusAccepted)
		}))
	}()
	go func() {
		<-inside
		cancel()
	}()
	answer, err := http.Post("http://"+listener.Addr().String(), "application/json", strings.NewReader("{}")) //nolint:noctx // the server ends it
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusAccepted {
		t.Errorf("it answers %s", answer.Status)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestAnAlertThatGoesOn is heard of again now and then, and the same within that time.
func TestAnAlertThatGoesOn(t *testing.T) {
	tell := func(since time.Duration) api.Event {
		t.Helper()
		text := fmt.Sprintf(`{"version":"4","alerts":[{"status":"firing","labels":{"alertname":"Down"},"startsAt":%q,"fingerprint":"f1"}]}`, time.Now().Add(-since).Format(time.RFC3339))
		out, err := alertmanager([]byte(text), nil)
		if err != nil || len(out) != 1 {
			t.Fatal(out, err)
		}
		return out[0]
	}
	if e := tell(stillSo / 2); strings.Contains(e.ID, "still") || time.Since(e.At) < stillSo/3 {
		t.Errorf("what has just begun: %s at %s", e.ID, e.At)
	}
	e := tell(5 * stillSo / 2)
	if began := e.At.Add(-2 * time.Millisecond); !strings.HasSuffix(e.ID, "/still/2") || !began.Equal(began.Truncate(time.Second)) || tell(5*stillSo/2+time.Second).About != e.About {
		t.Errorf("what goes on: %s at %s", e.ID, e.At)
	}
}

// TestAnAlertOfTwoDays, which Alertmanager repeats every four hours, is one event, and one
// every eight hours that says no more than that it goes on.
func TestAnAlertOfTwoDays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		text := fmt.Sprintf(`{"version":"4","alerts":[{"status":"firing","labels":{"alertname":"Down"},"startsAt":%q,"fingerprint":"f1"}]}`, time.Now().Format(time.RFC3339))
		heard := map[string]bool{}
		for range 12 {
			out, err := alertmanager([]byte(text), nil)
			if err != nil || len(out) != 1 {
				t.Fatal(out, err)
			}
			if e := out[0]; e.Still != strings.Contains(e.ID, "/still/") || e.Moment || e.About != "alertmanager/f1" {
				t.Errorf("%+v", e)
			}
			heard[out[0].ID] = out[0].Still
			time.Sleep(4 * time.Hour)
		}
		still := 0
		for _, is := range heard {
			if is {
				still++
			}
		}
		if len(heard) != 6 || still != 5 {
			t.Errorf("it is %v", heard)
		}
		over, err := alertmanager([]byte(strings.Replace(text, "firing", "resolved", 1)), nil)
		if err != nil || len(over) != 1 || over[0].Still || !over[0].Resolved {
			t.Errorf("its end is %+v, %v", over, err)
		}
	})
}
