package registry

import (
	"slices"
	"strings"
	"testing"
)

func TestNearest(t *testing.T) {
	t.Parallel()
	signed := "sha256-" + strings.Repeat("a", 64) + ".sig"
	for _, c := range []struct{ asked, known, want string }{
		{"6.5.99", "6.4.1 6.5.0 6.5.2 6.5.3 6.5.4 6.6.0 6.7.0 7.0.0 latest", "6.5.4 6.5.3 6.5.2 6.5.0 6.7.0"},
		{"6.8.0", "6.4.1 6.5.0 7.0.0 5.9.9 6.7.0 6.7.1", "6.7.1 6.7.0 6.5.0 6.4.1 7.0.0"},
		{"1.14.5", "v1.14.4 v1.14.5 v1.14.6 v1.15.0", "v1.14.5 v1.14.6 v1.14.4 v1.15.0"},
		{"1.0.5", "1 1.0 1.0.0", "1.0.0 1 1.0"},
		{"v1.14.6", "1.14.4 v1.14.5", "v1.14.5 1.14.4"},
		{"1.2.4", "1.2.3 1.2.4-rc.1 1.2.5-rc.1 1.2 1", "1.2.3 1.2 1 1.2.5-rc.1 1.2.4-rc.1"},
		{"1.2.4-rc.9", "1.2.3 1.2.4-rc.1 1.2.4-rc.2 1.2.4-beta.1", "1.2.4-rc.2 1.2.4-rc.1 1.2.4-beta.1 1.2.3"},
		{"1.25.9-alpine", "1.25.3 1.25.3-alpine 1.25.4-alpine 1.25.4-alpine-slim 1.24.0-alpine", "1.25.4-alpine 1.25.3-alpine 1.24.0-alpine 1.25.4-alpine-slim 1.25.3"},
		{"7.2.9-debian-12-r1", "7.2.4-debian-12-r5 7.2.4-debian-12-r13 7.2.4", "7.2.4-debian-12-r5 7.2.4-debian-12-r13 7.2.4"},
		{"99", "31 33 34 latest edge", "34 33 31"},
		{"1.2.3+b", "1.2.3+a 1.2.2", "1.2.3+a 1.2.2"},
		{"main-20260105-abc", "main-20260101-def main-20251201-aaa dev-20260105-abc 1.0.0", "main-20260101-def dev-20260105-abc main-20251201-aaa"},
		{"stabel", "stable edge latest", "stable"},
		{"latst", "latest", ""},
		{"sha256-abc", signed, ""},
		{"Stable", "stable " + signed, "stable"},
		{"deadbeef", "1.0.0 2.0.0", ""},
		{"1.0.0", signed + " latest", ""},
		{"1.0.0", "", ""},
	} {
		known := strings.Fields(c.known)
		got := nearest(c.asked, known, 5)
		if !slices.Equal(got, strings.Fields(c.want)) {
			t.Errorf("near %s of %s: %q, want %q", c.asked, c.known, got, c.want)
		}
		if strings.Join(known, " ") != c.known {
			t.Errorf("the list was changed: %q", known)
		}
	}
}

func TestSame(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"1.2.3", "1.2.3", true},
		{"1.2.3", "v1.2.3", true},
		{"1.2.3+a", "1.2.3+b", true},
		{"1.2.3", "1.2.3-rc.1", false},
		{"1.2.3", "1.2.30", false},
		{"x", "x", true},
		{"x", "y", false},
		{"1.2.3", "x", false},
	} {
		if same(c.a, c.b) != c.want {
			t.Errorf("same(%s, %s) is %t", c.a, c.b, !c.want)
		}
	}
}
