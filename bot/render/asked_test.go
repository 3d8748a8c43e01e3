package render

import (
	"encoding/json"
	"strings"
	"testing"

	"ferry/internal/chat"
)

// TestAskedForIsReadable: the sign that a line was confirmed with is nobody's to read.
func TestAskedForIsReadable(t *testing.T) {
	t.Parallel()
	out := Message(Input{
		Message: chat.Message{Tone: chat.Info, Title: "Shall I?"},
		Asked:   []Asked{{Command: "kubectl confirmed:813d01344d2b scale deploy/web on prod", By: "U024BE7LH"}},
	}, Table)
	blocks, err := json.Marshal(out)
	if err != nil {
		t.Fatal(err)
	}
	if all := string(blocks); strings.Contains(all, "confirmed:") || strings.Count(all, "kubectl scale deploy/web on prod") < 2 {
		t.Errorf("it reads %s", all)
	}
}
