package mattermost

import (
	"strings"

	"ferry/plugins/api"
	"ferry/plugins/notifiers/post"
)

// Limits that Mattermost has by default: of a post's text and of its properties.
const (
	maxText  = 3000
	maxTitle = 300
	maxValue = 300
)

type field struct {
	Title string `json:"title"`
	Value string `json:"value"`
	Short bool   `json:"short"`
}

type attachment struct {
	Fallback string  `json:"fallback"`
	Color    string  `json:"color"`
	Title    string  `json:"title"`
	Text     string  `json:"text,omitempty"`
	Fields   []field `json:"fields,omitempty"`
	Footer   string  `json:"footer"`
}

func render(n *api.Notification) written {
	title := post.Clip(n.Title, maxTitle)
	a := attachment{
		Fallback: title, Title: plain(title), Color: color(n), Footer: n.ID,
		Text: plain(post.Clip(post.Body(n, "\n"), maxText)),
	}
	for _, f := range post.Facts(n) {
		a.Fields = append(a.Fields, field{Title: f.Name, Value: plain(post.Clip(f.Value, maxValue)), Short: true})
	}
	return written{Props: props{Attachments: []attachment{a}, Delivery: n.ID, Incident: about(n)}}
}

// plain keeps what a cluster wrote from being a mention or Markdown.
func plain(s string) string {
	return strings.NewReplacer("@", "@\u200b", "`", "'", "*", "\\*", "_", "\\_", "[", "\\[", "~", "\\~", "#", "\\#").Replace(s)
}

func color(n *api.Notification) string {
	switch {
	case n.State == api.Resolved:
		return "#2EB67D"
	case n.State == api.Expired:
		return "#808080"
	case n.Severity == api.SeverityCritical, n.Severity == "error":
		return "#E01E5A"
	case n.Severity == api.SeverityWarning:
		return "#ECB22E"
	}
	return "#36C5F0"
}
