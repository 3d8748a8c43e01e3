package github

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"
)

// contentsLimit is from where on the contents API leaves the content out of its JSON.
const contentsLimit = 1 << 20

func getContents(c *call) (reply, error) {
	word := c.URL.Query().Get("ref")
	if word == "" {
		word = c.repo.DefaultBranch
	}
	at, err := c.repo.resolve(word)
	if errors.Is(err, errMissing) {
		if c.repo.empty(c.Context()) != nil {
			return reply{}, fail(http.StatusNotFound, "This repository is empty.")
		}
		return reply{}, fail(http.StatusNotFound, "No commit found for the ref %s", word)
	}
	if err != nil {
		return reply{}, err
	}
	where := strings.Trim(c.PathValue("path"), "/")
	e, ok, err := c.repo.find(at.Tree, where)
	if err != nil {
		return reply{}, err
	}
	if !ok {
		return reply{}, errNotFound
	}
	if e.kind() == treeKind {
		return c.directory(e.id, where, word)
	}
	out := c.content(e, where, word)
	if e.kind() == blobKind {
		o, err := c.repo.want(e.id, blobKind)
		if err != nil {
			return reply{}, err
		}
		if c.wants("raw") {
			return reply{raw: o.data, contentType: "application/vnd.github.raw; charset=utf-8", etag: `"` + string(o.id) + `"`}, nil
		}
		out["size"] = len(o.data)
		switch {
		case e.mode == modeLink:
			out["target"] = string(o.data)
		case len(o.data) > contentsLimit:
			out["content"], out["encoding"] = "", "none"
		default:
			out["content"], out["encoding"] = base64Lines(o.data), "base64"
		}
	}
	return reply{json: out}, nil
}

func (c *call) directory(id OID, where, word string) (reply, error) {
	entries, err := c.repo.tree(id)
	if err != nil {
		return reply{}, err
	}
	out := list{}
	for _, e := range entries[:min(len(entries), 1000)] {
		x := c.content(e, path.Join(where, e.name), word)
		if e.kind() == blobKind {
			o, err := c.repo.want(e.id, blobKind)
			if err != nil {
				return reply{}, err
			}
			x["size"] = len(o.data)
		}
		out = append(out, x)
	}
	return reply{json: out}, nil
}

// content is what the contents API says of a file or directory, without what is in it.
func (c *call) content(e entry, where, word string) record {
	what, tab := "file", "blob"
	var git, download any = c.url("git", "blobs", string(e.id)), c.html("raw", escapePath(word), escapePath(where))
	switch e.mode {
	case modeTree:
		what, tab, git, download = "dir", "tree", c.url("git", "trees", string(e.id)), nil
	case modeGitlink:
		what, tab, git, download = "submodule", "tree", nil, nil
	case modeLink:
		what = "symlink"
	}
	self, html := c.url("contents", escapePath(where))+"?ref="+url.QueryEscape(word), c.html(tab, escapePath(word), escapePath(where))
	out := record{
		"type": what, "size": 0, "name": path.Base(where), "path": where, "sha": e.id,
		"url": self, "git_url": git, "html_url": html, "download_url": download,
		"_links": record{"self": self, "git": git, "html": html},
	}
	if what == "submodule" {
		out["submodule_git_url"] = nil
	}
	return out
}

type contentsInput struct {
	Message, Content, Branch string
	SHA                      OID
	Author, Committer        *person
}

func putContents(c *call) (reply, error) {
	var in contentsInput
	if err := c.read(&in); err != nil {
		return reply{}, err
	}
	where := c.PathValue("path")
	data, err := decode64(in.Content)
	if err != nil {
		return reply{}, fail(http.StatusUnprocessableEntity, "content is not valid Base64")
	}
	if cleanPath(where) != nil {
		return reply{}, fail(http.StatusUnprocessableEntity, "path contains a malformed path component")
	}
	if in.Message == "" {
		return reply{}, fail(http.StatusUnprocessableEntity, "Invalid request.\n\n\"message\" wasn't supplied.")
	}
	if in.Branch == "" {
		in.Branch = c.repo.DefaultBranch
	}
	head, err := c.contentsHead(in.Branch)
	if err != nil {
		return reply{}, err
	}
	created, err := c.contentsBase(head, where, in.SHA)
	if err != nil {
		return reply{}, err
	}
	if err := c.contentsProtected(in.Branch); err != nil {
		return reply{}, err
	}
	blob, err := c.repo.write(blobKind, data)
	if err != nil {
		return reply{}, err
	}
	author := c.signature(in.Author, c.self())
	committer := c.signature(in.Committer, author)
	id, err := c.repo.commitOn(c.Context(), in.Branch, head, map[string]edit{where: {id: blob}}, author, committer, in.Message)
	if lost := (*movedError)(nil); errors.As(err, &lost) {
		return reply{}, fail(http.StatusConflict, "is at %s but expected %s", lost.at, lost.expected)
	}
	if err != nil {
		return reply{}, err
	}
	x, err := c.repo.commit(id)
	if err != nil {
		return reply{}, err
	}
	e, _, err := c.repo.find(x.Tree, where)
	if err != nil {
		return reply{}, err
	}
	out := c.content(e, where, in.Branch)
	out["size"] = len(data)
	status := http.StatusOK
	if created {
		status = http.StatusCreated
	}
	return reply{status: status, json: record{"content": out, "commit": c.gitCommit(x)}}, nil
}

