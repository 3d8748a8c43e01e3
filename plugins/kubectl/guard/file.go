package guard

import (
	"fmt"
	"strings"
)

// longestFile is how long a file's name gets, without its ending.
const longestFile = 100

// FileName names what a line shows, for the case that it becomes a file: words with
// dashes between them, each made of letters, digits and dashes.
func FileName(ending string, words ...string) string {
	var b strings.Builder
	for _, r := range strings.Join(words, "-") {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	name := b.String()
	return strings.Trim(name[:min(len(name), longestFile)], "-") + ending
}

// Several writes one or two names, and counts more: "12-clusters".
func Several(what string, names []string) string {
	if len(names) > 2 {
		return fmt.Sprintf("%d-%s", len(names), what)
	}
	return strings.Join(names, "-")
}
