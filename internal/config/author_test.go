package config

import (
	"strings"
	"testing"
)

func TestAuthor(t *testing.T) {
	c, err := withRepo(t, "  co_author: false\n  people:\n    U012AB3CD: Ada King, Countess of Lovelace <ada@example.com>\n")
	if err != nil {
		t.Fatal(err)
	}
	if name, email, ok := c.Repo.Author("U012AB3CD"); !ok || name != "Ada King, Countess of Lovelace" || email != "ada@example.com" || c.Repo.CoAuthor {
		t.Errorf("%q, %q, %v", name, email, ok)
	}
	if name, email, ok := c.Repo.Author("U0OTHER"); ok {
		t.Errorf("somebody else is %q, %q", name, email)
	}
	if c, err := withRepo(t, ""); err != nil || !c.Repo.CoAuthor {
		t.Errorf("without a word: %v", err)
	}
}

func TestAuthorProblems(t *testing.T) {
	for text, want := range map[string]string{
		"ada: Ada <ada@example.com>":                   `:7: repo.people: "ada" is no user ID; write the ID`,
		"U012AB3CD: ada@example.com":                   `:7: repo.people.U012AB3CD: "ada@example.com" is no author; write name and address as Git does`,
		"U012AB3CD: Ada <ada>":                         `is no author`,
		"U012AB3CD: <ada@example.com>":                 `is no author`,
		`U012AB3CD: " <ada@example.com>"`:              `is no author`,
		`U012AB3CD: "Ada\n<ada@example.com>"`:          `is no author`,
		`U012AB3CD: "Ada <a@b.example> <c@d.example>"`: `is no author`,
		`U012AB3CD: "Ada <a@b.example\nX: y>"`:         `is no author`,
		"U012AB3CD: 7":                                 `repo.people.U012AB3CD: "7" is a number`,
	} {
		if _, err := withRepo(t, "  people:\n    "+text+"\n"); !strings.Contains(message(err), want) {
			t.Errorf("%s: %s", text, message(err))
		}
	}
}
