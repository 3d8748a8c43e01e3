package forge

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"ferry/internal/fault"
)

// plainFile is the mode that createCommitOnBranch gives every file it writes.
const plainFile = "100644"

// treeEntry is a file of a tree to be made: its text, or the SHA of a blob; null
// takes the file away.
type treeEntry struct {
	Path    string `json:"path"`
	Mode    string `json:"mode"`
	Type    string `json:"type"`
	Content string `json:"content,omitempty"`
	SHA     any    `json:"sha,omitempty"`
}

// commitModes makes a commit whose files keep modes that createCommitOnBranch
// would take from them: tree and commit as objects, which nobody sees, then the
// branch moved to it if it is still at c.On. So it is as exact, and the author is
// the same; but the commit is signed by GitHub only where ferry acts as an App.
//
// It costs three requests where createCommitOnBranch is one, and one more for
// each file that is no text.
func (r *Repository) commitModes(ctx context.Context, branch string, c NewCommit) (Made, error) {
	base, err := r.treeOf(ctx, c.On)
	if err != nil {
		return Made{}, err
	}
	repository, err := r.nodeID(ctx)
	if err != nil {
		return Made{}, err
	}
	entries, err := r.treeEntries(ctx, c)
	if err != nil {
		return Made{}, err
	}
	var tree struct {
		SHA string `json:"sha"`
	}
	at := fmt.Sprintf("repos/%s/git/", r.Full())
	if err := r.write(ctx, http.MethodPost, at+"trees", map[string]any{"base_tree": base, "tree": entries}, &tree); err != nil {
		return Made{}, r.explain(err, "make tree")
	}
	var made struct {
		SHA       string `json:"sha"`
		HTMLURL   string `json:"html_url"`
		Committer struct {
			Date time.Time `json:"date"`
		} `json:"committer"`
	}
	commit := map[string]any{"message": strings.TrimSpace(c.Headline + "\n\n" + strings.TrimSpace(c.Body)), "tree": tree.SHA, "parents": []string{c.On}}
	if err := r.write(ctx, http.MethodPost, at+"commits", commit, &made); err != nil {
		return Made{}, r.explain(err, "make commit")
	}
	if tree.SHA == "" || made.SHA == "" {
		return Made{}, fault.New(fault.Unavailable, "GitHub's answer to a commit was empty", "").Because(errors.New("a tree or a commit without a SHA"))
	}
	input := map[string]any{"repositoryId": repository, "clientMutationId": c.Job, "refUpdates": []map[string]any{
		{"name": "refs/heads/" + branch, "beforeOid": c.On, "afterOid": made.SHA, "force": false},
	}}
	failed, err := r.graph(ctx, refsMutation, map[string]any{"input": input}, nil)
	if err != nil {
		return Made{}, r.explain(err, "commit on "+branch)
	}
	if len(failed) > 0 {
		r.node.Store(nil) // in case it is another repository of that name
		return Made{}, r.modesRefused(branch, c, failed[0])
	}
	return Made{SHA: made.SHA, URL: made.HTMLURL, Tree: tree.SHA, At: made.Committer.Date}, nil
}

// treeEntries are the files of a commit; text goes along, anything else is made a
// blob first.
func (r *Repository) treeEntries(ctx context.Context, c NewCommit) ([]treeEntry, error) {
	var out []treeEntry
	for _, path := range slices.Sorted(maps.Keys(c.Files)) {
		e, data := treeEntry{Path: path, Mode: plainFile, Type: "blob"}, c.Files[path]
		if mode := c.Modes[path]; mode != "" {
			e.Mode = mode
		}
		if data == nil {
			e.SHA = json.RawMessage("null")
			out = append(out, e)
			continue
		}
		if len(data) > 0 && utf8.Valid(data) && bytes.IndexByte(data, 0) < 0 && !bytes.HasPrefix(data, []byte("\ufeff")) {
			e.Content = string(data)
			out = append(out, e)
			continue
		}
		var made struct {
			SHA string `json:"sha"`
		}
		blob := map[string]string{"content": base64.StdEncoding.EncodeToString(data), "encoding": "base64"}
		if err := r.write(ctx, http.MethodPost, fmt.Sprintf("repos/%s/git/blobs", r.Full()), blob, &made); err != nil {
			return nil, r.explain(err, "make blob of "+path)
		}
		e.SHA = made.SHA
		out = append(out, e)
	}
	return out, nil
}

// treeOf is the tree of a commit, which is mostly a head that was read just now.
func (r *Repository) treeOf(ctx context.Context, sha string) (string, error) {
	if tree, ok := r.heads.treeOf(sha); ok {
		return tree, nil
	}
	h, err := r.At(ctx, sha)
	return h.Tree, err
}

// nodeID is the repository's name in GraphQL, which is asked for once: it stays,
// and what else is in the answer changes with each push.
func (r *Repository) nodeID(ctx context.Context) (string, error) {
	if known := r.node.Load(); known != nil {
		return *known, nil
	}
	var repo struct {
		NodeID string `json:"node_id"`
	}
	if _, err := r.read(ctx, "repos/"+r.Full(), &repo); err != nil {
		return "", r.explain(err, "read repository")
	}
	r.node.Store(&repo.NodeID)
	return repo.NodeID, nil
}

// modesRefused turns GitHub's no into what it means, as refusal does, and names
// what only this way of committing cannot do.
func (r *Repository) modesRefused(branch string, c NewCommit, e graphError) error {
	cause := fmt.Errorf("commit on %s: %s: %s", branch, e.Type, e.Message)
	file := slices.Min(slices.Collect(maps.Keys(c.Modes)))
	text := strings.ToLower(e.Message)
	switch {
	case strings.Contains(text, "verified signature"):
		return fault.Newf(fault.Refused, "`%s` is executable, and %s wants signed commits", file, branch).
			WithHelp("GitHub signs what ferry commits as a GitHub App, and commits of plain files\nlet ferry be an App, or make it a plain file: git update-index --chmod=-x %s", file).Because(cause)
	case strings.Contains(text, "updaterefs") && strings.Contains(text, "exist"):
		return fault.Newf(fault.Refused, "`%s` is executable, and this GitHub would take that from it", file).
			WithHelp("it does not know updateRefs\nmake it a plain file first: git update-index --chmod=-x %s", file).Because(cause)
	}
	return r.refusal(branch, e)
}
