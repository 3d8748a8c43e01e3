package github

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Options of a server. The zero value serves nothing to nobody, correctly.
type Options struct {
	// Dir holds the repositories that name no directory of their own, and the hooks of pushes.
	// Empty: a temporary one that Close removes.
	Dir          string
	Repositories []Repository
	// Tokens by their secret.
	Tokens map[string]Token
	// Apps that may get tokens for their installations.
	Apps []App
	// AnonymousRead lets those without a token read and clone.
	AnonymousRead bool
	// Now is the clock of commits, limits and stale heads; nil is the real one.
	Now func() time.Time
	// HourlyLimit of requests per token, for REST and for GraphQL each; 0 is GitHub's 5000.
	HourlyLimit int
	// TreeLimit is how many entries a recursive tree shows before it is truncated; 0 is GitHub's 100,000.
	TreeLimit int
	// TextLimit is from how many bytes on GraphQL truncates the text of a blob; 0 is 512,000.
	TextLimit int
}

// Server is the local GitHub. It is an http.Handler for the whole of a port: /api/v3/, /api/graphql and
// /<owner>/<repo>.git. Close it when nothing is served any more.
type Server struct {
	opts      Options
	repos     map[string]*Repo
	mux       *http.ServeMux
	git       string
	hooks     string
	secret    []byte
	limits    limits
	counts    counts
	faults    faults
	documents documents
	minted    minted
	limited   sync.Map // Access by the secret of a token that may do less than Options say
	undo      []func()
}

// New opens the repositories, making and seeding those that do not exist. The git binary must be in PATH.
func New(o Options) (*Server, error) {
	s := &Server{opts: withDefaults(o), repos: map[string]*Repo{}, secret: make([]byte, 32)}
	if err := s.open(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func withDefaults(o Options) Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.HourlyLimit == 0 {
		o.HourlyLimit = 5000
	}
	if o.TreeLimit == 0 {
		o.TreeLimit = 100_000
	}
	if o.TextLimit == 0 {
		o.TextLimit = 512_000
	}
	return o
}

func (s *Server) open() error {
	var err error
	if s.git, err = exec.LookPath("git"); err != nil {
		return fmt.Errorf("find git: %w", err)
	}
	if _, err := rand.Read(s.secret); err != nil {
		return fmt.Errorf("draw a secret: %w", err)
	}
	tmp, err := os.MkdirTemp("", "github-")
	if err != nil {
		return fmt.Errorf("make a directory: %w", err)
	}
	s.undo = append(s.undo, func() { os.RemoveAll(tmp) })
	if s.hooks, err = writeHooks(filepath.Join(tmp, "hooks")); err != nil {
		return err
	}
	if s.opts.Dir == "" {
		s.opts.Dir = filepath.Join(tmp, "repositories")
	}
	for i, o := range s.opts.Repositories {
		if o.Dir == "" {
			o.Dir = filepath.Join(s.opts.Dir, o.Owner, o.Name+".git")
		}
		r, err := openRepo(context.Background(), o, 1000+i, s.opts.Now)
		if err != nil {
			return err
		}
		s.undo = append(s.undo, r.close)
		s.repos[strings.ToLower(r.fullName())] = r
	}
	schema, err := s.newSchema()
	if err != nil {
		return fmt.Errorf("build the GraphQL schema: %w", err)
	}
	s.mux = s.newMux(schema)
	return nil
}

// Close ends every process the server started and removes what it made in a temporary directory.
func (s *Server) Close() error {
	for i := len(s.undo) - 1; i >= 0; i-- {
		s.undo[i]()
	}
	s.undo = nil
	return nil
}

// Repo finds a repository by "owner/name", however its letters are cased; nil when it is not served.
func (s *Server) Repo(fullName string) *Repo { return s.repos[strings.ToLower(fullName)] }

// Inject makes the next requests that fit meet a fault. The oldest fault that fits is met first.
// Calling cancel takes back what has not been met.
func (s *Server) Inject(f Fault) (cancel func()) { return s.faults.add(f) }

// ServeHTTP serves the API and the repositories.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	operations := func() []string { return nil }
	if strings.HasSuffix(r.URL.Path, "/graphql") && r.Method == http.MethodPost {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, "body cut short", http.StatusBadRequest)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		operations = func() []string { return rootFields(body) }
	}
	if f, hit := s.faults.take(r, operations); hit {
		f.serve(w, r, s.mux)
		return
	}
	s.mux.ServeHTTP(w, r)
}
