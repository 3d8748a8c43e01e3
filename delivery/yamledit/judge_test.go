package yamledit_test

import (
	"encoding/binary"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"ferry/delivery/yamledit"
)

// checkSplice holds an edit to what it says: its bytes taken at its line and
// column, its others put there, and nothing else.
func checkSplice(t fataler, src, out string, e yamledit.Edit) {
	t.Helper()
	if (strings.HasPrefix(src, "\xff\xfe") || strings.HasPrefix(src, "\xfe\xff")) && src[:2] != out[:2] {
		t.Fatalf("%q and %q differ in their encoding", src, out)
	}
	src, out = fromUTF16(src), fromUTF16(out)
	at := 0
	if strings.HasPrefix(src, "\ufeff") {
		at = len("\ufeff")
	}
	for range e.Line - 1 {
		i := strings.IndexAny(src[at:], "\r\n\u0085\u2028\u2029")
		if i < 0 {
			t.Fatalf("%q has no line %d", src, e.Line)
		}
		at += i
		_, size := utf8.DecodeRuneInString(src[at:])
		if strings.HasPrefix(src[at:], "\r\n") {
			size = 2
		}
		at += size
	}
	at += e.Column - 1
	if at > len(src) || !strings.HasPrefix(src[at:], e.Before) || src[:at]+e.After+src[at+len(e.Before):] != out {
		t.Fatalf("from %q to %q is not %+v", src, out, e)
	}
}

func utf16le(text string) string {
	var out []byte
	for _, unit := range utf16.Encode([]rune(text)) {
		out = binary.LittleEndian.AppendUint16(out, unit)
	}
	return string(out)
}

// fromUTF16 is the text of a file, whatever its encoding.
func fromUTF16(s string) string {
	var order binary.ByteOrder = binary.LittleEndian
	switch {
	case strings.HasPrefix(s, "\xfe\xff"):
		order = binary.BigEndian
	case !strings.HasPrefix(s, "\xff\xfe"):
		return s
	}
	var units []uint16
	for i := 0; i < len(s); i += 2 {
		units = append(units, order.Uint16([]byte(s[i:i+2])))
	}
	return string(utf16.Decode(units))
}

func utf16be(text string) string {
	out := []byte(utf16le(text))
	for i := 0; i < len(out); i += 2 {
		out[i], out[i+1] = out[i+1], out[i]
	}
	return string(out)
}
