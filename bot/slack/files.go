package slack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"ferry/bot/outbox"
	"ferry/internal/chat"
	"ferry/internal/fault"
)

// FileScope is the scope with which Slack takes files. ferry runs without it: then
// long output is cut.
const FileScope = "files:write"

const (
	methodOfUpload = "files.getUploadURLExternal"
	methodOfShare  = "files.completeUploadExternal"
	// handingOver is the name under which the limiter knows the upload itself, which
	// is no method of the Web API.
	handingOver = "upload"
	uploadTime  = 5 * time.Minute
)

// Upload implements outbox.Files. Nobody sees the file before ShareFile; Slack forgets one
// that is never shared.
func (c *Client) Upload(ctx context.Context, name string, size int64, content io.Reader) (string, error) {
	if err := c.limit.allow(handingOver, ""); err != nil {
		return "", err
	}
	var a struct {
		URL string `json:"upload_url"`
		ID  string `json:"file_id"`
	}
	if err := c.call(ctx, methodOfUpload, url.Values{"filename": {name}, "length": {strconv.FormatInt(size, 10)}}, &a); err != nil {
		return "", fileOutcome(err)
	}
	if u, err := url.Parse(a.URL); err != nil || !c.takesFiles(u) {
		return "", fmt.Errorf("%s: %q is no address for files", methodOfUpload, a.URL)
	}
	ctx, cancel := context.WithTimeout(ctx, uploadTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.URL, io.LimitReader(content, size))
	if err != nil {
		return "", fmt.Errorf("upload %s: %w", name, err)
	}
	// The address itself is the right to write there: it gets no token.
	req.ContentLength = size
	req.Header.Set("Content-Type", "application/octet-stream")
	resp, err := c.uploads.Do(req)
	if err != nil {
		return "", fmt.Errorf("upload %s: %w", name, err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<16)) // the connection may serve again
	switch {
	case resp.StatusCode == http.StatusOK:
		return a.ID, nil
	case resp.StatusCode == http.StatusTooManyRequests:
		return "", c.limit.blocked(handingOver, resp.Header.Get("Retry-After"))
	}
	return "", fileOutcome(&Error{Method: handingOver, Status: resp.StatusCode})
}

// takesFiles reports whether an upload may go to an address: a host of Slack's, or,
// for a local Slack, its own.
func (c *Client) takesFiles(u *url.URL) bool {
	base, err := url.Parse(c.o.BaseURL)
	if err != nil || u.Scheme != base.Scheme {
		return false
	}
	own := strings.TrimPrefix(base.Hostname(), "www.")
	return u.Host == base.Host || strings.HasSuffix(own, "slack.com") && strings.HasSuffix(u.Hostname(), ".slack.com") && u.Port() == ""
}

// ShareFile implements outbox.Files. Slack lets an upload be completed once.
func (c *Client) ShareFile(ctx context.Context, thread chat.Thread, id, title string) error {
	files, err := json.Marshal([]map[string]string{{"id": id, "title": title}})
	if err != nil {
		return fmt.Errorf("encode file %s: %w", id, err)
	}
	form := url.Values{"files": {string(files)}, "channel_id": {string(thread.Channel)}}
	if thread.Root != "" {
		form.Set("thread_ts", thread.Root)
	}
	return fileOutcome(c.call(ctx, methodOfShare, form, nil))
}

// FindFile implements outbox.Files. A thread is searched for the file's identifier,
// which needs no further scope.
func (c *Client) FindFile(ctx context.Context, thread chat.Thread, id string, since time.Time) (bool, error) {
	form, method := searching(thread, since)
	for range maxPages {
		var a struct {
			answer
			Messages []struct {
				Files []struct {
					ID string `json:"id"`
				} `json:"files"`
			} `json:"messages"`
		}
		if err := c.call(ctx, method, form, &a); err != nil {
			if codeOf(err) == "thread_not_found" {
				return false, nil
			}
			return false, outcome(err)
		}
		for _, m := range a.Messages {
			for _, f := range m.Files {
				if f.ID == id {
					return true, nil
				}
			}
		}
		if a.Metadata.Cursor == "" {
			return false, nil
		}
		form.Set("cursor", a.Metadata.Cursor)
	}
	return false, nil
}

// fileOutcome translates Slack's refusals into what they say about a file, with words
// for people where it will never be shown.
func fileOutcome(err error) error {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return outcome(err)
	}
	never := func(says, help string) error {
		return fmt.Errorf("%w: %w", outbox.ErrGone, fault.New(fault.Refused, says, help).Because(err))
	}
	switch e.Code {
	case "missing_scope", "no_permission", "not_allowed_token_type":
		return never("Slack takes no files from ferry: its app lacks the scope `"+FileScope+"`", "whoever runs ferry can add it to the app's manifest and install the app again")
	case "file_uploads_disabled", "file_uploads_except_images_disabled", "file_type_not_allowed", "file_upload_size_restricted", "posting_to_channel_denied", "access_denied", "ekm_access_denied":
		return never("the workspace does not allow such files (`"+e.Code+"`)", "")
	case "invalid_channel", "channel_not_found", "not_in_channel", "is_archived", "is_inactive", "restricted_action", "team_access_not_granted", "slack_connect_file_link_sharing_blocked":
		return never("Slack does not let ferry show files here (`"+e.Code+"`)", "")
	case "file_not_found", "file_update_failed", "file_deleted":
		return fmt.Errorf("%w: %w", err, outbox.ErrLost)
	case "":
		if e.Method == handingOver && e.Status < http.StatusInternalServerError {
			return never(fmt.Sprintf("Slack did not take the file (HTTP status %d)", e.Status), "")
		}
	}
	return outcome(err)
}

// checkFiles is for those who want long output as a file.
func checkFiles(has []string) Finding {
	f := Finding{What: "Slack files", OK: slices.Contains(has, FileScope), Spare: true, Detail: "taken, for long output of executors"}
	if !f.OK {
		f.Detail = "missing: " + FileScope + " (to show long output of executors as a file)"
		f.Help = "add it to the app's manifest and install it to the workspace again; without it long output is cut"
	}
	return f
}
