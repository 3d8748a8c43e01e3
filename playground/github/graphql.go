package github

import (
	"encoding/json"
	"errors"
	"net/http"
	"sync"

	"github.com/graphql-go/graphql"
	"github.com/graphql-go/graphql/gqlerrors"
	"github.com/graphql-go/graphql/language/ast"
	"github.com/graphql-go/graphql/language/parser"
)

type query struct {
	Query         string         `json:"query"`
	Variables     map[string]any `json:"variables"`
	OperationName string         `json:"operationName"`
}

// gqlError is an error as GitHub's GraphQL gives it: with a type that a client can decide by.
type gqlError struct{ kind, message string }

func (e *gqlError) Error() string { return e.message }

// Extensions carries the type through the library; it ends up beside the message, where GitHub has it.
func (e *gqlError) Extensions() map[string]any { return map[string]any{"type": e.kind} }

// serveGraphQL answers everything that parses with a 200; what went wrong is in errors.
func serveGraphQL(c *call, schema graphql.Schema) (reply, error) {
	if c.secret == "" {
		return reply{}, fail(http.StatusUnauthorized, "This endpoint requires you to be authenticated.")
	}
	var in query
	if err := c.read(&in); err != nil {
		return reply{}, err
	}
	if in.Query == "" {
		return reply{json: record{"errors": list{record{"message": "A query attribute must be specified and must be a string."}}}}, nil
	}
	res := c.srv.documents.execute(c, schema, in)
	out := record{}
	if res.Data != nil {
		out["data"] = res.Data
	}
	if res.HasErrors() {
		errs := list{}
		for _, e := range res.Errors {
			errs = append(errs, gqlRecord(e))
		}
		out["errors"] = errs
	}
	return reply{json: out}, nil
}

// documents keeps what was parsed and found valid: clients ask the same few things over and over, with other variables,
// and validation costs more than the answer.
type documents struct {
	mu    sync.Mutex
	valid map[string]*ast.Document
}

const keptDocuments = 64

func (d *documents) execute(c *call, schema graphql.Schema, in query) *graphql.Result {
	d.mu.Lock()
	doc := d.valid[in.Query]
	d.mu.Unlock()
	if doc == nil {
		var err error
		if doc, err = parser.Parse(parser.ParseParams{Source: in.Query}); err != nil {
			return &graphql.Result{Errors: gqlerrors.FormatErrors(err)}
		}
		if found := graphql.ValidateDocument(&schema, doc, nil); !found.IsValid {
			return &graphql.Result{Errors: found.Errors}
		}
		d.keep(in.Query, doc)
	}
	return graphql.Execute(graphql.ExecuteParams{
		Schema: schema, AST: doc, OperationName: in.OperationName, Args: in.Variables,
		Context: c.Context(), Root: map[string]any{callKey: c},
	})
}

func (d *documents) keep(text string, doc *ast.Document) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.valid) >= keptDocuments || d.valid == nil {
		d.valid = map[string]*ast.Document{}
	}
	d.valid[text] = doc
}

func gqlRecord(e gqlerrors.FormattedError) record {
	out := record{"message": e.Message, "locations": e.Locations}
	if e.Path != nil {
		out["path"] = e.Path
	}
	if kind, ok := e.Extensions["type"]; ok {
		out["type"] = kind
	}
	return out
}

// rootFields are the fields that a request asks for at the root; nil where it does not parse.
func rootFields(body []byte) []string {
	var in query
	if json.Unmarshal(body, &in) != nil {
		return nil
	}
	doc, err := parser.Parse(parser.ParseParams{Source: in.Query})
	if err != nil {
		return nil
	}
	var names []string
	for _, d := range doc.Definitions {
		op, ok := d.(*ast.OperationDefinition)
		if !ok || op.SelectionSet == nil {
			continue
		}
		for _, s := range op.SelectionSet.Selections {
			if f, ok := s.(*ast.Field); ok && f.Name != nil {
				names = append(names, f.Name.Value)
			}
		}
	}
	return names
}

const callKey = "call"

// callOf is the request that a root field belongs to.
func callOf(p graphql.ResolveParams) *call {
	root, _ := p.Info.RootValue.(map[string]any)
	c, _ := root[callKey].(*call)
	return c
}

// gqlRepo finds a repository for a field; what the token may not see is not there.
func (c *call) gqlRepo(fullName string, need Access) (*Repo, error) {
	r := c.srv.Repo(fullName)
	if r == nil || c.who.Access == NoAccess {
		return nil, &gqlError{"NOT_FOUND", "Could not resolve to a Repository with the name '" + fullName + "'."}
	}
	if c.who.Access < need {
		return nil, &gqlError{"FORBIDDEN", "Resource not accessible by personal access token"}
	}
	return r, nil
}

// absent turns "no such object" into null, which is how GraphQL says it.
func absent[T any](v T, err error) (any, error) {
	if errors.Is(err, errMissing) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return v, nil
}
