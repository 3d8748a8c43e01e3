package github

import (
	"bytes"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// OID is the forty hex digits of a git object.
type OID string

// zeroOID stands where git says "no object": a reference that does not exist.
const zeroOID OID = "0000000000000000000000000000000000000000"

// valid tells whether the ID has the form of one; nothing about existence.
func (o OID) valid() bool {
	if len(o) != 40 {
		return false
	}
	return strings.Trim(string(o), "0123456789abcdef") == ""
}

type kind string

const (
	blobKind   kind = "blob"
	treeKind   kind = "tree"
	commitKind kind = "commit"
	tagKind    kind = "tag"
)

// object is one object as git stores it; data is shared with the cache and never written to.
type object struct {
	id   OID
	kind kind
	data []byte
}

func newObject(k kind, data []byte) object {
	h := sha1.New()
	fmt.Fprintf(h, "%s %d\x00", k, len(data))
	h.Write(data)
	return object{OID(hex.EncodeToString(h.Sum(nil))), k, data}
}

// Signature says who and when. The moment keeps its zone and is exact to the second.
type Signature struct {
	Name, Email string
	When        time.Time
}

func (s Signature) String() string {
	clean := strings.NewReplacer("\n", " ", "<", "", ">", "", "\x00", "")
	return fmt.Sprintf("%s <%s> %d %s", clean.Replace(s.Name), clean.Replace(s.Email), s.When.Unix(), s.When.Format("-0700"))
}

// Commit is one commit; Message is whole, with its trailers.
type Commit struct {
	OID               OID
	Tree              OID
	Parents           []OID
	Author, Committer Signature
	Message           string
}

func (c Commit) encode() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "tree %s\n", c.Tree)
	for _, p := range c.Parents {
		fmt.Fprintf(&b, "parent %s\n", p)
	}
	fmt.Fprintf(&b, "author %s\ncommitter %s\n\n%s", c.Author, c.Committer, c.Message)
	return b.Bytes()
}

var errMalformed = errors.New("malformed object")

func parseCommit(id OID, data []byte) (Commit, error) {
	c := Commit{OID: id}
	head, message, _ := strings.Cut(string(data), "\n\n")
	c.Message = message
	for line := range strings.SplitSeq(head, "\n") {
		key, value, _ := strings.Cut(line, " ")
		switch key {
		case "tree":
			c.Tree = OID(value)
		case "parent":
			c.Parents = append(c.Parents, OID(value))
		case "author":
			c.Author = parseSignature(value)
		case "committer":
			c.Committer = parseSignature(value)
		}
	}
	if !c.Tree.valid() || slices.ContainsFunc(c.Parents, func(p OID) bool { return !p.valid() }) {
		return c, fmt.Errorf("commit %s: %w", id, errMalformed)
	}
	return c, nil
}

// parseSignature reads "Name <mail> seconds zone" and forgives what old tools wrote: what is not understood stays empty.
func parseSignature(s string) Signature {
	name, rest, _ := strings.Cut(s, "<")
	mail, when, _ := strings.Cut(rest, ">")
	sig := Signature{Name: strings.TrimSpace(name), Email: mail, When: time.Unix(0, 0).UTC()}
	secs, zone, _ := strings.Cut(strings.TrimSpace(when), " ")
	n, err := strconv.ParseInt(secs, 10, 64)
	if err != nil {
		return sig
	}
	sig.When = time.Unix(n, 0).UTC()
	if z, err := time.Parse("-0700", zone); err == nil {
		_, offset := z.Zone()
		sig.When = sig.When.In(time.FixedZone("", offset))
	}
	return sig
}

const (
	modeFile    = "100644"
	modeExec    = "100755"
	modeLink    = "120000"
	modeTree    = "40000"
	modeGitlink = "160000"
)

// entry is one line of a tree; mode is written as git stores it, without leading zeros.
type entry struct {
	mode string
	name string
	id   OID
}

func (e entry) kind() kind {
	switch e.mode {
	case modeTree:
		return treeKind
	case modeGitlink:
		return commitKind
	}
	return blobKind
}

// sixMode is the mode as the API writes it.
func (e entry) sixMode() string {
	if e.mode == modeTree {
		return "040000"
	}
	return e.mode
}

func parseTree(data []byte) ([]entry, error) {
	var out []entry
	for len(data) > 0 {
		head, rest, ok := bytes.Cut(data, []byte{0})
		mode, name, named := strings.Cut(string(head), " ")
		if !ok || !named || mode == "" || name == "" || len(rest) < 20 {
			return nil, fmt.Errorf("tree: %w", errMalformed)
		}
		out = append(out, entry{mode, name, OID(hex.EncodeToString(rest[:20]))})
		data = rest[20:]
	}
	return out, nil
}

// encodeTree sorts as git does: a directory compares as if its name ended in a slash.
func encodeTree(entries []entry) ([]byte, error) {
	key := func(e entry) string {
		if e.mode == modeTree {
			return e.name + "/"
		}
		return e.name
	}
	sorted := slices.Clone(entries)
	slices.SortFunc(sorted, func(a, b entry) int { return strings.Compare(key(a), key(b)) })
	var b bytes.Buffer
	for _, e := range sorted {
		raw, err := hex.DecodeString(string(e.id))
		if err != nil || len(raw) != 20 {
			return nil, fmt.Errorf("tree entry %s: %w", e.name, errMalformed)
		}
		fmt.Fprintf(&b, "%s %s\x00", e.mode, e.name)
		b.Write(raw)
	}
	return b.Bytes(), nil
}
