package main

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"ferry/playground/slack"
)

// working is a playground with the ferry that users get, and an executor that writes
// down what it begins.
type working struct {
	*running
	dir string
}

func newWorking(t *testing.T) *working {
	t.Helper()
	binary, index := compileFerry(t), t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(index, "works"), ".")
	build.Dir, build.Env = "testdata/works", append(os.Environ(), "GOWORK=off")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the executor: %v\n%s", err, out)
	}
	if out, err := exec.CommandContext(t.Context(), binary, "plugin", "index", index).CombinedOutput(); err != nil {
		t.Fatalf("index: %v\n%s", err, out)
	}
	w := &working{dir: t.TempDir()}
	rules := developers + "plugins:\n  dir: " + t.TempDir() + "\n  repositories: {local: {index: " + index + "}}\n  executors: {works: {plugin: local/works, config: {dir: " + w.dir + "}}}\n"
	w.running = openWith(t, Options{Ferry: binary, Gates: rules})
	return w
}

// begun is what the executor began.
func (w *working) begun(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(w.dir, "begun"))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return strings.Join(strings.Fields(string(text)), " ")
}

func (w *working) ferry(t *testing.T, state string) {
	t.Helper()
	if code := w.call(t, "POST", "/playground/ferry", `{"state":"`+state+`"}`, nil); code != http.StatusOK {
		t.Fatalf("%s: %d", state, code)
	}
}

// says waits for ferry to have said words in a thread, and returns that message.
func (w *working) says(t *testing.T, thread, words string) (found slack.Message) {
	t.Helper()
	eventually(t, func() bool {
		all, err := w.slack.Messages("C0DEPLOY", thread)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range all {
			if m.User == "U0FERRY" && strings.Contains(m.Text, words) {
				found = m
				return true
			}
		}
		return false
	})
	return found
}

// TestALineRunsOnceThoughFerryIsKilled kills ferry while a line runs: it is not run
// again before somebody says so.
func TestALineRunsOnceThoughFerryIsKilled(t *testing.T) {
	t.Parallel()
	w := newWorking(t)
	thread := w.say(t, "works wait")
	w.says(t, thread, "it has begun")
	w.ferry(t, "kill")
	w.ferry(t, "start")
	m := w.says(t, thread, "ferry ended while `works wait` ran, and nobody knows how far it came")
	if got := w.begun(t); got != "wait" {
		t.Fatalf("it began %s", got)
	}
	w.says(t, thread, "What came after this is lost")
	if err := os.WriteFile(filepath.Join(w.dir, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	action, _ := (&besieged{running: w.running, t: t}).button(m)
	if _, err := w.slack.Click(t.Context(), adminID, "C0DEPLOY", m.TS, action, ""); err != nil {
		t.Fatal(err)
	}
	w.says(t, thread, "It is over")
	if got := w.begun(t); got != "wait wait" {
		t.Errorf("it began %s", got)
	}
	t.Logf("the message read\n%s\nblocks: %s", m.Text, m.Blocks)
}

// TestLongOutputIsAFileThoughFerryIsKilled kills ferry while Slack takes no files: what
// was printed becomes one file, and nothing is left on the disk.
func TestLongOutputIsAFileThoughFerryIsKilled(t *testing.T) {
	t.Parallel()
	w := newWorking(t)
	w.slack.Inject(slack.Fault{Method: "upload", Status: http.StatusServiceUnavailable, Times: -1})
	thread := w.say(t, "works print 5000")
	w.says(t, thread, "Printed")
	w.says(t, thread, "5000 lines: the end is shown here, all of it is in the file `pods.txt`.")
	eventually(t, func() bool { return w.slack.Calls()["upload"].Total > 0 })
	w.ferry(t, "kill")
	w.slack.ClearFaults()
	w.ferry(t, "start")
	var files []slack.FileInfo
	eventually(t, func() bool {
		all, err := w.slack.Messages("C0DEPLOY", thread)
		if err != nil {
			t.Fatal(err)
		}
		files = nil
		for _, m := range all {
			files = append(files, m.Files...)
		}
		return len(files) > 0
	})
	if len(files) != 1 || files[0].Name != "pods.txt" || files[0].Title != "pods.txt" || !strings.HasPrefix(files[0].Preview, "line 1 of 5000: ") {
		t.Errorf("%+v", files)
	}
	eventually(t, func() bool {
		left, err := os.ReadDir(filepath.Join(w.options.Dir, "ferry.db.output"))
		return err == nil && len(left) == 0
	})
	if got := w.begun(t); got != "print 5000" {
		t.Errorf("it began %s", got)
	}
}
