package config

import (
	"strings"
	"testing"
)

// TestOwnAlerts are on by default, and their name is nobody else's.
func TestOwnAlerts(t *testing.T) {
	for text, off := range map[string]bool{"": false, "  own: {off: true}\n": true} {
		c, err := alerts(t, strings.Replace(goodAlerts, `sources: ["chan*"]`, "sources: [ferry]", 1)+text)
		if err != nil || c.Alerts.Own.Off != off {
			t.Errorf("%q: off is %v, %v", text, c != nil && c.Alerts.Own.Off, err)
		}
	}
	_, err := Load(write(t, strings.Replace(withAlerts, "{changes: ", "{ferry: {plugin: ferry/x}, changes: ", 1)+strings.ReplaceAll(goodAlerts, "SECRET", "/dev/null")), tokens, changing...)
	if err == nil || !strings.Contains(err.Error(), ":6: plugins.sources.ferry: that is what the events are called that ferry tells of itself") {
		t.Errorf("a source that is called as ferry is: %v", err)
	}
}
