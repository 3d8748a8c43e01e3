package forge

import (
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"ferry/delivery/snapshot"
)

const (
	shaA = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	shaB = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
)

// odd is a listing with everything in it that JSON allows.
const odd = ` {"sha":"` + shaA + `","url":"https:\/\/x\/\"y\"","more":{"tree":[{"path":"no","sha":"no"}],"n":[1,-2.5e+10,true,false,null,[[]],{}]},
 "tree" : [ {"path":"a\/ü \"q\" \\ \u00e9\ud83d\ude00.yaml","mode":"100644","type":"blob","size":12,"sha":"` + shaA + `","url":"u"},
	{"url":null,"sha":"` + shaB + `","type":"blob","path":"run","mode":"100755","x":{"path":"not this","sha":["nor",{"sha":"this"}]}},
	{"path":"dir","mode":"040000","type":"tree","sha":"` + shaB + `"},
	{"path":"link","mode":"120000","type":"blob","size":null,"sha":"` + shaA + `"},
	{"path":"module","mode":"160000","type":"commit","sha":"` + shaA + `"},
	{"path":"strange","mode":"100664","type":"blob","sha":"` + shaA + `"} ], "truncated" : true } and more`

func TestListing(t *testing.T) {
	t.Parallel()
	files := []snapshot.Entry{
		{Path: "a/ü \"q\" \\ é😀.yaml", Mode: "100644", Size: 12, SHA: shaA},
		{Path: "run", Mode: "100755", SHA: shaB},
		{Path: "link", Mode: "120000", SHA: shaA},
		{Path: "module", Mode: "160000", SHA: shaA},
		{Path: "strange", Mode: "100664", SHA: shaA},
	}
	folders := []snapshot.Entry{{Path: "dir", Mode: "040000", SHA: shaB}}
	for name, from := range map[string]func() io.Reader{
		"at once":      func() io.Reader { return strings.NewReader(odd) },
		"byte by byte": func() io.Reader { return iotest.OneByteReader(strings.NewReader(odd)) },
		"in halves":    func() io.Reader { return iotest.HalfReader(strings.NewReader(odd)) },
		"with the end": func() io.Reader { return iotest.DataErrReader(strings.NewReader(odd)) },
	} {
		got, err := decodeListing(from(), true)
		if err != nil || !slices.Equal(got.files, files) || !slices.Equal(got.folders, folders) || !got.truncated {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		if got, err := decodeListing(from(), false); err != nil || !slices.Equal(got.files, files) || got.folders != nil {
			t.Errorf("%s, without folders: %+v, %v", name, got, err)
		}
	}
	if got, err := decodeListing(strings.NewReader(`{}`), true); err != nil || got.files != nil || got.truncated {
		t.Errorf("an empty one: %+v, %v", got, err)
	}
}

// TestListingProblems are answers that must not pass for a whole listing.
func TestListingProblems(t *testing.T) {
	t.Parallel()
	whole := strings.TrimSuffix(odd, " and more")
	for n := range whole {
		if got, err := decodeListing(strings.NewReader(whole[:n]), true); err == nil {
			t.Fatalf("%d of %d bytes pass for %+v", n, len(whole), got)
		} else if !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("%d of %d bytes: %v", n, len(whole), err)
		}
	}
	for _, text := range []string{
		``, `null`, `[]`, `"x"`, `{"tree":null}`, `{"tree":{}}`, `{"tree":[{}]}`, `{"tree":[{"path":"a"}]}`, `{"tree":[{"sha":"a"}]}`, `{"tree":[1]}`, `{"tree":[[]]}`,
		`{"tree":[{"path":1,"sha":"a"}]}`, `{"tree":[{"path":"a","sha":"b","size":"1"}]}`, `{"tree":[{"path":"a","sha":"b","size":1.5}]}`, `{"tree":[{"path":"a","sha":"b"},]}`,
		`{"tree":[{"path":"a","sha":"b"} {"path":"c","sha":"d"}]}`, `{"tree":[],}`, `{"tree" []}`, `{tree:[]}`, `{"tree":[{"path":"a` + "\n" + `","sha":"b"}]}`,
		`{"tree":[{"path":"\x","sha":"b"}]}`, `{"x":?}`, `{"x":` + strings.Repeat("1", 40) + `}`, `{"x":` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + `}`,
		`<html>Unicorn!</html>`,
	} {
		if got, err := decodeListing(strings.NewReader(text), true); err == nil {
			t.Errorf("%s passes for %+v", text, got)
		}
	}
	broken := errors.New("broken")
	if _, err := decodeListing(io.MultiReader(strings.NewReader(whole[:100]), iotest.ErrReader(broken)), true); !errors.Is(err, broken) {
		t.Errorf("a connection that breaks: %v", err)
	}
}

