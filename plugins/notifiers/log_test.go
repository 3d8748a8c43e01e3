package notifiers_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ferry/plugins/api"
	"ferry/plugins/notifiers/jsonlog"
)

// lines are the IDs of a log's lines.
func lines(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for line := range strings.Lines(string(text)) {
		var n api.Notification
		if err := json.Unmarshal([]byte(line), &n); err != nil {
			n.ID = "torn"
		}
		ids = append(ids, n.ID)
	}
	return strings.Join(ids, " ")
}

func TestLog(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "alerts.jsonl")
	config := "file: " + path
	n := jsonlog.New("v1")
	if err := n.Check(t.Context(), api.CheckRequest{Config: []byte(config), To: []string{""}}); err != nil {
		t.Error(err)
	}
	all := notifications(config)
	for _, o := range n.DeliverAll(t.Context(), all) {
		if o.Err != nil {
			t.Error(o.Err)
		}
	}
	if got := lines(t, path); got != "i1/1 i2/1 i3/1" {
		t.Errorf("lines of %q", got)
	}
	if is, err := os.Stat(path); err != nil || is.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", is.Mode(), err)
	}

	// It is rotated, and removed.
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	if _, err := n.Deliver(t.Context(), all[0]); err != nil {
		t.Error(err)
	}
	if got := lines(t, path); got != "i1/1" {
		t.Errorf("lines of %q after it was rotated", got)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := n.Deliver(t.Context(), all[2]); err != nil {
		t.Error(err)
	}
	if got, old := lines(t, path), lines(t, path+".1"); got != "i3/1" || old != "i1/1 i2/1 i3/1" {
		t.Errorf("lines of %q after it was removed, of %q before", got, old)
	}
}

// TestLogTorn: a line that was broken off spoils none of those after it.
func TestLogTorn(t *testing.T) {
	t.Parallel()
	path := write(t, "alerts.jsonl", `{"id":"i0/1"}`+"\n"+`{"id":"i`)
	if _, err := jsonlog.New("v1").Deliver(t.Context(), notifications("file: " + path)[0]); err != nil {
		t.Error(err)
	}
	if got := lines(t, path); got != "i0/1 torn i1/1" {
		t.Errorf("lines of %q", got)
	}
}

// TestLogTooLate: what took too long before it could be written is tried again, and not
// written, too.
func TestLogTooLate(t *testing.T) {
	t.Parallel()
	path := write(t, "alerts.jsonl", "")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := jsonlog.New("v1").Deliver(ctx, notifications("file: " + path)[0])
	if _, again := api.Retry(err); !again || lines(t, path) != "" {
		t.Errorf("%v, lines of %q", err, lines(t, path))
	}
}

// TestLogFull: a disk that is full is worth another try.
func TestLogFull(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("there is no /dev/full")
	}
	n := jsonlog.New("v1")
	for _, o := range n.DeliverAll(t.Context(), notifications("file: /dev/full")) {
		if _, again := api.Retry(o.Err); !again || !strings.Contains(o.Err.Error(), "file: /dev/full: no space left") {
			t.Errorf("%v", o.Err)
		}
	}
}
