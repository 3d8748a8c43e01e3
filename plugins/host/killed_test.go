package host

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ferry/plugins/api"
)

// hostInProcess is a host with plugins of which two have children, one that left its
// group, until it is killed.
func hostInProcess(dir string) {
	h, err := New(Options{
		Dir: dir, Events: func(context.Context, string, api.Event) error { return nil },
		Bindings: []Binding{
			animal("echo", api.KindExecutor), animal("runaway", api.KindExecutor), animal("parent", api.KindExecutor),
			animal("fat", api.KindSource), // which does not listen for ferry's end
		},
	})
	if err != nil {
		panic(err)
	}
	go func() {
		for ; ; time.Sleep(10 * time.Millisecond) {
			up := 0
			for _, s := range h.States() {
				if s.Status == Running {
					up++
				}
			}
			if up == 4 {
				fmt.Println("up")
				return
			}
		}
	}()
	if err := h.Run(context.Background()); err != nil {
		panic(err)
	}
}

// TestKilled kills a ferry without warning: its plugins end at once, and the next
// ferry ends what they had started and removes what they had.
func TestKilled(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "zoo")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	f, err := itself()
	if err != nil {
		t.Fatal(err)
	}
	ferry := exec.Command(f.Path)
	ferry.Env = append(os.Environ(), "ZOO=host", "ZOO_DIR="+dir)
	ferry.Stderr = os.Stderr
	out, err := ferry.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := ferry.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fscanln(out, new(string)); err != nil {
		t.Fatal(err)
	}
	if n := len(within(dir)); n != 6 {
		t.Errorf("%d processes run, not four plugins and two children", n)
	}
	if err := ferry.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = ferry.Wait()
	patience := time.Now().Add(time.Minute)
	for plugins(dir) > 0 && time.Now().Before(patience) {
		time.Sleep(10 * time.Millisecond)
	}
	if n := plugins(dir); n > 0 {
		t.Errorf("%d plugins outlive ferry", n)
	}
	sweepRuns(filepath.Join(dir, "run"))
	for len(within(dir)) > 0 && time.Now().Before(patience) {
		time.Sleep(10 * time.Millisecond)
	}
	if left := within(dir); len(left) > 0 {
		t.Errorf("processes are left: %v", left)
	}
	if left, _ := filepath.Glob(dir + "/run/*"); len(left) > 0 {
		t.Errorf("folders are left: %v", left)
	}
}

// plugins counts those of the processes that are no children of plugins.
func plugins(dir string) (n int) {
	for _, file := range within(dir) {
		if env, err := os.ReadFile(file); err == nil && !strings.Contains(string(env), "ZOO=sleeper") {
			n++
		}
	}
	return n
}
