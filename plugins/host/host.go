// Package host runs plugins: one process for each binding of the configuration,
// so that none can harm another, with connections that nobody else can speak on
// (mutual TLS with certificates of each start) and nothing of ferry's environment.
//
// A binding is kept by a keeper (keep.go) that starts it, and again with pauses
// which grow until it has been healthy for a while. One start (child.go) is: find
// the file, copy it into a private folder while its checksum is taken, run that
// copy, shake hands, ask what it is, hold its configuration against its schema.
// From then on it is asked (calls.go) or streams (stream.go), and is watched: its
// process, its answer to a ping, its memory. Whatever ends it, its whole process
// group is ended, and what has left the group is looked for by a mark in its
// environment. Should ferry itself be killed, the kernel ends the plugins (Linux)
// or their end of the standard input tells them; what then still stands is ended
// by the next ferry.
//
// Which words lie on the wire is a Dialect's matter: ferry's own is plugins/api.
package host

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"ferry/internal/fault"
	"ferry/plugins/api"
)

// Binding is a plugin under a name, with a configuration.
type Binding struct {
	// Name is unique among the bindings of a kind.
	Name string
	Kind string // api.KindSource, …
	// Plugin is what the configuration calls the plugin, for people.
	Plugin string
	// Find says where the executable is. It is asked before every start; a file
	// that is there answers at once.
	Find func(context.Context) (File, error)
	// Config is YAML.
	Config []byte
	// To are the receivers that deliveries of a notifier name.
	To []string
	// Clusters are the ones that an executor may reach, or the one that a source
	// watches. It is asked before each use, because credentials change; nil: none.
	Clusters func(context.Context) ([]api.Cluster, error)
	// Env is added to the plugin's environment.
	Env map[string]string
	// Memory is the most bytes that the plugin and what it starts may take together
	// (default 256 MiB).
	Memory int64
	// Timeout is how long a call may take (default 5 min; a delivery 30 s).
	Timeout time.Duration
	// Dialect is ferry's own if it is nil.
	Dialect Dialect
}

// File is an executable.
type File struct {
	Path string
	// Checksum is the SHA-256 that it must have, in hex; empty only where the
	// repository is trusted without.
	Checksum string
	// Name and Version are what it must call itself; empty: whatever it likes.
	Name, Version string
	// Schema is that of the configuration as far as it is known before the start.
	Schema []byte
}

// Options say what a Host runs. The zero durations have defaults.
type Options struct {
	// Dir is a folder of the host's own: executables run from there.
	Dir      string
	Bindings []Binding
	// Events takes the events of the sources, one call at a time for each binding; it
	// returns when the event is stored and blocks while ferry is behind. Its error
	// closes the stream, which is opened again later. nil: no source is started.
	Events func(ctx context.Context, binding string, e api.Event) error
	// Cursor returns the cursor of the last event of a binding that was stored.
	Cursor func(ctx context.Context, binding string) (string, error)
	// Stored returns when all that Events has taken by then is on the disk; it is asked
	// while Events is, for a source that wants to know. Its error closes the stream.
	// nil: no source is told.
	Stored func(ctx context.Context) error
	Log    *slog.Logger
	// Rate is how many events a second a source may bring for long (default 2000);
	// it is held back when it has more.
	Rate int
	// Handshake bounds a start (default 10 s), Grace the time to end after being
	// asked to (default 3 s).
	Handshake, Grace time.Duration
	// Pause is the first one before another start (default 1 s); it doubles up to
	// PauseMax (default 5 min) until the plugin has been up for Healthy (default
	// 1 min).
	Pause, PauseMax, Healthy time.Duration
	// Look is how often a process is looked at: that it answers and what it takes
	// (default 2 s).
	Look time.Duration
}

func (o *Options) defaults() {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Rate <= 0 {
		o.Rate = 2000
	}
	for _, d := range []struct {
		at   *time.Duration
		then time.Duration
	}{
		{&o.Handshake, 10 * time.Second},
		{&o.Grace, 3 * time.Second},
		{&o.Pause, time.Second},
		{&o.PauseMax, 5 * time.Minute},
		{&o.Healthy, time.Minute},
		{&o.Look, 2 * time.Second},
	} {
		if *d.at <= 0 {
			*d.at = d.then
		}
	}
}

// Host runs plugins.
type Host struct {
	o         Options
	keepers   []*keeper
	swept     sync.Once
	processes processes
}

// New makes a host; Run starts what it is given.
func New(o Options) (*Host, error) {
	o.defaults()
	h := &Host{o: o}
	seen := map[string]bool{}
	for _, b := range o.Bindings {
		key := b.Kind + " " + b.Name
		if seen[key] {
			return nil, fmt.Errorf("the %s %s is configured twice", b.Kind, b.Name)
		}
		seen[key] = true
		if b.Dialect == nil {
			b.Dialect = Ferry{}
		}
		if b.Config == nil {
			b.Config = []byte{} // that nothing is configured may not fit
		}
		if b.Memory <= 0 {
			b.Memory = 256 << 20
		}
		h.keepers = append(h.keepers, newKeeper(h, b))
	}
	return h, nil
}

// Run keeps the plugins of some kinds running until ctx ends, all without any, and
// returns when every process that it started has ended; its error is nil. A kind is
// run once: notifiers can so outlive what they have to tell of.
func (h *Host) Run(ctx context.Context, kinds ...string) error {
	if len(h.keepers) > 0 {
		h.swept.Do(func() { sweepRuns(filepath.Join(h.o.Dir, "run")) })
	}
	// The thread that started the plugins has to outlive them.
	spawning, stop := context.WithCancel(context.WithoutCancel(ctx))
	var all, thread sync.WaitGroup
	spawner := newSpawner()
	thread.Go(func() { spawner.run(spawning) })
	for _, k := range h.keepers {
		if len(kinds) > 0 && !slices.Contains(kinds, k.Kind) {
			continue
		}
		if k.Kind == api.KindSource && h.o.Events == nil {
			k.set(func(s *State) { s.Status, s.Why = Ended, "nothing takes its events" })
			continue
		}
		k.spawner = spawner
		all.Go(func() { k.run(ctx) })
	}
	<-ctx.Done()
	all.Wait()
	stop()
	thread.Wait()
	return nil
}

// States says what each plugin is doing, in the order of the configuration.
func (h *Host) States() []State {
	out := make([]State, 0, len(h.keepers))
	for _, k := range h.keepers {
		out = append(out, k.state())
	}
	return out
}

// Names returns the names of the bindings of a kind.
func (h *Host) Names(kind string) []string {
	var out []string
	for _, k := range h.keepers {
		if k.Kind == kind {
			out = append(out, k.Name)
		}
	}
	return out
}

func (h *Host) keeper(kind, name string) (*keeper, error) {
	i := slices.IndexFunc(h.keepers, func(k *keeper) bool { return k.Kind == kind && k.Name == name })
	if i < 0 {
		return nil, fault.Newf(fault.NotFound, "there is no %s `%s`", kind, name)
	}
	return h.keepers[i], nil
}
