package notifiers_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"ferry/plugins/api"
	"ferry/plugins/notifiers/mattermost"
)

// mattermosts is a server: it knows its posts, and those of the last half minute by
// their pending ID, whatever channel they are in.
type mattermosts struct {
	posts   []map[string]any // newest first
	pending map[string]map[string]any
}

const here, there = "abcdefghijklmnopqrstuvwxyz", "zyxwvutsrqponmlkjihgfedcba"

func (m *mattermosts) list(r *http.Request) (string, any, error) {
	q := r.URL.Query()
	var page, per int
	// since stands alone, and gives no more than a thousand posts, in no order to rely on.
	if _, err := fmt.Sscan(q.Get("page")+" "+q.Get("per_page"), &page, &per); err != nil || page < 0 || per < 1 || per > 200 || q.Has("since") {
		return "", nil, fmt.Errorf("page %q of %q, %w", q.Get("page"), q.Get("per_page"), err)
	}
	order, posts := []string{}, map[string]any{}
	for i := page * per; i < min(len(m.posts), (page+1)*per); i++ {
		id := m.posts[i]["id"].(string)
		order, posts[id] = append(order, id), m.posts[i]
	}
	return "GET", map[string]any{"order": order, "posts": posts}, nil
}

func (m *mattermosts) judge(r *http.Request, body []byte) (string, any, error) {
	path := strings.TrimPrefix(r.URL.Path, "/api/v4")
	switch {
	case r.Header.Get("Authorization") != "Bearer secret":
		return "", nil, fmt.Errorf("who is it? %q", r.Header.Get("Authorization"))
	case path == "/users/me":
		return "me", map[string]string{"id": "bot"}, nil
	case r.Method == http.MethodGet && (path == "/channels/"+here+"/posts" || path == "/channels/"+there+"/posts"):
		return m.list(r)
	case strings.Contains(path, "/deleted/"):
		return "", status{http.StatusNotFound, `{"id":"app.post.get.app_error","status_code":404}`}, nil
	}
	var p struct {
		ID      string `json:"id"`
		Channel string `json:"channel_id"`
		Pending string `json:"pending_post_id"`
		Message string `json:"message"`
		Props   struct {
			Delivery    string `json:"ferry_delivery"`
			Incident    string `json:"ferry_incident"`
			Attachments []struct {
				Fallback, Color, Title, Text, Footer string
				Fields                               []struct {
					Title, Value string
					Short        bool
				}
			} `json:"attachments"`
		} `json:"props"`
	}
	if err := strict(body, &p); err != nil {
		return "", nil, err
	}
	raw, err := json.Marshal(p.Props)
	switch {
	case err != nil:
		return "", nil, err
	case utf8.RuneCount(raw) > 800_000 || len(p.Props.Attachments) != 1 || p.Props.Attachments[0].Fallback == "" && p.Props.Delivery != "i3/1":
		return "", nil, fmt.Errorf("attachments: %s", raw)
	case strings.Contains(p.Props.Attachments[0].Text, "@channel") || strings.Contains(p.Props.Attachments[0].Text, " [x](http"):
		return "", nil, fmt.Errorf("somebody is mentioned, or a link stands there: %.100s", p.Props.Attachments[0].Text)
	case r.Method == http.MethodPost && (len(p.Channel) != 26 || p.Pending == ""):
		return "", nil, fmt.Errorf("channel %q, pending %q", p.Channel, p.Pending)
	case r.Method == http.MethodPut && (p.Channel != "" || p.Pending != "" || p.ID == ""):
		return "", nil, fmt.Errorf("an edit with channel %q, pending %q, ID %q", p.Channel, p.Pending, p.ID)
	}
	if err := long("text", p.Props.Attachments[0].Text, 16383); err != nil {
		return "", nil, err
	}
	did := r.Method + " " + strings.TrimPrefix(path, "/posts")
	made := map[string]any{"id": "m1", "user_id": "bot", "create_at": time.Now().UnixMilli(), "props": map[string]any{"ferry_delivery": p.Props.Delivery, "ferry_incident": p.Props.Incident}}
	if p.Channel == there {
		made["id"] = "m2"
	}
	if r.Method == http.MethodPost {
		if old := m.pending[p.Pending]; old != nil {
			return did + " known", old, nil
		}
		if m.pending != nil {
			m.pending[p.Pending] = made
		}
	}
	return did, made, nil
}

