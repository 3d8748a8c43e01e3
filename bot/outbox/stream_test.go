package outbox_test

import (
	"io"
	"testing"
	"testing/synctest"

	"ferry/bot/bottest"
	"ferry/bot/outbox"
	"ferry/internal/chat"
)

// TestAStreamSaysHowItEnded: output is marked as done, or as failed if its writer was
// told so, and while it grows as neither.
func TestAStreamSaysHowItEnded(t *testing.T) {
	t.Parallel()
	for want, fail := range map[chat.Tone]bool{chat.Done: false, chat.Failure: true} {
		synctest.Test(t, func(t *testing.T) {
			to := &bottest.Chat{}
			b, stop := start(t, outbox.Options{Store: &bottest.Outbox{}, Chat: to})
			defer stop()
			w, err := b.Stream(t.Context(), thread, "k", "kubectl get nix")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(w, "error: no such thing\n"); err != nil {
				t.Fatal(err)
			}
			if fail {
				w.(chat.Failer).Fail()
			}
			synctest.Wait()
			if now := last(t, to, "k"); now.Tone != chat.Progress {
				t.Errorf("while it grows its tone is %v", now.Tone)
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if now := last(t, to, "k"); now.Tone != want {
				t.Errorf("at the end its tone is %v, want %v", now.Tone, want)
			}
		})
	}
}
