package github

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// Repository describes one repository to serve.
type Repository struct {
	Owner, Name string
	// Dir is the bare repository. Empty: <Options.Dir>/<owner>/<name>.git. What exists is served as it is;
	// what does not is made, and filled from Seed.
	Dir string
	// Seed becomes the one first commit of a new repository. A file with any execute bit is 100755.
	// Nil leaves the repository empty.
	Seed fs.FS
	// DefaultBranch is "main" when empty.
	DefaultBranch string
	// Protected says what each protected branch demands.
	Protected map[string]Protection
	Private   bool
	// Labels that exist. Nil: whoever sets one that does not makes it, as who may
	// write issues does at GitHub.
	Labels []string
	// Teams that may be asked for a review, by slug.
	Teams []string
	// NoAutoMerge: the setting that GitHub has off at first. Here it is on.
	NoAutoMerge bool
}

// Repo is one repository that is served. Its methods are an outsider's: they take no token and meet no protection.
type Repo struct {
	Owner, Name, DefaultBranch string

	*store
	id      int
	private bool
	born    time.Time
	now     func() time.Time
	stale   staleHeads
	options Repository
	prs     pulls
	merging sync.Mutex // one merge at a time

	mu      sync.Mutex
	protect map[string]Protection
	onPush  []func(ref string, old, new OID)
}

func (r *Repo) fullName() string { return r.Owner + "/" + r.Name }

func openRepo(ctx context.Context, o Repository, id int, now func() time.Time) (*Repo, error) {
	r := &Repo{Owner: o.Owner, Name: o.Name, DefaultBranch: o.DefaultBranch, id: id, private: o.Private, protect: maps.Clone(o.Protected), options: o, now: now, born: now()}
	if r.DefaultBranch == "" {
		r.DefaultBranch = "main"
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", r.fullName(), err)
	}
	r.store = newStore(dir)
	if _, err := os.Stat(filepath.Join(dir, "HEAD")); err == nil {
		return r, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make %s: %w", r.fullName(), err)
	}
	if _, err := r.run(ctx, nil, "init", "--quiet", "--bare", "--initial-branch="+r.DefaultBranch); err != nil {
		return nil, fmt.Errorf("make %s: %w", r.fullName(), err)
	}
	if o.Seed != nil {
		if err := r.seed(ctx, o.Seed); err != nil {
			r.close()
			return nil, fmt.Errorf("seed %s: %w", r.fullName(), err)
		}
	}
	return r, nil
}

func (r *Repo) seed(ctx context.Context, from fs.FS) error {
	edits := map[string]edit{}
	err := fs.WalkDir(from, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(from, path)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		mode := modeFile
		if info.Mode()&0o111 != 0 {
			mode = modeExec
		}
		id, err := r.write(blobKind, data)
		edits[path] = edit{mode: mode, id: id}
		return err
	})
	if err != nil {
		return err
	}
	tree, err := r.editTree("", edits)
	if err != nil {
		return err
	}
	id, err := r.writeCommit(Commit{Tree: tree, Author: r.outsider(), Committer: r.outsider(), Message: "Initial commit\n"})
	if err != nil {
		return err
	}
	return r.moveRefs(ctx, move{headsPrefix + r.DefaultBranch, zeroOID, id})
}

func (r *Repo) outsider() Signature {
	return Signature{"Outsider", "outsider@example.com", r.now()}
}

func (r *Repo) writeCommit(c Commit) (OID, error) { return r.write(commitKind, c.encode()) }

// pushed tells everyone who asked that a reference moved; pull requests know first.
func (r *Repo) pushed(ref string, old, new OID) {
	r.follow(ref, old, new)
	r.mu.Lock()
	told := slices.Clone(r.onPush)
	r.mu.Unlock()
	for _, f := range told {
		f(ref, old, new)
	}
}

// OnPush calls f after each move of a reference, whichever way it came in, on the goroutine of whoever moved it and before
// that one is answered: f must not block for long. Two writers may call it at once and out of order; the reference
// itself is the truth. Old or new is forty zeros where the reference was made or deleted.
func (r *Repo) OnPush(f func(ref string, old, new OID)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.onPush = append(r.onPush, f)
}

