package e2e

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"ferry/playground/slack"
)

// TestWords keeps what scripts match against: what a person reads, a table's row on one line.
func TestWords(t *testing.T) {
	got := words(slack.Message{
		Text: "*podinfo* `6.5.4` is healthy",
		Blocks: json.RawMessage(`[
			{"type": "section", "text": {"type": "mrkdwn", "text": "a &lt;b&gt; &amp; c"}},
			{"type": "actions", "elements": [{"type": "button", "action_id": "ferry/0", "text": {"type": "plain_text", "text": "Roll back"}}]},
			{"type": "table", "rows": [
				[{"type": "raw_text", "text": "podinfo"}, {"type": "raw_text", "text": "prod"}],
				[{"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [{"type": "text", "text": "api"}]}]}, {"type": "raw_text", "text": "stage"}]]}]`),
	})
	want := "podinfo 6.5.4 is healthy\na <b> & c\nRoll back\npodinfo | prod\napi | stage"
	if got != want {
		t.Errorf("read\n%s\nwant\n%s", got, want)
	}
}

func TestButtonOf(t *testing.T) {
	var blocks any
	err := json.Unmarshal([]byte(`[{"type": "actions", "elements": [
		{"type": "button", "action_id": "a", "text": {"text": "No"}}, {"type": "button", "action_id": "b", "text": {"text": "Yes"}}]}]`), &blocks)
	must(t, err)
	if got := buttonOf(blocks, "Yes"); got != "b" {
		t.Errorf("the button is %q", got)
	}
	if got := buttonOf(blocks, "Maybe"); got != "" {
		t.Errorf("found %q", got)
	}
}

func TestResult(t *testing.T) {
	said := (&result{passed: 3, failed: 1}).String()
	if !regexp.MustCompile(`^[0-9]+ passed, [0-9]+ failed$`).MatchString(said) || strings.Count(said, "\n") > 0 {
		t.Errorf("said %q", said)
	}
}
