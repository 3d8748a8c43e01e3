package github

import (
	"errors"
	"fmt"
	"strings"

	"github.com/graphql-go/graphql"
)

func staleData(expected OID) error {
	return &gqlError{"STALE_DATA", fmt.Sprintf("Expected branch to point to %q but it did not.  Pull and try again.", string(expected))}
}

func word(m map[string]any, key string) string {
	s, _ := m[key].(string)
	return s
}

func items(m map[string]any, key string) []map[string]any {
	all, _ := m[key].([]any)
	var out []map[string]any
	for _, x := range all {
		if one, ok := x.(map[string]any); ok {
			out = append(out, one)
		}
	}
	return out
}

// createCommitOnBranch makes one commit of all the changes, if the branch is where the client believes it.
// Every file that it writes becomes a plain one, whatever it was: the mutation has no word for a mode.
func createCommitOnBranch(p graphql.ResolveParams) (any, error) {
	c := callOf(p)
	in, _ := p.Args["input"].(map[string]any)
	target, _ := in["branch"].(map[string]any)
	repo, branch, err := c.committable(target)
	if err != nil {
		return nil, err
	}
	expected := OID(word(in, "expectedHeadOid"))
	head, err := repo.Head(branch)
	if errors.Is(err, errMissing) {
		return nil, &gqlError{"NOT_FOUND", fmt.Sprintf("No ref exists with name '%s%s'.", headsPrefix, branch)}
	}
	if err != nil {
		return nil, err
	}
	if head != expected {
		return nil, staleData(expected)
	}
	changes, _ := in["fileChanges"].(map[string]any)
	edits, err := repo.fileChanges(changes)
	if err != nil {
		return nil, err
	}
	if said, ruleset := repo.violation(branch, c.who.Login); ruleset {
		return nil, &gqlError{"UNPROCESSABLE", said}
	} else if said != "" {
		return nil, &gqlError{"BRANCH_PROTECTION_RULE_VIOLATION", fmt.Sprintf("protected branch '%s' check failed:\n%s", branch, said)}
	}
	message, _ := in["message"].(map[string]any)
	text := word(message, "headline")
	if body := word(message, "body"); body != "" {
		text += "\n\n" + body
	}
	committer := Signature{"GitHub", "noreply@github.com", c.srv.opts.Now()}
	id, err := repo.commitOn(c.Context(), branch, expected, edits, c.self(), committer, text)
	if lost := (*movedError)(nil); errors.As(err, &lost) {
		return nil, staleData(expected)
	}
	if errors.Is(err, errNoPath) {
		return nil, &gqlError{"UNPROCESSABLE", "A path was requested for deletion which does not exist as of commit oid `" + string(expected) + "`"}
	}
	if err != nil {
		return nil, err
	}
	x, err := repo.commit(id)
	if err != nil {
		return nil, err
	}
	return record{
		"clientMutationId": in["clientMutationId"], "commit": commitNode{repo, x},
		"ref": refNode{repo, ref{headsPrefix + branch, id, commitKind}},
	}, nil
}

// committable finds the branch, by its ID or by both names.
func (c *call) committable(in map[string]any) (*Repo, string, error) {
	name, branch := word(in, "repositoryNameWithOwner"), word(in, "branchName")
	if id := word(in, "id"); id != "" {
		parts, ok := fromNodeID("REF", id)
		if !ok || len(parts) != 2 {
			return nil, "", &gqlError{"NOT_FOUND", "Could not resolve to a node with the global id of '" + id + "'"}
		}
		name, branch = parts[0], parts[1]
	}
	repo, err := c.gqlRepo(name, WriteAccess)
	return repo, branchName(branch), err
}

func (r *Repo) fileChanges(in map[string]any) (map[string]edit, error) {
	edits := map[string]edit{}
	for _, d := range items(in, "deletions") {
		edits[word(d, "path")] = edit{remove: true}
	}
	for _, a := range items(in, "additions") {
		path := word(a, "path")
		if _, twice := edits[path]; twice {
			return nil, &gqlError{"UNPROCESSABLE", "Duplicate path: " + path}
		}
		data, err := decode64(word(a, "contents"))
		if err != nil {
			return nil, &gqlError{"UNPROCESSABLE", "Contents of " + path + " is not valid base64"}
		}
		id, err := r.write(blobKind, data)
		if err != nil {
			return nil, err
		}
		edits[path] = edit{mode: modeFile, id: id}
	}
	for path := range edits {
		if err := cleanPath(path); err != nil {
			return nil, &gqlError{"UNPROCESSABLE", err.Error()}
		}
	}
	return edits, nil
}

// updateRefs moves several references or none of them.
func updateRefs(p graphql.ResolveParams) (any, error) {
	c := callOf(p)
	in, _ := p.Args["input"].(map[string]any)
	parts, ok := fromNodeID("R", word(in, "repositoryId"))
	if !ok || len(parts) != 1 {
		return nil, &gqlError{"NOT_FOUND", "Could not resolve to a node with the global id of '" + word(in, "repositoryId") + "'"}
	}
	repo, err := c.gqlRepo(parts[0], WriteAccess)
	if err != nil {
		return nil, err
	}
	updates := items(in, "refUpdates")
	for {
		var moves []move
		exact := true
		for _, u := range updates {
			m, named, err := c.refUpdate(repo, u)
			if err != nil {
				return nil, err
			}
			exact = exact && named
			moves = append(moves, m)
		}
		if len(moves) == 0 {
			return nil, &gqlError{"UNPROCESSABLE", "refUpdates is empty"}
		}
		err := repo.moveRefs(c.Context(), moves...)
		lost := (*movedError)(nil)
		if errors.As(err, &lost) && !exact {
			continue // an update that did not say from where is asked again
		}
		if errors.As(err, &lost) {
			return nil, staleData(lost.expected)
		}
		return record{"clientMutationId": in["clientMutationId"]}, err
	}
}

// refUpdate is one move, and whether the client named where it starts.
func (c *call) refUpdate(repo *Repo, u map[string]any) (move, bool, error) {
	m := move{ref: word(u, "name"), old: OID(word(u, "beforeOid")), new: OID(word(u, "afterOid"))}
	named := m.old != ""
	if !validRef(m.ref) {
		return m, named, &gqlError{"UNPROCESSABLE", m.ref + " is not a valid ref name."}
	}
	at, err := repo.ref(m.ref)
	if errors.Is(err, errMissing) {
		at.id = zeroOID
	} else if err != nil {
		return m, named, err
	}
	if named && m.old != at.id {
		return m, named, staleData(m.old)
	}
	m.old = at.id
	if said, _ := repo.violation(branchName(m.ref), c.who.Login); said != "" && strings.HasPrefix(m.ref, headsPrefix) {
		return m, named, &gqlError{"UNPROCESSABLE", said}
	}
	if m.new == zeroOID {
		return m, named, nil
	}
	if _, err := c.withRepo(repo).target(m.ref, m.new); err != nil {
		return m, named, &gqlError{"UNPROCESSABLE", err.Error()}
	}
	force, _ := u["force"].(bool)
	if force || m.old == zeroOID {
		return m, named, nil
	}
	forward, err := repo.isAncestor(c.Context(), m.old, m.new)
	if err == nil && !forward {
		err = &gqlError{"UNPROCESSABLE", "Update is not a fast forward"}
	}
	return m, named, err
}

func (c *call) withRepo(r *Repo) *call {
	out := *c
	out.repo = r
	return &out
}
