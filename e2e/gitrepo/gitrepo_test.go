package gitrepo

import (
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
)

// Fetch and push go through smart HTTP, as a cluster and a person do it.
func TestOverHTTP(t *testing.T) {
	ctx := t.Context()
	repo, err := New(ctx, t.TempDir(), fstest.MapFS{"a/b.yaml": {Data: []byte("tag: 1\n")}})
	if err != nil {
		t.Fatal(err)
	}
	handler, err := repo.Handler(ctx)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	defer server.Close()

	theirs := t.TempDir()
	for _, args := range [][]string{
		{"clone", "-q", server.URL + "/fleet.git", "."},
		{"commit", "-q", "--allow-empty", "-m", "theirs"},
		{"push", "-q", "origin", Branch},
	} {
		if _, err := repo.git(ctx, theirs, args...); err != nil {
			t.Fatal(err)
		}
	}
	// Ours goes on top of theirs.
	commit, err := repo.Commit(ctx, "ours", map[string]func([]byte) []byte{"a/b.yaml": Replace("1", "2")})
	if err != nil {
		t.Fatal(err)
	}
	log, err := repo.Git(ctx, "log", "--format=%s", commit)
	if err != nil {
		t.Fatal(err)
	}
	if want := "ours\ntheirs\nThe fleet as it is"; log != want {
		t.Errorf("log is %q, want %q", log, want)
	}
	if text, err := repo.Read(ctx, "a/b.yaml"); err != nil || text != "tag: 2\n" {
		t.Errorf("read %q, %v", text, err)
	}
	if head, err := repo.Head(ctx); err != nil || head != commit || strings.ContainsAny(head, " \n") {
		t.Errorf("head is %q, %v", head, err)
	}
}
