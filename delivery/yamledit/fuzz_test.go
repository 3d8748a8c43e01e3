package yamledit_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"ferry/delivery/yamledit"
)

// readable reports what the judges' parser reads as well: only that they can
// judge.
func readable(src []byte) bool {
	defer func() { _ = recover() }() // of that parser
	dec := yaml.NewDecoder(bytes.NewReader(src))
	for {
		var n yaml.Node
		if err := dec.Decode(&n); err != nil {
			return errors.Is(err, io.EOF)
		}
		if len(n.Content) == 0 {
			return false
		}
	}
}

// known are the errors that an edit may be refused with.
func known(err error) bool {
	for _, kind := range []error{yamledit.ErrShape, yamledit.ErrProof, yamledit.ErrAmbiguous, yamledit.ErrExists, yamledit.ErrMissing} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}

// FuzzParse reads any bytes: it never panics, and what it finds it finds again.
func FuzzParse(f *testing.F) {
	for _, table := range [][]edit{measured, further, seen} {
		for _, e := range table {
			f.Add([]byte(e.src))
		}
	}
	for seed := range uint64(20) {
		f.Add(newShapes(seed).file())
	}
	f.Add([]byte("\xff\xfea\x00"))
	f.Fuzz(func(t *testing.T, src []byte) {
		file, err := yamledit.Parse(src)
		if err != nil {
			return
		}
		file.Encrypted()
		text := fromUTF16(string(src))
		for i, s := range file.Scalars() {
			if i > 50 {
				return
			}
			if s.Line < 1 || s.Column < 1 || s.Line > len(text)+1 {
				t.Fatalf("%s at line %d, column %d of %q", s.Path, s.Line, s.Column, src)
			}
			// Behind a key that is an alias or stands twice no pointer leads.
			if kind, ok := file.Lookup(s.Doc, s.Path); ok && kind != yamledit.KindScalar && kind != yamledit.KindNone {
				t.Fatalf("%s is a %s in %q", s.Path, kind, src)
			}
			if sub, err := file.Inside(s); err == nil {
				sub.Scalars()
			}
		}
	})
}

// FuzzReplace edits every scalar of any file: it is refused, or right.
func FuzzReplace(f *testing.F) {
	for _, table := range [][]edit{measured, further, seen} {
		for _, e := range table {
			f.Add([]byte(e.src), e.value)
		}
	}
	for seed := range uint64(20) {
		f.Add(newShapes(seed).file(), versions[int(seed)%len(versions)])
	}
	f.Fuzz(func(t *testing.T, src []byte, value string) {
		file, err := yamledit.Parse(src)
		if err != nil || !readable(src) {
			return
		}
		before := leaves(t, src)
		for i, s := range file.Scalars() {
			if i > 20 {
				return
			}
			out, e, err := file.Replace(s, value)
			if err != nil {
				if !known(err) {
					t.Fatalf("%q: %v", src, err)
				}
				continue
			}
			checkSplice(t, string(src), string(out), e)
			after := leaves(t, out)
			key := strconv.Itoa(s.Doc) + s.Path
			for k, v := range before {
				if now, ok := after[k]; !ok || now != v && k != key {
					t.Fatalf("%s was %q and became %q in %q", k, v, now, out)
				}
			}
			if now, ok := after[key]; ok && !strings.HasSuffix(now, " "+value) {
				t.Fatalf("%s reads %q in %q", key, now, out)
			}
		}
	})
}

// FuzzInsert puts in and takes out at any place of any file.
func FuzzInsert(f *testing.F) {
	for i, c := range append(append(append([]insertion{}, sets...), appends...), documents...) {
		f.Add([]byte(c.src), uint16(i), uint8(i), "key", "v2")
	}
	for i, c := range removals {
		f.Add([]byte(c.src), uint16(i), uint8(2), "", "")
	}
	for seed := range uint64(20) {
		f.Add(newShapes(seed).file(), uint16(seed*7), uint8(seed), "q: x", versions[int(seed)%len(versions)])
	}
	f.Fuzz(func(t *testing.T, src []byte, place uint16, op uint8, key, value string) {
		file, err := yamledit.Parse(src)
		if err != nil || !readable(src) {
			return
		}
		places := spots(t, src)
		if len(places) == 0 {
			return
		}
		s := places[int(place)%len(places)]
		node := yamledit.Str(value)
		if op&8 != 0 {
			node = yamledit.Literal(value)
		}
		if op&16 != 0 {
			node = yamledit.Map(yamledit.Pair{Key: "k", Value: node}, yamledit.Pair{Key: "l", Value: yamledit.List(node)})
		}
		var out []byte
		var e yamledit.Edit
		switch op % 4 {
		case 0:
			out, e, err = file.Set(s.doc, s.path+"/"+yamledit.EscapePointer(key), node)
		case 1:
			out, e, err = file.Append(s.doc, s.path, node)
		case 2:
			out, e, err = file.Remove(s.doc, s.path, s.path[:max(strings.LastIndexByte(s.path, '/'), 0)])
		case 3:
			out, e, err = file.AddDocument(node)
		}
		if err != nil {
			if !known(err) {
				t.Fatalf("%q: %v", src, err)
			}
			return
		}
		checkSplice(t, string(src), string(out), e)
		if op%4 == 2 {
			judgeRemoved(t, src, out, s)
		} else {
			judgeInserted(t, src, out, s, op%4 == 3)
		}
	})
}

// judgeInserted: all values stay, and new ones are at the place or in a new
// document.
func judgeInserted(t fataler, src, out []byte, s spot, document bool) {
	t.Helper()
	before, after := leaves(t, src), leaves(t, out)
	place := fmt.Sprint(s.doc, s.path)
	docs := 0
	for k := range before {
		n, err := strconv.Atoi(strings.SplitN(k, "/", 2)[0])
		if err != nil {
			t.Fatalf("%q", k)
		}
		docs = max(docs, n+1)
	}
	for k, v := range before {
		if now := after[k]; now != v && !(k == place && len(s.node.Content) == 0) && !(document && k == strconv.Itoa(docs-1)) {
			t.Fatalf("%s was %q and became %q in %q", k, v, now, out)
		}
	}
	for k := range after {
		_, old := before[k]
		if !old && !strings.HasPrefix(k, place) && !(document && (strings.HasPrefix(k, strconv.Itoa(docs)) || strings.HasPrefix(k, strconv.Itoa(docs-1)))) {
			t.Fatalf("%s is new in %q", k, out)
		}
	}
}

// judgeRemoved: what is left was there, and the rest was at the place.
func judgeRemoved(t fataler, src, out []byte, s spot) {
	t.Helper()
	count := map[string]int{}
	place := fmt.Sprint(s.doc, s.path)
	for k, v := range leaves(t, src) {
		if k != place && !strings.HasPrefix(k, place+"/") {
			count[v]++
		}
	}
	for _, v := range leaves(t, out) {
		count[v]--
	}
	for v, n := range count {
		if n != 0 && !(n == -1 && strings.HasSuffix(v, emptied)) {
			t.Fatalf("%d of %q after %s went from %q: %q", -n, v, s.path, src, out)
		}
	}
}
