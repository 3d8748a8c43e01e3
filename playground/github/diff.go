package github

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// change is one file of a difference.
type change struct {
	path, from   string // from: where a renamed or copied file came from
	status       string // as GitHub says it
	id           OID    // of the file after, or before where it went away
	added, taken int
	patch        string // hunks only; empty for a binary file
}

// diff compares two commits; an empty base is the empty tree.
func (r *Repo) diff(ctx context.Context, base, head OID) ([]change, error) {
	args := []string{"diff-tree", "-r", "-M", "--no-commit-id", "--full-index", "--raw", "--numstat", "-p", "-z"}
	if base == "" {
		args = append(args, "--root", string(head))
	} else {
		args = append(args, string(base), string(head))
	}
	out, err := r.run(ctx, nil, args...)
	if err != nil {
		return nil, fmt.Errorf("compare %s with %s: %w", base, head, err)
	}
	return parseDiff(string(out))
}

// parseDiff reads the three parts that diff-tree prints one after another: raw, numbers, patch.
func parseDiff(s string) ([]change, error) {
	var out []change
	for strings.HasPrefix(s, ":") {
		head, rest, _ := strings.Cut(s, "\x00")
		f := strings.Fields(head)
		if len(f) != 5 {
			return nil, fmt.Errorf("difference %q: %w", head, errMalformed)
		}
		c := change{id: OID(f[3]), status: statusWord(f[4][0])}
		if c.id == zeroOID {
			c.id = OID(f[2])
		}
		c.path, s, _ = strings.Cut(rest, "\x00")
		if c.status == "renamed" || c.status == "copied" {
			c.from = c.path
			c.path, s, _ = strings.Cut(s, "\x00")
		}
		out = append(out, c)
	}
	for i := range out {
		var line string
		line, s, _ = strings.Cut(s, "\x00")
		added, rest, _ := strings.Cut(line, "\t")
		taken, name, _ := strings.Cut(rest, "\t")
		// A binary file has dashes for numbers, and stays at zero.
		out[i].added, _ = strconv.Atoi(added)
		out[i].taken, _ = strconv.Atoi(taken)
		if name == "" {
			_, s, _ = strings.Cut(s, "\x00")
			_, s, _ = strings.Cut(s, "\x00")
		}
	}
	patches := splitPatch(strings.TrimPrefix(s, "\x00"))
	for i := range out {
		if len(patches) == 0 {
			break
		}
		out[i].patch, patches = hunks(patches[0]), patches[1:]
		if out[i].status == "changed" && len(patches) > 0 {
			// A file that became a link, say, is printed as one gone and one come.
			patches = patches[1:]
		}
	}
	return out, nil
}

func statusWord(letter byte) string {
	switch letter {
	case 'A':
		return "added"
	case 'D':
		return "removed"
	case 'R':
		return "renamed"
	case 'C':
		return "copied"
	case 'T':
		return "changed"
	}
	return "modified"
}

func splitPatch(s string) []string {
	const begin = "diff --git "
	s = strings.TrimPrefix(s, begin)
	if s == "" {
		return nil
	}
	return strings.Split(s, "\n"+begin)
}

// hunks is what GitHub calls the patch: from the first @@ on.
func hunks(s string) string {
	i := strings.Index(s, "\n@@ ")
	if i < 0 {
		return ""
	}
	return strings.TrimSuffix(s[i+1:], "\n")
}

func (c *call) files(changes []change, at OID) (files list, stats record) {
	files = list{}
	added, taken := 0, 0
	for _, x := range changes {
		added, taken = added+x.added, taken+x.taken
		path := escapePath(x.path)
		f := record{
			"sha": x.id, "filename": x.path, "status": x.status, "additions": x.added, "deletions": x.taken, "changes": x.added + x.taken,
			"blob_url": c.html("blob", string(at), path), "raw_url": c.html("raw", string(at), path),
			"contents_url": c.url("contents", path) + "?ref=" + string(at),
		}
		if x.from != "" {
			f["previous_filename"] = x.from
		}
		if x.patch != "" {
			f["patch"] = x.patch
		}
		files = append(files, f)
	}
	return files, record{"total": added + taken, "additions": added, "deletions": taken}
}
