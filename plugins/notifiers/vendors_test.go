package notifiers_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"ferry/plugins/api"
	"ferry/plugins/notifiers/discord"
	"ferry/plugins/notifiers/elasticsearch"
	"ferry/plugins/notifiers/mattermost"
	"ferry/plugins/notifiers/post"
	"ferry/plugins/notifiers/teams"
)

// TestVendors holds each notifier that shows messages against a server that knows the
// vendor's schema and limits: it posts, edits, posts anew what is gone, waits as long
// as it is told, and knows what is for good.
func TestVendors(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		judge  judge
		made   api.Notifier
		config func(address string) string
		want   string // after a post of each, an edit and one of what is gone
	}{
		"discord": {judgeDiscord, discord.New("v1"), func(a string) string {
			return "username: ferry\nurl_file: " + write(t, "url", a+"/api/webhooks/1/t")
		}, "POST ; POST ; POST ; PATCH /messages/m1; POST "},
		"mattermost": {(&mattermosts{}).judge, mattermost.New("v1"), func(a string) string {
			return "url: " + a + "/\ntoken_file: " + write(t, "token", "secret") + "\nchannel: " + here
		}, "me; GET; POST ; GET; POST ; GET; POST ; PUT /m1/patch; POST "},
		"teams": {judgeTeams, teams.New("v1"), func(a string) string {
			return "url_file: " + write(t, "url", a)
		}, "POST; POST; POST; POST"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := serve(t, c.judge)
			config := c.config(v.URL)
			var ref string
			all := notifications(config)
			for _, n := range all {
				r, err := c.made.Deliver(t.Context(), n)
				if err != nil || r.Ref == "" {
					t.Errorf("%s: ref %q, %v", n.ID, r.Ref, err)
				}
				ref = r.Ref
			}
			update, lost := all[0], all[0]
			update.Previous.Ref, update.Revision, update.ID, update.State = ref, 2, "i1/2", api.Updated
			lost.Previous.Ref, lost.State = "deleted", api.Resolved
			for _, n := range []api.Notification{update, lost} {
				if r, err := c.made.Deliver(t.Context(), n); err != nil || r.Ref != ref {
					t.Errorf("%s: ref %q, %v; want %q", n.ID, r.Ref, err, ref)
				}
			}
			if got := v.did(); got != c.want {
				t.Errorf("it did %q, want %q", got, c.want)
			}
			again := all[0]
			if name == "mattermost" {
				again.Previous.Ref = "m1" // a first post looks before
			}
			failures(t, v, c.made, again)
		})
	}
}

// TestTeamsUpdates: what changes in between is sent if somebody wants it, and repeats
// always are.
func TestTeamsUpdates(t *testing.T) {
	t.Parallel()
	v := serve(t, judgeTeams)
	for config, want := range map[string]string{"": "POST; POST", "\nupdates: true": "POST; POST; POST; POST; POST"} {
		n := teams.New("v1")
		v.mu.Lock()
		v.posts = nil
		v.mu.Unlock()
		of := notifications("url_file: " + write(t, "url", v.URL) + config)[0]
		of.Previous.Ref, of.State = "sent", api.Updated
		for _, repeat := range []int{0, 0, 1, 0} {
			of.Repeat = repeat
			if _, err := n.Deliver(t.Context(), of); err != nil {
				t.Error(err)
			}
		}
		of.Repeat, of.State = 0, api.Expired
		if _, err := n.Deliver(t.Context(), of); err != nil || v.did() != want {
			t.Errorf("%v: it did %q, want %q", err, v.did(), want)
		}
	}
}

// elastic are the documents of a cluster by data stream and ID.
type elastic map[string]map[string]any

func (e elastic) judge(r *http.Request, body []byte) (string, any, error) {
	if r.URL.Path != "/logs-ferry-default/_bulk" || r.Header.Get("Content-Type") != "application/x-ndjson" || r.Header.Get("Authorization") != "ApiKey key" || !bytes.HasSuffix(body, []byte("\n")) {
		return "", nil, fmt.Errorf("%s: %v", r.URL.Path, r.Header)
	}
	var items []any
	lines := bufio.NewScanner(bytes.NewReader(body))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var action struct {
			Create *struct {
				ID    string `json:"_id"`
				Index string `json:"_index"`
			} `json:"create"` // a data stream takes nothing else
		}
		if err := strict(lines.Bytes(), &action); err != nil || action.Create == nil || action.Create.ID == "" || len(action.Create.ID) > 512 || !lines.Scan() {
			return "", nil, fmt.Errorf("action: %w", err)
		}
		var doc map[string]any
		if err := json.Unmarshal(lines.Bytes(), &doc); err != nil {
			return "", nil, err
		}
		if _, err := time.Parse(time.RFC3339, fmt.Sprint(doc["@timestamp"])); err != nil {
			return "", nil, err
		}
		code, id := 201, action.Create.Index+action.Create.ID
		switch {
		case e[id] != nil:
			code = 409
		case action.Create.ID == "i2/1":
			code = 400
		default:
			e[id] = doc
		}
		items = append(items, map[string]any{"create": map[string]any{"_id": action.Create.ID, "status": code}})
	}
	return fmt.Sprint("bulk of ", len(items)), map[string]any{"errors": true, "items": items}, nil
}

