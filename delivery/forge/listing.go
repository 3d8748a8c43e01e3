package forge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"ferry/delivery/snapshot"
)

// listed is GitHub's listing of a tree.
type listed struct {
	files   []snapshot.Entry // and links and submodules
	folders []snapshot.Entry // if the listing is not recursive
	// truncated: GitHub left some out.
	truncated bool
}

// list reads the listing of a tree, with everything below it if it is recursive.
// It is read as it comes: on a large repository it is much of what a plan after a
// push costs, and go-github's own way takes an allocation for each of its values,
// encoding/json three times as long (BenchmarkEntries). A tree is named by its
// hash, so that nobody asks for one twice.
func (r *Repository) list(ctx context.Context, sha string, recursive bool) (listed, error) {
	at := fmt.Sprintf("repos/%s/git/trees/%s", r.Full(), sha)
	if recursive {
		at += "?recursive=1"
	}
	req, err := r.client.NewRequest(http.MethodGet, at, nil)
	if err != nil {
		return listed{}, fmt.Errorf("list tree %s: %w", sha, err)
	}
	resp, err := r.client.BareDo(ctx, req)
	if err != nil {
		return listed{}, r.explain(err, "list tree "+sha)
	}
	defer drain(resp.Body)
	out, err := decodeListing(resp.Body, !recursive)
	if err != nil {
		return listed{}, r.explain(err, "list tree "+sha)
	}
	return out, nil
}

// decodeListing reads a listing, with its folders if they are wanted. What it does
// not know it passes over; what ends too early is an error.
func decodeListing(from io.Reader, folders bool) (listed, error) {
	d := &scanner{from: from, buf: make([]byte, 0, 64<<10)}
	var out listed
	err := d.object(func(key []byte) error {
		switch string(key) {
		case "tree":
			return d.array(func() error { return d.entry(&out, folders) })
		case "truncated":
			word, err := d.literal()
			out.truncated = string(word) == "true"
			return err
		}
		return d.skip(0)
	})
	return out, err
}

// entry reads one entry of a listing. Path and hash become one string: they live
// and die together.
func (d *scanner) entry(out *listed, folders bool) error {
	var e snapshot.Entry
	var folder bool
	d.path, d.sha = d.path[:0], d.sha[:0]
	err := d.object(func(key []byte) (err error) {
		switch string(key) {
		case "path":
			d.path, err = d.text(d.path)
		case "sha":
			d.sha, err = d.text(d.sha)
		case "mode":
			d.word, err = d.text(d.word[:0])
			e.Mode = modeNamed(d.word)
		case "type":
			d.word, err = d.text(d.word[:0])
			folder = string(d.word) == "tree"
		case "size":
			var word []byte
			if word, err = d.literal(); err == nil && string(word) != "null" {
				e.Size, err = strconv.Atoi(string(word))
			}
		default:
			err = d.skip(0)
		}
		return err
	})
	switch {
	case err != nil:
		return err
	case len(d.path) == 0 || len(d.sha) == 0:
		return errors.New("read listing: an entry without path or hash")
	case folder && !folders:
		return nil
	}
	both := string(append(d.path, d.sha...))
	e.Path, e.SHA = both[:len(d.path)], both[len(d.path):]
	if folder {
		out.folders = append(out.folders, e)
	} else {
		out.files = append(out.files, e)
	}
	return nil
}

// modeNamed is a mode, without an allocation for those that there are.
func modeNamed(b []byte) string {
	switch string(b) {
	case snapshot.ModeFile:
		return snapshot.ModeFile
	case snapshot.ModeExecutable:
		return snapshot.ModeExecutable
	case snapshot.ModeLink:
		return snapshot.ModeLink
	case snapshot.ModeSubmodule:
		return snapshot.ModeSubmodule
	case folderMode:
		return folderMode
	}
	return string(b)
}

// folderMode is how GitHub writes the mode of a tree.
const folderMode = "040000"
