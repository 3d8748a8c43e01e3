// Package teams posts deliveries to a Teams workflow ("post to a channel when a
// webhook request is received") as Adaptive Cards. Workflows cannot edit, so that each
// state is a message of its own, and only those that are news are sent: the first, the
// last, and repeats. It is at least once, with the delivery's ID in the card.
package teams

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"ferry/plugins/sink"
	"ferry/plugins/sink/httpsink"
)

// maxBody is how large a message may be: Teams takes 28 KB.
const maxBody = 28_000

// Config of a workflow.
type Config struct {
	URL string
	// Updates sends what changes in between, too, each as a message.
	Updates bool
}

// Sink is a workflow.
type Sink struct {
	c    Config
	http *http.Client
}

// New checks a configuration.
func New(c Config) (*Sink, error) {
	if err := httpsink.URL(c.URL); err != nil {
		return nil, err
	}
	return &Sink{c: c, http: httpsink.Client()}, nil
}

// Deliver implements sink.Sink.
func (s *Sink) Deliver(ctx context.Context, d sink.Delivery) (sink.Receipt, error) {
	// The first state may have been left out for a later one: Ref says whether one
	// was sent.
	if d.State == "firing" && d.Ref != "" && d.Repeat == 0 && !s.c.Updates {
		return sink.Receipt{Ref: d.Ref}, nil
	}
	body, err := card(&d, 10_000)
	if err == nil && len(body) > maxBody {
		body, err = card(&d, 1500)
	}
	if err != nil {
		return sink.Receipt{}, sink.Refused(fmt.Errorf("encode delivery %s: %w", d.ID, err))
	}
	_, err = httpsink.Do(ctx, s.http, http.MethodPost, s.c.URL, http.Header{"Content-Type": {"application/json"}, "User-Agent": {"ferry"}}, body)
	if err != nil {
		return sink.Receipt{}, err
	}
	return sink.Receipt{Ref: "sent"}, nil
}

// card renders a delivery with at most so many characters of text.
func card(d *sink.Delivery, most int) ([]byte, error) {
	block := func(text string, more map[string]any) map[string]any {
		b := map[string]any{"type": "TextBlock", "text": plain(text), "wrap": true}
		for k, v := range more {
			b[k] = v
		}
		return b
	}
	title := httpsink.Clip(d.Title, 500)
	if title == "" {
		title = "(no title)"
	}
	body := []any{block(title, map[string]any{"weight": "Bolder", "size": "Medium", "color": color(d)})}
	if text := httpsink.Clip(strings.TrimSpace(d.Text+"\n\n"+strings.Join(d.Details, "\n\n")), most); text != "" {
		body = append(body, block(text, nil))
	}
	var facts []any
	for _, f := range d.Facts() {
		facts = append(facts, map[string]string{"title": f.Name, "value": plain(httpsink.Clip(f.Value, 200))})
	}
	if facts != nil {
		body = append(body, map[string]any{"type": "FactSet", "facts": facts})
	}
	body = append(body, block(httpsink.Clip(d.ID, 200), map[string]any{"isSubtle": true, "size": "Small"}))
	return json.Marshal(map[string]any{"type": "message", "attachments": []any{map[string]any{
		"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": nil,
		"content": map[string]any{"$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "type": "AdaptiveCard", "version": "1.4", "body": body},
	}}})
}

// plain keeps what a cluster wrote from being a mention, a link or a function.
func plain(s string) string {
	return strings.NewReplacer("<", "‹", ">", "›", "[", "\\[", "{{", "{ {", "*", "\\*", "_", "\\_").Replace(s)
}

func color(d *sink.Delivery) string {
	switch {
	case d.State == "resolved":
		return "Good"
	case d.Severity == "critical", d.Severity == "error":
		return "Attention"
	case d.Severity == "warning":
		return "Warning"
	}
	return "Default"
}
