package jobs

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"ferry/internal/chat"
	"ferry/internal/deploy"
	"ferry/internal/fault"
)

// span writes a duration as people say it: 8 s, 3 min, 5 h, 12 d.
func span(d time.Duration) string {
	switch {
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", max(0, d.Seconds()))
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	default:
		return fmt.Sprintf("%d d", int(d.Hours()/24))
	}
}

// sentence begins with a capital and ends with a full stop.
func sentence(s string) string {
	if s == "" {
		return ""
	}
	r, n := utf8.DecodeRuneInString(s)
	s = string(unicode.ToUpper(r)) + s[n:]
	if strings.HasSuffix(s, ".") || strings.HasSuffix(s, "…") || strings.HasSuffix(s, "!") {
		return s
	}
	return s + "."
}

// short is the part of a SHA that people read.
func short(sha string) string { return sha[:min(7, len(sha))] }

// revision shortens "main@sha1:0123456789…" to "main@0123456".
func revision(r string) string {
	branch, sum, ok := strings.Cut(r, "@")
	if !ok {
		return short(r)
	}
	if _, hex, ok := strings.Cut(sum, ":"); ok {
		sum = hex
	}
	return branch + "@" + short(sum)
}

func commitLink(c deploy.Commit) []chat.Link {
	if c.URL == "" {
		return nil
	}
	return []chat.Link{{Text: "commit " + short(c.SHA), URL: c.URL}}
}

// toneOf is how bad an end is: a refusal left everything as it was.
func toneOf(err error) chat.Tone {
	switch fault.KindOf(err) {
	case "":
		return chat.Done
	case fault.Failed, fault.Internal, fault.Expired:
		return chat.Failure
	case fault.Already:
		return chat.Info
	default:
		return chat.Refused
	}
}
