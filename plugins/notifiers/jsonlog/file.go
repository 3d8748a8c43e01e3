package jsonlog

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// file is one that others may rename or remove.
type file struct {
	f  *os.File
	is fs.FileInfo
}

// open opens the file of that name, unless it is the one that is open.
func (o *file) open(path string) error {
	if o.f != nil {
		if now, err := os.Stat(path); err == nil && os.SameFile(now, o.is) {
			return nil
		}
		o.close()
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return say(path, err)
	}
	is, err := f.Stat()
	if err != nil {
		f.Close()
		return say(path, err)
	}
	o.f, o.is = f, is
	if is.IsDir() || !torn(path, is) {
		return nil
	}
	if _, err := f.Write([]byte{'\n'}); err != nil {
		o.close()
		return say(path, err)
	}
	return nil
}

// torn reports whether a file ends in the middle of a line, as one does whose disk was
// full.
func torn(path string, is fs.FileInfo) bool {
	if !is.Mode().IsRegular() || is.Size() == 0 {
		return false
	}
	f, err := os.Open(path)
	if err != nil {
		return false // it may be written alone
	}
	defer f.Close()
	last := make([]byte, 1)
	_, err = f.ReadAt(last, is.Size()-1)
	return err == nil && last[0] != '\n'
}

// append writes lines with one write. After an error some of them may stand there, the
// last one broken off.
func (o *file) append(path string, lines []byte) error {
	if err := o.open(path); err != nil {
		return err
	}
	_, err := o.f.Write(lines)
	if err == nil && o.is.Mode().IsRegular() {
		err = o.f.Sync()
	}
	if err != nil {
		o.close() // what opens it again looks at how it ends
		return say(path, err)
	}
	return nil
}

func (o *file) close() {
	o.f.Close()
	*o = file{}
}

func say(path string, err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		err = e.Err
	}
	return fmt.Errorf("file: %s: %w", path, err)
}
