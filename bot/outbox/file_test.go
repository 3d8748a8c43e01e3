package outbox_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ferry/bot/bottest"
	"ferry/bot/outbox"
	"ferry/internal/chat"
	"ferry/internal/fault"
)

// output is what is written in these tests.
func output(lines int) string {
	var b strings.Builder
	for i := range lines {
		fmt.Fprintf(&b, "line %d ✓\n", i)
	}
	return b.String()
}

// write has a stream written and closed.
func write(t *testing.T, b *outbox.Outbox, key, name, text string) {
	t.Helper()
	w, err := b.Stream(t.Context(), thread, key, "kubectl get pods -A")
	if err != nil {
		t.Fatal(err)
	}
	for text != "" {
		n := min(len(text), 1000)
		if _, err := io.WriteString(w, text[:n]); err != nil {
			t.Fatal(err)
		}
		text = text[n:]
	}
	w.(chat.Namer).Name(name)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

// spooled is what is left in a folder.
func spooled(t *testing.T, dir string) int {
	t.Helper()
	all, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

// last is what a message shows at last.
func last(t *testing.T, c *bottest.Chat, key string) outbox.Shown {
	t.Helper()
	for _, p := range c.Posts() {
		if p.Key == key {
			return p.States[len(p.States)-1]
		}
	}
	t.Fatalf("no message %s in %v", key, c.Calls())
	return outbox.Shown{}
}

func TestLongOutputIsAFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		c := &bottest.Chat{}
		b, stop := start(t, outbox.Options{Store: &bottest.Outbox{}, Chat: c, Files: c, Spool: dir})
		defer stop()
		text := output(2000) + "no end"
		write(t, b, "long", "", text)
		write(t, b, "short", "x", output(3))
		put(t, b, "answer", final("done"))
		time.Sleep(time.Minute)
		got := c.Shared()
		if len(got) != 1 || got[0].Content != text || got[0].Name != "kubectl.txt" || got[0].Title != got[0].Name || got[0].Thread != thread || got[0].After == 0 {
			t.Fatalf("%d files, %+v", len(got), got)
		}
		shows := last(t, c, "long")
		if len(shows.Lines) != 1 || shows.Lines[0] != "2001 lines: the end is shown here, all of it is in the file `kubectl.txt`." || !strings.HasSuffix(shows.Code.Text, "line 1999 ✓\nno end") || !shows.Final {
			t.Errorf("the message says %q, …%q", shows.Lines, shows.Code.Text[len(shows.Code.Text)-40:])
		}
		if short := last(t, c, "short"); short.Lines != nil || short.Code.Text != output(3) {
			t.Errorf("what is short says %q", short.Lines)
		}
		if n := spooled(t, dir); n != 0 {
			t.Errorf("%d files are left behind", n)
		}
	})
}

// TestAFileComesAfterItsMessage, however late that is, and holds up nothing else.
func TestAFileComesAfterItsMessage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		c, waits := &bottest.Chat{}, map[string]time.Time{"post k": time.Now().Add(10 * time.Second), "upload kubectl.txt": time.Now().Add(time.Minute)}
		c.Before = func(what, key string) error {
			if d := time.Until(waits[what+" "+key]); d > 0 {
				return &outbox.Wait{For: d}
			}
			return nil
		}
		o := outbox.Options{Store: &bottest.Outbox{}, Chat: c, Files: c, Spool: dir}
		b, stop := start(t, o)
		write(t, b, "k", "", output(1000))
		put(t, b, "answer", final("done"))
		time.Sleep(5 * time.Second)
		if got := c.Calls(); len(got) != 0 {
			t.Errorf("at first: %v", got)
		}
		time.Sleep(10 * time.Second)
		if got := strings.Join(c.Calls(), ", "); got != "post k, post answer" {
			t.Errorf("while there is no file: %s", got)
		}
		time.Sleep(time.Minute)
		stop()
		if got := strings.Join(c.Calls(), ", "); got != "post k, post answer, upload kubectl.txt, share F1" {
			t.Errorf("at last: %s", got)
		}
	})
}

