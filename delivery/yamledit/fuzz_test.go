package yamledit_test

import (
	"testing"

	"ferry/delivery/yamledit"
)

// FuzzReplace edits every scalar of any file: it is refused, or right.
func FuzzReplace(f *testing.F) {
	for _, table := range [][]edit{measured, further, seen} {
		for _, e := range table {
			f.Add([]byte(e.src), e.value)
		}
	}
	f.Fuzz(func(t *testing.T, src []byte, value string) {
		file, err := yamledit.Parse(src)
		if err != nil {
			return
		}
		for i, s := range file.Scalars() {
			if i > 20 {
				return
			}
			out, _, err := file.Replace(s, value)
			if err != nil {
				continue
			}
			again, err := yamledit.Parse(out)
			if err != nil {
				t.Fatalf("%q does not parse after the edit of %s: %v", out, s.Path, err)
			}
			if len(again.Scalars()) < len(file.Scalars()) {
				t.Fatalf("%q lost values", out)
			}
		}
	})
}
