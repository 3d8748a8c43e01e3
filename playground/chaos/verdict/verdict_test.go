package verdict

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"ferry/internal/deploy"
	"ferry/internal/job"
)

// TestACommitSaysOfEachJobItsOwn: several jobs may share one.
func TestACommitSaysOfEachJobItsOwn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	git := func(args ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "git", append([]string{"-C", dir, "-c", "user.name=x", "-c", "user.email=x@example.com"}, args...)...)
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %s: %v\n%s", args, err, out)
		}
	}
	git("init", "-q", "-b", "main")
	git("commit", "-q", "--allow-empty", "-m", "two\n\nFerry-Job: aaaaa\nFerry-Version: 1\nFerry-Job: bbbbb\nFerry-Version: 2")
	git("commit", "-q", "--allow-empty", "-m", "another\n\nFerry-Job: bbbbb\nFerry-Version: 2")
	for id, want := range map[string]string{"aaaaa": "Ferry-Version: 1", "bbbbb": "Ferry-Version: 2|Ferry-Version: 2", "ccccc": ""} {
		got, err := Commits(filepath.Join(dir, ".git"), "main", id)
		for i := range got {
			got[i] = strings.TrimSpace(got[i])
		}
		if err != nil || strings.Join(got, "|") != want {
			t.Errorf("%s: %q, %v", id, got, err)
		}
	}
}

// TestHistoryTellsEachJobOnce, as it ended.
func TestHistoryTellsEachJobOnce(t *testing.T) {
	t.Parallel()
	on := deploy.Target{Cluster: "prod", App: deploy.App{Namespace: "n", Name: "a"}}
	j := job.Job{ID: "aaaaa", Verb: "promote", Outcome: job.Done}
	record := deploy.Record{Target: on, Version: "2", Job: "aaaaa", Command: "promote", Outcome: "done"}
	wrong, seen := record, record
	wrong.Outcome, seen.Command = "failed", "seen"
	for name, c := range map[string]struct {
		records []deploy.Record
		fine    bool
	}{
		"once":              {[]deploy.Record{record}, true},
		"never":             {nil, false},
		"twice":             {[]deploy.Record{record, record}, false},
		"otherwise":         {[]deploy.Record{wrong}, false},
		"and what ran then": {[]deploy.Record{seen, record}, true},
	} {
		s := State{Records: c.records}
		if err := s.Recorded(j, on, "2", func(int) int { return 1 }); (err == nil) != c.fine {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestJobsAreOfTheirThread, the oldest first.
func TestJobsAreOfTheirThread(t *testing.T) {
	t.Parallel()
	in := func(id, root string, at int) job.Job {
		j := job.Job{ID: job.ID(id), Request: []byte(`{"thread":{"channel":"C1","root":"` + root + `"}}`)}
		j.Created = j.Created.AddDate(at, 0, 0)
		return j
	}
	s := State{Jobs: []job.Job{in("b", "1", 2), in("other", "2", 0), in("a", "1", 1)}}
	got, err := s.Of("C1", "1")
	if err != nil || len(got) != 2 || got[0].ID != "a" || got[1].ID != "b" {
		t.Errorf("%+v, %v", got, err)
	}
	if s.Calm() {
		t.Error("calm while jobs go on")
	}
	if none, err := s.Of("C1", ""); err != nil || len(none) > 0 {
		t.Errorf("of no thread: %+v, %v", none, err)
	}
}
