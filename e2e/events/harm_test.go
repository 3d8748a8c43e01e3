package events

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"syscall"
	"time"

	"ferry/e2e/testbed"
	"ferry/playground/slack"
)

// harm is what is done to ferry and to the world while things happen.
type harm struct {
	house    *house
	clusters []*testbed.Cluster
	kills    []wave // of ferry
	servers  []wave // API servers
	others   []wave // Slack and plugins

	mu   sync.Mutex
	done map[string]int
}

func newHarm(h *house, clusters []*testbed.Cluster, r *rand.Rand, kills int) *harm {
	return &harm{
		house: h, clusters: clusters, done: map[string]int{},
		kills:   drawWaves(r, kills, []string{"ferry"}, 0.6, 2.6),
		servers: drawWaves(r, max(len(clusters), kills*3/10), serversOf(len(clusters)), 0.5, 3),
		others:  drawWaves(r, kills*2, []string{"429", "plugin", "500", "late", "plugin"}, 0.3, 1.2),
	}
}

func serversOf(n int) (out []string) {
	for i := range n {
		out = append(out, fmt.Sprint(i))
	}
	return out
}

// run does all of it and returns when ferry and everybody else runs again.
func (h *harm) run(ctx context.Context) error {
	errs := make(chan error, 3)
	for _, one := range []struct {
		waves []wave
		do    func(ctx context.Context, w wave) error
	}{{h.kills, h.kill}, {h.servers, h.restart}, {h.others, h.other}} {
		go func() { errs <- h.each(ctx, one.waves, one.do) }()
	}
	var first error
	for range 3 {
		if err := <-errs; err != nil && first == nil {
			first = err
		}
	}
	// Whatever is posted next is there, and ferry is not told.
	h.house.slack.ClearFaults()
	h.late("chat.postMessage", 3, 300*time.Millisecond)
	h.late("chat.update", 3, 300*time.Millisecond)
	return first
}

// late has calls take effect whose answers never come.
func (h *harm) late(method string, times int, delay time.Duration) {
	h.house.slack.Inject(slack.Fault{Method: method, Times: times, AfterEffect: true, Lost: true, Delay: delay})
}

func (h *harm) each(ctx context.Context, waves []wave, do func(context.Context, wave) error) error {
	for _, w := range waves {
		select {
		case <-time.After(time.Duration(w.after * float64(time.Second))):
		case <-ctx.Done():
			return ctx.Err()
		}
		if err := do(ctx, w); err != nil {
			return err
		}
	}
	return nil
}

func (h *harm) note(what string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.done[what]++
}

// kill ends ferry as the kernel would, and starts it again at once.
func (h *harm) kill(context.Context, wave) error {
	if err := h.house.End(syscall.SIGKILL); err != nil {
		return err
	}
	h.note("ferry killed")
	return h.house.Start()
}

// restart kills an API server and starts it again at once. Every other time it has forgotten by then what was before.
func (h *harm) restart(ctx context.Context, w wave) error {
	c := h.clusters[int(w.kind[0]-'0')]
	c.Down()
	h.note("API server killed")
	if w.which%2 == 0 {
		if err := c.Forget(ctx); err != nil {
			return err
		}
		h.note("API server forgets")
	}
	return c.Up(ctx)
}

func (h *harm) other(_ context.Context, w wave) error {
	r := rand.New(rand.NewPCG(w.which, 0))
	if w.kind == "plugin" {
		if all := h.house.pluginPIDs(); len(all) > 0 && syscall.Kill(all[r.IntN(len(all))], syscall.SIGKILL) == nil {
			h.note("plugin killed")
		}
		return nil
	}
	h.note("Slack fails: " + w.kind)
	h.house.slack.ClearFaults() // it lasts until the next
	for _, method := range []string{"chat.postMessage", "chat.update", "conversations.history"} {
		switch w.kind {
		case "429":
			h.house.slack.Inject(slack.Fault{Method: method, Times: 1 + r.IntN(4), Status: 429, RetryAfter: time.Duration(1+r.IntN(3)) * time.Second})
		case "500":
			h.house.slack.Inject(slack.Fault{Method: method, Times: 1 + r.IntN(4), Status: 500})
		case "late":
			if r.IntN(4) == 0 {
				h.late(method, 1, 20*time.Second) // longer than ferry waits
			}
			h.late(method, 1+r.IntN(4), time.Duration(r.IntN(2000))*time.Millisecond)
		}
	}
	return nil
}
