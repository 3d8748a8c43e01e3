package slack

import "fmt"

// Error is a refusal of what somebody asked of the control interface or of
// the Go methods: a mistake of the caller, never of the server.
type Error struct {
	// Code is one word for programs, Message a sentence for people.
	Code, Message string
}

func (e *Error) Error() string { return e.Message }

func refusal(code, format string, args ...any) error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}
