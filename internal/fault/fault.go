// Package fault says how things fail, in words that every room shares.
//
// An error that leaves a room carries a Kind, which decides what happens next
// (ask again, retry, refuse, tell the operator), and a hint, which is what the
// person in the chat reads. The chain below it is for the log alone. An error
// without a kind is Internal: people are told that it was recorded, never what
// it says, because nobody wrote it for them.
//
// Kinds are about outcomes, not about causes: a new cause takes the kind of the
// outcome it leads to.
package fault

import (
	"errors"
	"fmt"
	"slices"
)

// Kind tells what an error means for the one who asked.
type Kind string

// The kinds. Only Unavailable and Moved are worth another try by ferry itself;
// all others end the job.
const (
	Internal    Kind = "internal"    // a defect or an unknown failure of ferry; shown without detail
	Invalid     Kind = "invalid"     // what was asked cannot be understood
	NotFound    Kind = "not_found"   // what was named does not exist
	Ambiguous   Kind = "ambiguous"   // what was named is more than one thing; Choices says which
	Denied      Kind = "denied"      // this person may not do that
	Refused     Kind = "refused"     // it could be done, but ferry cannot prove that it would be right
	Stale       Kind = "stale"       // the cluster has not been heard from lately
	Already     Kind = "already"     // it is so already; nothing was done
	Moved       Kind = "moved"       // the branch moved under a commit; read again
	Unavailable Kind = "unavailable" // a service did not answer; may pass
	Failed      Kind = "failed"      // it was done and did not become healthy
	Superseded  Kind = "superseded"  // somebody replaced the value before it was seen healthy
	Expired     Kind = "expired"     // a deadline passed
	Cancelled   Kind = "cancelled"   // somebody wished that it end before it was done
)

// Error is an error with a kind and words for a person.
type Error struct {
	Kind Kind
	// Says is one short sentence that names what went wrong: the first line of
	// the answer. Help, if any, says what would work, a sentence a line. Both are
	// shown to people, who read them with capitals and full stops.
	Says string
	Help string
	// Choices are complete things to write instead, at most a handful: in a
	// chat commands, which are shown as such and can be pressed.
	Choices []string
	// Offers are further choices that can be pressed, with words of their own.
	Offers []Offer
	// Code tells programs more than the kind does; it is not shown.
	Code string
	// Err is the cause, for the log. It may be nil.
	Err error
}

// Offer is a complete thing to write instead, what a button for it is called, and
// what is asked before that is pressed for good.
type Offer struct{ Command, Label, Confirm string }

// New returns an error of a kind that says something and tells what would help.
func New(kind Kind, says, help string) *Error {
	return &Error{Kind: kind, Says: says, Help: help}
}

// Newf is New with a formatted sentence and no help.
func Newf(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Says: fmt.Sprintf(format, args...)}
}

// Because returns a copy of e with its cause set.
func (e *Error) Because(err error) *Error {
	c := *e
	c.Err = err
	return &c
}

// WithHelp returns a copy of e with its help set.
func (e *Error) WithHelp(format string, args ...any) *Error {
	c := *e
	c.Help = fmt.Sprintf(format, args...)
	return &c
}

// WithChoices returns a copy of e with its choices set; empty ones are left out.
func (e *Error) WithChoices(choices ...string) *Error {
	c := *e
	c.Choices = slices.DeleteFunc(slices.Clone(choices), func(s string) bool { return s == "" })
	return &c
}

// WithCode returns a copy of e with its code set.
func (e *Error) WithCode(code string) *Error {
	c := *e
	c.Code = code
	return &c
}

// Error returns the chain as the log shows it.
func (e *Error) Error() string {
	if e.Err == nil {
		return e.Says
	}
	return e.Says + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// KindOf returns the kind of the outermost Error in err's chain, Internal if
// there is none, and "" for nil.
func KindOf(err error) Kind {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Internal
}

// Is reports whether err is of a kind.
func Is(err error, kind Kind) bool { return err != nil && KindOf(err) == kind }
