package near

import (
	"slices"
	"testing"
)

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0},
		{"", "abc", 3},
		{"abc", "", 3},
		{"prod", "prod", 0},
		{"prod", "prdo", 1},
		{"prod", "rod", 1},
		{"prod", "prods", 1},
		{"kitten", "sitting", 3},
		{"ab", "ba", 1},
		{"stage", "prod", 5},
	} {
		if got := Distance(c.a, c.b); got != c.want {
			t.Errorf("Distance(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
		if got := Distance(c.b, c.a); got != c.want {
			t.Errorf("Distance(%q, %q) = %d, want %d", c.b, c.a, got, c.want)
		}
	}
}

func TestNames(t *testing.T) {
	clusters := []string{"dev", "prod", "prod-eu", "stage"}
	for _, c := range []struct {
		written string
		want    []string
	}{
		{"prdo", []string{"prod"}},
		{"PROD", []string{"prod", "prod-eu"}},
		{"prod-e", []string{"prod-eu", "prod"}},
		{"staging", []string{"stage"}},
		{"stag", []string{"stage"}},
		{"nothing", nil},
	} {
		if got := Names(c.written, clusters, 2); !slices.Equal(got, c.want) {
			t.Errorf("Names(%q) = %q, want %q", c.written, got, c.want)
		}
	}
}
