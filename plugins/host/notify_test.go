package host

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ferry/internal/fault"
	"ferry/plugins/api"
)

// TestANotifierThatBreaks: what it said before it died or hung is known, and of the
// rest that it is worth another try.
func TestANotifierThatBreaks(t *testing.T) {
	t.Parallel()
	h := run(t, Options{Bindings: []Binding{animal("pager", api.KindNotifier, func(b *Binding, _ *File) { b.Timeout = 500 * time.Millisecond })}})
	for _, c := range []struct {
		title string
		kind  fault.Kind
	}{{"die", fault.Unavailable}, {"hang", fault.Expired}} {
		ns := []api.Notification{{ID: "n1", Order: "a", Title: "x"}, {ID: "n2", Order: "a", Title: "x"}, {ID: "n3", Order: "a", Title: c.title}, {ID: "n4", Order: "a", Title: "x"}}
		known := map[int]api.Outcome{}
		err := h.Deliver(t.Context(), "pager", ns, func(i int, o api.Outcome) { known[i] = o })
		if !fault.Is(err, c.kind) {
			t.Errorf("%s: %v", c.title, err)
		}
		// One that dies may take with it what it was about to say.
		if o, told := known[1]; c.title == "hang" && (!told || o.Err != nil || o.Receipt.Ref == "") {
			t.Errorf("%s: known is %+v", c.title, known)
		}
		if _, told := known[2]; told {
			t.Errorf("%s: it said what became of it: %+v", c.title, known[2])
		}
		wait(t, h, "pager", "again", func(s State) bool { return s.Status == Running })
	}
}

// TestAConfigurationThatThePluginRefuses is not used, and says why.
func TestAConfigurationThatThePluginRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		config, to, want string
	}{
		"as it should be": {"{}", "C1", ""},
		"another place":   {"{}", "C2", "its configuration does not fit: to: there is no channel C2"},
		"nonsense":        {"address: nonsense", "C1", "its configuration does not fit: nonsense is no address"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := animal("pager", api.KindNotifier, func(b *Binding, _ *File) { b.Config, b.To = []byte(c.config), []string{c.to} })
			status := Running
			if c.want != "" {
				status = Refused
			}
			h := run(t, Options{Bindings: []Binding{b}})
			s := wait(t, h, "pager", string(status), func(s State) bool { return s.Status == status })
			if s.Why != c.want {
				t.Errorf("it says %q, want %q", s.Why, c.want)
			}
			f, err := b.Find(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			_, err = Verify(t.Context(), f, b)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("verified: %v", err)
			}
		})
	}
}

// TestAFileThatComesLater: what a plugin is not ready without is said at once, and looked
// for again as soon as the plugin says, and not minutes later.
func TestAFileThatComesLater(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "token")
	b := animal("pager", api.KindNotifier, func(b *Binding, _ *File) { b.Config = []byte("token_file: " + file) })
	f, err := b.Find(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := "it cannot be used yet: token_file: " + file + " is not there"
	if _, err = Verify(t.Context(), f, b); err == nil || err.Error() != want {
		t.Errorf("verified: %v, want %s", err, want)
	}
	h := run(t, Options{Bindings: []Binding{b}, Pause: time.Hour, PauseMax: time.Hour})
	s := wait(t, h, "pager", "waiting", func(s State) bool { return s.Status == Waiting })
	if s.Why != want {
		t.Errorf("it says %q, want %q", s.Why, want)
	}
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	wait(t, h, "pager", "running", func(s State) bool { return s.Status == Running })
}

// TestNotifiersRunByThemselves: a host runs some kinds, and goes on with them when the
// others have ended.
func TestNotifiersRunByThemselves(t *testing.T) {
	t.Parallel()
	h, err := New(Options{Dir: t.TempDir(), Bindings: []Binding{animal("pager", api.KindNotifier), animal("echo", api.KindExecutor)}})
	if err != nil {
		t.Fatal(err)
	}
	start := func(kind string) (end func()) {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- h.Run(ctx, kind) }()
		return func() {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	}
	endNotifiers := start(api.KindNotifier)
	if _, _, err := execute(t, h, "echo", "x"); err == nil {
		t.Error("an executor runs that was not to")
	}
	endExecutors := start(api.KindExecutor)
	wait(t, h, "echo", "running", func(s State) bool { return s.Status == Running })
	endExecutors()
	var got []string
	err = h.Deliver(t.Context(), "pager", []api.Notification{{ID: "n1", Title: "x"}}, func(_ int, o api.Outcome) { got = append(got, o.Receipt.Ref) })
	if err != nil || len(got) != 1 || got[0] != "n1//" {
		t.Errorf("%q, %v", got, err)
	}
	endNotifiers()
	if err := h.Deliver(t.Context(), "pager", []api.Notification{{ID: "n2"}}, nil); err == nil || errors.Is(err, context.Canceled) {
		t.Errorf("what has ended delivers: %v", err)
	}
}
