package testbed

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"
)

func TestEveryBinaryIsPinned(t *testing.T) {
	for _, bin := range binaries() {
		mod, sum, err := bin.pins()
		if err != nil {
			t.Fatal(err)
		}
		version, err := bin.version(mod)
		if err != nil {
			t.Error(err)
			continue
		}
		if line := bin.module + " " + version + " h1:"; !strings.Contains(string(sum), line) {
			t.Errorf("modules/%s.sum has no %s", bin.modfile, line)
		}
	}
}

func TestCacheKeySeesWhatChangesTheBinary(t *testing.T) {
	bin := binaries()[0]
	key := bin.cacheKey("v1.0.0", []byte("mod"), []byte("sum"), "go1.26")
	others := []string{
		bin.cacheKey("v1.0.1", []byte("mod"), []byte("sum"), "go1.26"),
		bin.cacheKey("v1.0.0", []byte("mo"), []byte("dsum"), "go1.26"),
		bin.cacheKey("v1.0.0", []byte("mod"), []byte("other"), "go1.26"),
		bin.cacheKey("v1.0.0", []byte("mod"), []byte("sum"), "go1.27"),
		binaries()[1].cacheKey("v1.0.0", []byte("mod"), []byte("sum"), "go1.26"),
	}
	for i, other := range others {
		if key == other {
			t.Errorf("case %d has the same key %s", i, key)
		}
	}
	if again := bin.cacheKey("v1.0.0", []byte("mod"), []byte("sum"), "go1.26"); again != key {
		t.Errorf("the same input has the keys %s and %s", key, again)
	}
}

func TestPortsAreHeldUntilReleased(t *testing.T) {
	var held ports
	defer held.close()
	first, err := held.take()
	if err != nil {
		t.Fatal(err)
	}
	second, err := held.take()
	if err != nil {
		t.Fatal(err)
	}
	if first == second {
		t.Fatalf("port %d was given twice", first)
	}
	if listener, err := net.Listen("tcp", addr(first)); err == nil {
		_ = listener.Close()
		t.Errorf("port %d is held and could be bound", first)
	}
	held.release(first)
	listener, err := net.Listen("tcp", addr(first))
	if err != nil {
		t.Fatalf("port %d was released: %v", first, err)
	}
	_ = listener.Close()
}

func TestWaitForSaysWhatItSaw(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err := (&Cluster{}).WaitFor(ctx, "spring", func(context.Context) (bool, string, error) { return false, "snow", nil })
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "spring") || !strings.Contains(err.Error(), "snow") {
		t.Errorf("the wait ended with: %v", err)
	}
	broken := errors.New("no sun")
	err = (&Cluster{}).WaitFor(t.Context(), "spring", func(context.Context) (bool, string, error) { return false, "", broken })
	if !errors.Is(err, broken) {
		t.Errorf("the wait ended with: %v", err)
	}
}

func TestLockWaitsForItsHolder(t *testing.T) {
	path := t.TempDir() + "/lock"
	unlock, err := lock(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := lock(short, path); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("a held lock was given: %v", err)
	}
	unlock()
	again, err := lock(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	again()
}
