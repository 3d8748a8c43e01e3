package github

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// base64Lines is how GitHub wraps what it encodes.
func base64Lines(data []byte) string {
	const width = 60
	s := base64.StdEncoding.EncodeToString(data)
	var b strings.Builder
	for len(s) > width {
		b.WriteString(s[:width] + "\n")
		s = s[width:]
	}
	return b.String() + s + "\n"
}

func getBlob(c *call) (reply, error) {
	o, err := c.repo.want(OID(c.PathValue("file_sha")), blobKind)
	if errors.Is(err, errMissing) {
		if err := c.repo.empty(c.Context()); err != nil {
			return reply{}, err
		}
	}
	if err != nil {
		return reply{}, err
	}
	if c.wants("raw") {
		return reply{raw: o.data, contentType: "application/vnd.github.raw; charset=utf-8", etag: `"` + string(o.id) + `"`}, nil
	}
	return reply{json: record{
		"sha": o.id, "node_id": c.repo.objectID(o.id), "size": len(o.data), "url": c.url("git", "blobs", string(o.id)),
		"content": base64Lines(o.data), "encoding": "base64",
	}}, nil
}

func createBlob(c *call) (reply, error) {
	var in struct{ Content, Encoding string }
	if err := c.read(&in); err != nil {
		return reply{}, err
	}
	if err := c.repo.empty(c.Context()); err != nil {
		return reply{}, err
	}
	data := []byte(in.Content)
	if in.Encoding == "base64" {
		var err error
		if data, err = decode64(in.Content); err != nil {
			return reply{}, invalid("Blob", "content", "invalid")
		}
	}
	id, err := c.repo.write(blobKind, data)
	return reply{status: http.StatusCreated, json: record{"sha": id, "url": c.url("git", "blobs", string(id))}}, err
}

// decode64 takes base64 with or without line breaks.
func decode64(s string) ([]byte, error) {
	return base64.StdEncoding.DecodeString(strings.NewReplacer("\n", "", "\r", "", " ", "").Replace(s))
}

// getTree takes a tree, or anything that has one.
func getTree(c *call) (reply, error) {
	word := c.PathValue("tree_sha")
	id := OID(word)
	if o, err := c.repo.read(id); err != nil || o.kind != treeKind {
		x, err := c.repo.resolve(word)
		if errors.Is(err, errMissing) {
			if err := c.repo.empty(c.Context()); err != nil {
				return reply{}, err
			}
		}
		if err != nil {
			return reply{}, err
		}
		id = x.Tree
	}
	entries, truncated, err := c.listTree(list{}, id, "", c.URL.Query().Has("recursive"))
	if err != nil {
		return reply{}, fmt.Errorf("list tree %s: %w", id, err)
	}
	return reply{json: record{"sha": id, "url": c.url("git", "trees", string(id)), "tree": entries, "truncated": truncated}}, nil
}

// listTree appends what is in a tree, each directory before what is in it, until the limit.
func (c *call) listTree(out list, id OID, below string, recursive bool) (list, bool, error) {
	entries, err := c.repo.tree(id)
	if err != nil {
		return nil, false, err
	}
	for _, e := range entries {
		if len(out) == c.srv.opts.TreeLimit {
			return out, true, nil
		}
		x, err := c.treeEntry(e, below)
		if err != nil {
			return nil, false, err
		}
		out = append(out, x)
		if !recursive || e.kind() != treeKind {
			continue
		}
		var truncated bool
		if out, truncated, err = c.listTree(out, e.id, below+e.name+"/", true); err != nil || truncated {
			return out, truncated, err
		}
	}
	return out, false, nil
}

func (c *call) treeEntry(e entry, below string) (record, error) {
	x := record{"path": below + e.name, "mode": e.sixMode(), "type": e.kind(), "sha": e.id}
	switch e.kind() {
	case commitKind:
		return x, nil
	case blobKind:
		size, err := c.repo.size(e.id)
		if err != nil {
			return nil, err
		}
		x["size"] = size
	}
	x["url"] = c.url("git", string(e.kind())+"s", string(e.id))
	return x, nil
}

type treeInput struct {
	BaseTree OID `json:"base_tree"`
	Tree     []struct {
		Path, Mode, Type string
		SHA              *OID
		Content          *string
	}
}

func createTree(c *call) (reply, error) {
	var in treeInput
	if err := c.read(&in); err != nil {
		return reply{}, err
	}
	if err := c.repo.empty(c.Context()); err != nil {
		return reply{}, err
	}
	base := in.BaseTree
	if base != "" {
		o, err := c.repo.read(base)
		if err == nil && o.kind == commitKind {
			var x Commit
			x, err = c.repo.commit(base)
			base = x.Tree
		}
		if err != nil || o.kind != treeKind && o.kind != commitKind {
			return reply{}, fail(http.StatusNotFound, "Not Found")
		}
	}
	edits, err := c.treeEdits(in)
	if err != nil {
		return reply{}, err
	}
	id, err := c.repo.editTree(base, edits)
	if errors.Is(err, errNoPath) {
		return reply{}, fail(http.StatusUnprocessableEntity, "GitRPC::BadObjectState")
	}
	if err != nil {
		return reply{}, err
	}
	out, truncated, err := c.listTree(list{}, id, "", false)
	if err != nil {
		return reply{}, err
	}
	return reply{status: http.StatusCreated, json: record{"sha": id, "url": c.url("git", "trees", string(id)), "tree": out, "truncated": truncated}}, nil
}

