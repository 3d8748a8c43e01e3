package troubles

import (
	"context"
	"time"
	"unicode"
	"unicode/utf8"
)

// unseenFor is how long a cluster must not be seen: API servers restart.
const unseenFor = 3 * time.Minute

// unseen looks at clusters of which ferry has no word.
type unseen struct{ from Clusters }

func (u unseen) look(_ context.Context, now time.Time) (out []finding, _ error) {
	for _, c := range u.from.Clusters() {
		if !c.Stale {
			continue
		}
		out = append(out, finding{
			subject: subject{Reason: ClusterUnreachable, Name: string(c.Name)}, sure: now.Sub(c.Since) >= unseenFor,
			text: "Since " + clock(c.Since) + ": " + sentence(c.Reason, mostWhy) + " What `list` shows of it is from before, and nothing is promoted there until it answers.",
		})
	}
	return out, nil
}

// capital is a text that begins with a capital letter.
func capital(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	if n == 0 {
		return s
	}
	return string(unicode.ToUpper(r)) + s[n:]
}
