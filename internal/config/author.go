package config

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"ferry/internal/chat"
)

// authorText is a person as Git writes one. What is none would be refused, or
// taken for something else, by whoever reads the commit.
var authorText = regexp.MustCompile(`^([^<>\x00-\x1f\x7f]*[^<>\x00-\x20\x7f]) <([^\s<>@,]+@[^\s<>@,]+)>$`)

// Author returns what Git calls somebody, if that is configured.
func (r Repo) Author(u chat.UserID) (name, email string, ok bool) {
	m := authorText.FindStringSubmatch(r.People[string(u)])
	if m == nil {
		return "", "", false
	}
	return strings.TrimSpace(m[1]), m[2], true
}

func checkAuthors(r Repo, p *problems) {
	for _, id := range slices.Sorted(maps.Keys(r.People)) {
		key := join("repo.people", id)
		if !userID.MatchString(id) {
			p.at(key, fmt.Sprintf("repo.people: %q is no user ID", id), "write the ID from the person's profile (U012AB3CD)")
			continue
		}
		if name, _, ok := r.Author(chat.UserID(id)); !ok || name == "" {
			p.at(key, fmt.Sprintf("%s: %q is no author", key, r.People[id]), "write name and address as Git does: Ada Lovelace <ada@example.com>")
		}
	}
}