// TestMattermostFinds: a first post that is repeated, by another process, finds what
// stands there, and brings it up to date; what somebody else wrote is not taken for it.
func TestMattermostFinds(t *testing.T) {
	t.Parallel()
	at := time.Now()
	one := func(id, user, delivery, incident string, age time.Duration) map[string]any {
		return map[string]any{"id": id, "user_id": user, "create_at": at.Add(-age).UnixMilli(), "props": map[string]any{"ferry_delivery": delivery, "ferry_incident": incident}}
	}
	var chatter []map[string]any
	for i := range 5000 {
		chatter = append(chatter, map[string]any{"id": fmt.Sprint("c", i), "user_id": "somebody", "create_at": at.UnixMilli()})
	}
	busy := func(n int, then ...map[string]any) []map[string]any { return append(chatter[:n:n], then...) }
	looks := func(n int, then string) string { return "me" + strings.Repeat("; GET", n) + then }
	for name, c := range map[string]struct {
		posts []map[string]any
		n     api.Notification
		want  string
		ref   string
	}{
		"none":                   {nil, api.Notification{ID: "i1/1", Incident: "i1"}, "me; GET; POST ", "m1"},
		"the same":               {busy(59, one("p1", "bot", "i1/1", "i1", 0)), api.Notification{ID: "i1/1", Incident: "i1"}, looks(1, ""), "p1"},
		"on the next page":       {busy(60, one("p1", "bot", "i1/1", "i1", 0)), api.Notification{ID: "i1/1", Incident: "i1"}, looks(2, ""), "p1"},
		"where it is busy":       {busy(4999, one("p1", "bot", "i1/1", "i1", 0)), api.Notification{ID: "i1/1", Incident: "i1"}, looks(26, ""), "p1"},
		"where it is too busy":   {busy(5000, one("p1", "bot", "i1/1", "i1", 0)), api.Notification{ID: "i1/1", Incident: "i1"}, looks(26, "; POST "), "m1"},
		"the channel ends":       {busy(250), api.Notification{ID: "i1/1", Incident: "i1"}, looks(3, "; POST "), "m1"},
		"since it opened":        {busy(70, one("p0", "bot", "", "", 3*time.Hour), one("p1", "bot", "i1/1", "i1", 5*time.Hour)), api.Notification{ID: "i1/2", Incident: "i1", Opened: at.Add(-5 * time.Hour)}, looks(2, "; PUT /p1/patch"), "p1"},
		"not before that":        {busy(70, one("p0", "bot", "", "", 7*time.Hour), one("p1", "bot", "i1/1", "i1", 5*time.Hour)), api.Notification{ID: "i1/2", Incident: "i1", Opened: at.Add(-5 * time.Hour)}, looks(2, "; POST "), "m1"},
		"an earlier state":       {[]map[string]any{one("p1", "bot", "i1/1", "i1", 0)}, api.Notification{ID: "i1/2", Incident: "i1"}, "me; GET; PUT /p1/patch", "p1"},
		"somebody's":             {[]map[string]any{one("p1", "mallory", "i1/1", "i1", 0)}, api.Notification{ID: "i1/1", Incident: "i1"}, "me; GET; POST ", "m1"},
		"another event's":        {[]map[string]any{one("p1", "bot", "e1", "e1", 0)}, api.Notification{ID: "e2", Incident: "e1", State: api.Happened}, "me; GET; POST ", "m1"},
		"too long ago":           {append(busy(59, one("p0", "bot", "", "", 2*time.Hour)), one("p1", "bot", "i1/1", "i1", 2*time.Hour)), api.Notification{ID: "i1/1", Incident: "i1"}, "me; GET; POST ", "m1"},
		"an edit does not look":  {nil, api.Notification{ID: "i1/2", Incident: "i1", Previous: api.Receipt{Ref: "p1"}}, "PUT /p1/patch", "p1"},
		"what is gone is posted": {nil, api.Notification{ID: "i1/2", Incident: "i1", Previous: api.Receipt{Ref: "deleted"}}, "POST ", "m1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := serve(t, (&mattermosts{posts: c.posts}).judge)
			c.n.At, c.n.Title = at, "BackOff"
			c.n.Config = fmt.Appendf(nil, "{url: %s, token_file: %s, channel: %s}", v.URL, write(t, "token", "secret"), here)
			r, err := mattermost.New("v1").Deliver(t.Context(), c.n)
			if err != nil || r.Ref != c.ref || v.did() != c.want {
				t.Errorf("%q, %v: it did %q, want %q and %q", r.Ref, err, v.did(), c.ref, c.want)
			}
		})
	}
}

