package bot_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"ferry/bot"
	"ferry/internal/chat"
	"ferry/playground/slack"
)

// printed has a stream of so many lines below a message, and waits for what is said of
// it.
func (h *house) printed(s *slack.Server, lines int, says string) (thread []slack.Message) {
	h.t.Helper()
	root, err := s.Say("alice", "deploys", "print", "")
	if err != nil {
		h.t.Fatal(err)
	}
	w, err := h.bot.Stream(h.t.Context(), chat.Thread{Team: "T0PLAYGRND", Channel: "C01DEPLOY", Root: root}, "k", "kubectl get pods")
	if err != nil {
		h.t.Fatal(err)
	}
	for i := range lines {
		if _, err := fmt.Fprintf(w, "pod-%d <is> ready\n", i); err != nil {
			h.t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		h.t.Fatal(err)
	}
	h.until(says, func() bool {
		if thread, err = s.Messages("deploys", root); err != nil {
			h.t.Fatal(err)
		}
		return len(thread) > 1 && strings.Contains(thread[1].Text, says)
	})
	return thread
}

func TestLongOutputOnTheLocalSlack(t *testing.T) {
	t.Parallel()
	h, s := emulator(t, "files:write")
	h.options.Files = t.TempDir()
	s.Inject(slack.Fault{Method: "files.getUploadURLExternal", Status: http.StatusInternalServerError})
	s.Inject(slack.Fault{Method: "upload", Status: http.StatusTooManyRequests, RetryAfter: time.Second})
	s.Inject(slack.Fault{Method: "upload", Status: http.StatusBadGateway})
	s.Inject(slack.Fault{Method: "files.completeUploadExternal", Status: http.StatusTooManyRequests, RetryAfter: time.Second})
	h.start()
	thread := h.printed(s, 3000, "3000 lines: the end is shown here, all of it is in the file `kubectl.txt`.")
	root := thread[0].TS
	h.until("a file", func() bool {
		all, err := s.Messages("deploys", root)
		if err != nil {
			t.Fatal(err)
		}
		thread = all
		return len(all) == 3
	})
	f := thread[2].Files
	if len(f) != 1 || f[0].Name != "kubectl.txt" || f[0].Title != "kubectl.txt" || !strings.HasPrefix(f[0].Preview, "pod-0 <is> ready\n") {
		t.Fatalf("the thread ends with %+v", thread[2])
	}
	want := 0
	for i := range 3000 {
		want += len(fmt.Sprintf("pod-%d <is> ready\n", i))
	}
	if f[0].Size != want {
		t.Errorf("%d bytes, want %d", f[0].Size, want)
	}
	for method, n := range map[string]int{"files.getUploadURLExternal": 4, "upload": 3, "files.completeUploadExternal": 2} {
		if got := s.Calls()[method].Total; got != n {
			t.Errorf("%s was called %d times, want %d", method, got, n)
		}
	}
	for _, f := range bot.Check(t.Context(), h.options) {
		if !f.OK {
			t.Errorf("%+v", f)
		}
	}
}

// TestLongOutputWithoutTheScope tells the person and the operator.
func TestLongOutputWithoutTheScope(t *testing.T) {
	t.Parallel()
	h, s := emulator(t)
	h.options.Files = t.TempDir()
	h.start()
	thread := h.printed(s, 3000, "lacks the scope")
	for _, want := range []string{
		"3000 lines, of which only the end is here: the file with all of it could not be sent.\n",
		"Slack takes no files from ferry.\nIts app lacks the scope `files:write`.\n",
		"Whoever runs ferry can add it to the app's manifest and install the app again.\n",
	} {
		if !strings.Contains(thread[1].Text, want) {
			t.Errorf("%q is missing in %q", want, thread[1].Text)
		}
	}
	if !strings.Contains(string(thread[1].Blocks), "pod-2999") {
		t.Errorf("the end is not shown: %s", thread[1].Blocks)
	}
	var got []string
	for _, f := range bot.Check(t.Context(), h.options) {
		if !f.OK {
			got = append(got, fmt.Sprintf("%s, %v: %s; %s", f.What, f.Spare, f.Detail, f.Help))
		}
	}
	want := "Slack files, true: missing: files:write (to show long output of executors as a file); add it to the app's manifest and install it to the workspace again; without it long output is cut"
	if len(got) != 1 || got[0] != want {
		t.Errorf("check says %q", got)
	}
}