// TestAFileIsSharedOnce has each call fail in each way, and ferry stopped after each.
func TestAFileIsSharedOnce(t *testing.T) {
	t.Parallel()
	unknown := errors.New("connection reset")
	for _, c := range []struct {
		name   string
		before map[string]error // of the first call
		after  string           // the first answer of this call is lost
		forget bool             // what was uploaded, meanwhile
	}{
		{name: "all is well"},
		{name: "a limit on uploads", before: map[string]error{"upload": &outbox.Wait{For: 7 * time.Second}}},
		{name: "a limit on sharing", before: map[string]error{"share": &outbox.Wait{For: 7 * time.Second}}},
		{name: "nothing was sent", before: map[string]error{"upload": outbox.ErrNotSent, "share": outbox.ErrNotSent}},
		{name: "nobody knows", before: map[string]error{"upload": unknown, "share": unknown, "look": unknown}},
		{name: "the answer of the upload is lost", after: "upload"},
		{name: "the answer of the share is lost", after: "share"},
		{name: "the upload is forgotten", before: map[string]error{"share": unknown}, forget: true},
	} {
		for _, stopped := range []string{"", "upload", "share", "look"} {
			t.Run(c.name+", stopped at "+stopped, func(t *testing.T) {
				dir := t.TempDir()
				synctest.Test(t, func(t *testing.T) {
					var mu sync.Mutex
					tried, stops := map[string]int{}, make(chan struct{}, 1)
					tries := func(what string, more int) int {
						mu.Lock()
						defer mu.Unlock()
						tried[what] += more
						return tried[what]
					}
					store, to := &bottest.Outbox{}, &bottest.Chat{}
					to.Before = func(what, _ string) error {
						n := tries(what, 1)
						if n == 1 && c.before[what] != nil {
							return c.before[what]
						}
						if what == stopped && n <= 2 {
							select {
							case stops <- struct{}{}:
							default:
							}
							return unknown
						}
						return nil
					}
					to.After = func(what, _ string) error {
						if what == "upload" && c.forget && tries(what, 0) == 1 {
							to.Forget()
						}
						if what == c.after && tries(what, 0) == 1 {
							return unknown
						}
						return nil
					}
					o := outbox.Options{Store: store, Chat: to, Files: to, Spool: dir}
					b, stop := start(t, o)
					write(t, b, "k", "pods.yaml", output(1000))
					timer := time.NewTimer(time.Hour)
					select {
					case <-stops:
					case <-timer.C:
					}
					stop()
					_, stop = start(t, o)
					time.Sleep(time.Hour)
					stop()
					if got := to.Shared(); len(got) != 1 || got[0].Content != output(1000) || got[0].Name != "pods.yaml" {
						t.Errorf("%d files; calls %v", len(got), to.Calls())
					}
					if n := spooled(t, dir); n != 0 {
						t.Errorf("%d files are left behind", n)
					}
					unsure := stopped == "share" || c.after == "share" || errors.Is(c.before["share"], unknown)
					if looked := slices.ContainsFunc(to.Calls(), func(call string) bool { return strings.HasPrefix(call, "look") }); looked != unsure {
						t.Errorf("it was looked for: %v; calls %v", looked, to.Calls())
					}
				})
			})
		}
	}
}

// TestAFileThatCannotBe says so in the message that promised it.
func TestAFileThatCannotBe(t *testing.T) {
	t.Parallel()
	scope := fmt.Errorf("%w: %w", outbox.ErrGone, fault.New(fault.Refused, "Slack takes no files from ferry: its app lacks `x`", "whoever runs ferry can add it").Because(io.EOF))
	for name, c := range map[string]struct {
		what string
		err  error
		want []string
	}{
		"no scope":            {"upload", scope, []string{"Slack takes no files from ferry: its app lacks `x`.", "Whoever runs ferry can add it."}},
		"not in this channel": {"share", fmt.Errorf("%w: no", outbox.ErrGone), nil},
		"for a day":           {"upload", errors.New("no"), nil},
		"always forgotten":    {"share", outbox.ErrLost, nil},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				to, uploads := &bottest.Chat{}, 0
				to.Before = func(what, _ string) error {
					if what == "upload" {
						uploads++
					}
					if what == c.what {
						return c.err
					}
					return nil
				}
				b, stop := start(t, outbox.Options{Store: &bottest.Outbox{}, Chat: to, Files: to, Spool: dir})
				defer stop()
				write(t, b, "k", "", output(1000))
				put(t, b, "answer", final("done"))
				time.Sleep(10 * time.Second)
				last(t, to, "answer") // it does not wait for the file
				time.Sleep(25 * time.Hour)
				want := append([]string{"1000 lines, of which only the end is here: the file with all of it could not be sent."}, c.want...)
				if got := last(t, to, "k"); fmt.Sprint(got.Lines) != fmt.Sprint(want) || !strings.HasSuffix(got.Code.Text, "line 999 ✓\n") {
					t.Errorf("it says %q, want %q", got.Lines, want)
				}
				if n := spooled(t, dir); n != 0 || len(to.Shared()) != 0 || name == "always forgotten" && uploads > 4 {
					t.Errorf("%d files are left behind, %d shared, of %d uploads", n, len(to.Shared()), uploads)
				}
			})
		})
	}
}

