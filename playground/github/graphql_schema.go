package github

import (
	"time"

	"github.com/graphql-go/graphql"
	"github.com/graphql-go/graphql/language/ast"
)

// types are the words that the parts of the schema share. The names and kinds are GitHub's, a small part of them.
type types struct {
	limit                              int // of a blob's text
	oid, refname, uri, dateTime, gitTS *graphql.Scalar
	base64                             *graphql.Scalar
	gitObject                          *graphql.Interface
	onPulls                            graphql.Fields // mutations
	repository, ref, commit, tree      *graphql.Object
	blob, treeEntry, user, actor, page *graphql.Object
	history, parents, pull             *graphql.Object
}

func must(t graphql.Type) *graphql.NonNull { return graphql.NewNonNull(t) }

// text is a scalar that is written as a string.
func text(name string) *graphql.Scalar {
	return graphql.NewScalar(graphql.ScalarConfig{
		Name: name,
		Serialize: func(v any) any {
			switch v := v.(type) {
			case OID:
				return string(v)
			case time.Time:
				return stamp(v)
			}
			return v
		},
		ParseValue: func(v any) any { return v },
		ParseLiteral: func(v ast.Value) any {
			if s, ok := v.(*ast.StringValue); ok {
				return s.Value
			}
			return nil
		},
	})
}

// field resolves from a source of one type.
func field[T any](t graphql.Output, get func(T, graphql.ResolveParams) (any, error), args ...graphql.FieldConfigArgument) *graphql.Field {
	f := &graphql.Field{Type: t, Resolve: func(p graphql.ResolveParams) (any, error) {
		src, _ := p.Source.(T)
		return get(src, p)
	}}
	if len(args) > 0 {
		f.Args = args[0]
	}
	return f
}

func plain[T any](t graphql.Output, get func(T) any) *graphql.Field {
	return field(t, func(v T, _ graphql.ResolveParams) (any, error) { return get(v), nil })
}

func arg(name string, t graphql.Input) graphql.FieldConfigArgument {
	return graphql.FieldConfigArgument{name: {Type: t}}
}

func newObjectType(name string, fields func() graphql.Fields, implements ...*graphql.Interface) *graphql.Object {
	return graphql.NewObject(graphql.ObjectConfig{Name: name, Interfaces: implements, Fields: graphql.FieldsThunk(fields)})
}

func (s *Server) newSchema() (graphql.Schema, error) {
	t := &types{
		limit: s.opts.TextLimit, oid: text("GitObjectID"), refname: text("GitRefname"), uri: text("URI"),
		dateTime: text("DateTime"), gitTS: text("GitTimestamp"), base64: text("Base64String"),
	}
	t.objects()
	t.connections()
	t.onPulls = t.pullTypes()
	rate := s.rateType(t)
	queries := graphql.NewObject(graphql.ObjectConfig{Name: "Query", Fields: graphql.Fields{
		"repository": {Type: t.repository, Args: graphql.FieldConfigArgument{
			"owner": {Type: must(graphql.String)}, "name": {Type: must(graphql.String)}, "followRenames": {Type: graphql.Boolean, DefaultValue: true},
		}, Resolve: func(p graphql.ResolveParams) (any, error) {
			return callOf(p).gqlRepo(word(p.Args, "owner")+"/"+word(p.Args, "name"), ReadAccess)
		}},
		"viewer":    {Type: must(t.user), Resolve: func(p graphql.ResolveParams) (any, error) { return callOf(p).who, nil }},
		"rateLimit": {Type: rate, Args: graphql.FieldConfigArgument{"dryRun": {Type: graphql.Boolean, DefaultValue: false}}, Resolve: s.rateLimit},
	}})
	return graphql.NewSchema(graphql.SchemaConfig{
		Query: queries, Mutation: t.mutations(),
		Types: []graphql.Type{t.commit, t.tree, t.blob},
	})
}

func (s *Server) rateType(t *types) *graphql.Object {
	return graphql.NewObject(graphql.ObjectConfig{Name: "RateLimit", Fields: graphql.Fields{
		"cost": {Type: must(graphql.Int)}, "limit": {Type: must(graphql.Int)}, "remaining": {Type: must(graphql.Int)},
		"used": {Type: must(graphql.Int)}, "resetAt": {Type: must(t.dateTime)},
	}})
}

func (s *Server) rateLimit(p graphql.ResolveParams) (any, error) {
	w := s.limits.state(limitKey{callOf(p).secret, "graphql"}, s.opts.Now())
	limit := s.opts.HourlyLimit
	return record{"cost": 1, "limit": limit, "used": w.used + 1, "remaining": max(0, limit-w.used-1), "resetAt": w.reset}, nil
}

func input(name string, fields graphql.InputObjectConfigFieldMap) *graphql.InputObject {
	return graphql.NewInputObject(graphql.InputObjectConfig{Name: name, Fields: fields})
}

func (t *types) mutations() *graphql.Object {
	type fields = graphql.InputObjectConfigFieldMap
	str, id := graphql.String, graphql.ID
	addition := input("FileAddition", fields{"path": {Type: must(str)}, "contents": {Type: must(t.base64)}})
	deletion := input("FileDeletion", fields{"path": {Type: must(str)}})
	commitInput := input("CreateCommitOnBranchInput", fields{
		"branch": {Type: must(input("CommittableBranch", fields{"id": {Type: id}, "branchName": {Type: str}, "repositoryNameWithOwner": {Type: str}}))},
		"fileChanges": {Type: input("FileChanges", fields{
			"additions": {Type: graphql.NewList(must(addition))}, "deletions": {Type: graphql.NewList(must(deletion))},
		})},
		"message":          {Type: must(input("CommitMessage", fields{"headline": {Type: must(str)}, "body": {Type: str}}))},
		"expectedHeadOid":  {Type: must(t.oid)},
		"clientMutationId": {Type: str},
	})
	update := input("RefUpdate", fields{
		"name": {Type: must(t.refname)}, "afterOid": {Type: must(t.oid)}, "beforeOid": {Type: t.oid},
		"force": {Type: graphql.Boolean, DefaultValue: false},
	})
	refsInput := input("UpdateRefsInput", fields{
		"repositoryId": {Type: must(id)}, "refUpdates": {Type: must(graphql.NewList(must(update)))},
		"clientMutationId": {Type: str},
	})
	commitPayload := graphql.NewObject(graphql.ObjectConfig{Name: "CreateCommitOnBranchPayload", Fields: graphql.Fields{
		"clientMutationId": {Type: str}, "commit": {Type: t.commit}, "ref": {Type: t.ref},
	}})
	refsPayload := graphql.NewObject(graphql.ObjectConfig{Name: "UpdateRefsPayload", Fields: graphql.Fields{"clientMutationId": {Type: str}}})
	all := t.onPulls
	all["createCommitOnBranch"] = &graphql.Field{Type: commitPayload, Args: arg("input", must(commitInput)), Resolve: createCommitOnBranch}
	all["updateRefs"] = &graphql.Field{Type: refsPayload, Args: arg("input", must(refsInput)), Resolve: updateRefs}
	return graphql.NewObject(graphql.ObjectConfig{Name: "Mutation", Fields: all})
}
