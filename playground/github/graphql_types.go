package github

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/graphql-go/graphql"
)

func (t *types) objects() {
	str, num, yes, id := graphql.String, graphql.Int, graphql.Boolean, graphql.ID
	t.gitObject = graphql.NewInterface(graphql.InterfaceConfig{
		Name:   "GitObject",
		Fields: graphql.FieldsThunk(func() graphql.Fields { return t.gitObjectFields(nil) }),
		ResolveType: func(p graphql.ResolveTypeParams) *graphql.Object {
			switch p.Value.(type) {
			case commitNode:
				return t.commit
			case treeNode:
				return t.tree
			}
			return t.blob
		},
	})
	t.user = newObjectType("User", func() graphql.Fields {
		return graphql.Fields{
			"id":         plain(must(id), func(u Token) any { return nodeID("U", u.Login) }),
			"login":      plain(must(str), func(u Token) any { return u.Login }),
			"name":       plain(str, func(u Token) any { name, _ := u.signature(); return name }),
			"databaseId": plain(num, func(u Token) any { return u.id() }),
		}
	})
	t.actor = newObjectType("GitActor", func() graphql.Fields {
		return graphql.Fields{
			"name":  plain(str, func(s Signature) any { return s.Name }),
			"email": plain(str, func(s Signature) any { return s.Email }),
			"date":  plain(t.gitTS, func(s Signature) any { return s.When }),
		}
	})
	t.repository = newObjectType("Repository", t.repositoryFields)
	t.ref = newObjectType("Ref", func() graphql.Fields {
		return graphql.Fields{
			"id":         plain(must(id), func(n refNode) any { return nodeID("REF", n.repo.fullName(), n.name) }),
			"name":       plain(must(str), func(n refNode) any { return n.name[len(refPrefix(n.name)):] }),
			"prefix":     plain(must(str), func(n refNode) any { return refPrefix(n.name) }),
			"target":     field(t.gitObject, func(n refNode, _ graphql.ResolveParams) (any, error) { return n.repo.node(n.ref.id, "") }),
			"repository": plain(must(t.repository), func(n refNode) any { return n.repo }),
		}
	})
	t.blob = newObjectType("Blob", func() graphql.Fields {
		return t.gitObjectFields(graphql.Fields{
			"text":        plain(str, func(n blobNode) any { return n.text(t.limit) }),
			"byteSize":    plain(must(num), func(n blobNode) any { return len(n.data) }),
			"isBinary":    plain(yes, func(n blobNode) any { return n.binary() }),
			"isTruncated": plain(must(yes), func(n blobNode) any { return len(n.data) > t.limit }),
		})
	}, t.gitObject)
	t.tree = newObjectType("Tree", func() graphql.Fields {
		return t.gitObjectFields(graphql.Fields{
			"entries": field(graphql.NewList(must(t.treeEntry)), func(n treeNode, _ graphql.ResolveParams) (any, error) { return n.entries() }),
		})
	}, t.gitObject)
	t.commit = newObjectType("Commit", func() graphql.Fields { return t.gitObjectFields(t.commitFields()) }, t.gitObject)
	t.treeEntry = newObjectType("TreeEntry", t.entryFields)
}

// refPrefix is all of a reference's name that is not the name of the branch or tag.
func refPrefix(name string) string {
	parts := strings.SplitN(name, "/", 3)
	return parts[0] + "/" + parts[1] + "/"
}

