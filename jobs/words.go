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
	"ferry/internal/job"
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
	s = capital(s)
	if strings.HasSuffix(s, ".") || strings.HasSuffix(s, "…") || strings.HasSuffix(s, "!") || strings.HasSuffix(s, "?") {
		return s
	}
	return s + "."
}

// clip keeps somebody else's words to what fits into a sentence.
func clip(s string) string { return clipTo(s, 140) }

// clipTo is a text on one line, cut at a word to at most so many characters.
func clipTo(s string, most int) string {
	s = strings.Join(strings.Fields(s), " ")
	r := []rune(s)
	if len(r) <= most {
		return s
	}
	kept := string(r[:most])
	if r[most] != ' ' {
		if i := strings.LastIndexByte(kept, ' '); i > most/2 {
			kept = kept[:i]
		}
	}
	return strings.TrimRight(kept, " ,;:.") + "…"
}

// capital is a text that begins with a capital letter.
func capital(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	if n == 0 {
		return s
	}
	return string(unicode.ToUpper(r)) + s[n:]
}

// readiness counts what is ready of so many.
func readiness(ready, of int32, noun string) string {
	verb := "are"
	if of == 1 {
		verb = "is"
	}
	return fmt.Sprintf("%d of %s %s ready", ready, count(int(of), noun), verb)
}

// short is the part of a SHA that people read.
func short(sha string) string { return sha[:min(7, len(sha))] }

// applied names the revision that Flux applied: "it" where that is the commit.
func applied(r string, c deploy.Commit) string {
	branch, sum, ok := strings.Cut(r, "@")
	if !ok {
		branch, sum = "", r
	}
	if _, hex, ok := strings.Cut(sum, ":"); ok {
		sum = hex
	}
	switch {
	case sum != "" && sum == c.SHA:
		return "it"
	case branch == "":
		return "`" + short(sum) + "`"
	}
	return "`" + branch + "@" + short(sum) + "`"
}

// ending is the one word for how a change ended, wherever it is listed.
func ending(o job.Outcome) string {
	switch o {
	case job.Done:
		return "healthy"
	case job.Expired:
		return "timed out"
	}
	return string(o)
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
