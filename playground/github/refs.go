package github

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

const (
	headsPrefix = "refs/heads/"
	tagsPrefix  = "refs/tags/"
)

// move is one step of one reference. Old may be empty where any value will do, zeroOID where none may exist;
// New is zeroOID to delete.
type move struct {
	ref      string
	old, new OID
}

// movedError is a lost race: the reference is elsewhere than the mover knew.
type movedError struct {
	ref          string
	at, expected OID
}

func (e *movedError) Error() string {
	return fmt.Sprintf("%s is at %s but expected %s", e.ref, e.at, e.expected)
}

// ref is a reference with the object it names.
type ref struct {
	name string
	id   OID
	kind kind
}

// validRef holds a full name to the rules of git check-ref-format. What passes can be named to git without being
// understood as anything else.
func validRef(name string) bool {
	if !strings.HasPrefix(name, "refs/") || strings.Count(name, "/") < 2 {
		return false
	}
	if strings.ContainsAny(name, " ~^:?*[\\\x7f") || strings.Contains(name, "..") || strings.Contains(name, "@{") || strings.HasSuffix(name, ".") {
		return false
	}
	for _, c := range name {
		if c < ' ' {
			return false
		}
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part[0] == '.' || strings.HasSuffix(part, ".lock") {
			return false
		}
	}
	return true
}

// ref reads one reference by its full name; errMissing where there is none.
func (r *Repo) ref(name string) (ref, error) {
	if !validRef(name) {
		return ref{}, fmt.Errorf("reference %q: %w", name, errMissing)
	}
	o, err := r.lookup(name)
	if err != nil {
		return ref{}, err
	}
	return ref{name, o.id, o.kind}, nil
}

// shown is ref as the API shows it: behind the truth while a stale head is served.
func (r *Repo) shown(name string) (ref, error) {
	if id, ok := r.stale.at(name, r.now()); ok {
		return ref{name, id, commitKind}, nil
	}
	return r.ref(name)
}

// refs lists the references below a prefix, by name.
func (r *Repo) refs(ctx context.Context, prefix string) ([]ref, error) {
	out, err := r.run(ctx, nil, "for-each-ref", "--format=%(objectname) %(objecttype) %(refname)")
	if err != nil {
		return nil, fmt.Errorf("list references: %w", err)
	}
	var found []ref
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		if len(f) != 3 || !strings.HasPrefix(f[2], prefix) {
			continue
		}
		at := ref{f[2], OID(f[0]), kind(f[1])}
		if id, ok := r.stale.at(at.name, r.now()); ok {
			at.id = id
		}
		found = append(found, at)
	}
	return found, nil
}

// resolve finds the commit that a person's word means: a branch, a tag, a qualified name, or an ID, whole or begun.
func (r *Repo) resolve(word string) (Commit, error) {
	if OID(word).valid() {
		return r.commit(OID(word))
	}
	if word == "HEAD" {
		word = r.DefaultBranch
	}
	for _, name := range []string{headsPrefix + word, tagsPrefix + word, "refs/" + word, word} {
		if !validRef(name) {
			continue
		}
		at, err := r.shown(name)
		if errors.Is(err, errMissing) {
			continue
		}
		if err != nil {
			return Commit{}, err
		}
		return r.peel(at.id)
	}
	if n := len(word); n >= 7 && n < 40 && strings.Trim(word, "0123456789abcdef") == "" {
		o, err := r.lookup(word + "^{commit}")
		if err != nil {
			return Commit{}, err
		}
		return parseCommit(o.id, o.data)
	}
	return Commit{}, fmt.Errorf("%q: %w", word, errMissing)
}

// peel follows annotated tags to their commit.
func (r *Repo) peel(id OID) (Commit, error) {
	if c, err := r.commit(id); err == nil {
		return c, nil
	}
	o, err := r.lookup(string(id) + "^{commit}")
	if err != nil {
		return Commit{}, err
	}
	return parseCommit(o.id, o.data)
}

var lockSays = regexp.MustCompile(`is at ([0-9a-f]{40}) but expected ([0-9a-f]{40})`)

// moveRefs makes all the moves or none. It is the only way in which this package moves a reference; git's own lock
// decides every race, with pushes too. A lost one is a *movedError. Callers of OnPush are told before it returns.
func (r *Repo) moveRefs(ctx context.Context, moves ...move) error {
	var in bytes.Buffer
	for _, m := range moves {
		switch {
		case m.new == zeroOID:
			fmt.Fprintf(&in, "delete %s %s\n", m.ref, m.old)
		default:
			fmt.Fprintf(&in, "update %s %s %s\n", m.ref, m.new, m.old)
		}
	}
	// A client that hangs up does not undo what it asked for.
	ctx = context.WithoutCancel(ctx)
	for try := 0; ; try++ {
		_, err := r.run(ctx, in.Bytes(), "update-ref", "--stdin")
		if err == nil {
			break
		}
		if lost := r.lost(err, moves); lost != nil {
			return lost
		}
		// Held by another writer that may yet give up: git has waited for the lock already.
		if !strings.Contains(err.Error(), ".lock") || try == 20 {
			return fmt.Errorf("move %s: %w", moves[0].ref, err)
		}
	}
	for _, m := range moves {
		r.pushed(m.ref, m.old, m.new)
	}
	return nil
}

// lost tells who won, if update-ref failed because a reference is not where a move wanted it.
func (r *Repo) lost(err error, moves []move) error {
	if m := lockSays.FindStringSubmatch(err.Error()); m != nil {
		name := moves[0].ref
		for _, mv := range moves {
			if strings.Contains(err.Error(), "'"+mv.ref+"'") {
				name = mv.ref
			}
		}
		return &movedError{name, OID(m[1]), OID(m[2])}
	}
	for _, m := range moves {
		at, lookErr := r.ref(m.ref)
		if errors.Is(lookErr, errMissing) {
			at.id = zeroOID
		} else if lookErr != nil {
			continue
		}
		if m.old != "" && at.id != m.old {
			return &movedError{m.ref, at.id, m.old}
		}
	}
	return nil
}

// isAncestor tells whether a fast-forward leads from old to new.
func (r *Repo) isAncestor(ctx context.Context, old, new OID) (bool, error) {
	if old == new {
		return true, nil
	}
	if c, err := r.commit(new); err == nil && len(c.Parents) == 1 && c.Parents[0] == old {
		return true, nil
	}
	_, err := r.run(ctx, nil, "merge-base", "--is-ancestor", string(old), string(new))
	if err == nil {
		return true, nil
	}
	var said *gitError
	if errors.As(err, &said) && said.stderr == "" {
		return false, nil
	}
	return false, fmt.Errorf("compare %s with %s: %w", old, new, err)
}
