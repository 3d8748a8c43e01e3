package repo

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"
)

// What is read at most.
const (
	maxIndex      = 16 << 20
	maxExecutable = 1 << 30
	patience      = 10 * time.Minute
)

// location is where an index file is: a folder's is called index.yaml.
func location(index string) string {
	if remote(index) {
		return index
	}
	index = strings.TrimPrefix(index, "file://")
	if info, err := os.Stat(index); err == nil && info.IsDir() {
		return filepath.Join(index, "index.yaml")
	}
	return index
}

func remote(at string) bool {
	return strings.HasPrefix(at, "https://") || strings.HasPrefix(at, "http://")
}

// within parts an address from the place in the archive that it names.
func within(address string) (at, inside string) {
	scheme, rest, ok := strings.Cut(address, "://")
	if !ok {
		scheme, rest = "", address
	} else {
		scheme += "://"
	}
	rest, inside, _ = strings.Cut(rest, "//")
	return scheme + rest, inside
}

// resolve returns the address of something that an index names, which may be
// relative to the index.
func resolve(index, at string) string {
	switch {
	case remote(at):
		return at
	case strings.HasPrefix(at, "file://"):
		return strings.TrimPrefix(at, "file://")
	case !remote(index):
		if filepath.IsAbs(at) {
			return at
		}
		return filepath.Join(filepath.Dir(index), filepath.FromSlash(at))
	}
	base, err := url.Parse(index)
	if err != nil {
		return at
	}
	there, err := base.Parse(at)
	if err != nil {
		return at
	}
	return there.String()
}

// open opens a file or an address.
func open(ctx context.Context, at string) (io.ReadCloser, error) {
	if !remote(at) {
		return os.Open(at)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, at, http.NoBody)
	if err != nil {
		return nil, err
	}
	r.Header.Set("User-Agent", "ferry")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusOK {
		_ = answer.Body.Close()
		return nil, fmt.Errorf("GET %s: %s", at, answer.Status)
	}
	return answer.Body, nil
}

var errTooLarge = errors.New("it is larger than anything of its kind should be")

// copyMost copies all of r, unless that is more than most bytes.
func copyMost(w io.Writer, r io.Reader, most int64) error {
	n, err := io.Copy(w, io.LimitReader(r, most+1))
	if err == nil && n > most {
		err = errTooLarge
	}
	return err
}

func read(ctx context.Context, at string, most int64) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	in, err := open(ctx, at)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	var out strings.Builder
	err = copyMost(&out, in, most)
	return []byte(out.String()), err
}

// download copies what is at an address into a new file and returns its checksum.
func download(ctx context.Context, at, to string) (sum string, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	in, err := open(ctx, at)
	if err != nil {
		return "", err
	}
	defer in.Close()
	return saveAs(in, to)
}

// saveAs writes a new file, surely, and returns its checksum.
func saveAs(in io.Reader, to string) (string, error) {
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return "", err
	}
	sum, err := save(in, out)
	if err == nil {
		err = out.Sync()
	}
	return sum, errors.Join(err, out.Close())
}

// save copies an executable, or an archive of one, and returns its checksum.
func save(in io.Reader, out io.Writer) (string, error) {
	sum := sha256.New()
	err := copyMost(io.MultiWriter(out, sum), in, maxExecutable)
	return hex.EncodeToString(sum.Sum(nil)), err
}

// writeFile replaces a file as a whole.
func writeFile(to string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o750); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(to), ".new-")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // once it is renamed there is nothing to remove
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), to)
}

func archived(at string) bool {
	at, _, _ = strings.Cut(at, "?")
	return strings.HasSuffix(at, ".tar.gz") || strings.HasSuffix(at, ".tgz") || strings.HasSuffix(at, ".zip")
}

var errNoExecutable = errors.New("there is no executable in it")

// extract writes the executable of an archive to a new file and returns its
// checksum: the first file below a folder that is not hidden and has no extension,
// or .exe or .sh.
func extract(archive, named, inside, to string) (string, error) {
	inside = strings.Trim(path.Clean("/"+inside), "/")
	return extractFirst(archive, named, to, func(name string) bool { return executable(name, inside) })
}

// extractFirst writes the first file that is wanted to a new one.
func extractFirst(archive, named, to string, wanted func(name string) bool) (string, error) {
	if named, _, _ = strings.Cut(named, "?"); strings.HasSuffix(named, ".zip") {
		return extractZip(archive, to, wanted)
	}
	f, err := os.Open(archive)
	if err != nil {
		return "", err
	}
	defer f.Close()
	unpacked, err := gzip.NewReader(f)
	if err != nil {
		return "", err
	}
	for files := tar.NewReader(unpacked); ; {
		h, err := files.Next()
		switch {
		case errors.Is(err, io.EOF):
			return "", errNoExecutable
		case err != nil:
			return "", err
		case h.Typeflag == tar.TypeReg && wanted(h.Name):
			return saveAs(files, to)
		}
	}
}

func extractZip(archive, to string, wanted func(name string) bool) (string, error) {
	files, err := zip.OpenReader(archive)
	if err != nil {
		return "", err
	}
	defer func() { _ = files.Close() }()
	for _, f := range files.File {
		if !f.Mode().IsRegular() || !wanted(f.Name) {
			continue
		}
		in, err := f.Open()
		if err != nil {
			return "", err
		}
		sum, err := saveAs(in, to)
		return sum, errors.Join(err, in.Close())
	}
	return "", errNoExecutable
}

func executable(name, inside string) bool {
	name = strings.TrimPrefix(path.Clean("/"+name), "/")
	if inside != "" && name != inside && !strings.HasPrefix(name, inside+"/") {
		return false
	}
	base := path.Base(name)
	ext := path.Ext(base)
	return !strings.HasPrefix(base, ".") && (ext == "" || ext == ".exe" || ext == ".sh")
}
