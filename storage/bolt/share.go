package bolt

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"time"

	"ferry/internal/fault"
)

// stalled is how long a reader of a copy may take for a part of it. Until it has
// all, writes that make the file grow wait for it.
const stalled = 10 * time.Second

// socket is where the process that holds a state file hands out copies of it: a
// Unix socket beside it, for those alone who may read the file.
func socket(path string) string { return path + ".sock" }

// Share hands out copies of an open state file.
type Share struct {
	db       *DB
	listener net.Listener
	log      *slog.Logger
}

// NewShare begins to listen. A socket that is there was left by a process that
// died: the file's lock says that there is no other.
func NewShare(ctx context.Context, db *DB, log *slog.Logger) (*Share, error) {
	name := socket(db.path)
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("remove an old socket: %w", err)
	}
	l, err := new(net.ListenConfig).Listen(ctx, "unix", name)
	if err == nil {
		err = os.Chmod(name, 0o600)
	}
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", name, err)
	}
	return &Share{db: db, listener: l, log: log}, nil
}

// Run answers, one reader after the other, until ctx ends.
func (s *Share) Run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() {
		if err := s.listener.Close(); err != nil {
			s.log.Warn("close of the state file's socket", "error", err)
		}
	})
	defer stop()
	for {
		c, err := s.listener.Accept()
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return fmt.Errorf("accept on %s: %w", socket(s.db.path), err)
		}
		n, err := s.answer(ctx, c)
		s.log.Info("the state file was copied", "bytes", n, "error", err)
	}
}

func (s *Share) answer(ctx context.Context, c net.Conn) (n int64, err error) {
	stop := context.AfterFunc(ctx, func() {
		if err := c.Close(); err != nil {
			s.log.Debug("close of a copy", "error", err)
		}
	})
	defer func() {
		if stop() {
			err = errors.Join(err, c.Close())
		}
	}()
	w := patient{c}
	return s.db.Copy(w, func(size int64) error {
		_, err := w.Write(binary.BigEndian.AppendUint64(nil, uint64(size)))
		return err
	})
}

// patient is a connection whose other end may not stop reading.
type patient struct{ net.Conn }

func (p patient) Write(b []byte) (int, error) {
	if err := p.SetWriteDeadline(time.Now().Add(stalled)); err != nil {
		return 0, err
	}
	return p.Conn.Write(b)
}

// Shared reports whether a process holds the state file at path and hands out
// copies of it.
func Shared(ctx context.Context, path string) bool {
	c, err := new(net.Dialer).DialContext(ctx, "unix", socket(path))
	return err == nil && c.Close() == nil
}

// CopyOf writes a copy of the state file at path, as it is at this moment: from
// the file itself, or from the process that holds it.
func CopyOf(ctx context.Context, path string, w io.Writer) error {
	c, err := new(net.Dialer).DialContext(ctx, "unix", socket(path))
	if err != nil {
		return copyClosed(path, w)
	}
	var size uint64
	err = binary.Read(c, binary.BigEndian, &size)
	if err == nil {
		_, err = io.CopyN(w, c, int64(size))
	}
	if err = errors.Join(err, c.Close()); err != nil {
		return fmt.Errorf("copy %s from the ferry that holds it: %w", path, err)
	}
	return nil
}

// copyClosed is for a file that nobody holds.
func copyClosed(path string, w io.Writer) error {
	db, err := OpenReadOnly(path)
	if err != nil {
		if e, ok := errors.AsType[*fault.Error](err); ok && e.Code == inUse {
			return e.WithHelp("the process that has it does not hand out copies at %s: stop it first", socket(path))
		}
		return err
	}
	_, err = db.Copy(w, nil)
	return errors.Join(err, db.Close())
}
