package docs

import (
	"reflect"
	"regexp"
	"slices"
	"testing"

	"ferry/internal/deploy"
)

// TestMessageFields demands that the papers name every field of a message's
// template, and no other.
func TestMessageFields(t *testing.T) {
	text := papers(t)["docs/configuration.md"]
	var told, there []string
	for _, row := range regexp.MustCompile("(?m)^\\| (`\\.[^|]*) \\|").FindAllStringSubmatch(text, -1) {
		for _, m := range regexp.MustCompile("`\\.([A-Za-z]+)`").FindAllStringSubmatch(row[1], -1) {
			told = append(told, m[1])
		}
	}
	fields := reflect.TypeFor[deploy.MessageFields]()
	for i := range fields.NumField() {
		there = append(there, fields.Field(i).Name)
	}
	slices.Sort(told)
	slices.Sort(there)
	if !slices.Equal(told, there) {
		t.Errorf("docs/configuration.md tells of %q, there are %q", told, there)
	}
}
