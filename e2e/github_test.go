package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"time"

	"ferry/playground/github"
)

// meddler stands before the local GitHub and does what goes wrong at the one moment that matters: when a commit is
// about to move the branch. Everything else passes untouched.
type meddler struct {
	next http.Handler

	mu     sync.Mutex
	faults []commitFault
	met    int
}

// commitFault gets the request and what serves it rightly, and calls met once what it does has happened. It may panic
// with http.ErrAbortHandler.
type commitFault func(w http.ResponseWriter, r *http.Request, next http.Handler, met func())

// ServeHTTP implements http.Handler.
func (m *meddler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if fault := m.take(r); fault != nil {
		fault(w, r, m.next, m.count)
		return
	}
	m.next.ServeHTTP(w, r)
}

func (m *meddler) take(r *http.Request) commitFault {
	m.mu.Lock()
	armed := len(m.faults) > 0
	m.mu.Unlock()
	if !armed || !movesBranch(r) {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.faults) == 0 {
		return nil
	}
	fault := m.faults[0]
	m.faults = m.faults[1:]
	return fault
}

func (m *meddler) count() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.met++
}

// arm makes the next n commits meet the fault.
func (m *meddler) arm(n int, fault commitFault) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for range n {
		m.faults = append(m.faults, fault)
	}
}

// disarm forgets faults that nobody met, and the count of those that were.
func (m *meddler) disarm() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.faults, m.met = nil, 0
}

func (m *meddler) times() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.met
}

// movesBranch tells whether a request makes the branch move if it succeeds, in any of the ways that GitHub has.
func movesBranch(r *http.Request) bool {
	switch {
	case r.Method == http.MethodPatch:
		return strings.Contains(r.URL.Path, "/git/refs/")
	case r.Method == http.MethodPut:
		return strings.Contains(r.URL.Path, "/contents/")
	case r.Method != http.MethodPost || !strings.HasSuffix(r.URL.Path, "/graphql"):
		return false
	}
	body, err := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	return err == nil && bytes.Contains(body, []byte("createCommitOnBranch"))
}

// movedUnder lets somebody else push just before the commit arrives.
func movedUnder(push func()) commitFault {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler, met func()) {
		push()
		met()
		next.ServeHTTP(w, r)
	}
}

// answerLost commits, and the connection breaks before the answer.
func answerLost(_ http.ResponseWriter, r *http.Request, next http.Handler, met func()) {
	next.ServeHTTP(httptest.NewRecorder(), r)
	met()
	panic(http.ErrAbortHandler)
}

// answerHeld commits, and keeps silent for as long as the client waits.
func answerHeld(_ http.ResponseWriter, r *http.Request, next http.Handler, met func()) {
	next.ServeHTTP(httptest.NewRecorder(), r)
	met()
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
	panic(http.ErrAbortHandler)
}

// githubCmd is the script's command "github":
//
//	github fault moved-under-commit|commit-answer-lost|commit-answer-held [n]
//	github fault down n        the next n requests of the API answer 502
//	github met n               wait until n commits met a fault and what the fault does has happened
func (s *scene) githubCmd(args []string) error {
	switch {
	case len(args) >= 2 && args[0] == "fault":
		n, err := number(args[2:], 1)
		if err != nil {
			return err
		}
		return s.fault(args[1], n)
	case len(args) == 2 && args[0] == "met":
		n, err := number(args[1:], 1)
		if err != nil {
			return err
		}
		return s.until(patience, func() error {
			if met := s.meddle.times(); met < n {
				return fmt.Errorf("%d commits met a fault, want %d", met, n)
			}
			return nil
		})
	}
	return errUsage
}

func (s *scene) fault(kind string, n int) error {
	switch kind {
	case "moved-under-commit":
		s.meddle.arm(n, movedUnder(s.outsider.push))
	case "commit-answer-lost":
		s.meddle.arm(n, answerLost)
	case "commit-answer-held":
		s.meddle.arm(n, answerHeld)
	case "down":
		s.defers(s.github.Inject(github.Fault{Path: regexp.MustCompile("^/api/"), Times: n}))
	default:
		return fmt.Errorf("there is no fault %q", kind)
	}
	return nil
}

// outsider is somebody else who pushes to files that are no business of ferry's.
type outsider struct {
	repo *repo

	mu   sync.Mutex
	n    int
	err  error
	stop func() // nil while nothing is pushed all the time
}

func (o *outsider) push() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.n++
	_, err := o.repo.Commit(branch, "Note something down", map[string]string{"notes/today.md": fmt.Sprintln("note", o.n)})
	if err != nil && o.err == nil {
		o.err = err
	}
}

// start pushes each time the interval has passed, until end.
func (o *outsider) start(every time.Duration) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	o.stop = func() { cancel(); <-done }
	go func() {
		defer close(done)
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				o.push()
			}
		}
	}()
}

