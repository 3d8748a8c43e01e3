package github

import (
	"bytes"
	"os/exec"
	"testing"
	"testing/fstest"
	"time"
)

func FuzzTree(f *testing.F) {
	f.Add([]byte{})
	f.Add(append([]byte("100644 a\x00"), bytes.Repeat([]byte{1}, 20)...))
	f.Add(append([]byte("40000 d\x00"), bytes.Repeat([]byte{1}, 20)...))
	f.Add([]byte("100644 a\x00short"))
	f.Fuzz(func(t *testing.T, data []byte) {
		entries, err := parseTree(data)
		if err != nil {
			return
		}
		out, err := encodeTree(entries)
		if err != nil || len(out) != len(data) {
			t.Errorf("%q became %q, %v", data, out, err)
		}
	})
}

func FuzzCommit(f *testing.F) {
	f.Add([]byte("tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\nauthor A <a@b> 1 +0100\ncommitter C <c@d> 2 -0730\n\nhi\n"))
	f.Add([]byte("tree x\n\n"))
	f.Add([]byte("tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\nauthor > < 99999999999999999999 \ngpgsig a\n b\n\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := parseCommit(zeroOID, data)
		if err != nil {
			return
		}
		again, err := parseCommit(zeroOID, c.encode())
		if err != nil || again.Tree != c.Tree || again.Message != c.Message || len(again.Parents) != len(c.Parents) {
			t.Errorf("%+v became %+v, %v", c, again, err)
		}
	})
}

// What validRef lets pass, git lets pass.
func FuzzRef(f *testing.F) {
	for _, s := range []string{"refs/heads/main", "refs/heads/a..b", "refs/heads/a@{1}", "refs/heads/.x", "refs/heads/x.lock", "refs/heads/ü", "refs/heads/a\nb", "refs/heads/-", "refs/x", "refs/heads/a^{commit}", "refs/heads/a."} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if validRef(name) && exec.Command("git", "check-ref-format", name).Run() != nil {
			t.Errorf("%q is no reference to git", name)
		}
	})
}

func FuzzRange(f *testing.F) {
	f.Add("a...b")
	f.Add("a..b")
	f.Add("....")
	f.Fuzz(func(t *testing.T, s string) {
		if base, head, ok := splitRange(s); ok && base+"..."+head != s {
			t.Errorf("%q split to %q and %q", s, base, head)
		}
	})
}

func FuzzDiff(f *testing.F) {
	f.Add(":100644 100644 aaa bbb M\x00f\x001\t1\tf\x00\x00diff --git a/f b/f\n--- a/f\n+++ b/f\n@@ -1 +1 @@\n-a\n+b\n")
	f.Add(":100644 100644 aaa bbb R100\x00f\x00g\x000\t0\t\x00f\x00g\x00\x00diff --git a/f b/g\nsimilarity index 100%\n")
	f.Fuzz(func(t *testing.T, s string) { _, _ = parseDiff(s) })
}

func TestADeadReaderIsReplaced(t *testing.T) {
	r, err := openRepo(t.Context(), Repository{Owner: "o", Name: "r", Dir: t.TempDir(), Seed: fstest.MapFS{"f": {Data: []byte("x")}}}, 1, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	if _, err := r.Head("main"); err != nil {
		t.Fatal(err)
	}
	if err := r.batch.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Head("main"); err != nil {
		t.Errorf("after its reader died: %v", err)
	}
	r.close()
	if _, err := r.Head("main"); err == nil {
		t.Error("a closed repository answers")
	}
}
