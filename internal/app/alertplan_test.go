package app

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"ferry/plugins/pipeline"
)

// TestStormsAsConfigured: what a route leaves out it has from the pipeline.
func TestStormsAsConfigured(t *testing.T) {
	t.Parallel()
	text := strings.NewReplacer(
		"receiver: ops\n", "receiver: ops\n    storm: {more_than: 20, within: 5m}\n",
		"group_by: [node]}", "group_by: [node], storm: {off: true}}, {matchers: [cluster=dev], storm: {within: 30s}}",
	).Replace(alertConfig)
	c, err := alertsOf(t, text)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := planAlerts(c, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	root, below := plan.route.Storm, plan.route.Routes
	if root != (pipeline.Storm{MoreThan: 20, Within: 5 * time.Minute}) || below[0].Storm.MoreThan >= 0 || below[1].Storm != (pipeline.Storm{Within: 30 * time.Second}) {
		t.Errorf("storms: %+v, %+v, %+v", root, below[0].Storm, below[1].Storm)
	}
}
