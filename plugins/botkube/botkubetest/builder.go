package botkubetest

import (
	"encoding/json"
	"strings"

	"ferry/plugins/botkube/wire/executor"
)

// preview is the next step of a command that is built: it knows what was picked from the
// state alone, as Botkube's does, and stands where the message stood that it was picked on.
func preview(r *executor.ExecuteRequest) *executor.ExecuteResponse {
	var state struct {
		Values map[string]map[string]struct {
			Value    string
			Selected struct{ Value string } `json:"selected_option"`
		}
	}
	_ = json.Unmarshal(r.GetContext().GetSlackState(), &state)
	line := []string{"kubectl"}
	row, filter := "", ""
	for block, actions := range state.Values {
		if !strings.Contains(block, "--filter-query") {
			row = block
		}
		for id, a := range actions {
			switch strings.TrimSpace(strings.TrimPrefix(id, "kubectl")) {
			case "@builder --verbs":
				line = append(line, a.Selected.Value)
			case "@builder --filter-query":
				filter = " --filter=" + a.Value
			}
		}
	}
	return &executor.ExecuteResponse{Message: encode(map[string]any{
		"onlyVisibleForYou": true, "replaceOriginal": true,
		"sections": []any{map[string]any{
			"selects": map[string]any{"id": row, "items": []any{map[string]any{"name": "Verb", "command": "{{BotName}} kubectl @builder --verbs", "optionGroups": []any{map[string]any{"name": "all", "options": []any{map[string]any{"name": "get", "value": "get"}}}}}}},
			"body":    map[string]any{"codeBlock": strings.Join(line, " ") + filter},
		}},
	})}
}
