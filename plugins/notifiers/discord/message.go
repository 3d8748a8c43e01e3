package discord

import (
	"time"

	"ferry/plugins/api"
	"ferry/plugins/notifiers/post"
)

// Limits of an embed, as Discord documents them, and of all its texts together.
const (
	maxTitle       = 256
	maxDescription = 4096
	maxName        = 256
	maxValue       = 1024
	maxFields      = 25
	maxTotal       = 6000
)

type field struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	Inline bool   `json:"inline"`
}

type embed struct {
	Title       string            `json:"title"`
	Description string            `json:"description,omitempty"`
	Color       int               `json:"color"`
	Timestamp   string            `json:"timestamp"`
	Fields      []field           `json:"fields,omitempty"`
	Footer      map[string]string `json:"footer"`
}

// message mentions nobody, whatever a cluster writes.
type message struct {
	Username string              `json:"username,omitempty"`
	Embeds   []embed             `json:"embeds"`
	Mentions map[string][]string `json:"allowed_mentions"`
}

func render(n *api.Notification, username string) message {
	e := embed{
		Title: post.Clip(n.Title, maxTitle), Color: color(n), Timestamp: n.At.UTC().Format(time.RFC3339),
		Footer: map[string]string{"text": post.Clip(n.ID, 200)},
	}
	if e.Title == "" {
		e.Title = "(no title)"
	}
	left := maxTotal - len(e.Title) - len(e.Footer["text"])
	e.Description = post.Clip(post.Body(n, "\n"), min(maxDescription, left-500))
	left -= len(e.Description)
	for _, fact := range post.Facts(n) {
		if len(e.Fields) == maxFields || left < maxName {
			break
		}
		f := field{Name: fact.Name, Value: post.Clip(fact.Value, min(maxValue, left-len(fact.Name))), Inline: true}
		left -= len(f.Name) + len(f.Value)
		e.Fields = append(e.Fields, f)
	}
	return message{Username: username, Embeds: []embed{e}, Mentions: map[string][]string{"parse": {}}}
}

func color(n *api.Notification) int {
	switch {
	case n.State == api.Resolved:
		return 0x2EB67D
	case n.State == api.Expired:
		return 0x808080
	case n.Severity == api.SeverityCritical, n.Severity == "error":
		return 0xE01E5A
	case n.Severity == api.SeverityWarning:
		return 0xECB22E
	}
	return 0x36C5F0
}
