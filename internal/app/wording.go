package app

import (
	"fmt"
	"text/template"

	"ferry/delivery"
	"ferry/internal/config"
)

// wording makes what commits and pull requests say of the templates of the
// configuration.
func wording(r config.Repo) (delivery.Wording, error) {
	var w delivery.Wording
	for _, one := range []struct {
		to   **template.Template
		from config.Template
	}{
		{&w.Subject, r.Commit.Subject},
		{&w.Body, r.Commit.Body},
		{&w.Title, r.PullRequests.Title},
		{&w.Text, r.PullRequests.Body},
	} {
		t, err := one.from.Parse()
		if err != nil {
			return w, fmt.Errorf("read the template %q: %w", one.from, err)
		}
		*one.to = t
	}
	return w, nil
}
