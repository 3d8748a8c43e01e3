package host

import (
	"cmp"
	"context"
	"os"
	"sync"
	"time"

	"ferry/plugins/api"
)

// Report is what is found of a plugin that was started to see.
type Report struct {
	Kind  string
	Info  api.Info
	Finds bool
	// Took is from the start of the process until it had said what it is, Memory
	// what it took then, in bytes.
	Took   time.Duration
	Memory int64
}

// Verify starts a plugin as a host would, asks what it is, holds it and a
// configuration against what they should be, and ends it. Of the binding it takes Name, Kind,
// Config, To, Env and Dialect. Without a kind any will do; without a configuration its
// schema is only held to be one.
func Verify(ctx context.Context, f File, b Binding) (Report, error) {
	dir, err := os.MkdirTemp("", "ferry-")
	if err != nil {
		return Report{}, err
	}
	defer os.RemoveAll(dir)
	config := b.Config
	b = Binding{Name: cmp.Or(b.Name, "verify"), Kind: b.Kind, To: b.To, Env: b.Env, Dialect: b.Dialect, Find: func(context.Context) (File, error) { return f, nil }}
	h, err := New(Options{Dir: dir, Bindings: []Binding{b}})
	if err != nil {
		return Report{}, err
	}
	k := h.keepers[0]
	k.Config = config
	var thread sync.WaitGroup
	spawning, stop := context.WithCancel(context.WithoutCancel(ctx))
	k.spawner = newSpawner()
	thread.Go(func() { k.spawner.run(spawning) })
	defer func() {
		stop()
		thread.Wait()
	}()
	began := time.Now()
	c, err := k.begin(ctx)
	if err != nil {
		return Report{}, err
	}
	defer c.end()
	return Report{Kind: c.is.Kind, Info: c.is.Info, Finds: c.is.Finds, Took: time.Since(began), Memory: (&processes{}).weigh(c.pid(), 0)}, nil
}
