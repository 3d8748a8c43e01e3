package repo

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestLeftBehind: what a ferry that was killed while it got something has left is
// removed, and what another one is getting now is not.
func TestLeftBehind(t *testing.T) {
	t.Parallel()
	shop := newShop(t)
	text := shop.put("echo", []byte("echo"))
	shop.put("index.yaml", []byte("entries:\n"+entry("executor", "echo", "v1", "echo", sum(text))))
	s := shop.store(t, false)
	old, young := filepath.Join(s.o.Dir, "r", beingGot+"1"), filepath.Join(s.o.Dir, "r", beingGot+"2")
	for _, dir := range []string{old, young} {
		if err := os.MkdirAll(dir, 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "asset"), []byte("ec"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	then := time.Now().Add(-forgotten - time.Minute)
	if err := os.Chtimes(old, then, then); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Find(t.Context(), "executor", Ref{Repository: "r", Name: "echo"}); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(s.o.Dir, "r", beingGot+"*")); len(left) != 1 || left[0] != young {
		t.Errorf("left are %v, want %s", left, young)
	}
}
