package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"ferry/dispatcher"
	"ferry/dispatcher/gate"
	"ferry/internal/chat"
	"ferry/internal/event"
	"ferry/internal/job"
	"ferry/jobs"
	"ferry/plugins/pipeline"
	"ferry/plugins/silence"
	"ferry/plugins/sink"
	"ferry/storage"
	"ferry/storage/bolt"
)

var errGone = errors.New("the process is gone")

// mortal is a store, and a chat, of a process that dies at its n-th operation: before
// it took effect, or right after. 0 is never.
type mortal struct {
	storage.KV
	mu         sync.Mutex              // its operations come one after another, whoever asks
	told       map[string]chat.Message // by key; what is told is durable, too
	dies, ops  int
	after, end bool
}

func (m *mortal) do(fn func()) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.end {
		return errGone
	}
	if m.ops++; m.ops == m.dies {
		if m.end = true; m.after {
			fn()
		}
		return errGone
	}
	fn()
	return nil
}

func (m *mortal) Get(ctx context.Context, key string) (e storage.Entry, ok bool, err error) {
	gone := m.do(func() { e, ok, err = m.KV.Get(ctx, key) })
	return e, ok, errors.Join(gone, err)
}

func (m *mortal) Scan(ctx context.Context, s storage.Scan) (all []storage.Entry, err error) {
	gone := m.do(func() { all, err = m.KV.Scan(ctx, s) })
	return all, errors.Join(gone, err)
}

func (m *mortal) Commit(ctx context.Context, t storage.Txn) (rev uint64, err error) {
	if gone := m.do(func() { rev, err = m.KV.Commit(ctx, t) }); gone != nil {
		return 0, gone
	}
	return rev, err
}

// Put implements chat.Replier.
func (m *mortal) Put(_ context.Context, _ chat.Thread, key string, msg chat.Message) error {
	return m.do(func() { m.told[key] = msg })
}

// refusing takes nothing, for good.
type refusing struct{}

func (refusing) Deliver(context.Context, sink.Delivery) (sink.Receipt, error) {
	return sink.Receipt{}, sink.Refused(errors.New("404"))
}

var deedsAt = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// alerted is ferry with alerts in a store: what runs of it is the caller's to run.
func alerted(t *testing.T, m *mortal) (*dispatcher.Dispatcher, *pipeline.Pipeline) {
	t.Helper()
	now := func() time.Time { return deedsAt.Add(time.Minute) }
	trail := storage.NewTrail(m, now)
	store := alertRows{m, trail}
	silences, serr := silence.Load(t.Context(), store, now)
	channels, cerr := loadChannels(t.Context(), store)
	pipe, perr := pipeline.New(pipeline.Options{
		Store: store, Log: slog.New(slog.DiscardHandler), Silences: silences, Route: pipeline.Route{Receiver: "ops", Timing: pipeline.Timing{GroupWait: time.Millisecond}},
		Receivers: []pipeline.Receiver{{Name: "ops", Sinks: []pipeline.Integration{{Name: "hook", Sink: refusing{}}}}},
	})
	if err := errors.Join(serr, cerr, perr); err != nil {
		t.Fatal(err)
	}
	channels.guard("C1", nil)
	o := jobs.Options{Now: now}
	(&alerts{pipeline: pipe, silences: silences, channels: channels}).talk(&o)
	return dispatcher.New(dispatcher.Options{
		Routes: routes(o), Replier: m, Policy: dispatcher.NewPolicy(gate.Rules{}, dispatcher.Witnesses{}), Deeds: deeds{trail}, Now: now,
	}), pipe
}

// asked is a command.
func asked(verb chat.Verb, args chat.Args) chat.Command {
	return chat.Command{Key: "k-" + string(verb), User: "U1", At: deedsAt, Thread: chat.Thread{Channel: "C1", Root: "1"}, Verb: verb, Args: args}
}

// deedWorld is a store in which there is a silence, a channel that is off, and a
// notification that could not be made; it returns the file and the notification's ID.
func deedWorld(t *testing.T) (file, letter string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "state")
	db, err := bolt.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	work, pipe := alerted(t, &mortal{KV: db, told: map[string]chat.Message{}})
	if err := work.Handle(t.Context(), asked("silence", chat.Args{Matchers: "cluster=prod", Duration: "2h", Reason: "we move"})); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- pipe.Run(ctx) }()
	defer func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	if err := pipe.Take(ctx, pipeline.Binding{Name: "one"}, event.Event{ID: "1", Kind: "Pod", Name: "x", Reason: "R", Title: "lost"}); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(time.Minute); letter == "" && time.Now().Before(end); time.Sleep(time.Millisecond) {
		lost, err := letters{pipe}.Undelivered(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range lost {
			letter = one.ID
		}
	}
	return file, letter
}

