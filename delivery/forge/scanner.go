package forge

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
)

// deepest is how far values that are passed over may be nested.
const deepest = 100

// scanner reads JSON from a stream, value by value, for who knows what is in it.
// It takes every JSON text; that what it takes is one it does not promise.
type scanner struct {
	from io.Reader
	buf  []byte   // what was read
	at   int      // and is not used yet from here on
	raw  []byte   // a text that came in several reads
	num  [32]byte // a number, true, false or null
	key  [16]byte // a key; no name that is known is as long

	path, sha, word []byte // of the entry that is read
}

// byte returns the next byte and leaves it there.
func (d *scanner) byte() (byte, error) {
	for d.at == len(d.buf) {
		n, err := d.from.Read(d.buf[:cap(d.buf)])
		d.buf, d.at = d.buf[:n], 0
		if n == 0 && err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return 0, fmt.Errorf("read listing: %w", err)
		}
	}
	return d.buf[d.at], nil
}

// next returns the first byte of a value, or what stands between values, and
// leaves it there.
func (d *scanner) next() (byte, error) {
	for {
		c, err := d.byte()
		if err != nil || c != ' ' && c != '\n' && c != '\r' && c != '\t' {
			return c, err
		}
		d.at++
	}
}

// take demands a byte.
func (d *scanner) take(want byte) error {
	c, err := d.next()
	if err == nil && c != want {
		err = fmt.Errorf("read listing: %q where %q is wanted", c, want)
	}
	d.at++
	return err
}

// object calls fn after each key of an object; fn reads the value.
func (d *scanner) object(fn func(key []byte) error) error {
	return d.items('{', '}', func() error {
		key, err := d.bytes()
		if err != nil {
			return err
		}
		n := copy(d.key[:], key) // which the next read may overwrite
		if err := d.take(':'); err != nil {
			return err
		}
		return fn(d.key[:n])
	})
}

// array calls fn for each value of an array, which reads it.
func (d *scanner) array(fn func() error) error { return d.items('[', ']', fn) }

func (d *scanner) items(from, to byte, fn func() error) error {
	if err := d.take(from); err != nil {
		return err
	}
	for first := true; ; first = false {
		c, err := d.next()
		switch {
		case err != nil:
			return err
		case c == to && first:
			d.at++
			return nil
		}
		if err := fn(); err != nil {
			return err
		}
		switch c, err := d.next(); {
		case err != nil:
			return err
		case c == to:
			d.at++
			return nil
		}
		if err := d.take(','); err != nil {
			return err
		}
	}
}

// bytes reads a text, as it is written: without the quotes, with the escapes. It is
// good until something else is read.
func (d *scanner) bytes() ([]byte, error) {
	if err := d.take('"'); err != nil {
		return nil, err
	}
	if n := bytes.IndexByte(d.buf[d.at:], '"'); n >= 0 {
		if text := d.buf[d.at : d.at+n]; bytes.IndexByte(text, '\\') < 0 {
			d.at += n + 1
			return text, nil
		}
	}
	d.raw = d.raw[:0]
	for escaped := false; ; d.at++ {
		c, err := d.byte()
		switch {
		case err != nil:
			return nil, err
		case c == '"' && !escaped:
			d.at++
			return d.raw, nil
		}
		d.raw = append(d.raw, c)
		escaped = c == '\\' && !escaped
	}
}

// text appends what a text means to some bytes; null is none. What is not plain
// ASCII is left to the library.
func (d *scanner) text(to []byte) ([]byte, error) {
	if c, err := d.next(); err != nil {
		return to, err
	} else if c == 'n' {
		_, err := d.literal()
		return to, err
	}
	b, err := d.bytes()
	if err != nil {
		return to, err
	}
	for _, c := range b {
		if c != '\\' && c >= ' ' && c < 0x80 {
			continue
		}
		var s string
		if err := json.Unmarshal(slices.Concat([]byte{'"'}, b, []byte{'"'}), &s); err != nil {
			return to, fmt.Errorf("read listing: %w", err)
		}
		return append(to, s...), nil
	}
	return append(to, b...), nil
}

// literal reads a number, true, false or null. It is good until the next one.
func (d *scanner) literal() ([]byte, error) {
	if _, err := d.next(); err != nil {
		return nil, err
	}
	for n := range d.num {
		c, err := d.byte()
		if err != nil {
			return nil, err
		}
		if c != '-' && c != '+' && c != '.' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && c != 'E' {
			if n == 0 {
				return nil, fmt.Errorf("read listing: %q where a value is wanted", c)
			}
			return d.num[:n], nil
		}
		d.num[n] = c
		d.at++
	}
	return nil, fmt.Errorf("read listing: %q… is no value", d.num)
}

// skip passes over a value.
func (d *scanner) skip(depth int) error {
	c, err := d.next()
	switch {
	case err != nil:
		return err
	case depth > deepest:
		return errors.New("read listing: it is nested too deeply")
	case c == '"':
		_, err = d.bytes()
	case c == '{':
		err = d.object(func([]byte) error { return d.skip(depth + 1) })
	case c == '[':
		err = d.array(func() error { return d.skip(depth + 1) })
	default:
		_, err = d.literal()
	}
	return err
}
