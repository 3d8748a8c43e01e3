package outbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"

	"ferry/internal/chat"
)

// maxFile is the most bytes of a stream that become a file.
const maxFile = 16 << 20

const (
	spoolName = "output-*" // of spooled files
	mostName  = 100        // bytes of its name
)

// whole is all that was written to a stream. What does not fit into its message is
// kept on disk, so that a person gets it all and memory holds none of it.
type whole struct {
	lines  int
	begun  bool // a line has begun and not ended
	name   string
	file   *os.File // nil until it is needed
	size   int64
	over   bool // more was written than a file holds
	broken bool // it could not be written
}

// count takes note of what is written.
func (w *whole) count(p []byte) {
	w.lines += bytes.Count(p, []byte("\n"))
	if len(p) > 0 {
		w.begun = p[len(p)-1] != '\n'
	}
}

// all is how many lines there are.
func (w *whole) all() int {
	if w.begun {
		return w.lines + 1
	}
	return w.lines
}

// keep writes to disk. That it cannot be written is told in the message, and once in
// the log.
func (s *stream) keep(p []byte) {
	w := &s.whole
	if s.o.spool == "" || s.o.files == nil || w.broken || w.over {
		return
	}
	err := s.create()
	if err == nil {
		if most := maxFile - w.size; int64(len(p)) > most {
			p, w.over = p[:wholeLines(p, int(most))], true
		}
		var n int
		n, err = w.file.Write(p)
		w.size += int64(n)
	}
	if err != nil {
		w.broken = true
		s.o.log.Error("output could not be kept", "key", s.key, "error", err)
	}
}

// wholeLines is how much of p, at most so much, are whole lines.
func wholeLines(p []byte, most int) int {
	if i := bytes.LastIndexByte(p[:most], '\n'); i >= 0 {
		return i + 1
	}
	return most
}

// create makes the file with what is in memory yet.
func (s *stream) create() error {
	w := &s.whole
	if w.file != nil {
		return nil
	}
	file, err := s.o.openSpool()
	if err != nil {
		return err
	}
	w.file = file
	n, err := w.file.Write(s.text)
	w.size = int64(n)
	return err
}

// Name implements chat.Namer.
func (s *stream) Name(file string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.whole.name = file
}

// finish ends what is on disk, and returns the line that tells of it and the file that
// it promises, if any. s.closed is set.
func (s *stream) finish() (says string, promised *file) {
	w := &s.whole
	if !s.cut {
		return "", nil
	}
	count := fmt.Sprintf("%d lines", w.all())
	if w.all() == 1 {
		count = "One line"
	}
	spooled, lost := "", count+", of which only the end is here"
	switch {
	case w.file == nil && !w.broken:
		return lost + ".", nil
	case w.file != nil:
		if err := errors.Join(w.file.Sync(), w.file.Close()); err != nil {
			w.broken = true
			s.o.log.Error("output could not be kept", "key", s.key, "error", err)
		}
		spooled = filepath.Base(w.file.Name())
	}
	if w.broken {
		s.o.drop(spooled)
		return lost + ": the rest could not be kept, and ferry's log says why.", nil
	}
	name := fileName(w.name, s.title)
	says = fmt.Sprintf("%s: the end is shown here, all of it is in the file `%s`.", count, name)
	if w.over {
		says = fmt.Sprintf("%s: the end is shown here, the first %d MiB are in the file `%s`.", count, maxFile>>20, name)
	}
	return says, &file{Name: name, Spool: spooled, Size: w.size, Of: s.key, Says: says, Lost: lost + ": the file with all of it could not be sent."}
}

// wish puts the file below its message.
func (o *Outbox) wish(ctx context.Context, thread chat.Thread, f *file) error {
	key := fmt.Sprintf("%s/file/%x", f.Of, time.Now().UnixNano())
	return o.change(ctx, key, func(r *row, _ bool) (bool, error) {
		*r = row{Key: key, Seq: o.nextSeq(), Thread: thread, Put: time.Now(), Wished: time.Now(), File: f}
		r.Wish.Final = true
		return true, nil
	})
}

// fileName is a name that is safe wherever the file is saved: the one that somebody
// gave it, else one made of the first word of the title.
func fileName(name, title string) string {
	safe := func(s string) string {
		s = strings.Map(func(r rune) rune {
			if unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("._- ", r) {
				return r
			}
			return -1
		}, path.Base(strings.ReplaceAll(s, `\`, "/")))
		return strings.Trim(clip(s, mostName), ". ")
	}
	if name = safe(name); name == "" {
		first, _, _ := strings.Cut(title, " ")
		if name = safe(first); name == "" {
			name = "output"
		}
	}
	if path.Ext(name) == "" {
		name += ".txt"
	}
	return name
}

// clip cuts a text between characters.
func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "")
}

// openSpool makes a file, and the folder if it is not there. It is this process's own
// until a row promises it.
func (o *Outbox) openSpool() (*os.File, error) {
	if err := os.MkdirAll(o.spool, 0o700); err != nil {
		return nil, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	file, err := os.CreateTemp(o.spool, spoolName)
	if err == nil {
		o.own[filepath.Base(file.Name())] = true
	}
	return file, err
}

// sweep removes what no row promises: the output of streams that an earlier process
// did not end.
func (o *Outbox) sweep(promised []string) {
	if o.spool == "" {
		return
	}
	found, err := filepath.Glob(filepath.Join(o.spool, spoolName))
	if err != nil {
		o.log.Warn("output of earlier could not be looked for", "error", err)
		return
	}
	for _, path := range found {
		name := filepath.Base(path)
		o.mu.Lock()
		own := o.own[name]
		o.mu.Unlock()
		if !own && !slices.Contains(promised, name) {
			o.drop(name)
		}
	}
}
