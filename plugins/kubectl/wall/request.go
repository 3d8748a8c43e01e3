package wall

import (
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"ferry/plugins/kubectl/rules"
)

// request is what an HTTP request asks of the API, read from its path alone.
type request struct {
	kind        rules.Kind
	at          rules.Place
	name        string
	subresource string
	// paper is true for what describes the API and no object: versions, discovery
	// and schemas.
	paper bool
}

// read reads a path. It takes only what it understands whole: each part is plain
// letters, so that nothing in it can be read in two ways.
func read(path string) (request, error) {
	part := regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:~-]*$`)
	parts := strings.Split(strings.TrimPrefix(path, "/"), "/")
	for i, p := range parts {
		last := i == len(parts)-1 && p == "" && i > 0
		if !last && (!part.MatchString(p) || strings.Contains(p, "..")) {
			return request{}, errors.New("it is no path of the API")
		}
	}
	parts = slices.DeleteFunc(parts, func(p string) bool { return p == "" })
	switch {
	case parts[0] == "version" && len(parts) == 1, parts[0] == "openapi":
		return request{paper: true}, nil
	case parts[0] == "api" && len(parts) <= 2, parts[0] == "apis" && len(parts) <= 3:
		return request{paper: true}, nil
	case parts[0] == "api":
		return object("", parts[2:])
	case parts[0] == "apis":
		return object(parts[1], parts[3:])
	}
	return request{}, errors.New("it is no path of the API that is asked here")
}

// object reads what follows the version.
func object(group string, parts []string) (request, error) {
	r := request{at: rules.Place{None: true}}
	status := len(parts) == 3 && (parts[2] == "status" || parts[2] == "finalize")
	if parts[0] == "namespaces" && len(parts) > 2 && !status {
		r.at = rules.Place{Namespace: parts[1]}
		parts = parts[2:]
	}
	if parts[0] == "watch" || parts[0] == "proxy" || parts[0] == "redirect" {
		return request{}, errors.New("such paths are of old times")
	}
	r.kind = rules.Path(parts[0], group)
	if len(parts) > 1 {
		r.name = parts[1]
	}
	if len(parts) > 2 {
		r.subresource = parts[2]
	}
	if len(parts) > 3 {
		return request{}, errors.New("it leads into an object, not to one")
	}
	return r, nil
}

// judge says why a request is not let through.
func judge(g rules.Grant, req *http.Request) (request, error) {
	if req.URL.RawPath != "" {
		return request{}, errors.New("its path is written in two ways")
	}
	r, err := read(req.URL.Path)
	if err != nil {
		return request{}, err
	}
	if req.Header.Get("Upgrade") != "" {
		return request{}, errors.New("it opens a stream")
	}
	switch {
	case req.Method == http.MethodGet && r.paper:
		return r, nil
	case req.Method == http.MethodGet:
		return r, mayRead(g, r)
	case r.paper:
		return request{}, errors.New("it changes something")
	}
	return r, mayWrite(g, req.Method, r)
}

func mayRead(g rules.Grant, r request) error {
	if r.subresource != "" && !slices.Contains(g.Subresources, r.subresource) {
		return errors.New(r.kind.String() + "/" + r.subresource + " is not read by this")
	}
	for _, s := range g.Scopes {
		if s.Allows(r.kind, r.at) {
			return nil
		}
	}
	if r.subresource == "" {
		for _, a := range g.Along {
			if beside(g, a, r) {
				return nil
			}
		}
	}
	if r.at.None {
		return errors.New("no rule lets you read " + r.kind.String() + " outside of a namespace")
	}
	return errors.New("no rule lets you read " + r.kind.String() + " in namespace " + r.at.Namespace)
}

// beside says whether a request is for what is read beside others: of a kind that
// the verb reads, where the rules let people read at all.
func beside(g rules.Grant, a rules.Along, r request) bool {
	if r.kind.String() != a.Resource && (!r.kind.Known || r.kind.Plural != a.Resource) {
		return false
	}
	if a.Namespace != "" {
		return r.at.Namespace == a.Namespace
	}
	return slices.ContainsFunc(g.Scopes, func(s rules.Scope) bool {
		if r.at.None {
			return slices.Contains(s.Namespaces, "*")
		}
		return rules.Pattern(s.Namespaces, r.at.Namespace)
	})
}

func mayWrite(g rules.Grant, method string, r request) error {
	if r.name == "" {
		return errors.New("it changes more than one object")
	}
	want := rules.Write{
		Method: method, Resource: r.kind.String(), Subresource: r.subresource, Namespace: r.at.Namespace, Name: r.name,
	}
	if !slices.Contains(g.Writes, want) {
		return errors.New("it changes what was not agreed to: " + method + " " + want.Resource + "/" + r.name)
	}
	if !slices.ContainsFunc(g.Scopes, func(s rules.Scope) bool { return s.Allows(r.kind, r.at) }) {
		return errors.New("no rule lets you change " + want.Resource + "/" + r.name)
	}
	return nil
}
