package chat

import "strings"

// ConfirmedSign is what the first word of a line begins with that somebody confirmed; a
// checksum of ConfirmedSum characters follows. A button writes it, and nobody reads it.
const (
	ConfirmedSign = "confirmed:"
	ConfirmedSum  = 12
)

// Readable is a command as people write it: without the sign that it was confirmed.
func Readable(command string) string {
	verb, rest, _ := strings.Cut(command, " ")
	sign, line, more := strings.Cut(rest, " ")
	if more && strings.HasPrefix(sign, ConfirmedSign) && len(sign) == len(ConfirmedSign)+ConfirmedSum {
		return verb + " " + line
	}
	return command
}