func (t *types) repositoryFields() graphql.Fields {
	str, yes := graphql.String, graphql.Boolean
	return graphql.Fields{
		"id":            plain(must(graphql.ID), func(r *Repo) any { return r.nodeID() }),
		"databaseId":    plain(graphql.Int, func(r *Repo) any { return r.id }),
		"name":          plain(must(str), func(r *Repo) any { return r.Name }),
		"nameWithOwner": plain(must(str), func(r *Repo) any { return r.fullName() }),
		"isPrivate":     plain(must(yes), func(r *Repo) any { return r.private }),
		"isEmpty": field(must(yes), func(r *Repo, p graphql.ResolveParams) (any, error) {
			refs, err := r.refs(p.Context, headsPrefix)
			return len(refs) == 0, err
		}),
		"url":              field(must(t.uri), func(r *Repo, p graphql.ResolveParams) (any, error) { return callOf(p).host + "/" + r.fullName(), nil }),
		"defaultBranchRef": field(t.ref, func(r *Repo, _ graphql.ResolveParams) (any, error) { return r.refNode(headsPrefix + r.DefaultBranch) }),
		"ref": field(t.ref, func(r *Repo, p graphql.ResolveParams) (any, error) {
			return r.refNode(word(p.Args, "qualifiedName"))
		}, arg("qualifiedName", must(str))),
		"pullRequest": field(t.pull, func(r *Repo, p graphql.ResolveParams) (any, error) {
			n, _ := p.Args["number"].(int)
			pr, err := r.prs.get(n)
			if err != nil {
				return nil, &gqlError{"NOT_FOUND", fmt.Sprintf("Could not resolve to a PullRequest with the number of %d.", n)}
			}
			return pullNode{r, pr}, nil
		}, arg("number", must(graphql.Int))),
		"object": field(t.gitObject, func(r *Repo, p graphql.ResolveParams) (any, error) {
			if id := word(p.Args, "oid"); id != "" {
				return r.node(OID(id), "")
			}
			return r.expression(word(p.Args, "expression"))
		}, graphql.FieldConfigArgument{"oid": {Type: t.oid}, "expression": {Type: str}}),
	}
}

// objectOf is what all git objects have, whichever node it is.
func objectOf(v any) (*Repo, OID) {
	switch n := v.(type) {
	case commitNode:
		return n.repo, n.OID
	case treeNode:
		return n.repo, n.id
	case blobNode:
		return n.repo, n.id
	}
	return nil, ""
}

func (t *types) gitObjectFields(more graphql.Fields) graphql.Fields {
	of := func(kind graphql.Output, get func(*call, *Repo, OID) any) *graphql.Field {
		return &graphql.Field{Type: must(kind), Resolve: func(p graphql.ResolveParams) (any, error) {
			r, id := objectOf(p.Source)
			return get(callOf(p), r, id), nil
		}}
	}
	out := graphql.Fields{
		"id":                 of(graphql.ID, func(_ *call, r *Repo, id OID) any { return r.objectID(id) }),
		"oid":                of(t.oid, func(_ *call, _ *Repo, id OID) any { return id }),
		"abbreviatedOid":     of(graphql.String, func(_ *call, _ *Repo, id OID) any { return string(id[:7]) }),
		"commitUrl":          of(t.uri, func(c *call, r *Repo, id OID) any { return c.host + "/" + r.fullName() + "/commit/" + string(id) }),
		"commitResourcePath": of(t.uri, func(_ *call, r *Repo, id OID) any { return "/" + r.fullName() + "/commit/" + string(id) }),
		"repository":         of(t.repository, func(_ *call, r *Repo, _ OID) any { return r }),
	}
	for name, f := range more {
		out[name] = f
	}
	return out
}

func (t *types) commitFields() graphql.Fields {
	str := graphql.String
	count := graphql.FieldConfigArgument{"first": {Type: graphql.Int}, "after": {Type: str}}
	past := graphql.FieldConfigArgument{"first": {Type: graphql.Int}, "after": {Type: str}, "path": {Type: str}, "since": {Type: t.gitTS}, "until": {Type: t.gitTS}}
	return graphql.Fields{
		"message":         plain(must(str), func(n commitNode) any { return strings.TrimSuffix(n.Message, "\n") }),
		"messageHeadline": plain(must(str), func(n commitNode) any { return headline(n.Message) }),
		"messageBody":     plain(must(str), func(n commitNode) any { return messageBody(n.Message) }),
		"committedDate":   plain(must(t.dateTime), func(n commitNode) any { return n.Committer.When }),
		"authoredDate":    plain(must(t.dateTime), func(n commitNode) any { return n.Author.When }),
		"author":          plain(t.actor, func(n commitNode) any { return n.Author }),
		"committer":       plain(t.actor, func(n commitNode) any { return n.Committer }),
		"tree":            plain(must(t.tree), func(n commitNode) any { return treeNode{n.repo, n.Tree, ""} }),
		"url": field(must(t.uri), func(n commitNode, p graphql.ResolveParams) (any, error) {
			return callOf(p).host + "/" + n.repo.fullName() + "/commit/" + string(n.OID), nil
		}),
		"file": field(t.treeEntry, func(n commitNode, p graphql.ResolveParams) (any, error) {
			return n.entry(word(p.Args, "path"))
		}, arg("path", must(str))),
		"parents": field(must(t.parents), func(n commitNode, p graphql.ResolveParams) (any, error) {
			return connection(n.repo, n.Parents, p)
		}, count),
		"history": field(must(t.history), func(n commitNode, p graphql.ResolveParams) (any, error) {
			args := []string{"rev-list", string(n.OID)}
			for _, bound := range []string{"since", "until"} {
				if at := word(p.Args, bound); at != "" {
					args = append(args, "--"+bound+"="+at)
				}
			}
			args = append(args, "--")
			if path := word(p.Args, "path"); path != "" {
				args = append(args, ":(literal)"+strings.Trim(path, "/"))
			}
			ids, err := n.repo.ids(p.Context, args...)
			if err != nil {
				return nil, err
			}
			return connection(n.repo, ids, p)
		}, past),
	}
}

