package slack

import "time"

// Clock is the time as the server sees it.
type Clock interface {
	Now() time.Time
	// AfterFunc calls f once, on a goroutine of its own, d from now.
	AfterFunc(d time.Duration, f func()) Timer
}

// Timer is a call that is still to come. Stop reports whether it prevented it.
type Timer interface{ Stop() bool }

type systemClock struct{}

// SystemClock is the machine's own time.
func SystemClock() Clock { return systemClock{} }

func (systemClock) Now() time.Time { return time.Now() }

func (systemClock) AfterFunc(d time.Duration, f func()) Timer { return time.AfterFunc(d, f) }
