package oracle

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/tools/txtar"
)

// Fixture is an invented repository with the right answer.
type Fixture struct {
	Name     string
	Says     string // what the case is
	Tree     Tree
	Roots    []string
	Expected Inventory
}

// Fixtures reads all of a folder's NAME.txtar: a comment, the files of a repository, `clusters` (paths, one a line) and
// `expected.json` (an inventory in which only what matters is said). Text in files cannot say all bytes, so in names
// with a mark the text is changed: name.crlf has CRLF, name.utf16 is UTF-16LE with a byte order mark, name.chomp has no
// newline at its end; the mark is not part of the name.
func Fixtures(dir string) ([]Fixture, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.txtar"))
	if err != nil {
		return nil, err
	}
	var out []Fixture
	for _, name := range names {
		raw, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		f, err := ParseFixture(strings.TrimSuffix(filepath.Base(name), ".txtar"), raw)
		if err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	return out, nil
}

// ParseFixture reads one.
func ParseFixture(name string, raw []byte) (Fixture, error) {
	archive := txtar.Parse(raw)
	f := Fixture{Name: name, Says: strings.TrimSpace(string(archive.Comment)), Tree: Tree{}}
	for _, file := range archive.Files {
		switch file.Name {
		case "clusters":
			f.Roots = strings.Fields(string(file.Data))
		case "expected.json":
			inv, err := ParseInventory(file.Data)
			if err != nil {
				return f, fmt.Errorf("%s: %w", name, err)
			}
			f.Expected = inv
		default:
			plain, text := unmarked(file.Name, file.Data)
			f.Tree[plain] = text
		}
	}
	if len(f.Roots) == 0 || len(f.Expected.Apps) == 0 && !bytes.Contains(raw, []byte(`"apps":[]`)) {
		return f, fmt.Errorf("%s: clusters or expected.json is missing", name)
	}
	return f, nil
}

// Excuse takes pairs out of the count of pins for which the answer says that there is no pin, and none is offered.
func (f Fixture) Excuse(verdicts []Verdict) []Verdict {
	for i, v := range verdicts {
		for _, claim := range f.Expected.Apps {
			if claim.Pair == v.plain() && claim.Pin != nil && !claim.Pin.OK && strings.HasPrefix(v.Pin, noPin) {
				verdicts[i].Pinned, verdicts[i].Pin = false, ""
			}
		}
	}
	return verdicts
}

func unmarked(name string, text []byte) (string, []byte) {
	switch base, mark := strings.TrimSuffix(name, filepath.Ext(name)), filepath.Ext(name); mark {
	case ".crlf":
		return base, bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n"))
	case ".chomp":
		return base, bytes.TrimSuffix(text, []byte("\n"))
	case ".utf16":
		return base, append([]byte{0xff, 0xfe}, utf16le(strings.ReplaceAll(string(text), "\n", "\r\n"))...)
	case ".bom":
		return base, append([]byte{0xef, 0xbb, 0xbf}, text...)
	}
	return name, text
}

// Write puts the tree on disk, for ferry to read.
func (f Fixture) Write(dir string) error {
	for name, text := range f.Tree {
		to := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(to, text, 0o600); err != nil {
			return err
		}
	}
	return nil
}
