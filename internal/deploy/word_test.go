package deploy

import "testing"

func TestWord(t *testing.T) {
	for s, want := range map[string]bool{
		"podinfo": true, "6.5.4-rc.1+build": true, "v1@sha256:00ff": true, "": false, "-x": false, "--dry-run": false,
		"podinfo despite hold because x": false, "a\nb": false, "a`b": false, "a,b": false, "pоdinfo": false, "a<!channel>": false, "a\u00a0b": false, "a/b": false,
	} {
		if Word(s) != want {
			t.Errorf("%q: %v", s, !want)
		}
	}
}
