package host

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
)

// checkedCopy copies an executable to a new file and takes its checksum on the
// way: what is compared is what is run, whatever happens to the original
// meanwhile. A wrong checksum leaves no file and is a refusal.
func checkedCopy(f File, to string) error {
	// A process that is forked while the file is open for writing would keep it so
	// until it executes, and nobody can run what is open for writing.
	syscall.ForkLock.RLock()
	sum, err := copySum(f.Path, to)
	syscall.ForkLock.RUnlock()
	if err != nil {
		return fmt.Errorf("copy %s: %w", f.Path, err)
	}
	if f.Checksum != "" && !strings.EqualFold(sum, f.Checksum) {
		_ = os.Remove(to)
		return refusal{fmt.Errorf("its checksum is %s…, not %s…", short(sum), short(f.Checksum))}
	}
	return nil
}

func short(sum string) string { return sum[:min(12, len(sum))] }

func copySum(from, to string) (string, error) {
	switch i, err := os.Stat(from); {
	case err != nil:
		return "", err
	case !i.Mode().IsRegular(): // opening a pipe would wait
		return "", errors.New("it is no file")
	}
	in, err := os.Open(from)
	if err != nil {
		return "", err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o500) //nolint:gosec // it is to be executed, by ferry alone
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	_, err = io.Copy(io.MultiWriter(out, sum), in)
	if closing := out.Close(); err == nil {
		err = closing
	}
	if err != nil {
		_ = os.Remove(to)
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