// TestElasticsearch: a document is created once, whatever is repeated, and one that is
// refused takes no other with it.
func TestElasticsearch(t *testing.T) {
	t.Parallel()
	documents := elastic{}
	v := serve(t, documents.judge)
	config := "url: " + v.URL + "/\nstream: logs-ferry-default\napi_key_file: " + write(t, "key", "key\n")
	n := elasticsearch.New("v1")
	all := append(notifications(config), notifications(config)[0], notifications(config)[0])
	all[3].To, all[4].To = "logs-other", "Logs"
	for range 2 {
		out := n.DeliverAll(t.Context(), all)
		if out[0].Err != nil || !permanent(out[1].Err) || out[2].Err != nil || out[3].Err != nil || !permanent(out[4].Err) {
			t.Errorf("outcomes: %v", out)
		}
	}
	if d := documents["i1/1"]; len(documents) != 3 || d["title"] != "BackOff pod web" || d["event"] != `{"id":"e"}` || d["incident"] != "i1" || documents["logs-otheri1/1"] == nil {
		t.Errorf("documents: %v", documents)
	}
	if v.did() != "bulk of 4; bulk of 4" {
		t.Errorf("it did %q", v.did())
	}
	failures(t, v, n, all[0])
}

// TestElasticsearchTooLarge: a request that somebody on the way does not take goes in
// parts, and what is large is announced; a document that is too large alone is refused
// for good and says what to do, and what follows it in its incident waits.
func TestElasticsearchTooLarge(t *testing.T) {
	t.Parallel()
	const takes = 600 << 10
	documents := elastic{}
	v := serve(t, func(r *http.Request, body []byte) (string, any, error) {
		if announced := r.Header.Get("Expect") == "100-continue"; announced != (len(body) > 256<<10) {
			return "", nil, fmt.Errorf("a body of %d bytes, announced: %v", len(body), announced)
		}
		if len(body) > takes {
			return "", status{http.StatusRequestEntityTooLarge, "too large"}, nil
		}
		return documents.judge(r, body)
	})
	config := "url: " + v.URL + "\nstream: logs-ferry-default\napi_key_file: " + write(t, "key", "key")
	all, _ := many(32) // of 10 KiB each
	for i := range all {
		all[i].Config = []byte(config)
	}
	all[3].Text = strings.Repeat("x", takes)
	for i, o := range elasticsearch.New("v1").DeliverAll(t.Context(), all) {
		switch i {
		case 3:
			if !permanent(o.Err) || !strings.HasPrefix(o.Err.Error(), "delivery i3/0 is too large, with 6") || !strings.Contains(o.Err.Error(), " bytes: raise http.max_content_length, or what a proxy before it takes, then `resend` it: ") {
				t.Errorf("%s: %v", all[i].ID, o.Err)
			}
		case 3 + 32:
			if !errors.Is(o.Err, api.ErrHeld) {
				t.Errorf("%s: %v", all[i].ID, o.Err)
			}
		case 2 + 32: // which the judge refuses
			if !permanent(o.Err) {
				t.Errorf("%s: %v", all[i].ID, o.Err)
			}
		default:
			if o.Err != nil || documents[all[i].ID] == nil {
				t.Errorf("%s: %v", all[i].ID, o.Err)
			}
		}
	}
}

func TestClip(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text, want string
		most       int
	}{{"abc", "abc", 3}, {"abcd", "ab…", 3}, {"üüü", "üüü", 3}, {"üüüü", "üü…", 3}, {"", "", 3}} {
		if got := post.Clip(c.text, c.most); got != c.want {
			t.Errorf("%q cut to %d is %q, want %q", c.text, c.most, got, c.want)
		}
	}
}
