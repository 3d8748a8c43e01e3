// Package guard reads lines that people write and says what kubectl may be told.
//
// Three steps, all of them pure: Split makes words of the line, Parse makes of the
// words a Command or says why not, Decide makes of the command, the rules and who
// asks what is run on which cluster. Verbs, flags and the shapes of values are lists
// of what is allowed (verbs.go); there is no list of what is forbidden but for the
// words in which it is refused. What kubectl gets is written anew from what was
// understood, each flag as --flag=value, and a test holds that reading against
// kubectl's own.
package guard

import (
	"fmt"
	"strings"
)

// Refusal says why a line is not run, in words for whoever wrote it: what is
// wrong, and what would work where that can be said.
type Refusal string

func (r Refusal) Error() string { return string(r) }

// Never refuses what nobody gets here, and says why in a line of its own.
func Never(what, why string) error {
	return Refusal("`" + what + "` is not to be had here\n" + strings.ToUpper(why[:1]) + why[1:] + ".")
}

func refuse(format string, args ...any) error { return Refusal(fmt.Sprintf(format, args...)) }