// FuzzListing holds the reader against encoding/json, on what both can read.
func FuzzListing(f *testing.F) {
	f.Add(odd, "p", uint16(7))
	f.Add(`{"tree":[{"path":"a","sha":"b","size":-0}],"truncated":false}`, "\xff\n\"\\", uint16(1))
	f.Fuzz(func(t *testing.T, raw, path string, step uint16) {
		got, err := decodeListing(strings.NewReader(raw), true)
		if again, err2 := decodeListing(iotest.OneByteReader(strings.NewReader(raw)), true); (err == nil) != (err2 == nil) || err == nil && !same(got, again) {
			t.Fatalf("byte by byte it is %+v, %v; at once %+v, %v", again, err2, got, err)
		}
		entry := map[string]any{"path": "x" + path, "sha": shaA, "mode": path, "type": "blob", "size": step, path + strings.Repeat("-", 20): raw}
		text, merr := json.Marshal(map[string]any{"a" + path: raw, "tree": []any{entry, entry}, "truncated": step%2 == 0})
		if merr != nil {
			t.Fatal(merr)
		}
		var want struct {
			Tree []struct {
				Path, Mode, SHA string
				Size            int
			}
			Truncated bool
		}
		if err := json.Unmarshal(text, &want); err != nil || path == "" {
			return
		}
		got, err = decodeListing(iotest.HalfReader(strings.NewReader(string(text))), true)
		if err != nil || len(got.files) != 2 || got.truncated != want.Truncated {
			t.Fatalf("%s: %+v, %v", text, got, err)
		}
		for i, e := range got.files {
			w := want.Tree[i]
			if e != (snapshot.Entry{Path: w.Path, Mode: w.Mode, SHA: w.SHA, Size: w.Size}) {
				t.Fatalf("%+v, want %+v", e, w)
			}
		}
	})
}

func same(a, b listed) bool {
	return slices.Equal(a.files, b.files) && slices.Equal(a.folders, b.folders) && a.truncated == b.truncated
}

// TestListingOfManyReads has texts across the ends of what is read at once.
func TestListingOfManyReads(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	text.WriteString(`{"tree":[`)
	const n = 3000
	for i := range n {
		if i > 0 {
			text.WriteByte(',')
		}
		text.WriteString(`{"path":"folder/file-` + strconv.Itoa(i) + `.yaml","mode":"100644","type":"blob","size":1,"sha":"` + shaA + `","url":"https://api.github.com/` + strings.Repeat("x", i%97) + `"}`)
	}
	text.WriteString(`]}`)
	got, err := decodeListing(strings.NewReader(text.String()), false)
	if err != nil || len(got.files) != n {
		t.Fatalf("%d entries, %v", len(got.files), err)
	}
	for i, e := range got.files {
		if want := (snapshot.Entry{Path: "folder/file-" + strconv.Itoa(i) + ".yaml", Mode: "100644", Size: 1, SHA: shaA}); e != want {
			t.Fatalf("%d: %+v", i, e)
		}
	}
}
