package outbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"ferry/bot/say"
	"ferry/internal/chat"
	"ferry/internal/fault"
)

// Files is a chat system's way to show a file. Errors say what is known as those of
// Chat do; one that wraps ErrGone may have a fault with words for people.
type Files interface {
	// Upload hands over a file that nobody sees yet, and returns its identifier.
	Upload(ctx context.Context, name string, size int64, content io.Reader) (id string, err error)
	// ShareFile shows an uploaded file in a thread, which can be done once. ErrLost says
	// that there is no such upload, or none that was not shared.
	ShareFile(ctx context.Context, thread chat.Thread, id, title string) error
	// FindFile looks for a file in a thread that was shared not before since.
	FindFile(ctx context.Context, thread chat.Thread, id string, since time.Time) (found bool, err error)
}

// ErrLost says that the chat does not know an upload any more.
var ErrLost = errors.New("the upload is lost")

// file is what a row wishes for that is no message: a file, below a message that
// tells of it. It is uploaded, then shared, by the identifier that the upload got:
// that is its key, since files carry no metadata.
type file struct {
	Name  string `json:"name"`  // and title: what its message calls it
	Spool string `json:"spool"` // its content, in Options.Spool
	Size  int64  `json:"size"`
	// Of is the key of the message, Says the line in it that promises the file, and
	// Lost what stands there when there can be none.
	Of   string `json:"of"`
	Says string `json:"says"`
	Lost string `json:"lost"`
	// ID is what the chat calls it, once it is uploaded.
	ID string `json:"id,omitempty"`
	// Doubts counts what speaks for and against its being shared already: that it was
	// not seen, and that it cannot be shared again.
	Doubts int `json:"doubts,omitempty"`
	// Anew counts uploads that the chat did not know any more.
	Anew int `json:"anew,omitempty"`
}

// mostAnew bounds the uploads of a file.
const mostAnew = 3

// sharing is how long a file that was shared may take until it is seen: a chat looks
// into files before it shows them.
const sharing = 15 * time.Second

// prepareFile is prepare for a file.
func (o *Outbox) prepareFile(r *row, now time.Time) (next action, changed bool) {
	switch {
	case r.TS != "":
		return nothing, false
	case o.files == nil || now.Sub(r.Wished) > o.pace.GiveUp:
		return lose, false
	case r.File.ID == "":
		return upload, false
	case r.Posting != nil && now.Sub(*r.Posting) < sharing:
		return settling, false
	case r.Posting != nil:
		return find, false
	default:
		r.Posting = &now
		return share, true
	}
}

// callFile is call for a file. An upload ends with ctx: nobody has seen it.
func (o *Outbox) callFile(ctx context.Context, next action, r *row) error {
	began, lasting := time.Now(), context.WithoutCancel(ctx)
	switch next {
	case upload:
		id, err := o.upload(ctx, r.File)
		o.sent("upload", time.Since(began), err)
		if errors.Is(err, ErrGone) {
			return o.lose(lasting, r, err)
		}
		return errors.Join(err, o.note(lasting, r.Key, func(r *row) { r.File.ID = id }))
	case share:
		err := o.files.ShareFile(lasting, r.Thread, r.File.ID, r.File.Name)
		o.sent("share", time.Since(began), err)
		return o.shared(lasting, r, err)
	case find:
		found, err := o.files.FindFile(lasting, r.Thread, r.File.ID, *r.Posting)
		o.sent("find", time.Since(began), err)
		switch {
		case errors.Is(err, ErrGone):
			return o.lose(lasting, r, err)
		case err != nil:
			return err
		case found:
			return o.shared(lasting, r, nil)
		}
		// It may be shared with the same identifier: only one of the two can come true.
		return o.note(lasting, r.Key, func(r *row) { r.Posting = nil; r.File.Doubts = max(r.File.Doubts, 1) })
	case settling:
		return &Wait{For: time.Until(r.Posting.Add(sharing))}
	case lose:
		return o.lose(lasting, r, fmt.Errorf("could not be sent for %s", o.pace.GiveUp))
	default:
		return nil
	}
}

// upload reads the file and hands it over.
func (o *Outbox) upload(ctx context.Context, f *file) (id string, err error) {
	content, err := os.Open(o.spooled(f.Spool))
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrGone, err)
	}
	defer content.Close()
	id, err = o.files.Upload(ctx, f.Name, f.Size, content)
	if err == nil && id == "" {
		err = errors.New("upload: the answer has no identifier")
	}
	return id, err
}

// shared stores what came of a share.
func (o *Outbox) shared(ctx context.Context, r *row, err error) error {
	_, waits := errors.AsType[*Wait](err)
	switch {
	case err == nil:
		err = o.note(ctx, r.Key, func(r *row) {
			r.TS, r.Posting, r.Sent, r.SentAt = r.File.ID, nil, r.digest, time.Now()
		})
		if err == nil {
			o.drop(r.File.Spool)
		}
		return err
	case errors.Is(err, ErrGone):
		return o.lose(ctx, r, err)
	case errors.Is(err, ErrLost) && r.File.Anew >= mostAnew:
		return o.lose(ctx, r, err)
	case errors.Is(err, ErrLost):
		return errors.Join(err, o.note(ctx, r.Key, (*row).doubt))
	case waits || errors.Is(err, ErrNotSent):
		if saving := o.note(ctx, r.Key, func(r *row) { r.Posting = nil }); saving != nil {
			return saving
		}
	}
	return err // for all else it is not known
}

// doubt is for a file that cannot be shared, for the chat knows no such upload. If it
// was shared before and just not seen it is looked for once more, else uploaded anew.
func (r *row) doubt() {
	if r.File.Doubts == 1 {
		now := time.Now()
		r.File.Doubts, r.Posting = 2, &now
		return
	}
	r.File.ID, r.File.Doubts, r.Posting = "", 0, nil
	r.File.Anew++
}

// note changes a row as fn does.
func (o *Outbox) note(ctx context.Context, key string, fn func(*row)) error {
	return o.change(ctx, key, func(r *row, exists bool) (bool, error) {
		if exists {
			fn(r)
		}
		return exists, nil
	})
}

// lose gives a file up. The message that promises it says so first: what is given up
// is not looked at again.
func (o *Outbox) lose(ctx context.Context, lost *row, why error) error {
	lines := []string{lost.File.Lost}
	if f, ok := errors.AsType[*fault.Error](why); ok {
		m := say.Error(f)
		lines = append(append(lines, m.Title+"."), m.Lines...)
	}
	err := o.change(ctx, lost.File.Of, func(r *row, exists bool) (bool, error) {
		if !exists || len(r.Wish.Lines) == 0 || r.Wish.Lines[0] != lost.File.Says {
			return false, nil // it tells of something else by now
		}
		r.Wish.Lines, r.Wished = lines, time.Now()
		return true, nil
	})
	if err != nil {
		return err
	}
	if err := o.note(ctx, lost.Key, func(r *row) { o.giveUp(r, why.Error()) }); err != nil {
		return err
	}
	o.drop(lost.File.Spool)
	return nil
}

// spooled is where a spooled file is, whatever its row calls it.
func (o *Outbox) spooled(name string) string { return filepath.Join(o.spool, filepath.Base(name)) }

// drop removes a spooled file; one that cannot be removed is when ferry starts again.
func (o *Outbox) drop(name string) {
	if name == "" {
		return
	}
	o.mu.Lock()
	delete(o.own, name)
	o.mu.Unlock()
	if err := os.Remove(o.spooled(name)); err != nil && !os.IsNotExist(err) {
		o.log.Warn("a file that is not needed any more could not be removed", "error", err)
	}
}