// outcome is all that a command left behind: what was answered, and every row.
func deedOutcome(t *testing.T, db *bolt.DB, told map[string]chat.Message) string {
	t.Helper()
	var out []string
	for key, m := range told {
		out = append(out, fmt.Sprintf("%s %s %s %q", key, m.Tone, m.Title, m.Lines))
	}
	for _, prefix := range []string{"event/silence", "event/notify/", "event/dead/", "event/want/", "audit/row/"} {
		rows, err := db.Scan(t.Context(), storage.Scan{Prefix: prefix})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rows {
			if prefix == "event/want/" { // since when it is wanted
				r.Value = nil
			}
			out = append(out, fmt.Sprintf("%s %s", r.Key, r.Value))
		}
	}
	return strings.Join(out, "\n")
}

// TestADeedThatFerryDiedInIsAnsweredOnce has ferry die before and after each step of
// what may be asked of alerts. Told again, it answers and leaves behind what it would
// have if it had not died.
func TestADeedThatFerryDiedInIsAnsweredOnce(t *testing.T) {
	t.Parallel()
	file, letter := deedWorld(t)
	if letter == "" {
		t.Fatal("nothing was given up")
	}
	for _, c := range []struct {
		verb chat.Verb
		args chat.Args
		says string
	}{
		{"unsilence", chat.Args{ID: "s1"}, "Silence s1 has ended: `cluster=\"prod\"` is told of again"},
		{"resend", chat.Args{ID: chat.Word(letter)}, "On its way to ops:hook again: lost"},
		{"notify", chat.Args{Switch: "off"}, "Notifications are off in this channel"},
		{"notify", chat.Args{Switch: "on"}, "Notifications are on already in this channel"},
		{"silence", chat.Args{Matchers: "app=x", Duration: "1h", Reason: "y"}, "`app=\"x\"` is silent for 60 min, until 2026-01-01 13:00 UTC"},
	} {
		cmd, whole := asked(c.verb, c.args), ""
		if c.verb == "silence" {
			cmd.Key = "another"
		}
		for n, after := 0, false; ; {
			got, died := deedDiedIn(t, file, cmd, n, after)
			switch {
			case n == 0:
				if whole = got; !strings.Contains(got, cmd.Key+"/answer done "+c.says) {
					t.Fatalf("%s: %s", c.verb, got)
				}
			case got != whole:
				t.Errorf("%s, dead at operation %d, after it: %v\n%s\nwant\n%s", c.verb, n, after, got, whole)
			}
			if n > 0 && !died {
				if n < 4 {
					t.Errorf("%s takes %d operations", c.verb, n-1)
				}
				break
			}
			if after = !after && n > 0; !after {
				n++
			}
		}
	}
}

// deedDiedIn has ferry die at an operation of a command, and asks again.
func deedDiedIn(t *testing.T, file string, cmd chat.Command, n int, after bool) (outcome string, died bool) {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	own := filepath.Join(t.TempDir(), "state")
	if err := os.WriteFile(own, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := bolt.Open(own)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	first := &mortal{KV: db, told: map[string]chat.Message{}}
	work, _ := alerted(t, first)
	first.ops, first.dies, first.after = 0, n, after
	if err := work.Handle(t.Context(), cmd); first.end != errors.Is(err, errGone) || !first.end && err != nil {
		t.Fatalf("%s: %v", cmd.Verb, err)
	}
	if first.end {
		next := &mortal{KV: db, told: first.told}
		again, _ := alerted(t, next)
		if err := again.Handle(t.Context(), cmd); err != nil {
			t.Errorf("%s, dead at operation %d, after it: %v: then %v", cmd.Verb, n, after, err)
		}
	}
	return deedOutcome(t, db, first.told), first.end
}

// TestASilenceIsNotPlacedAgain by a command that is told again after somebody ended it.
func TestASilenceIsNotPlacedAgain(t *testing.T) {
	t.Parallel()
	db, err := bolt.Open(filepath.Join(t.TempDir(), "state"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	m := &mortal{KV: db, told: map[string]chat.Message{}}
	work, _ := alerted(t, m)
	silence := asked("silence", chat.Args{Matchers: "cluster=prod", Duration: "2h", Reason: "we move"})
	for _, cmd := range []chat.Command{silence, asked("unsilence", chat.Args{ID: "s1"}), silence} {
		if err := work.Handle(t.Context(), cmd); err != nil {
			t.Fatal(err)
		}
	}
	if left, err := db.Scan(t.Context(), storage.Scan{Prefix: "event/silence/"}); err != nil || len(left) > 0 {
		t.Errorf("%v, %v", left, err)
	}
	if e, known, err := storage.NewTrail(db, time.Now).Told(t.Context(), jobs.DeedKey(silence)); err != nil || !known || e.Deed != job.Silenced || len(e.Answer) != 4 {
		t.Errorf("the trail has %+v, %v, %v", e, known, err)
	}
}