// contentsProtected is a 409 where other ways in say 422.
func (c *call) contentsProtected(branch string) error {
	said, ruleset := c.repo.violation(branch, c.who.Login)
	if said == "" {
		return nil
	}
	if !ruleset {
		said = "Could not update file: " + said
	}
	return fail(http.StatusConflict, "%s", said)
}

// contentsHead is where the branch is; the default branch of an empty repository is at nothing.
func (c *call) contentsHead(branch string) (OID, error) {
	head, err := c.repo.Head(branch)
	if !errors.Is(err, errMissing) {
		return head, err
	}
	if c.repo.empty(c.Context()) != nil && branch == c.repo.DefaultBranch {
		return zeroOID, nil
	}
	return "", fail(http.StatusNotFound, "Branch %s not found", branch)
}

// contentsBase holds the blob that the client believes to replace against the one that is there.
func (c *call) contentsBase(head OID, where string, believed OID) (created bool, err error) {
	if head == zeroOID {
		return true, nil
	}
	x, err := c.repo.commit(head)
	if err != nil {
		return false, err
	}
	e, exists, err := c.repo.find(x.Tree, where)
	switch {
	case err != nil:
		return false, err
	case exists && believed == "":
		return false, fail(http.StatusUnprocessableEntity, "Invalid request.\n\n\"sha\" wasn't supplied.")
	case exists && believed != e.id, !exists && believed != "":
		return false, fail(http.StatusConflict, "%s does not match %s", where, believed)
	}
	return !exists, nil
}

// getTarball sends the client elsewhere, with a pass for five minutes, as GitHub does.
func getTarball(c *call) (reply, error) {
	word := c.PathValue("ref")
	if word == "" {
		word = c.repo.DefaultBranch
	}
	if _, err := c.repo.resolve(word); err != nil {
		return reply{}, err
	}
	where := "/_codeload/" + c.repo.fullName() + "/legacy.tar.gz/" + escapePath(word)
	until := strconv.FormatInt(c.srv.opts.Now().Add(5*time.Minute).Unix(), 10)
	header := http.Header{}
	header.Set("Location", c.host+where+"?until="+until+"&token="+c.srv.pass(where, until))
	return reply{status: http.StatusFound, header: header}, nil
}

func (s *Server) pass(where, until string) string {
	h := hmac.New(sha256.New, s.secret)
	fmt.Fprintf(h, "%s\x00%s", where, until)
	return hex.EncodeToString(h.Sum(nil))
}

func (s *Server) codeload(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	until, err := strconv.ParseInt(q.Get("until"), 10, 64)
	repo := s.Repo(r.PathValue("owner") + "/" + r.PathValue("repo"))
	pass := s.pass(r.URL.EscapedPath(), q.Get("until"))
	if err != nil || repo == nil || s.opts.Now().Unix() > until || !hmac.Equal([]byte(pass), []byte(q.Get("token"))) {
		http.Error(w, "404: Not Found", http.StatusNotFound)
		return
	}
	x, err := repo.resolve(r.PathValue("ref"))
	if err != nil {
		http.Error(w, "404: Not Found", http.StatusNotFound)
		return
	}
	name := repo.Owner + "-" + repo.Name + "-" + string(x.OID[:7])
	out, err := repo.run(r.Context(), nil, "archive", "--format=tar.gz", "--prefix="+name+"/", string(x.OID))
	if err != nil {
		http.Error(w, "500: archive", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/x-gzip")
	w.Header().Set("Content-Disposition", "attachment; filename="+name+".tar.gz")
	_, _ = w.Write(out)
}
