package deploy

import "strings"

const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+:@-"

// Word reports whether a name or a version can stand in a command as one word. What
// cannot, wherever it came from, is offered in no command: with a space in it, it
// would be more of the command than whoever presses the button sees.
func Word(s string) bool {
	return s != "" && s[0] != '-' && !strings.ContainsFunc(s, func(r rune) bool { return !strings.ContainsRune(plain, r) })
}
