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
			title := "kubectl get nix"
			if fail {
				w.(chat.Failer).Fail()
				title = "kubectl get failed on prod"
				w.(chat.Titler).Title(title)
			}
			synctest.Wait()
			if now := last(t, to, "k"); now.Tone != chat.Progress || now.Title != "kubectl get nix" {
				t.Errorf("while it grows its tone is %v, above it stands %q", now.Tone, now.Title)
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if now := last(t, to, "k"); now.Tone != want || now.Title != title {
				t.Errorf("at the end its tone is %v, want %v, above it stands %q, want %q", now.Tone, want, now.Title, title)
			}
		})
	}
}
