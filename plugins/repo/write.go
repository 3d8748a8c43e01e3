package repo

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"sigs.k8s.io/yaml"

	"ferry/internal/fault"
)

// Write writes the index of a folder: of each executable in it, what describe
// says of it, with its checksum, for this machine. It returns how many there are; none
// is NotFound.
func Write(dir string, describe func(path string) (Entry, error)) (int, error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return 0, err
	}
	var index Index
	for _, f := range files {
		info, err := f.Info()
		if err != nil {
			return 0, err
		}
		if !info.Mode().IsRegular() || info.Mode()&0o111 == 0 || strings.HasPrefix(f.Name(), ".") {
			continue
		}
		path := filepath.Join(dir, f.Name())
		e, err := describe(path)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", path, err)
		}
		sum, err := checksum(path)
		if err != nil {
			return 0, err
		}
		e.URLs = []URL{{URL: f.Name(), Checksum: sum, Platform: Platform{OS: runtime.GOOS, Architecture: runtime.GOARCH}}}
		index.Entries = append(index.Entries, e)
	}
	if len(index.Entries) == 0 {
		return 0, fault.Newf(fault.NotFound, "there is no executable in %s", dir).WithHelp("a plugin is a file that may be executed: chmod +x")
	}
	text, err := yaml.Marshal(index)
	if err != nil {
		return 0, err
	}
	if _, err := ParseIndex(text); err != nil {
		return 0, err
	}
	return len(index.Entries), writeFile(filepath.Join(dir, "index.yaml"), text)
}

func checksum(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	return save(f, io.Discard)
}
