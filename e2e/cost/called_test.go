package cost

import (
	"os"
	"path/filepath"
	"testing"
)

// TestCalled: a source and an executor of one name are two rows of the table.
func TestCalled(t *testing.T) {
	for line, want := range map[string]string{
		"/run/5d6a/source_v1.0.0_flux\x00": "source flux", "/run/1fab/executor_v1.0.0_flux\x00": "executor flux", "/bin/ferry\x00-x_y\x00": "ferry",
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "cmdline"), []byte(line), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := called(dir); got != want {
			t.Errorf("%q is called %q, want %q", line, got, want)
		}
	}
}
