package yamledit

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"unicode/utf16"
	"unicode/utf8"
)

// encoding is how the text of a file is written in bytes.
type encoding int

const (
	inUTF8 encoding = iota
	inUTF16LE
	inUTF16BE
)

// decodeText returns the text of a file as UTF-8, its byte order mark included.
func decodeText(raw []byte) ([]byte, encoding, error) {
	refused := func(why string) ([]byte, encoding, error) {
		return nil, 0, fmt.Errorf("%w: %s", ErrEncoding, why)
	}
	switch {
	case bytes.HasPrefix(raw, []byte("\xff\xfe\x00\x00")):
		return refused("it is UTF-32LE")
	case bytes.HasPrefix(raw, []byte("\x00\x00\xfe\xff")):
		return refused("it is UTF-32BE")
	case bytes.HasPrefix(raw, []byte("\xff\xfe")):
		text, ok := fromUTF16(raw, binary.LittleEndian)
		if !ok {
			return refused("it starts as UTF-16LE and does not go on so")
		}
		return text, inUTF16LE, nil
	case bytes.HasPrefix(raw, []byte("\xfe\xff")):
		text, ok := fromUTF16(raw, binary.BigEndian)
		if !ok {
			return refused("it starts as UTF-16BE and does not go on so")
		}
		return text, inUTF16BE, nil
	case bytes.IndexByte(raw, 0) >= 0:
		return refused("it has zero bytes, as UTF-16 or UTF-32 without a byte order mark have")
	case !utf8.Valid(raw):
		return refused("it is not UTF-8")
	}
	return raw, inUTF8, nil
}

// fromUTF16 is false for what toUTF16 would not write back byte by byte: half
// characters, and halves of pairs. Zeros are no text either.
func fromUTF16(raw []byte, order binary.ByteOrder) ([]byte, bool) {
	if len(raw)%2 != 0 {
		return nil, false
	}
	text := make([]byte, 0, len(raw)/2)
	for i := 0; i < len(raw); i += 2 {
		r := rune(order.Uint16(raw[i:]))
		if utf16.IsSurrogate(r) {
			if i+4 > len(raw) {
				return nil, false
			}
			r = utf16.DecodeRune(r, rune(order.Uint16(raw[i+2:])))
			if r == utf8.RuneError {
				return nil, false
			}
			i += 2
		}
		if r == 0 {
			return nil, false
		}
		text = utf8.AppendRune(text, r)
	}
	return text, true
}

// encode writes UTF-8 text as the file is written.
func (e encoding) encode(text []byte) []byte {
	var order binary.AppendByteOrder = binary.LittleEndian
	switch e {
	case inUTF16BE:
		order = binary.BigEndian
	case inUTF16LE:
	default:
		return text
	}
	out := make([]byte, 0, 2*len(text))
	for _, unit := range utf16.Encode([]rune(string(text))) {
		out = order.AppendUint16(out, unit)
	}
	return out
}
