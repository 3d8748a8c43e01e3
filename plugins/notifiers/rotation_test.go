package notifiers_test

import (
	"fmt"
	"net/http"
	"os"
	"testing"

	"ferry/plugins/api"
	"ferry/plugins/notifiers/webhook"
)

// TestRotation: a secret that is replaced signs from then on, and while there is none
// a delivery waits for it.
func TestRotation(t *testing.T) {
	t.Parallel()
	v := serve(t, func(r *http.Request, body []byte) (string, any, error) {
		for _, secret := range []string{"old", "new"} {
			if webhook.Sign(secret, r.Header.Get(webhook.HeaderTimestamp), body) == r.Header.Get(webhook.HeaderSignature) {
				return secret, "", nil
			}
		}
		return "", nil, fmt.Errorf("signature %q", r.Header.Get(webhook.HeaderSignature))
	})
	file := write(t, "secret", "old")
	n, of := webhook.New("v1"), api.Notification{ID: "1", Config: fmt.Appendf(nil, "{url: %s, secret_file: %s}", v.URL, file)}
	deliver := func() error {
		_, err := n.Deliver(t.Context(), of)
		return err
	}
	if err := deliver(); err != nil {
		t.Error(err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if _, again := api.Retry(deliver()); !again {
		t.Error("a secret that is not there is taken for good")
	}
	if err := os.WriteFile(file, []byte("new"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := deliver(); err != nil || v.did() != "old; new" {
		t.Errorf("%v: it signed with %q", err, v.did())
	}
}
