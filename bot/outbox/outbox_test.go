package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ferry/bot/bottest"
	"ferry/bot/outbox"
	"ferry/internal/chat"
)

var thread = chat.Thread{Team: "T1", Channel: "C1", Root: "1.1"}

func say(title string) chat.Message { return chat.Message{Tone: chat.Progress, Title: title} }

func final(title string) chat.Message {
	return chat.Message{Tone: chat.Done, Title: title, Final: true}
}

// start runs an outbox within a synctest bubble; stop ends it.
func start(t *testing.T, o outbox.Options) (*outbox.Outbox, func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	b := outbox.New(o)
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	return b, func() {
		t.Helper()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

func put(t *testing.T, b *outbox.Outbox, key string, m chat.Message) {
	t.Helper()
	if err := b.Put(t.Context(), thread, key, m); err != nil {
		t.Fatal(err)
	}
}

func titles(p bottest.Posted) (out []string) {
	for _, s := range p.States {
		out = append(out, s.Title)
	}
	return out
}

func TestAPutIsSentAtOnceAndEditsAreCoalesced(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &bottest.Chat{}
		b, stop := start(t, outbox.Options{Store: &bottest.Outbox{}, Chat: c})
		defer stop()
		synctest.Wait()
		began := time.Now()
		put(t, b, "k", say("0"))
		synctest.Wait()
		if got := c.Posts(); len(got) != 1 || !got[0].At.Equal(began) {
			t.Fatalf("posted %+v, want one at %v", got, began)
		}
		for i := range 95 { // ten states a second; an odd while, so that no edit is due at its end
			put(t, b, "k", say(fmt.Sprint(i+1)))
			put(t, b, "k", say(fmt.Sprint(i+1))) // an equal one does nothing
			time.Sleep(100 * time.Millisecond)
		}
		before := time.Now()
		put(t, b, "k", final("end"))
		synctest.Wait()
		p := c.Posts()[0]
		for i := 1; i < len(p.Times)-1; i++ {
			want := 3 * time.Second
			if i <= 2 { // somebody is looking
				want = 500 * time.Millisecond
			}
			if gap := p.Times[i].Sub(p.Times[i-1]); gap < want || gap > want+100*time.Millisecond {
				t.Errorf("state %d came %v after the one before, want %v", i, gap, want)
			}
		}
		last := len(p.States) - 1
		if p.States[last].Title != "end" || !p.Times[last].Equal(before) || last != 5 {
			t.Errorf("states %v at %v, want 4 edits and the end at %v", titles(p), p.Times, before)
		}
	})
}

// TestManyMessagesAtOnceAreNotHurried has more messages than the budget has
// quick edits for: half of it is kept for what comes next.
func TestManyMessagesAtOnceAreNotHurried(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &bottest.Chat{}
		b, stop := start(t, outbox.Options{Store: &bottest.Outbox{}, Chat: c})
		defer stop()
		for i := range 30 {
			put(t, b, fmt.Sprint(i), say("0"))
		}
		synctest.Wait()
		for i := range 30 {
			put(t, b, fmt.Sprint(i), say("1"))
		}
		time.Sleep(2900 * time.Millisecond)
		edits := 0
		for _, p := range c.Posts() {
			edits += len(p.States) - 1
		}
		if edits < 4 || edits > 7 {
			t.Errorf("%d edits before the ordinary gap was over, want about half of the 10 that may come at once", edits)
		}
		time.Sleep(time.Minute)
		for _, p := range c.Posts() {
			if got := titles(p); got[len(got)-1] != "1" {
				t.Errorf("%s still shows %v", p.Key, got)
			}
		}
	})
}

func TestALostAnswerIsLookedForBeforePostingAgain(t *testing.T) {
	t.Parallel()
	lost := errors.New("connection reset")
	for name, c := range map[string]*bottest.Chat{
		"it was posted":     {After: once("post", lost)},
		"it was not posted": {Before: once("post", lost)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b, stop := start(t, outbox.Options{Store: &bottest.Outbox{}, Chat: c})
				put(t, b, "k", final("x"))
				time.Sleep(time.Minute)
				stop()
				if got := c.Posts(); len(got) != 1 || !slices.Contains(c.Calls(), "find k") {
					t.Errorf("%d messages after %v", len(got), c.Calls())
				}
			})
		})
	}
}