// Head is the commit a branch is at.
func (r *Repo) Head(branch string) (OID, error) {
	at, err := r.ref(headsPrefix + branch)
	if err != nil {
		return "", fmt.Errorf("head of %s: %w", branch, err)
	}
	return at.id, nil
}

// Commit is somebody else's push: files by path, written over what is there (an existing file keeps its mode).
// It starts again for as long as others move the branch between.
func (r *Repo) Commit(branch, message string, files map[string]string) (OID, error) {
	edits := map[string]edit{}
	for path, content := range files {
		id, err := r.write(blobKind, []byte(content))
		if err != nil {
			return "", fmt.Errorf("commit to %s: %w", branch, err)
		}
		edits[path] = edit{id: id}
	}
	return r.push(branch, message, edits)
}

// Link is Commit for symbolic links, from path to what they lead to.
func (r *Repo) Link(branch, message string, links map[string]string) (OID, error) {
	edits := map[string]edit{}
	for path, to := range links {
		id, err := r.write(blobKind, []byte(to))
		if err != nil {
			return "", fmt.Errorf("commit to %s: %w", branch, err)
		}
		edits[path] = edit{mode: modeLink, id: id}
	}
	return r.push(branch, message, edits)
}

// Delete is Commit for files that go away.
func (r *Repo) Delete(branch, message string, paths ...string) (OID, error) {
	edits := map[string]edit{}
	for _, path := range paths {
		edits[path] = edit{remove: true}
	}
	return r.push(branch, message, edits)
}

func (r *Repo) push(branch, message string, edits map[string]edit) (OID, error) {
	for {
		head, err := r.Head(branch)
		if errors.Is(err, errMissing) {
			head = zeroOID
		} else if err != nil {
			return "", err
		}
		id, err := r.commitOn(context.Background(), branch, head, edits, r.outsider(), r.outsider(), message)
		if lost := (*movedError)(nil); errors.As(err, &lost) {
			continue
		}
		if err != nil {
			return "", fmt.Errorf("commit to %s: %w", branch, err)
		}
		return id, nil
	}
}

// commitOn makes one commit on head and moves the branch from head to it, if it is still there.
// A head of zeros starts a branch without history.
func (r *Repo) commitOn(ctx context.Context, branch string, head OID, edits map[string]edit, author, committer Signature, message string) (OID, error) {
	c := Commit{Author: author, Committer: committer, Message: message}
	var root OID
	if head != zeroOID {
		parent, err := r.commit(head)
		if err != nil {
			return "", err
		}
		root, c.Parents = parent.Tree, []OID{head}
	}
	var err error
	if c.Tree, err = r.editTree(root, edits); err != nil {
		return "", err
	}
	if c.OID, err = r.writeCommit(c); err != nil {
		return "", err
	}
	return c.OID, r.moveRefs(ctx, move{headsPrefix + branch, head, c.OID})
}

// ReadFile reads a file at a branch, a tag or a commit.
func (r *Repo) ReadFile(at, path string) (string, error) {
	c, err := r.resolve(at)
	if err != nil {
		return "", fmt.Errorf("read %s at %s: %w", path, at, err)
	}
	e, ok, err := r.find(c.Tree, path)
	if err != nil || !ok || e.kind() != blobKind {
		return "", errors.Join(fmt.Errorf("read %s at %s: %w", path, at, errNoPath), err)
	}
	o, err := r.want(e.id, blobKind)
	return string(o.data), err
}

// Log is the history of a branch along first parents, newest first.
func (r *Repo) Log(branch string) ([]Commit, error) {
	id, err := r.Head(branch)
	if err != nil {
		return nil, err
	}
	var out []Commit
	for {
		c, err := r.commit(id)
		if err != nil {
			return nil, fmt.Errorf("history of %s: %w", branch, err)
		}
		out = append(out, c)
		if len(c.Parents) == 0 {
			return out, nil
		}
		id = c.Parents[0]
	}
}

// Dir is the bare repository; moving a reference there behind the server's back is seen by everyone but OnPush.
func (r *Repo) Dir() string { return r.dir }

// CloneURL is where smart HTTP serves the repository, given the address it is served at ("http://127.0.0.1:1234").
func (r *Repo) CloneURL(base string) string {
	return strings.TrimSuffix(base, "/") + "/" + r.fullName() + ".git"
}

func (r *Repo) close() { r.batch.close() }
