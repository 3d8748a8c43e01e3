package outbox_test

import (
	"testing"
	"testing/synctest"

	"ferry/bot/bottest"
	"ferry/bot/outbox"
	"ferry/internal/chat"
)

// TestAnAbandonedStreamSaysSo kills an outbox while a stream grows.
func TestAnAbandonedStreamSaysSo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, store := &bottest.Chat{}, &bottest.Outbox{}
		b, stop := start(t, outbox.Options{Store: store, Chat: c})
		w, err := b.Stream(t.Context(), thread, "k", "kubectl get pods")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte("one\n")); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		stop()
		b, stop = start(t, outbox.Options{Store: store, Chat: c})
		defer stop()
		put(t, b, "whole", final("it ended"))
		for _, c := range []struct{ key, title string }{{"k", ""}, {"k", "kubectl get pods"}, {"whole", "it ended"}, {"never", ""}} {
			if title, err := b.Abandon(t.Context(), c.key); title != c.title || err != nil {
				t.Errorf("%s: %q, %v, want %q", c.key, title, err, c.title)
			}
		}
		synctest.Wait()
		p := c.Posts()
		if len(p) != 2 {
			t.Fatalf("%d messages", len(p))
		}
		last := p[0].States[len(p[0].States)-1]
		if last.Tone != chat.Failure || !last.Final || len(last.Lines) != 1 || last.Lines[0] != "What came after this is lost: ferry ended meanwhile." {
			t.Errorf("it says %+v", last)
		}
		if len(p[1].States) != 1 || p[1].States[0].Tone != chat.Done {
			t.Errorf("what had ended says %+v", p[1].States)
		}
	})
}
