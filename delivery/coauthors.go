package delivery

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// address is what an e-mail address has to look like to be written down: what is
// none would make the line a part of something else.
var address = regexp.MustCompile(`^[^\s@<>,]+@[^\s@<>,]+$`)

// coAuthors are the lines for those who asked, of whom name and address are
// known, each once.
func coAuthors(all []*intent) string {
	var out strings.Builder
	var known []string
	for _, in := range all {
		name, email := person(in.by.Name), person(in.by.Email)
		key := strings.ToLower(email)
		if name == "" || !address.MatchString(email) || slices.Contains(known, key) {
			continue
		}
		known = append(known, key)
		fmt.Fprintf(&out, "Co-authored-by: %s <%s>\n", name, email)
	}
	return out.String()
}
