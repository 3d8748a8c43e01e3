package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// ear is a server that ferry delivers single events to.
type ear struct {
	mu    sync.Mutex
	heard map[string]map[string]bool // the deliveries' IDs by the events' titles
}

func (e *ear) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	var d struct{ ID, Title string }
	if json.NewDecoder(r.Body).Decode(&d) != nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.heard[d.Title] == nil {
		e.heard[d.Title] = map[string]bool{}
	}
	e.heard[d.Title][d.ID] = true
}

// missing counts the titles that were not heard.
func (e *ear) missing(titles []string) (n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, t := range titles {
		if len(e.heard[t]) == 0 {
			n++
		}
	}
	return n
}

// newHook is a playground with the ferry that users get, and its webhook source and
// notifier, that bring what is posted to hook to an ear.
func newHook(t *testing.T, e *ear) (r *running, hook string) {
	t.Helper()
	binary, dir := compileFerry(t), t.TempDir()
	for module, command := range map[string]string{"../plugins/sources": "webhook", "../plugins/notifiers": "webhook-notifier"} {
		build := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(dir, command), "./cmd/"+command)
		build.Dir, build.Env = module, append(os.Environ(), "GOWORK=off")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("build %s: %v\n%s", command, err, out)
		}
	}
	if out, err := exec.CommandContext(t.Context(), binary, "plugin", "index", dir).CombinedOutput(); err != nil {
		t.Fatalf("index: %v\n%s", err, out)
	}
	free, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	_ = free.Close()
	listens := httptest.NewServer(e)
	t.Cleanup(listens.Close)
	rules := developers + "plugins:\n  dir: " + t.TempDir() + "\n  repositories: {local: {index: " + dir + "}}\n" +
		`  sources:
    hook:
      plugin: local/webhook
      config:
        listen: ` + address + `
        paths: [{path: /x, format: json, anybody: true, map: {title: body.title}}]
  notifiers: {ear: {plugin: local/webhook, config: {url: "` + listens.URL + `"}}}
alerts:
  route: {receiver: ear, group_by: ["..."]}
  receivers: {ear: {sinks: [{notifier: ear}]}}
`
	return openWith(t, Options{Ferry: binary, Gates: rules}), "http://" + address + "/x"
}

// poster posts as Alertmanager and Flux do: what is not answered with 2xx again, the
// same, some times.
type poster struct {
	hook   string
	posted atomic.Int64

	mu           sync.Mutex
	acknowledged []string
}

func (p *poster) run(name string, stop <-chan struct{}) {
	client := http.Client{Timeout: 10 * time.Second}
	for i := 0; ; i++ {
		title := fmt.Sprintf("%s-%d", name, i)
		for range 3 {
			select {
			case <-stop:
				return
			default:
			}
			p.posted.Add(1)
			answer, err := client.Post(p.hook, "application/json", strings.NewReader(fmt.Sprintf(`{"title":%q}`, title))) //nolint:noctx // it has a time
			if err != nil {
				time.Sleep(20 * time.Millisecond) // nobody listens
				continue
			}
			_ = answer.Body.Close()
			if answer.StatusCode/100 == 2 {
				p.mu.Lock()
				p.acknowledged = append(p.acknowledged, title)
				p.mu.Unlock()
				break
			}
		}
	}
}

func (p *poster) all() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.acknowledged...)
}

// TestAcknowledged kills ferry again and again while events are posted: what was
// answered with 2xx is delivered, and what was posted twice is one event.
func TestAcknowledged(t *testing.T) {
	t.Parallel()
	e := &ear{heard: map[string]map[string]bool{}}
	r, hook := newHook(t, e)
	p := &poster{hook: hook}
	stop := make(chan struct{})
	var posters sync.WaitGroup
	for i := range 4 {
		posters.Go(func() { p.run(fmt.Sprint("p", i), stop) })
	}
	const kills = 6
	for range kills {
		enough := len(p.all()) + 1 + rand.IntN(60)
		eventually(t, func() bool { return len(p.all()) >= enough })
		for _, state := range []string{"kill", "start"} {
			if code := r.call(t, "POST", "/playground/ferry", `{"state":"`+state+`"}`, nil); code != http.StatusOK {
				t.Fatalf("%s: %d", state, code)
			}
		}
	}
	enough := len(p.all()) + 1
	eventually(t, func() bool { return len(p.all()) >= enough })
	close(stop)
	posters.Wait()
	acknowledged := p.all()
	for end := time.Now().Add(patience); e.missing(acknowledged) > 0 && time.Now().Before(end); {
		time.Sleep(20 * time.Millisecond)
	}
	t.Logf("%d kills, %d posts, %d acknowledged, %d of them lost", kills, p.posted.Load(), len(acknowledged), e.missing(acknowledged))
	if n := e.missing(acknowledged); n > 0 {
		t.Errorf("%d of %d that were answered with 2xx are lost", n, len(acknowledged))
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for title, ids := range e.heard {
		if len(ids) > 1 {
			t.Errorf("%s is %d events: %v", title, len(ids), ids)
		}
	}
}
