// Package settings is how the shipped notifiers know what they are configured to do: a
// configuration is read once, strictly, because that of a process never changes;
// secrets stand in files, which are read again when they changed. What it says of
// something wrong names the key, and never a secret.
package settings

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"sync"

	"gopkg.in/yaml.v3"
)

// Once keeps what a configuration was read as. Its zero value is ready.
type Once[T any] struct {
	mu   sync.Mutex
	text []byte
	of   *T
}

// Of returns what read makes of a configuration, and asks it only for another one
// than the last. An error is not kept.
func (o *Once[T]) Of(text []byte, read func([]byte) (*T, error)) (*T, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.of != nil && bytes.Equal(o.text, text) {
		return o.of, nil
	}
	made, err := read(text)
	if err != nil {
		return nil, err
	}
	o.text, o.of = bytes.Clone(text), made
	return made, nil
}

// Read reads YAML into a struct; a key that it does not know is an error. Nothing
// leaves it as it is.
func Read(text []byte, into any) error {
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	err := d.Decode(into)
	wrong, ok := errors.AsType[*yaml.TypeError](err)
	switch {
	case err == nil, errors.Is(err, io.EOF):
		return nil
	case !ok:
		return errors.New("the configuration is no YAML")
	}
	// The library's words show values, which may be secrets.
	says := make([]string, len(wrong.Errors))
	for i, e := range wrong.Errors {
		at, what, _ := strings.Cut(e, ": ")
		key, unknown := strings.CutPrefix(what, "field ")
		switch key, _, _ = strings.Cut(key, " not found in type "); {
		case unknown:
			says[i] = fmt.Sprintf("%s: there is no key %q", at, key)
		case strings.Contains(what, "already defined"):
			says[i] = e
		default:
			says[i] = at + ": a value of another kind is expected"
		}
	}
	return errors.New("the configuration: " + strings.Join(says, "; "))
}

// Path checks a file's name. It is absolute because a plugin runs in a folder of its
// own, which is removed when it ends.
func Path(key, path string) error {
	switch {
	case path == "":
		return fmt.Errorf("%s is missing: name a file, such as /run/secrets/ferry/%s", key, strings.TrimSuffix(key, "_file"))
	case !filepath.IsAbs(path):
		return fmt.Errorf("%s: %q is not absolute: a plugin runs in a folder of its own; write it with all folders from /", key, path)
	}
	return nil
}

// Nowhere refuses a receiver that a route names for a notifier that has the one of
// its configuration alone.
func Nowhere(to ...string) error {
	for _, one := range to {
		if one != "" {
			return fmt.Errorf("to: %q: it has the one place that its configuration names; leave `to` out, and give another place a notifier of its own", one)
		}
	}
	return nil
}
