package config

import (
	"fmt"
	"io"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"text/template"
	tree "text/template/parse"

	"ferry/internal/deploy"
	"ferry/internal/near"
)

// Template is a text with {{.Fields}} in it, those of deploy.MessageFields, as
// text/template reads it.
type Template string

// Parse makes a template ready; the empty one is nil. One that Load let pass has
// no error, and fails with no data that ferry gives it, but for what depends on
// a single value.
func (t Template) Parse() (*template.Template, error) {
	if t == "" {
		return nil, nil //nolint:nilnil // what stands for "as usual" everywhere
	}
	return template.New("message").Funcs(template.FuncMap{"join": strings.Join, "lower": strings.ToLower, "upper": strings.ToUpper}).Parse(string(t))
}

// checkTemplates demands templates that cannot fail when something is committed.
func checkTemplates(r Repo, p *problems) {
	checkTemplate(p, "repo.commit.subject", r.Commit.Subject)
	checkTemplate(p, "repo.commit.body", r.Commit.Body)
	checkTemplate(p, "repo.pull_requests.title", r.PullRequests.Title)
	checkTemplate(p, "repo.pull_requests.body", r.PullRequests.Body)
}

func checkTemplate(p *problems, key string, t Template) {
	const help = "docs/configuration.md shows how one is written"
	parsed, err := t.Parse()
	switch {
	case err != nil:
		p.at(key, fmt.Sprintf("%s: this is no template: %s", key, reason(err)), help)
		return
	case parsed == nil:
		return
	}
	if nested(parsed.Root) || len(parsed.Templates()) > 1 {
		p.at(key, key+": define, block and template are not read here", "write the text out")
		return
	}
	if name := unknownField(parsed.Root); name != "" {
		known := fieldNames()
		says := "the fields are ." + strings.Join(known, ", .")
		if meant := near.Names(name, known, 1); len(meant) > 0 {
			says = fmt.Sprintf("did you mean .%s?", meant[0])
		}
		p.at(key, fmt.Sprintf("%s: there is no field .%s", key, name), says)
		return
	}
	if err := tryTemplate(parsed); err != nil {
		p.at(key, fmt.Sprintf("%s: this template fails: %s", key, reason(err)), help)
		return
	}
	var out strings.Builder
	if err := parsed.Execute(&out, sample(1, "6.5.4")); err == nil && strings.TrimSpace(out.String()) == "" {
		p.at(key, fmt.Sprintf("%s: this template says nothing", key), "write a text, or take it out")
	}
}

var templateError = regexp.MustCompile(`^template: message:(?:\d+:)*\s*(?:executing "message" at )?`)

// reason is an error of text/template without its own name for the place.
func reason(err error) string { return templateError.ReplaceAllString(err.Error(), "") }

// tryTemplate executes a template as it is, on little and on much, and once so
// that every branch of it is taken.
func tryTemplate(t *template.Template) error {
	little := sample(1, "1")
	little.From, little.Field, little.Namespace = "", "", ""
	little.Changes[0] = deploy.ChangeFields{App: "a", To: "1"}
	for _, data := range []deploy.MessageFields{little, sample(50, "6.5.4")} {
		if err := t.Execute(io.Discard, data); err != nil {
			return err
		}
	}
	all, err := t.Clone()
	if err != nil {
		return err
	}
	all.Tree = all.Copy() // which the clone shares
	all.Root = flat(all.Root)
	return all.Execute(io.Discard, sample(50, "6.5.4"))
}

// sample is what a commit of n changes could be about.
func sample(n int, version string) deploy.MessageFields {
	one := deploy.ChangeFields{
		Command: "promote", App: "a", Namespace: "n", Cluster: "c", From: version, To: version, Field: "image", Requester: "R", Job: "j",
		Files: []string{"f"}, Edits: []string{"f:1: a becomes b"},
	}
	return deploy.MessageFields{
		Command: one.Command, App: one.App, Namespace: one.Namespace, Cluster: one.Cluster, From: version, To: version, Field: one.Field,
		Requester: one.Requester, Job: one.Job, Count: n, Changes: slices.Repeat([]deploy.ChangeFields{one}, n), Files: one.Files, Edits: one.Edits,
	}
}

// flat returns a list in which both branches of every condition follow each
// other, so that whatever is wrong in one of them shows.
func flat(l *tree.ListNode) *tree.ListNode {
	if l == nil {
		return nil
	}
	out := l.CopyList()
	out.Nodes = nil
	for _, n := range l.Nodes {
		switch n := n.(type) {
		case *tree.IfNode:
			out.Nodes = append(out.Nodes, &tree.ActionNode{NodeType: tree.NodeAction, Pos: n.Pos, Line: n.Line, Pipe: n.Pipe})
			out.Nodes = append(append(out.Nodes, flat(n.List)), orElse(n.ElseList)...)
		case *tree.WithNode:
			c := *n
			c.List, c.ElseList = flat(n.List), nil
			out.Nodes = append(append(out.Nodes, &c), orElse(n.ElseList)...)
		case *tree.RangeNode:
			c := *n
			c.List, c.ElseList = flat(n.List), nil
			out.Nodes = append(append(out.Nodes, &c), orElse(n.ElseList)...)
		case *tree.BreakNode, *tree.ContinueNode:
		default:
			out.Nodes = append(out.Nodes, n)
		}
	}
	return out
}

func orElse(l *tree.ListNode) []tree.Node {
	if l == nil {
		return nil
	}
	return []tree.Node{flat(l)}
}

// fieldNames are the names of all that a template can say.
func fieldNames() []string {
	var out []string
	for i := range reflect.TypeFor[deploy.MessageFields]().NumField() {
		out = append(out, reflect.TypeFor[deploy.MessageFields]().Field(i).Name)
	}
	return out
}

// nested reports whether a template calls others.
func nested(n tree.Node) bool {
	found := false
	each(n, func(n tree.Node) {
		_, is := n.(*tree.TemplateNode)
		found = found || is
	})
	return found
}

// unknownField returns the first name that is no field's, "" if there is none;
// also where execution would not get to.
func unknownField(n tree.Node) (name string) {
	known := fieldNames()
	each(n, func(n tree.Node) {
		var names []string
		switch n := n.(type) {
		case *tree.FieldNode:
			names = n.Ident
		case *tree.VariableNode:
			names = n.Ident[1:]
		case *tree.ChainNode:
			names = n.Field
		}
		for _, one := range names {
			if name == "" && !slices.Contains(known, one) {
				name = one
			}
		}
	})
	return name
}

// each calls fn with a node and all below it.
func each(n tree.Node, fn func(tree.Node)) {
	if v := reflect.ValueOf(n); !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil() {
		return
	}
	fn(n)
	branch := func(b *tree.BranchNode) {
		each(b.Pipe, fn)
		each(b.List, fn)
		each(b.ElseList, fn)
	}
	switch n := n.(type) {
	case *tree.ListNode:
		for _, one := range n.Nodes {
			each(one, fn)
		}
	case *tree.ActionNode:
		each(n.Pipe, fn)
	case *tree.PipeNode:
		for _, one := range n.Cmds {
			each(one, fn)
		}
	case *tree.CommandNode:
		for _, one := range n.Args {
			each(one, fn)
		}
	case *tree.ChainNode:
		each(n.Node, fn)
	case *tree.IfNode:
		branch(&n.BranchNode)
	case *tree.WithNode:
		branch(&n.BranchNode)
	case *tree.RangeNode:
		branch(&n.BranchNode)
	}
}
