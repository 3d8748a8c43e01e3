package teams

import (
	"encoding/json"
	"maps"
	"strings"

	"ferry/plugins/api"
	"ferry/plugins/notifiers/post"
)

// maxBody is how large a message may be: Teams takes 28 KB.
const maxBody = 28_000

// card renders a notification, with less of its text if it were too large.
func card(n *api.Notification) ([]byte, error) {
	body, err := render(n, 10_000)
	if err == nil && len(body) > maxBody {
		return render(n, 1500)
	}
	return body, err
}

// render makes a card with at most so many characters of text.
func render(n *api.Notification, most int) ([]byte, error) {
	title := post.Clip(n.Title, 500)
	if title == "" {
		title = "(no title)"
	}
	body := []any{block(title, map[string]any{"weight": "Bolder", "size": "Medium", "color": color(n)})}
	if text := post.Clip(post.Body(n, "\n\n"), most); text != "" {
		body = append(body, block(text, nil))
	}
	var facts []any
	for _, f := range post.Facts(n) {
		facts = append(facts, map[string]string{"title": f.Name, "value": plain(post.Clip(f.Value, 200))})
	}
	if facts != nil {
		body = append(body, map[string]any{"type": "FactSet", "facts": facts})
	}
	body = append(body, block(post.Clip(n.ID, 200), map[string]any{"isSubtle": true, "size": "Small"}))
	return json.Marshal(map[string]any{"type": "message", "attachments": []any{map[string]any{
		"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": nil,
		"content": map[string]any{"$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "type": "AdaptiveCard", "version": "1.4", "body": body},
	}}})
}

func block(text string, more map[string]any) map[string]any {
	b := map[string]any{"type": "TextBlock", "text": plain(text), "wrap": true}
	maps.Copy(b, more)
	return b
}

// plain keeps what a cluster wrote from being a mention, a link or a function.
func plain(s string) string {
	return strings.NewReplacer("<", "‹", ">", "›", "[", "\\[", "{{", "{ {", "*", "\\*", "_", "\\_").Replace(s)
}

func color(n *api.Notification) string {
	switch {
	case n.State == api.Resolved:
		return "Good"
	case n.Severity == api.SeverityCritical, n.Severity == "error":
		return "Attention"
	case n.Severity == api.SeverityWarning:
		return "Warning"
	}
	return "Default"
}