// end stops what start began and returns what went wrong meanwhile.
func (o *outsider) end() error {
	if o.stop != nil {
		o.stop()
		o.stop = nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err
}

// outsiderCmd is the script's command "outsider":
//
//	outsider push FILE FROM TO   somebody else replaces a text in a file
//	outsider brings FOLDER       somebody else pushes the files of the script's folder, and the clusters apply them
//	outsider start EVERY         somebody else pushes to another file, again and again
//	outsider stop
//	outsider kept                what was pushed to that other file is still there, and it was something
func (s *scene) outsiderCmd(args []string) error {
	switch {
	case len(args) == 4 && args[0] == "push":
		_, err := s.repo.edit(args[1], args[2], args[3])
		return err
	case len(args) == 2 && args[0] == "brings":
		return s.bring(args[1])
	case len(args) == 2 && args[0] == "start":
		every, err := time.ParseDuration(args[1])
		if err != nil {
			return err
		}
		s.outsider.start(every)
		return nil
	case len(args) == 1 && args[0] == "stop":
		return s.outsider.end()
	case len(args) == 1 && args[0] == "kept":
		s.outsider.mu.Lock()
		defer s.outsider.mu.Unlock()
		text, err := s.repo.ReadFile(branch, "notes/today.md")
		if err == nil && (s.outsider.n == 0 || text != fmt.Sprintln("note", s.outsider.n)) {
			err = fmt.Errorf("the %d. note was pushed last, and the file holds %q", s.outsider.n, text)
		}
		return err
	}
	return errUsage
}

// gitCmd is the script's command "git". What is ferry's is told by the author: nobody else commits in its name.
//
//	git mark                 begin counting ferry's commits here
//	git changed FILE…        ferry made one commit since the mark, and it changed one line of each file and nothing else
//	git changed -commits n FILE…
//	git unchanged            ferry made none
//	git holds FILE LINE      the file at the head has that line, however it is indented
//	git said REGEXP          the message of ferry's latest commit matches
func (s *scene) gitCmd(neg bool, args []string) error {
	switch {
	case len(args) == 1 && args[0] == "mark":
		return s.gitMark()
	case len(args) == 1 && args[0] == "unchanged":
		return s.gitChanged(0, nil)
	case len(args) > 3 && args[0] == "changed" && args[1] == "-commits":
		n, err := number(args[2:3], 1)
		if err != nil {
			return err
		}
		return s.gitChanged(n, args[3:])
	case len(args) > 1 && args[0] == "changed":
		return s.gitChanged(1, args[1:])
	case len(args) == 3 && args[0] == "holds":
		return negated(neg, s.gitHolds(args[1], args[2]))
	case len(args) == 2 && args[0] == "said":
		return negated(neg, s.gitSaid(args[1]))
	}
	return errUsage
}

func (s *scene) gitMark() (err error) {
	s.mark, err = s.repo.Head(branch)
	return err
}

// ferrys are ferry's commits since the mark, the newest first.
func (s *scene) ferrys() ([]github.Commit, error) {
	log, err := s.repo.Log(branch)
	if err != nil {
		return nil, err
	}
	var out []github.Commit
	for _, c := range log {
		if c.OID == s.mark {
			break
		}
		if c.Author.Email != outsiderEmail {
			out = append(out, c)
		}
	}
	return out, nil
}

// outsiderEmail is how the local GitHub signs what did not come over its API.
const outsiderEmail = "outsider@example.com"

func (s *scene) gitChanged(commits int, files []string) error {
	made, err := s.ferrys()
	if err != nil {
		return err
	}
	if len(made) != commits {
		return fmt.Errorf("ferry made %d commits, want %d:%s", len(made), commits, described(made))
	}
	for _, c := range made {
		stat, err := s.repo.git("diff-tree", "-r", "--no-commit-id", "--numstat", string(c.OID))
		if err != nil {
			return err
		}
		want := ""
		for _, file := range files {
			want += "1\t1\t" + file + "\n"
		}
		if stat != want {
			return fmt.Errorf("commit %s changed (lines added, removed, file)\n%swant\n%s", c.OID, stat, want)
		}
	}
	return nil
}

func described(commits []github.Commit) string {
	text := ""
	for _, c := range commits {
		text += fmt.Sprintf("\n%s by %s <%s>: %s", c.OID, c.Author.Name, c.Author.Email, c.Message)
	}
	return text
}

func (s *scene) gitHolds(file, line string) error {
	text, err := s.repo.ReadFile(branch, file)
	if err != nil {
		return err
	}
	for have := range strings.Lines(text) {
		if strings.TrimSpace(have) == line {
			return nil
		}
	}
	return fmt.Errorf("no line of %s is %q:\n%s", file, line, text)
}

func (s *scene) gitSaid(pattern string) error {
	re, err := regexp.Compile("(?m)" + pattern)
	if err != nil {
		return err
	}
	made, err := s.ferrys()
	if err != nil {
		return err
	}
	if len(made) == 0 {
		return fmt.Errorf("ferry made no commit since the mark")
	}
	if !re.MatchString(made[0].Message) {
		return fmt.Errorf("the commit says:\n%s", made[0].Message)
	}
	return nil
}

// git runs git in the bare repository.
func (r *repo) git(args ...string) (string, error) {
	cmd := exec.Command("git", args...)
	cmd.Dir = r.Dir()
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("git %s: %w", strings.Join(args, " "), err)
	}
	return string(out), nil
}
