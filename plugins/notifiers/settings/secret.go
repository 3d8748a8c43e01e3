package settings

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync"
	"time"

	"ferry/plugins/api"
)

// settled is how old a file must be for its times to tell that it has not changed:
// within one tick of the clock by which a file system writes them it may have.
const settled = 2 * time.Second

// Missing is an error of a file that is not there yet, or is empty: somebody is about to
// write it.
type Missing struct{ error }

func (m Missing) Unwrap() error { return m.error }

// lookAgain is how soon one looks again whether a file is there.
const lookAgain = 2 * time.Second

// Judge is what api.Checker answers where these are the errors: that of a file that is
// missing passes by itself, unless something else is wrong as well.
func Judge(errs ...error) error {
	all := errors.Join(errs...)
	for _, err := range errs {
		if _, missing := errors.AsType[Missing](err); err != nil && !missing {
			return all
		}
	}
	return api.Again(all, lookAgain)
}

// Secret is what stands in a file, without the white space around it. It looks each
// time whether the file changed, so that one that is replaced holds from then on.
type Secret struct {
	// Key names it in errors, Path is the file.
	Key, Path string
	// Judge says what is wrong with a value, without showing it; nil takes any.
	Judge func(string) error

	mu    sync.Mutex
	seen  fs.FileInfo // nil: it has to be read
	value string
}

// Value returns it.
func (s *Secret) Value() (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, err := os.Stat(s.Path)
	if err != nil {
		return "", s.wrong(err)
	}
	if s.seen != nil && os.SameFile(now, s.seen) && now.ModTime().Equal(s.seen.ModTime()) && now.Size() == s.seen.Size() {
		return s.value, nil
	}
	s.seen = nil
	value, err := s.read()
	if err != nil {
		return "", s.wrong(err)
	}
	if time.Since(now.ModTime()) > settled {
		s.seen, s.value = now, value
	}
	return value, nil
}

// most is the largest secret that is one.
const most = 64 << 10

func (s *Secret) read() (string, error) {
	f, err := os.Open(s.Path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return "", err
	}
	value := strings.TrimSpace(string(text))
	switch {
	case value == "":
		return "", Missing{errors.New("it is empty")}
	case len(text) > most:
		return "", errors.New("it is larger than 64 KiB: that is no secret")
	case s.Judge != nil:
		err = s.Judge(value)
	}
	return value, err
}

func (s *Secret) wrong(err error) error {
	missing := errors.Is(err, fs.ErrNotExist)
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		err = e.Err
	}
	if missing {
		err = Missing{err}
	}
	return fmt.Errorf("%s: %s: %w", s.Key, s.Path, err)
}
