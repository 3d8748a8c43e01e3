// Package jsonlog is the notifier log: it appends notifications to a file as JSON
// lines, one each, and has them on the disk before it says so. It is at least once: a
// line that was written right before a crash is written again, with the same id. A file
// that was renamed or removed meanwhile (logrotate) is made anew.
package jsonlog

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"sync"

	"ferry/plugins/api"
	"ferry/plugins/notifiers/settings"
)

//go:embed schema.json
var schema []byte

// Notifier appends lines.
type Notifier struct {
	Version string

	once settings.Once[config]
	mu   sync.Mutex
	to   file
}

type config struct {
	File string `yaml:"file"`
}

// New returns a notifier of a version.
func New(version string) *Notifier { return &Notifier{Version: version} }

// Info implements api.Notifier.
func (n *Notifier) Info() api.Info {
	return api.Info{
		Name: "log", Version: n.Version, Schema: schema, Docs: "docs/notifiers.md#log",
		Description: "Appends notifications to a file, a line of JSON each",
	}
}

func read(text []byte) (*config, error) {
	var c config
	if err := settings.Read(text, &c); err != nil {
		return nil, err
	}
	switch c.File {
	case "":
		return nil, fmt.Errorf("file is missing: name one, such as /var/log/ferry/alerts.jsonl")
	case "stdout", "stderr", "-":
		return nil, fmt.Errorf("file: %s is ferry's own: name a file, such as /var/log/ferry/alerts.jsonl", c.File)
	}
	return &c, settings.Path("file", c.File)
}

// Check implements api.Checker. It makes the file if there is none.
func (n *Notifier) Check(_ context.Context, r api.CheckRequest) error {
	c, err := n.once.Of(r.Config, read)
	if err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.to.open(c.File); err != nil {
		return err
	}
	return settings.Nowhere(r.To...)
}

// Deliver implements api.Notifier.
func (n *Notifier) Deliver(ctx context.Context, of api.Notification) (api.Receipt, error) {
	return api.Receipt{}, n.DeliverAll(ctx, []api.Notification{of})[0].Err
}

// DeliverAll implements api.Batcher: with one write.
func (n *Notifier) DeliverAll(ctx context.Context, all []api.Notification) []api.Outcome {
	out := make([]api.Outcome, len(all))
	fail := func(err error) {
		for i := range out {
			if out[i].Err == nil {
				out[i].Err = err
			}
		}
	}
	c, err := n.once.Of(all[0].Config, read)
	if err != nil {
		fail(err)
		return out
	}
	var lines []byte
	for i := range all {
		line, err := json.Marshal(&all[i])
		if err != nil {
			err = fmt.Errorf("encode delivery %s: %w", all[i].ID, err)
		} else {
			err = settings.Nowhere(all[i].To)
		}
		if out[i].Err = err; err == nil {
			lines = append(append(lines, line...), '\n')
		}
	}
	if len(lines) == 0 {
		return out
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	err = ctx.Err() // those who waited behind a disk that hangs are tried again by now
	if err == nil {
		err = n.to.append(c.File, lines)
	}
	fail(api.Again(err, 0))
	return out
}
