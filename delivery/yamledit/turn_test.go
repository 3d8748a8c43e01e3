package yamledit_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"ferry/delivery/yamledit"
)

// TestTurn: one token becomes true, or it is said why not.
func TestTurn(t *testing.T) {
	t.Parallel()
	const path = "/spec/suspend"
	for _, c := range []struct {
		name, src, before string // before is the token; it becomes true
		err               error
	}{
		{name: "plain", src: "spec:\n  suspend: false\n  x: 1\n", before: "false"},
		{name: "with a comment", src: "spec:\n  suspend: false # for now: false\n", before: "false"},
		{name: "no final newline", src: "spec:\n  suspend: false", before: "false"},
		{name: "CRLF", src: "spec:\r\n  suspend: false\r\n  x: 1\r\n", before: "false"},
		{name: "a flow map", src: "spec: {suspend: false, x: [false]}\n", before: "false"},
		{name: "shouted", src: "spec:\n  suspend: FALSE\n", before: "FALSE"},
		{name: "null", src: "spec:\n  suspend: null\n  x: ~\n", before: "null"},
		{name: "tagged", src: "spec:\n  suspend: !!bool false\n", before: "false"},
		{name: "an anchor", src: "spec:\n  suspend: &off false\n", before: "false"},
		{name: "beside another", src: "a: {suspend: false}\nspec:\n  suspend: false\n", before: "false"},
		{name: "UTF-16", src: utf16le("\ufeffspec:\n  suspend: false\n"), before: "false"},
		{name: "true already", src: "spec:\n  suspend: true\n", err: yamledit.ErrExists},
		{name: "True already", src: "spec:\n  suspend: True\n", err: yamledit.ErrExists},
		{name: "a string", src: "spec:\n  suspend: \"false\"\n", err: yamledit.ErrShape},
		{name: "a variable", src: "spec:\n  suspend: ${OFF:=false}\n", err: yamledit.ErrShape},
		{name: "a number", src: "spec:\n  suspend: 0\n", err: yamledit.ErrShape},
		{name: "tagged as null", src: "spec:\n  suspend: !!null null\n", err: yamledit.ErrProof},
		{name: "a key elsewhere", src: "spec:\n  suspend: &off false\nx:\n  *off : 1\n", err: yamledit.ErrShape},
		{name: "twice", src: "spec:\n  suspend: false\n  suspend: false\n", err: yamledit.ErrAmbiguous},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f, err := yamledit.Parse([]byte(c.src))
			if err != nil {
				t.Fatal(err)
			}
			s := scalar(t, f, path)
			out, e, err := f.Turn(s, true)
			if c.err != nil {
				if !errors.Is(err, c.err) || out != nil {
					t.Fatalf("%v, want %v: %q", err, c.err, out)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			checkSplice(t, c.src, string(out), e)
			if e.Before != c.before || e.After != "true" || e.Line != s.Line || e.Column != s.Column {
				t.Errorf("%+v", e)
			}
			if got := leaves(t, out)["0"+path]; strings.Replace(got, " &off", "", 1) != "!!bool true" {
				t.Errorf("it reads %q in %q", got, out)
			}
		})
	}
}

// TestTurnInside turns a value within an inline patch.
func TestTurnInside(t *testing.T) {
	t.Parallel()
	for _, src := range []string{
		"patches:\n- patch: |\n    kind: X\n    spec:\n      suspend: false # inside\n  target: {kind: X}\n",
		"patches:\n- patch: |-\r\n    spec: {suspend: false}\r\n",
		"patches:\n- patch: \"kind: X\\nspec: {suspend: false}\\n\"\n",
	} {
		f, err := yamledit.Parse([]byte(src))
		if err != nil {
			t.Fatal(err)
		}
		outer := scalar(t, f, "/patches/0/patch")
		sub, err := f.Inside(outer)
		if err != nil {
			t.Fatal(err)
		}
		out, e, err := f.TurnInside(outer, sub, scalar(t, sub, "/spec/suspend"), true)
		if err != nil {
			t.Fatalf("%q: %v", src, err)
		}
		checkSplice(t, src, string(out), e)
		if wanted := strings.Replace(src, "suspend: false", "suspend: true", 1); string(out) != wanted {
			t.Errorf("%q", out)
		}
	}
}

// TestTurnAtRandom: whatever the file, every other value stays.
func TestTurnAtRandom(t *testing.T) {
	atRandom(t, edits(t), func(t fataler, g *shapes) {
		_, f := g.draw(t)
		for i := range f.Docs() {
			put, _, err := f.Set(i, "/spec2/suspend", yamledit.Bool(false))
			if err != nil {
				continue // no map
			}
			checkTurn(t, put, i)
			return
		}
	})
}

// FuzzTurn turns every scalar of any file: it is refused, or one value is true.
func FuzzTurn(f *testing.F) {
	for seed := range uint64(20) {
		f.Add(newShapes(seed).file())
	}
	for _, src := range []string{"a: false", "a: {b: False, c: ~}\n", "- &x NULL\n- *x\n", "? false\n: false\n", "a: !!bool false # b\n"} {
		f.Add([]byte(src))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		file, err := yamledit.Parse(src)
		if err != nil || !readable(src) {
			return
		}
		before := leaves(t, src)
		for i, s := range file.Scalars() {
			if i > 20 {
				return
			}
			out, e, err := file.Turn(s, true)
			if err != nil {
				if !known(err) {
					t.Fatalf("%q: %v", src, err)
				}
				continue
			}
			checkSplice(t, string(src), string(out), e)
			key := fmt.Sprint(s.Doc, s.Path)
			for k, now := range leaves(t, out) {
				if was, ok := before[k]; !ok || now != was && k != key || k == key && !strings.HasSuffix(now, " true") {
					t.Fatalf("%s was %q and became %q in %q", k, was, now, out)
				}
			}
		}
	})
}

// checkTurn turns what was put in, and back.
func checkTurn(t fataler, put []byte, doc int) {
	t.Helper()
	before, now := leaves(t, put), put
	for _, on := range []bool{true, false} {
		f, err := yamledit.Parse(now)
		if err != nil {
			t.Fatalf("%v in %q", err, now)
		}
		var s yamledit.Scalar
		for _, one := range f.Scalars() {
			if one.Doc == doc && one.Path == "/spec2/suspend" {
				s = one
			}
		}
		out, e, err := f.Turn(s, on)
		if err != nil {
			t.Fatalf("turn %q: %v", now, err)
		}
		checkSplice(t, string(now), string(out), e)
		key := fmt.Sprint(doc, "/spec2/suspend")
		for k, v := range leaves(t, out) {
			if was := before[k]; k == key && v != fmt.Sprint("!!bool ", on) || k != key && v != was {
				t.Fatalf("%s was %q and became %q in %q", k, was, v, out)
			}
		}
		now = out
	}
	if string(now) != string(put) {
		t.Fatalf("there and back %q became %q", put, now)
	}
}

func scalar(t *testing.T, f *yamledit.File, path string) yamledit.Scalar {
	t.Helper()
	for _, s := range f.Scalars() {
		if s.Path == path {
			return s
		}
	}
	t.Fatalf("there is no %s", path)
	return yamledit.Scalar{}
}