func (t *types) entryFields() graphql.Fields {
	str, num := graphql.String, graphql.Int
	return graphql.Fields{
		"name": plain(must(str), func(e entryNode) any { return e.name }),
		"path": plain(str, func(e entryNode) any { return e.path }),
		"type": plain(must(str), func(e entryNode) any { return string(e.kind()) }),
		"mode": field(must(num), func(e entryNode, _ graphql.ResolveParams) (any, error) {
			mode, err := strconv.ParseInt(e.mode, 8, 32)
			return int(mode), err
		}),
		"oid": plain(must(t.oid), func(e entryNode) any { return e.id }),
		"size": field(must(num), func(e entryNode, _ graphql.ResolveParams) (any, error) {
			if e.kind() != blobKind {
				return 0, nil
			}
			o, err := e.repo.read(e.id)
			return len(o.data), err
		}),
		"object": field(t.gitObject, func(e entryNode, _ graphql.ResolveParams) (any, error) {
			if e.kind() == commitKind {
				return nil, nil // another repository's
			}
			return e.repo.node(e.id, e.path)
		}),
	}
}

func (t *types) connections() {
	str, yes := graphql.String, graphql.Boolean
	t.page = graphql.NewObject(graphql.ObjectConfig{Name: "PageInfo", Fields: graphql.Fields{
		"hasNextPage":     plain(must(yes), func(h historyNode) any { return h.to < len(h.all) }),
		"hasPreviousPage": plain(must(yes), func(h historyNode) any { return h.from > 0 }),
		"startCursor":     plain(str, func(h historyNode) any { return h.cursor(h.from) }),
		"endCursor":       plain(str, func(h historyNode) any { return h.cursor(h.to - 1) }),
	}})
	fields := graphql.Fields{
		"totalCount": plain(must(graphql.Int), func(h historyNode) any { return len(h.all) }),
		"pageInfo":   plain(must(t.page), func(h historyNode) any { return h }),
		"nodes": field(graphql.NewList(t.commit), func(h historyNode, _ graphql.ResolveParams) (any, error) {
			var out []commitNode
			for _, id := range h.all[h.from:h.to] {
				x, err := h.repo.commit(id)
				if err != nil {
					return nil, err
				}
				out = append(out, commitNode{h.repo, x})
			}
			return out, nil
		}),
	}
	t.history = graphql.NewObject(graphql.ObjectConfig{Name: "CommitHistoryConnection", Fields: fields})
	t.parents = graphql.NewObject(graphql.ObjectConfig{Name: "CommitConnection", Fields: fields})
}

// connection is the page of commits that first and after ask for. GitHub wants first, up to 100; here it is 100 unasked.
func connection(r *Repo, all []OID, p graphql.ResolveParams) (any, error) {
	h := historyNode{repo: r, all: all}
	if after := word(p.Args, "after"); after != "" {
		_, n, _ := strings.Cut(after, " ")
		at, err := strconv.Atoi(n)
		if err != nil || at < 0 || at >= len(all) {
			return nil, &gqlError{"INVALID_CURSOR_ARGUMENTS", fmt.Sprintf("`%s` does not appear to be a valid cursor.", after)}
		}
		h.from = at + 1
	}
	first, ok := p.Args["first"].(int)
	if !ok || first > 100 {
		first = 100
	}
	h.to = min(h.from+max(first, 0), len(all))
	return h, nil
}

// cursor is made as GitHub makes it: where the walk began, and how far it has come.
func (h historyNode) cursor(i int) any {
	if i < 0 || len(h.all) == 0 || i < h.from {
		return nil
	}
	return string(h.all[0]) + " " + strconv.Itoa(i)
}
