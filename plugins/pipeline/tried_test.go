package pipeline

import (
	"log/slog"
	"strings"
	"testing"
)

// TestTemplatesAreTried: one that names what there never is is refused at the start; one
// that fails for some events is not.
func TestTemplatesAreTried(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"{{.Event.Reason}} of {{.Event.Labels.app}}, {{.Firing}} of {{.Things}}": "",
		"{{with .Incident}}{{(index .Problems 0).Seen}} {{.ID}}{{end}}":          "",
		"{{slice .Event.Title 0 3}}":                                             "",
		"{{.Nix}}":                                                               "there is no Nix in `.Nix`; there is .Event, .Incident, .Firing, .Things",
		"{{.Event.Nix}}":                                                         "there is no Nix in `.Event.Nix`; there is .ID, .Cursor, .Source,",
		"{{range .Incident.Problems}}{{.Nix}}{{end}}":                            "there is no Nix in `.Nix`; there is ",
		"{{.Event": "unclosed action",
	} {
		_, err := NewRender("", text, Place{"config.yaml", 3}, slog.New(slog.DiscardHandler))
		if want == "" && err != nil || want != "" && (err == nil || !strings.HasPrefix(err.Error(), "config.yaml:3: template: text:") || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}