// TestAFileSeenLate is shared once, though a search does not see it in time: what
// cannot be shared again is looked for again.
func TestAFileSeenLate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		to := &bottest.Chat{Hidden: true}
		to.After = func(what, _ string) error {
			if what == "share" {
				return errors.New("connection reset")
			}
			return nil
		}
		b, stop := start(t, outbox.Options{Store: &bottest.Outbox{}, Chat: to, Files: to, Spool: dir})
		defer stop()
		write(t, b, "k", "", output(1000))
		time.Sleep(20 * time.Second)
		to.Show()
		time.Sleep(time.Minute)
		if got := to.Shared(); len(got) != 1 {
			t.Errorf("%d files; calls %v", len(got), to.Calls())
		}
	})
}

// TestWhatIsNotKept: without a folder, or with one that cannot be written, the message
// says how much is missing; what a dead process kept and did not promise is removed.
func TestWhatIsNotKept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/output-1", []byte("of a stream that never ended"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+"/no-folder", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		for spool, want := range map[string]string{
			"":                 "1000 lines, of which only the end is here.",
			dir + "/no-folder": "1000 lines, of which only the end is here: the rest could not be kept, and ferry's log says why.",
		} {
			to := &bottest.Chat{}
			b, stop := start(t, outbox.Options{Store: &bottest.Outbox{}, Chat: to, Files: to, Spool: spool})
			write(t, b, "k", "", output(1000))
			time.Sleep(time.Minute)
			if got := last(t, to, "k"); len(got.Lines) != 1 || got.Lines[0] != want || len(to.Shared()) != 0 {
				t.Errorf("it says %q, want %q; %d files", got.Lines, want, len(to.Shared()))
			}
			stop()
		}
		to := &bottest.Chat{}
		b, stop := start(t, outbox.Options{Store: &bottest.Outbox{}, Chat: to, Files: to, Spool: dir})
		defer stop()
		synctest.Wait()
		if n := spooled(t, dir); n != 1 {
			t.Errorf("%d files are left behind", n)
		}
		text := strings.Repeat(strings.Repeat("x", 99)+"\n", 17<<20/100)
		write(t, b, "k", "", text)
		time.Sleep(time.Minute)
		got := to.Shared()
		if len(got) != 1 || len(got[0].Content) > 16<<20 || len(got[0].Content) < 16<<20-100 || !strings.HasPrefix(text, got[0].Content) || !strings.HasSuffix(got[0].Content, "\n") {
			t.Errorf("%d files", len(got))
		}
		if says := last(t, to, "k").Lines[0]; says != "178257 lines: the end is shown here, the first 16 MiB are in the file `kubectl.txt`." {
			t.Errorf("it says %q", says)
		}
	})
}

// TestWhatAFileIsCalled: a plugin's name is nobody's path.
func TestWhatAFileIsCalled(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"": "kubectl.txt", "pods.yaml": "pods.yaml", "pods": "pods.txt", "../../etc/passwd": "passwd.txt", `..\x.sh`: "x.sh", "a`b|<!channel>.txt": "abchannel.txt",
		"/": "kubectl.txt", "..": "kubectl.txt", "a\nb": "ab.txt", strings.Repeat("ü", 200): strings.Repeat("ü", 50) + ".txt",
	} {
		dir := t.TempDir()
		synctest.Test(t, func(t *testing.T) {
			to := &bottest.Chat{}
			b, stop := start(t, outbox.Options{Store: &bottest.Outbox{}, Chat: to, Files: to, Spool: dir})
			defer stop()
			write(t, b, "k", name, output(1000))
			time.Sleep(time.Minute)
			if got := to.Shared(); len(got) != 1 || got[0].Name != want {
				t.Errorf("%q becomes %+v, want %q", name, got, want)
			}
		})
	}
}
