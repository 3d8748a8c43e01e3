package bottest

import (
	"context"
	"fmt"
	"io"
	"time"

	"ferry/bot/outbox"
	"ferry/internal/chat"
)

// File is a file as a Chat has it.
type File struct {
	ID, Name, Title string
	Content         string
	Thread          chat.Thread
	After           int // how many messages there were when it was shared
	Shared          bool
}

// Upload implements outbox.Files.
func (c *Chat) Upload(_ context.Context, name string, size int64, content io.Reader) (id string, err error) {
	err = c.call("upload", name, func() error {
		text, err := io.ReadAll(content)
		if err != nil || int64(len(text)) != size {
			return fmt.Errorf("%d bytes of %d, %w", len(text), size, err)
		}
		id = fmt.Sprintf("F%d", len(c.files)+1)
		c.files = append(c.files, &File{ID: id, Name: name, Content: string(text)})
		return nil
	})
	return id, err
}

// ShareFile implements outbox.Files: a file can be shared once.
func (c *Chat) ShareFile(_ context.Context, thread chat.Thread, id, title string) error {
	return c.call("share", id, func() error {
		for _, f := range c.files {
			if f.ID == id && !f.Shared {
				f.Shared, f.Thread, f.Title, f.After = true, thread, title, len(c.posts)
				return nil
			}
		}
		return outbox.ErrLost
	})
}

// FindFile implements outbox.Files.
func (c *Chat) FindFile(_ context.Context, thread chat.Thread, id string, _ time.Time) (found bool, err error) {
	err = c.call("look", id, func() error {
		for _, f := range c.files {
			found = found || f.ID == id && f.Shared && f.Thread == thread && !c.Hidden
		}
		return nil
	})
	return found, err
}

// Forget makes the chat forget what is uploaded and not shared.
func (c *Chat) Forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range c.files {
		if !f.Shared {
			f.ID = "gone"
		}
	}
}

// Show ends Hidden.
func (c *Chat) Show() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.Hidden = false
}

// Shared returns the files that people see.
func (c *Chat) Shared() (out []File) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range c.files {
		if f.Shared {
			out = append(out, *f)
		}
	}
	return out
}