func (c *call) treeEdits(in treeInput) (map[string]edit, error) {
	modes := []string{modeFile, modeExec, modeLink, modeGitlink, "040000"}
	edits := map[string]edit{}
	for _, e := range in.Tree {
		if err := cleanPath(e.Path); err != nil {
			return nil, fail(http.StatusUnprocessableEntity, "tree.path contains a malformed path component")
		}
		if !slices.Contains(modes, e.Mode) {
			return nil, fail(http.StatusUnprocessableEntity, "Must supply a valid tree.mode")
		}
		switch {
		case e.Content != nil && e.SHA != nil:
			return nil, fail(http.StatusUnprocessableEntity, "Must supply either tree.sha or tree.content, not both")
		case e.Content != nil:
			id, err := c.repo.write(blobKind, []byte(*e.Content))
			if err != nil {
				return nil, err
			}
			edits[e.Path] = edit{mode: e.Mode, id: id}
		case e.SHA == nil:
			edits[e.Path] = edit{remove: true}
		default:
			if _, err := c.repo.read(*e.SHA); err != nil && e.Mode != modeGitlink {
				return nil, fail(http.StatusUnprocessableEntity, "tree.sha %s is not a valid blob", *e.SHA)
			}
			edits[e.Path] = edit{mode: e.Mode, id: *e.SHA}
		}
	}
	return edits, nil
}

// gitCommit is GitHub's "git commit".
func (c *call) gitCommit(x Commit) record {
	parents := list{}
	for _, p := range x.Parents {
		parents = append(parents, record{"sha": p, "url": c.url("git", "commits", string(p)), "html_url": c.html("commit", string(p))})
	}
	return record{
		"sha": x.OID, "node_id": c.repo.objectID(x.OID), "url": c.url("git", "commits", string(x.OID)), "html_url": c.html("commit", string(x.OID)),
		"author": sigRecord(x.Author), "committer": sigRecord(x.Committer), "message": strings.TrimSuffix(x.Message, "\n"),
		"tree": record{"sha": x.Tree, "url": c.url("git", "trees", string(x.Tree))}, "parents": parents, "verification": unverified(),
	}
}

func getGitCommit(c *call) (reply, error) {
	x, err := c.repo.commit(OID(c.PathValue("commit_sha")))
	if errors.Is(err, errMissing) {
		if err := c.repo.empty(c.Context()); err != nil {
			return reply{}, err
		}
	}
	if err != nil {
		return reply{}, err
	}
	return reply{json: c.gitCommit(x)}, nil
}

type person struct {
	Name, Email string
	Date        time.Time
}

func (c *call) signature(p *person, otherwise Signature) Signature {
	if p == nil {
		return otherwise
	}
	s := Signature{p.Name, p.Email, p.Date}
	if p.Date.IsZero() {
		s.When = c.srv.opts.Now()
	}
	return s
}

// self signs as the token's user.
func (c *call) self() Signature {
	name, email := c.who.signature()
	return Signature{name, email, c.srv.opts.Now()}
}

func createCommit(c *call) (reply, error) {
	var in struct {
		Message           string
		Tree              OID
		Parents           []OID
		Author, Committer *person
	}
	if err := c.read(&in); err != nil {
		return reply{}, err
	}
	if err := c.repo.empty(c.Context()); err != nil {
		return reply{}, err
	}
	if in.Message == "" {
		return reply{}, invalid("Commit", "message", "missing_field")
	}
	if _, err := c.repo.want(in.Tree, treeKind); err != nil {
		return reply{}, fail(http.StatusUnprocessableEntity, "Tree SHA does not exist")
	}
	for _, p := range in.Parents {
		if _, err := c.repo.want(p, commitKind); err != nil {
			return reply{}, fail(http.StatusUnprocessableEntity, "Parent SHA does not exist or is not a commit object")
		}
	}
	x := Commit{Tree: in.Tree, Parents: in.Parents, Message: in.Message}
	x.Author = c.signature(in.Author, c.self())
	x.Committer = c.signature(in.Committer, x.Author)
	id, err := c.repo.writeCommit(x)
	if err != nil {
		return reply{}, err
	}
	x.OID = id
	header := http.Header{}
	header.Set("Location", c.url("git", "commits", string(id)))
	return reply{status: http.StatusCreated, json: c.gitCommit(x), header: header}, nil
}
