package github

import (
	"bytes"
	"errors"
	"path"
	"strings"
	"unicode/utf8"
)

// The values behind GraphQL's types. Each knows its repository: a node outlives the field that led to it.
type (
	refNode struct {
		repo *Repo
		ref
	}
	commitNode struct {
		repo *Repo
		Commit
	}
	treeNode struct {
		repo *Repo
		id   OID
		path string
	}
	blobNode struct {
		repo *Repo
		object
	}
	entryNode struct {
		repo *Repo
		entry
		path string
	}
	historyNode struct {
		repo *Repo
		all  []OID
		from int
		to   int
	}
)

func (r *Repo) refNode(name string) (any, error) {
	for _, full := range []string{name, headsPrefix + name, tagsPrefix + name, "refs/" + name} {
		if !validRef(full) {
			continue
		}
		at, err := r.shown(full)
		if errors.Is(err, errMissing) {
			continue
		}
		return refNode{r, at}, err
	}
	return nil, nil
}

// node wraps any object; where is its path, if one led to it. A missing object is nil.
func (r *Repo) node(id OID, where string) (any, error) {
	o, err := r.read(id)
	if errors.Is(err, errMissing) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	switch o.kind {
	case commitKind:
		x, err := parseCommit(o.id, o.data)
		return commitNode{r, x}, err
	case treeKind:
		return treeNode{r, o.id, where}, nil
	case blobKind:
		return blobNode{r, o}, nil
	}
	x, err := r.peel(id)
	return absent(commitNode{r, x}, err)
}

// expression reads git's own words for an object: a commit-ish, or one with ":path".
func (r *Repo) expression(s string) (any, error) {
	word, where, deep := strings.Cut(s, ":")
	id := OID(word)
	if !id.valid() {
		x, err := r.resolve(word)
		if errors.Is(err, errMissing) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		id = x.OID
	}
	if !deep {
		return r.node(id, "")
	}
	root := id
	if x, err := r.commit(id); err == nil {
		root = x.Tree
	}
	where = strings.Trim(where, "/")
	e, ok, err := r.find(root, where)
	if err != nil || !ok {
		return nil, ignoreMissing(err)
	}
	return r.node(e.id, where)
}

func ignoreMissing(err error) error {
	if errors.Is(err, errMissing) {
		return nil
	}
	return err
}

func (n treeNode) entries() ([]entryNode, error) {
	entries, err := n.repo.tree(n.id)
	if err != nil {
		return nil, err
	}
	out := make([]entryNode, len(entries))
	for i, e := range entries {
		out[i] = entryNode{n.repo, e, path.Join(n.path, e.name)}
	}
	return out, nil
}

func (n commitNode) entry(where string) (any, error) {
	where = strings.Trim(where, "/")
	e, ok, err := n.repo.find(n.Tree, where)
	if err != nil || !ok {
		return nil, err
	}
	return entryNode{n.repo, e, where}, nil
}

// binary decides as git does: a zero byte early on; and what is not text in UTF-8 cannot be given as text.
func (n blobNode) binary() bool {
	return bytes.IndexByte(n.data[:min(len(n.data), 8000)], 0) >= 0 || !utf8.Valid(n.data)
}

func (n blobNode) text(limit int) any {
	if n.binary() {
		return nil
	}
	if len(n.data) <= limit {
		return string(n.data)
	}
	return strings.ToValidUTF8(string(n.data[:limit]), "")
}

func headline(message string) string {
	line, _, _ := strings.Cut(message, "\n")
	return line
}

func messageBody(message string) string {
	_, rest, _ := strings.Cut(message, "\n")
	return strings.Trim(rest, "\n")
}
