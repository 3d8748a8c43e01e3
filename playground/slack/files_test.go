package slack

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/slack-go/slack"
)

// TestAnUploadIsCompletedOnce goes wrong in each way that there is, then well, then
// once too often.
func TestAnUploadIsCompletedOnce(t *testing.T) {
	h := start(t, nil)
	ctx := t.Context()
	root := must[string](t)(h.Say("alice", "deploys", "@ferry do", ""))
	announce := func(length int) (*slack.GetUploadURLExternalResponse, error) {
		return h.api.GetUploadURLExternalContext(ctx, slack.GetUploadURLExternalParameters{FileName: "pods.txt", FileSize: length})
	}
	complete := func(id, thread string, channels ...string) error {
		_, err := h.api.CompleteUploadExternalContext(ctx, slack.CompleteUploadExternalParameters{
			Files: []slack.FileSummary{{ID: id, Title: "kubectl get pods"}}, Channels: channels, ThreadTimestamp: thread,
		})
		return err
	}
	fill := func(address, text string) int {
		t.Helper()
		r, err := http.Post(address, "application/octet-stream", strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		return r.StatusCode
	}
	refuses := func(what string, err error, code string) {
		t.Helper()
		if err == nil || !strings.HasPrefix(err.Error(), code) {
			t.Errorf("%s: %v, want %s", what, err, code)
		}
	}
	_, err := announce(maxUpload + 1)
	refuses("too large", err, "file_upload_size_restricted")
	up, err := announce(4)
	if err != nil {
		t.Fatal(err)
	}
	refuses("not filled", complete(up.FileID, root, "C01DEPLOY"), "file_not_found")
	if code := fill(up.UploadURL, "toolong"); code != http.StatusBadRequest {
		t.Errorf("another length: %d", code)
	}
	h.Inject(Fault{Method: uploading, Status: http.StatusTooManyRequests, RetryAfter: time.Second})
	for _, want := range []int{http.StatusTooManyRequests, http.StatusOK, http.StatusNotFound} {
		if code := fill(up.UploadURL, "a\nb\n"); code != want {
			t.Errorf("uploaded: %d, want %d", code, want)
		}
	}
	refuses("two channels and a thread", complete(up.FileID, root, "C01DEPLOY", "C02GENERAL"), "invalid_arguments")
	refuses("another channel", complete(up.FileID, root, "C404"), "channel_not_found")
	if err := complete(up.FileID, root, "C01DEPLOY"); err != nil {
		t.Fatal(err)
	}
	refuses("once more", complete(up.FileID, root, "C01DEPLOY"), "file_not_found")

	all := must[[]Message](t)(h.Messages("deploys", root))
	if len(all) != 2 || all[1].ThreadTS != root || len(all[1].Files) != 1 || all[1].Files[0].Title != "kubectl get pods" || all[1].Files[0].Size != 4 {
		t.Fatalf("messages %+v", all)
	}
	replies, _, _, err := h.api.GetConversationRepliesContext(ctx, &slack.GetConversationRepliesParameters{ChannelID: "C01DEPLOY", Timestamp: root})
	if err != nil || len(replies) != 2 || len(replies[1].Files) != 1 || replies[1].Files[0].ID != up.FileID {
		t.Errorf("the thread has %+v, %v", replies, err)
	}
	r, err := http.Get(h.web.URL + all[1].Files[0].URL)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if body, err := io.ReadAll(r.Body); err != nil || string(body) != "a\nb\n" || !strings.HasPrefix(r.Header.Get("Content-Type"), "text/plain") {
		t.Errorf("it reads %q, %v, %s", body, err, fmt.Sprint(r.Header))
	}
}
