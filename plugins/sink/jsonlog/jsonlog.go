// Package jsonlog writes deliveries as JSON lines, one each. It is at least once:
// a line that was written right before a crash is written again, with the same id.
package jsonlog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"

	"ferry/plugins/sink"
)

// Config says where lines go.
type Config struct {
	// Out takes a line with each call. It belongs to whoever made it.
	Out io.Writer
}

// Sink writes lines.
type Sink struct {
	mu  sync.Mutex
	out io.Writer
}

// New checks a configuration.
func New(c Config) (*Sink, error) {
	if c.Out == nil {
		return nil, errors.New("out: nothing to write to")
	}
	return &Sink{out: c.Out}, nil
}

// Deliver implements sink.Sink.
func (s *Sink) Deliver(_ context.Context, d sink.Delivery) (sink.Receipt, error) {
	line, err := json.Marshal(d)
	if err != nil {
		return sink.Receipt{}, sink.Refused(fmt.Errorf("encode delivery %s: %w", d.ID, err))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err = s.out.Write(append(line, '\n'))
	return sink.Receipt{}, err
}