// TestMattermostRemembers: a post that Mattermost knows by its pending ID, though its
// list does not have it yet, is brought up to date if it is of an earlier state.
func TestMattermostRemembers(t *testing.T) {
	t.Parallel()
	v := serve(t, (&mattermosts{pending: map[string]map[string]any{}}).judge)
	config := fmt.Appendf(nil, "{url: %s, token_file: %s, channel: %s}", v.URL, write(t, "token", "secret"), here)
	n := mattermost.New("v1")
	for _, id := range []string{"i1/1", "i1/1", "i1/2"} {
		if r, err := n.Deliver(t.Context(), api.Notification{ID: id, Incident: "i1", Title: "BackOff", At: time.Now(), Config: config}); err != nil || r.Ref != "m1" {
			t.Errorf("%s: %q, %v", id, r.Ref, err)
		}
	}
	// What somebody deleted is not what it remembers.
	if _, err := n.Deliver(t.Context(), api.Notification{ID: "i1/3", Incident: "i1", Title: "BackOff", Config: config, Previous: api.Receipt{Ref: "deleted"}}); err != nil {
		t.Error(err)
	}
	if got, want := v.did(), "me; GET; POST ; GET; POST  known; GET; POST  known; PUT /m1/patch; POST "; got != want {
		t.Errorf("it did %q, want %q", got, want)
	}
}

// TestMattermostInTwoChannels: one incident may be told in two, where Mattermost knows a
// pending ID over all of them.
func TestMattermostInTwoChannels(t *testing.T) {
	t.Parallel()
	v := serve(t, (&mattermosts{pending: map[string]map[string]any{}}).judge)
	config := fmt.Appendf(nil, "{url: %s, token_file: %s, channel: %s}", v.URL, write(t, "token", "secret"), here)
	n := mattermost.New("v1")
	for _, previous := range []string{"", "deleted"} {
		for to, want := range map[string]string{"": "m1", there: "m2"} {
			of := api.Notification{ID: "i1/1", Incident: "i1", Title: "BackOff", At: time.Now(), Config: config, To: to, Previous: api.Receipt{Ref: previous}}
			if r, err := n.Deliver(t.Context(), of); err != nil || r.Ref != want {
				t.Errorf("to %q: %q, %v, want %q", to, r.Ref, err, want)
			}
		}
	}
	if strings.Contains(v.did(), "known") {
		t.Errorf("it did %q", v.did())
	}
}

// TestMattermostMayNotRead: an account that may only post does so.
func TestMattermostMayNotRead(t *testing.T) {
	t.Parallel()
	m := &mattermosts{}
	v := serve(t, func(r *http.Request, body []byte) (string, any, error) {
		if r.Method == http.MethodGet {
			return "", status{http.StatusForbidden, "{}"}, nil
		}
		return m.judge(r, body)
	})
	config := fmt.Appendf(nil, "{url: %s, token_file: %s, channel: %s}", v.URL, write(t, "token", "secret"), here)
	r, err := mattermost.New("v1").Deliver(t.Context(), api.Notification{ID: "i1/1", Incident: "i1", Title: "BackOff", Config: config})
	if err != nil || r.Ref != "m1" || v.did() != "POST " {
		t.Errorf("%q, %v: it did %q", r.Ref, err, v.did())
	}
}
