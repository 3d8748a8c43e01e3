package guard

import "fmt"

// Refusal says why a line is not run, in words for whoever wrote it: what is
// wrong, and what would work where that can be said.
type Refusal string

func (r Refusal) Error() string { return string(r) }

func refuse(format string, args ...any) error { return Refusal(fmt.Sprintf(format, args...)) }
