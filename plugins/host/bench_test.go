package host

import (
	"bytes"
	"context"
	"io"
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"

	"ferry/plugins/api"
)

// BenchmarkStart is a whole start: copy, checksum, handshake, what it is.
func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		if err := startOnce(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

func startOnce(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "zoo")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	h, err := New(Options{Dir: dir, Bindings: []Binding{animal("echo", api.KindExecutor)}})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	h.keepers[0].await(ctx, is(Running))
	cancel()
	return <-done
}

// BenchmarkExecute is one line there and its answer back.
func BenchmarkExecute(b *testing.B) {
	h := hostFor(b, animal("echo", api.KindExecutor))
	for b.Loop() {
		if _, err := h.Execute(b.Context(), "echo", api.ExecuteRequest{Line: "hello"}, io.Discard); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(h.keepers[0].state().Memory>>20), "MiB/plugin")
}

// BenchmarkStream is one event of a source.
func BenchmarkStream(b *testing.B) {
	n, enough := 0, make(chan struct{})
	h, err := New(Options{
		Dir: b.TempDir(), Bindings: []Binding{animal("flood", api.KindSource)}, Rate: 1 << 30,
		Events: func(context.Context, string, api.Event) error {
			if n++; n == b.N {
				close(enough)
			}
			return nil
		},
	})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	b.ResetTimer()
	go func() { done <- h.Run(ctx) }()
	<-enough
	b.StopTimer()
	cancel()
	if err := <-done; err != nil {
		b.Fatal(err)
	}
}

// BenchmarkHost is what the host itself takes for each plugin that rests.
func BenchmarkHost(b *testing.B) {
	for b.Loop() {
		before := resident(b)
		var animals []Binding
		for i := range 8 {
			animals = append(animals, animal("echo", api.KindExecutor, func(b *Binding, _ *File) { b.Name = strconv.Itoa(i) }))
		}
		hostFor(b, animals...)
		b.ReportMetric(float64(resident(b)-before)/8/(1<<10), "KiB/plugin")
	}
}

// resident is what this process takes, in bytes.
func resident(b *testing.B) int64 {
	runtime.GC()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		b.Skip("there is no /proc")
	}
	pages, err := strconv.ParseInt(string(bytes.Fields(text)[1]), 10, 64)
	if err != nil {
		b.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

// hostFor runs a host until the benchmark ends, and returns when all run.
func hostFor(b *testing.B, bindings ...Binding) *Host {
	b.Helper()
	h, err := New(Options{Dir: b.TempDir(), Bindings: bindings, Look: 100 * time.Millisecond})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	b.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			b.Error(err)
		}
	})
	for _, k := range h.keepers {
		k.await(ctx, func(s State) bool { return s.Status == Running && s.Memory > 0 })
	}
	return h
}
