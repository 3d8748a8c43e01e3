package grammar

import (
	"strings"

	"ferry/internal/fault"
)

// Argument writes a text that somebody wrote into a field as one word of a command:
// cleaned as a command would be, within quotation marks, and so that Parse reads it as
// it is. Cleaning comes first, because it makes quotation marks of typographic ones.
func Argument(text string) (string, error) {
	entities := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")
	const guard = "- " // so that marks around the whole are not taken off
	clean, err := Clean(guard + entities.Replace(text))
	if err != nil {
		return "", err
	}
	clean = strings.TrimSpace(strings.TrimPrefix(clean, strings.TrimSpace(guard)))
	word := `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(clean) + `"`
	if again, err := Clean(guard + entities.Replace(word)); err != nil || again != guard+word {
		return "", fault.New(fault.Invalid, "that text cannot stand in a command", "nothing was done\nwrite it in other characters")
	}
	return entities.Replace(word), nil
}
