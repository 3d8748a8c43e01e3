package yamledit_test

import (
	"fmt"
	"strings"
	"testing"

	"ferry/delivery/yamledit"
)

// large is a file of 500 lines of releases.
func large() []byte {
	var b strings.Builder
	for i := range 62 {
		if i > 0 {
			b.WriteString("---\n")
		}
		fmt.Fprintf(&b, "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata:\n  name: app%d # note\nspec:\n  values:\n    image: {repository: r/app, tag: v%d}\n", i, i)
	}
	b.WriteString("---\nlast: 1\nlists:\n  - a\n  - b\n")
	return []byte(b.String())
}

func TestLargeHas500Lines(t *testing.T) {
	if n := strings.Count(string(large()), "\n"); n != 500 {
		t.Errorf("%d lines", n)
	}
}

func BenchmarkParse(b *testing.B) {
	src := large()
	b.SetBytes(int64(len(src)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := yamledit.Parse(src); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkReplace is one edit with its proof, the first parse not counted.
func BenchmarkReplace(b *testing.B) {
	f, err := yamledit.Parse(large())
	if err != nil {
		b.Fatal(err)
	}
	var site yamledit.Scalar
	for _, s := range f.Scalars() {
		if s.Value == "v31" {
			site = s
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := f.Replace(site, "v32"); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSet is one insertion with its proof, the first parse not counted.
func BenchmarkSet(b *testing.B) {
	f, err := yamledit.Parse(large())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := f.Set(31, "/spec/values/extra/tag", yamledit.Str("v2")); err != nil {
			b.Fatal(err)
		}
	}
}
