package github

import (
	"net/http"
	"strings"

	"github.com/graphql-go/graphql"
)

// route is one endpoint. The path is GitHub's own template; its last variable takes the rest of the path, slashes and all
// (`heads/main` as go-github sends it, `heads%2Fmain` as Octokit does).
type route struct {
	method, path string
	need         Access
	free         bool // costs nothing and meets no limit
	serve        func(*call) (reply, error)
}

func (rt route) name() string { return rt.method + " " + rt.path }

func (rt route) pattern() string {
	path := rt.path
	if strings.HasSuffix(path, "}") {
		path = strings.TrimSuffix(path, "}") + "...}"
	}
	return rt.method + " /api/v3" + path
}

// forApp tells whether an App itself asks, and shows an assertion instead of a token.
func (rt route) forApp() bool { return strings.HasPrefix(rt.path, "/app/") }

func (rt route) resource() string {
	if rt.path == graphqlPath {
		return "graphql"
	}
	return "core"
}

const graphqlPath = "/graphql"

func routes() []route {
	const repo = "/repos/{owner}/{repo}"
	return []route{
		{"GET", "/rate_limit", NoAccess, true, getRateLimit},
		{"GET", "/user", NoAccess, false, getUser},
		{"POST", "/app/installations/{installation_id}/access_tokens", NoAccess, false, createInstallationToken},
		{"GET", repo, ReadAccess, false, getRepo},
		{"GET", repo + "/branches", ReadAccess, false, listBranches},
		{"GET", repo + "/branches/{branch}", ReadAccess, false, getBranch},
		{"GET", repo + "/branches/{branch}/protection", ReadAccess, false, getProtection},
		{"GET", repo + "/rules/branches/{branch}", ReadAccess, false, getRules},
		{"GET", repo + "/rulesets/{ruleset_id}", ReadAccess, false, getRuleset},
		{"GET", repo + "/pulls", ReadAccess, false, listPulls},
		{"POST", repo + "/pulls", WriteAccess, false, createPull},
		{"GET", repo + "/pulls/{pull_number}", ReadAccess, false, getPull},
		{"PATCH", repo + "/pulls/{pull_number}", WriteAccess, false, updatePull},
		{"PUT", repo + "/pulls/{pull_number}/merge", WriteAccess, false, mergePull},
		{"POST", repo + "/pulls/{pull_number}/requested_reviewers", WriteAccess, false, requestReviewers},
		{"POST", repo + "/pulls/{pull_number}/reviews", WriteAccess, false, createReview},
		{"POST", repo + "/issues/{issue_number}/labels", WriteAccess, false, addLabels},
		{"GET", repo + "/issues/{issue_number}/comments", ReadAccess, false, listComments},
		{"POST", repo + "/issues/{issue_number}/comments", WriteAccess, false, createComment},
		{"POST", repo + "/statuses/{sha}", WriteAccess, false, createStatus},
		{"GET", repo + "/commits/{ref}/status", ReadAccess, false, combinedStatus},
		{"GET", repo + "/commits", ReadAccess, false, listCommits},
		{"GET", repo + "/commits/{ref}", ReadAccess, false, getCommit},
		{"GET", repo + "/compare/{basehead}", ReadAccess, false, compareCommits},
		{"GET", repo + "/contents/{path}", ReadAccess, false, getContents},
		{"PUT", repo + "/contents/{path}", WriteAccess, false, putContents},
		{"GET", repo + "/git/blobs/{file_sha}", ReadAccess, false, getBlob},
		{"POST", repo + "/git/blobs", WriteAccess, false, createBlob},
		{"GET", repo + "/git/commits/{commit_sha}", ReadAccess, false, getGitCommit},
		{"POST", repo + "/git/commits", WriteAccess, false, createCommit},
		{"GET", repo + "/git/matching-refs/{ref}", ReadAccess, false, matchingRefs},
		{"GET", repo + "/git/ref/{ref}", ReadAccess, false, getRef},
		{"POST", repo + "/git/refs", WriteAccess, false, createRef},
		{"PATCH", repo + "/git/refs/{ref}", WriteAccess, false, updateRef},
		{"DELETE", repo + "/git/refs/{ref}", WriteAccess, false, deleteRef},
		{"GET", repo + "/git/trees/{tree_sha}", ReadAccess, false, getTree},
		{"POST", repo + "/git/trees", WriteAccess, false, createTree},
		{"GET", repo + "/tarball/{ref}", ReadAccess, false, getTarball},
	}
}

// Routes names every REST endpoint that is served, as GitHub's description names it: "GET /repos/{owner}/{repo}".
func (s *Server) Routes() []string {
	var out []string
	for _, rt := range routes() {
		out = append(out, rt.name())
	}
	return out
}

func (s *Server) newMux(schema graphql.Schema) *http.ServeMux {
	api, git, mux := http.NewServeMux(), http.NewServeMux(), http.NewServeMux()
	for _, rt := range routes() {
		api.Handle(rt.pattern(), s.api(rt))
	}
	ql := s.api(route{"POST", graphqlPath, NoAccess, false, func(c *call) (reply, error) { return serveGraphQL(c, schema) }})
	// Where GitHub Enterprise has it, and where a client that only knows the REST base looks.
	api.Handle("POST /api/graphql", ql)
	api.Handle("POST /api/v3/graphql", ql)
	nothing := route{"ANY", "/", NoAccess, false, func(*call) (reply, error) { return reply{}, errNotFound }}
	api.Handle("/api/", s.api(nothing))
	git.HandleFunc("GET /{owner}/{repo}/info/refs", s.smartHTTP)
	git.HandleFunc("POST /{owner}/{repo}/git-upload-pack", s.smartHTTP)
	git.HandleFunc("POST /{owner}/{repo}/git-receive-pack", s.smartHTTP)
	mux.Handle("/api/", api)
	mux.HandleFunc("GET /_codeload/{owner}/{repo}/legacy.tar.gz/{ref...}", s.codeload)
	mux.Handle("/", git)
	return mux
}
