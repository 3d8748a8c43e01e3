package sink_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"
)

// vendor is a local server that judges what it is sent.
type vendor struct {
	*httptest.Server
	mu    sync.Mutex
	posts []string // what was done, in short
	next  func(w http.ResponseWriter) bool
}

func (v *vendor) did() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return strings.Join(v.posts, "; ")
}

// serve answers with what judge says; an error of it is a 400 that says why.
func serve(t *testing.T, judge func(v *vendor, r *http.Request, body []byte) (did string, answer any, err error)) *vendor {
	t.Helper()
	v := &vendor{}
	v.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v.mu.Lock()
		defer v.mu.Unlock()
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if v.next != nil && v.next(w) {
			v.next = nil
			return
		}
		did, answer, err := judge(v, r, body)
		if err != nil {
			t.Errorf("%s %s: %v", r.Method, r.URL.Path, err)
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if e, ok := answer.(status); ok {
			w.WriteHeader(e.code)
			fmt.Fprint(w, e.body)
			return
		}
		v.posts = append(v.posts, did)
		if err := json.NewEncoder(w).Encode(answer); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(v.Close)
	return v
}

type status struct {
	code int
	body string
}

func strict(body []byte, to any) error {
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	return d.Decode(to)
}

func long(what, s string, most int) error {
	if n := utf8.RuneCountInString(s); n > most {
		return fmt.Errorf("%s has %d characters, at most %d are taken", what, n, most)
	}
	return nil
}

// judgeDiscord knows the documented limits of a webhook's message.
func judgeDiscord(_ *vendor, r *http.Request, body []byte) (string, any, error) {
	if strings.HasSuffix(r.URL.Path, "/messages/deleted") {
		return "", status{http.StatusNotFound, `{"message":"Unknown Message","code":10008}`}, nil
	}
	var m struct {
		Username string `json:"username"`
		Content  string `json:"content"`
		Embeds   []struct {
			Title       string `json:"title"`
			Description string `json:"description"`
			Color       int    `json:"color"`
			Timestamp   string `json:"timestamp"`
			Fields      []struct {
				Name, Value string
				Inline      bool
			} `json:"fields"`
			Footer struct {
				Text string `json:"text"`
			} `json:"footer"`
		} `json:"embeds"`
		Mentions *struct {
			Parse []string `json:"parse"`
		} `json:"allowed_mentions"`
	}
	if err := strict(body, &m); err != nil {
		return "", nil, err
	}
	if len(m.Embeds) != 1 || m.Mentions == nil || m.Mentions.Parse == nil || len(m.Mentions.Parse) != 0 {
		return "", nil, fmt.Errorf("%d embeds, mentions %v", len(m.Embeds), m.Mentions)
	}
	e := m.Embeds[0]
	all := e.Title + e.Description + e.Footer.Text
	for _, f := range e.Fields {
		if f.Name == "" || f.Value == "" || utf8.RuneCountInString(f.Name) > 256 || utf8.RuneCountInString(f.Value) > 1024 {
			return "", nil, fmt.Errorf("a field of %d and %d", len(f.Name), len(f.Value))
		}
		all += f.Name + f.Value
	}
	for _, err := range []error{long("title", e.Title, 256), long("description", e.Description, 4096), long("footer", e.Footer.Text, 2048), long("the embed", all, 6000)} {
		if err != nil {
			return "", nil, err
		}
	}
	if _, err := time.Parse(time.RFC3339, e.Timestamp); err != nil || e.Title == "" || len(e.Fields) > 25 {
		return "", nil, fmt.Errorf("title %q, time %q, %d fields", e.Title, e.Timestamp, len(e.Fields))
	}
	if r.Method == http.MethodPost && r.URL.Query().Get("wait") != "true" {
		return "", nil, fmt.Errorf("it does not wait for the message")
	}
	return r.Method + " " + strings.TrimPrefix(r.URL.Path, "/api/webhooks/1/t"), map[string]string{"id": "m1"}, nil
}

func judgeMattermost(_ *vendor, r *http.Request, body []byte) (string, any, error) {
	if strings.Contains(r.URL.Path, "/deleted/") {
		return "", status{http.StatusNotFound, `{"id":"app.post.get.app_error","status_code":404}`}, nil
	}
	var p struct {
		ID      string `json:"id"`
		Channel string `json:"channel_id"`
		Pending string `json:"pending_post_id"`
		Message string `json:"message"`
		Props   struct {
			Delivery    string `json:"ferry_delivery"`
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
	case err != nil || r.Header.Get("Authorization") != "Bearer secret":
		return "", nil, fmt.Errorf("who is it? %w", err)
	case utf8.RuneCount(raw) > 800_000 || len(p.Props.Attachments) != 1 || p.Props.Attachments[0].Fallback == "" && p.Props.Delivery != "i3/1":
		return "", nil, fmt.Errorf("attachments: %s", raw)
	case strings.Contains(p.Props.Attachments[0].Text, "@channel") || strings.Contains(p.Props.Attachments[0].Text, " [x](http"):
		return "", nil, fmt.Errorf("somebody is mentioned, or a link stands there: %.100s", p.Props.Attachments[0].Text)
	case r.Method == http.MethodPost && (len(p.Channel) != 26 || p.Pending == ""):
		return "", nil, fmt.Errorf("channel %q, pending %q", p.Channel, p.Pending)
	}
	return r.Method + " " + strings.TrimPrefix(r.URL.Path, "/api/v4/posts"), map[string]string{"id": "m1"}, long("text", p.Props.Attachments[0].Text, 16383)
}

func judgeTeams(_ *vendor, r *http.Request, body []byte) (string, any, error) {
	var m struct {
		Type        string `json:"type"`
		Attachments []struct {
			ContentType string  `json:"contentType"`
			ContentURL  *string `json:"contentUrl"`
			Content     struct {
				Schema, Type, Version string
				Body                  []struct{ Type, Text string }
			} `json:"content"`
		} `json:"attachments"`
	}
	if err := json.Unmarshal(body, &m); err != nil {
		return "", nil, err
	}
	if len(body) > 28*1024 || m.Type != "message" || len(m.Attachments) != 1 || m.Attachments[0].ContentType != "application/vnd.microsoft.card.adaptive" || m.Attachments[0].Content.Type != "AdaptiveCard" {
		return "", nil, fmt.Errorf("%d bytes, %+.300v", len(body), m)
	}
	for _, b := range m.Attachments[0].Content.Body {
		if b.Type == "TextBlock" && b.Text == "" || strings.Contains(b.Text, "<at>") || b.Type != "TextBlock" && b.Type != "FactSet" {
			return "", nil, fmt.Errorf("a block of type %q that says %.50q", b.Type, b.Text)
		}
	}
	return r.Method, map[string]string{}, nil
}
