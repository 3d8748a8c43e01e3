package changes

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

func sorted(fields map[string]string) []string { return slices.Sorted(maps.Keys(fields)) }

// longest is how much of a value is shown.
const longest = 160

// diff tells field by field what was and what is, in so many lines.
func diff(before, after map[string]string, most int) string {
	all := map[string]string{}
	maps.Copy(all, before)
	maps.Copy(all, after)
	var lines []string
	left := 0
	for _, field := range sorted(all) {
		was, had := before[field]
		is, has := after[field]
		if had == has && was == is {
			continue
		}
		if len(lines) == most {
			left++
			continue
		}
		lines = append(lines, line(field, was, is, had, has))
	}
	if left > 0 {
		lines = append(lines, fmt.Sprintf("… and %d more", left))
	}
	return strings.Join(lines, "\n")
}

func line(field, was, is string, had, has bool) string {
	secret := strings.HasPrefix(was, hidden) || strings.HasPrefix(is, hidden)
	switch {
	case !had && secret:
		return "+ " + field + " (hidden)"
	case !has && secret:
		return "- " + field + " (hidden)"
	case secret:
		return "~ " + field + " has another value (hidden)"
	case !had:
		return "+ " + field + ": " + value(is)
	case !has:
		return "- " + field + ": " + value(was)
	}
	if strings.Contains(was, "\n") || strings.Contains(is, "\n") {
		was, is = apart(was, is)
	}
	return "~ " + field + ": " + value(was) + " → " + value(is)
}

// apart leaves of two texts of several lines those that differ.
func apart(was, is string) (string, string) {
	a, b := strings.Split(was, "\n"), strings.Split(is, "\n")
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	return strings.Join(a, "\n"), strings.Join(b, "\n")
}

func value(s string) string {
	s = strings.ReplaceAll(s, "\n", "⏎")
	if s == "" {
		return `""`
	}
	if len(s) <= longest {
		return s
	}
	most := longest
	for most > 0 && s[most]&0xC0 == 0x80 {
		most--
	}
	return s[:most] + "…"
}
