package notifiers_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"
)

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
func judgeDiscord(r *http.Request, body []byte) (string, any, error) {
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
	for _, err := range []error{long("username", m.Username, 80), long("title", e.Title, 256), long("description", e.Description, 4096), long("footer", e.Footer.Text, 2048), long("the embed", all, 6000)} {
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

func judgeTeams(r *http.Request, body []byte) (string, any, error) {
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
