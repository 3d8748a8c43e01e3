package github

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// edit is what shall stand at one path: an object with its mode (empty keeps the mode of the file that is there,
// else a plain file), or nothing.
type edit struct {
	mode   string
	id     OID
	remove bool
}

// errNoPath means: asked to delete what is not there.
var errNoPath = errors.New("path does not exist")

// cleanPath refuses what git would refuse in a tree.
func cleanPath(p string) error {
	if p == "" || strings.ContainsAny(p, "\x00\n") {
		return fmt.Errorf("path %q: empty or with a control character", p)
	}
	for part := range strings.SplitSeq(p, "/") {
		if part == "" || part == "." || part == ".." || strings.EqualFold(part, ".git") {
			return fmt.Errorf("path %q: malformed path component", p)
		}
	}
	return nil
}

// editTree applies edits to a tree (empty ID: to nothing) and returns the new one; directories left empty vanish.
// Only the directories on the way are read and written.
func (s *store) editTree(root OID, edits map[string]edit) (OID, error) {
	for p := range edits {
		if err := cleanPath(p); err != nil {
			return "", err
		}
	}
	id, _, err := s.editDir(root, edits, "")
	return id, err
}

func (s *store) editDir(id OID, edits map[string]edit, at string) (OID, int, error) {
	var entries []entry
	if id != "" {
		var err error
		if entries, err = s.tree(id); err != nil {
			return "", 0, err
		}
	}
	below := map[string]map[string]edit{}
	for path, e := range edits {
		name, rest, deep := strings.Cut(path, "/")
		if deep {
			if below[name] == nil {
				below[name] = map[string]edit{}
			}
			below[name][rest] = e
			continue
		}
		var err error
		if entries, err = place(entries, name, e, at); err != nil {
			return "", 0, err
		}
	}
	for name, inner := range below {
		var err error
		if entries, err = s.placeDir(entries, name, inner, at); err != nil {
			return "", 0, err
		}
	}
	out, err := s.writeTree(entries)
	return out, len(entries), err
}

func (s *store) placeDir(entries []entry, name string, inner map[string]edit, at string) ([]entry, error) {
	i := slices.IndexFunc(entries, func(x entry) bool { return x.name == name })
	var sub OID
	if i >= 0 && entries[i].mode == modeTree {
		sub = entries[i].id
	}
	id, left, err := s.editDir(sub, inner, at+name+"/")
	if err != nil {
		return nil, err
	}
	if i >= 0 {
		entries = slices.Delete(entries, i, i+1)
	}
	if left == 0 {
		return entries, nil
	}
	return append(entries, entry{modeTree, name, id}), nil
}

func place(entries []entry, name string, e edit, at string) ([]entry, error) {
	i := slices.IndexFunc(entries, func(x entry) bool { return x.name == name })
	switch {
	case e.remove && i < 0:
		return nil, fmt.Errorf("delete %s%s: %w", at, name, errNoPath)
	case e.remove:
		return slices.Delete(entries, i, i+1), nil
	case i < 0:
		return append(entries, entry{orMode(e.mode, modeFile), name, e.id}), nil
	}
	keep := entries[i].mode
	if entries[i].kind() != blobKind {
		keep = modeFile
	}
	entries[i] = entry{orMode(e.mode, keep), name, e.id}
	return entries, nil
}

func orMode(mode, otherwise string) string {
	if mode == "" {
		return otherwise
	}
	return strings.TrimPrefix(mode, "0")
}

// find walks to a path; ok is false where nothing stands there. The empty path is the root itself.
func (s *store) find(root OID, path string) (entry, bool, error) {
	at := entry{mode: modeTree, id: root}
	if path == "" {
		return at, true, nil
	}
	for part := range strings.SplitSeq(path, "/") {
		if at.mode != modeTree {
			return entry{}, false, nil
		}
		entries, err := s.tree(at.id)
		if err != nil {
			return entry{}, false, err
		}
		i := slices.IndexFunc(entries, func(x entry) bool { return x.name == part })
		if i < 0 {
			return entry{}, false, nil
		}
		at = entries[i]
	}
	return at, true, nil
}