// TestASearchThatFailsIsRepeated: what becomes of a search says nothing about the
// post that it looks for.
func TestASearchThatFailsIsRepeated(t *testing.T) {
	t.Parallel()
	lost := errors.New("connection reset")
	for name, failure := range map[string]error{
		"limited":  &outbox.Wait{For: time.Second},
		"not sent": fmt.Errorf("connection refused: %w", outbox.ErrNotSent),
		"lost":     lost,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := &bottest.Chat{After: once("post", lost), Before: once("find", failure)}
				b, stop := start(t, outbox.Options{Store: &bottest.Outbox{}, Chat: c})
				put(t, b, "k", final("x"))
				time.Sleep(time.Minute)
				stop()
				if got := c.Posts(); len(got) != 1 || !slices.Contains(c.Calls(), "find k") {
					t.Errorf("%d messages after %v", len(got), c.Calls())
				}
			})
		})
	}
}

// once returns a hook that fails the first call of a kind.
func once(what string, err error) func(string, string) error {
	var done atomic.Bool
	return func(w, _ string) error {
		if w != what || done.Swap(true) {
			return nil
		}
		return err
	}
}

func TestACrashBetweenPostAndJournalPostsOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &bottest.Outbox{}
		c := &bottest.Chat{}
		// The first process dies while its post is answered: nothing after the
		// call reaches the store.
		dying, block := make(chan struct{}), make(chan struct{})
		c.After = func(what, _ string) error {
			if what == "post" {
				close(dying)
				<-block
			}
			return errors.New("dead")
		}
		b := outbox.New(outbox.Options{Store: &mortal{Outbox: store, dead: dying}, Chat: c})
		ctx, kill := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- b.Run(ctx) }()
		if err := b.Put(ctx, thread, "k", say("before")); err != nil {
			t.Fatal(err)
		}
		<-dying
		kill()
		close(block)
		if err := <-ended; err != nil {
			t.Error(err)
		}
		c.After = nil
		b, stop := start(t, outbox.Options{Store: store, Chat: c})
		put(t, b, "k", final("after"))
		time.Sleep(time.Minute)
		stop()
		got := c.Posts()
		if len(got) != 1 || !slices.Equal(titles(got[0]), []string{"before", "after"}) {
			t.Errorf("messages %+v after %v", got, c.Calls())
		}
	})
}

// mortal is a store that takes nothing once its process is dead.
type mortal struct {
	*bottest.Outbox
	dead chan struct{}
}

func (m *mortal) Save(ctx context.Context, key string, row []byte, open bool) error {
	select {
	case <-m.dead:
		return errors.New("dead")
	default:
		return m.Outbox.Save(ctx, key, row, open)
	}
}

func TestAnUnsentWishSurvivesARestart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store, c := &bottest.Outbox{}, &bottest.Chat{}
		for i := range 10 { // put by a process that never got to send
			put(t, outbox.New(outbox.Options{Store: store, Chat: c}), fmt.Sprint(i), final(fmt.Sprint(i)))
			time.Sleep(time.Millisecond)
		}
		_, stop := start(t, outbox.Options{Store: store, Chat: c})
		time.Sleep(time.Second)
		stop()
		var got []string
		for _, p := range c.Posts() {
			got = append(got, p.Key)
		}
		if want := "0 1 2 3 4 5 6 7 8 9"; strings.Join(got, " ") != want {
			t.Errorf("posted %v, want %s: in the order of Put", got, want)
		}
	})
}

func TestWaitAndFailureAreRetriedUntilSent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var tries atomic.Int64
		c := &bottest.Chat{Before: func(what, _ string) error {
			n := tries.Add(1)
			if n == 1 {
				return &outbox.Wait{For: 30 * time.Second}
			}
			if n < 10 {
				return fmt.Errorf("down: %w", outbox.ErrNotSent)
			}
			return nil
		}}
		b, stop := start(t, outbox.Options{Store: &bottest.Outbox{}, Chat: c})
		put(t, b, "k", say("x"))
		time.Sleep(29 * time.Second)
		if n := tries.Load(); n != 1 {
			t.Errorf("%d tries before the wait was over", n)
		}
		time.Sleep(10 * time.Minute)
		stop()
		if got := c.Posts(); len(got) != 1 || slices.Contains(c.Calls(), "find k") {
			t.Errorf("after %v: %v", time.Since(began), c.Calls())
		}
	})
}

func TestWhatCanNeverBeSentIsGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var tries atomic.Int64
		c := &bottest.Chat{Before: func(_, key string) error {
			tries.Add(1)
			if key == "gone" {
				return fmt.Errorf("not_in_channel: %w", outbox.ErrGone)
			}
			return errors.New("down")
		}}
		b, stop := start(t, outbox.Options{Store: &bottest.Outbox{}, Chat: c})
		put(t, b, "gone", say("x"))
		synctest.Wait()
		if _, err := b.Posted(t.Context(), "gone"); !errors.Is(err, outbox.ErrGone) {
			t.Errorf("Posted = %v, want ErrGone", err)
		}
		put(t, b, "old", say("x"))
		time.Sleep(25 * time.Hour)
		had := tries.Load()
		time.Sleep(25 * time.Hour)
		stop()
		if n := tries.Load(); n != had {
			t.Errorf("%d tries after a day", n-had)
		}
	})
}

func TestTheBudgetIsSharedAndFinalStatesGoFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &bottest.Chat{}
		b, stop := start(t, outbox.Options{Store: &bottest.Outbox{}, Chat: c})
		defer stop()
		for i := range 30 {
			put(t, b, fmt.Sprint(i), say("0"))
		}
		synctest.Wait()
		began := time.Now()
		for time.Since(began) < 2*time.Minute {
			for i := range 30 {
				put(t, b, fmt.Sprint(i), say(time.Now().String()))
			}
			time.Sleep(time.Second)
		}
		edits := 0
		for _, call := range c.Calls() {
			if strings.HasPrefix(call, "edit") {
				edits++
			}
		}
		if edits < 70 || edits > 92 {
			t.Errorf("%d edits in two minutes", edits)
		}
		at := time.Now()
		put(t, b, "29", final("end"))
		synctest.Wait()
		p := c.Posts()[29]
		if last := len(p.States) - 1; p.States[last].Title != "end" || !p.Times[last].Equal(at) {
			t.Errorf("the end came at %v, want %v", p.Times[last], at)
		}
	})
}

func TestPostedWaitsForTheMessage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &bottest.Chat{Before: once("post", &outbox.Wait{For: 5 * time.Second})}
		b, stop := start(t, outbox.Options{Store: &bottest.Outbox{}, Chat: c})
		defer stop()
		put(t, b, "k", say("x"))
		began := time.Now()
		ts, err := b.Posted(t.Context(), "k")
		if err != nil || ts != c.Posts()[0].TS || time.Since(began) != 5*time.Second {
			t.Errorf("Posted = %q, %v after %v", ts, err, time.Since(began))
		}
	})
}

func TestAStreamGrowsAndKeepsItsTail(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &bottest.Chat{}
		b, stop := start(t, outbox.Options{Store: &bottest.Outbox{}, Chat: c})
		defer stop()
		w, err := b.Stream(t.Context(), thread, "k", "kubectl get pods")
		if err != nil {
			t.Fatal(err)
		}
		for i := range 2000 {
			if _, err := fmt.Fprintf(w, "line %d ✓\n", i); err != nil {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(5 * time.Second) // what was written shows without another write
		p := c.Posts()[0]
		if got := p.States[len(p.States)-1].Code.Text; !strings.HasSuffix(got, "line 1999 ✓\n") {
			t.Errorf("shows %q", got[max(0, len(got)-40):])
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		p = c.Posts()[0]
		last := p.States[len(p.States)-1]
		if !last.Final || !strings.HasPrefix(last.Code.Text, "…\nline 1") || len(last.Code.Text) > 7100 || len(p.States) > 12 {
			t.Errorf("%d states, the last %d bytes long: %.40q", len(p.States), len(last.Code.Text), last.Code.Text)
		}
		if _, err := w.Write([]byte("x")); err == nil {
			t.Error("a closed stream takes more")
		}
	})
}
