package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ferry/internal/deploy"
	"ferry/internal/fault"
	"ferry/internal/job"
	"ferry/storage"
	"ferry/storage/bolt"
)

// ferryState runs `ferry state` and returns what it prints.
func ferryState(t *testing.T, args ...string) (out, errs string, code int) {
	t.Helper()
	var o, e strings.Builder
	code = Main(t.Context(), Process{Args: append([]string{"state"}, args...), Getenv: func(string) string { return "" }, Out: &o, Err: &e})
	return o.String(), e.String(), code
}

func remembered(t *testing.T) (path string, db *bolt.DB) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "s.db")
	db, err := bolt.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	trail := storage.NewTrail(db, func() time.Time { return at })
	for i := range 3 {
		at = at.AddDate(0, 0, 1)
		j := &job.Job{Key: fmt.Sprint(i), Title: fmt.Sprintf("job %d", i), Created: at}
		r := deploy.Record{Target: deploy.Target{Cluster: "prod", App: deploy.App{Namespace: "n", Name: "a"}}, Version: deploy.Version(fmt.Sprint(i)), Job: fmt.Sprint(i), At: at}
		_, err := storage.NewJobs(db).Audited(trail).Create(t.Context(), j)
		if err = errors.Join(err, storage.NewHistory(db).Append(t.Context(), &r)); err != nil {
			t.Fatal(err)
		}
	}
	return path, db
}

// TestStateWhileFerryRunsAndAfter does all that can be asked for, first of a file
// that a running ferry holds.
func TestStateWhileFerryRunsAndAfter(t *testing.T) {
	t.Parallel()
	path, db := remembered(t)
	share, err := bolt.NewShare(t.Context(), db, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- share.Run(ctx) }()
	all := func(name string) {
		t.Helper()
		copied := filepath.Join(filepath.Dir(path), name)
		if out, errs, code := ferryState(t, "backup", copied, "-state", path); code != exitOK || !strings.Contains(out, "is a copy of") {
			t.Errorf("%s: backup: %d %s %s", name, code, out, errs)
		}
		if _, errs, code := ferryState(t, "backup", "-state", path, copied); code != exitUsage || !strings.Contains(errs, "exists already") {
			t.Errorf("%s: backup over itself: %d %s", name, code, errs)
		}
		for _, file := range []string{path, copied} {
			if out, errs, code := ferryState(t, "check", "-state", file); code != exitOK || !strings.Contains(out, "3  history/row") || !strings.Contains(out, "is sound") {
				t.Errorf("%s: check: %d %s %s", name, code, out, errs)
			}
			for kind, want := range map[string]string{"audit": `"says":"job 2"`, "history": `"version":"2"`, "jobs": `"title":"job 2"`} {
				out, errs, code := ferryState(t, "export", "-kind", kind, "-state", file, "-since", "2026-03-03")
				if lines := strings.Split(strings.TrimSpace(out), "\n"); code != exitOK || len(lines) != 2 || !strings.Contains(lines[1], want) {
					t.Errorf("%s: export of %s: %d %s %s", name, kind, code, out, errs)
				}
			}
		}
	}
	all("running")
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, errs, code := ferryState(t, "export", "-state", path); code != exitUsage || !strings.Contains(errs, "is in use by another process") || !strings.Contains(errs, "stop the other ferry") {
		t.Errorf("of a process that hands out nothing: %d %s", code, errs)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	all("stopped")
	if out, _, code := ferryState(t, "export", "-state", path); code != exitOK || strings.Count(out, "\n") != 3 {
		t.Errorf("without a kind it is the audit trail: %d %s", code, out)
	}
}

func TestStateTellsOfDamage(t *testing.T) {
	t.Parallel()
	path, db := remembered(t)
	if _, err := db.Commit(t.Context(), storage.Txn{Put: []storage.Put{{Key: "job/open/x/y", Value: []byte("y")}}}); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, errs, code := ferryState(t, "check", "-state", path); code != exitFailed || !strings.Contains(errs, "job/open/x/y has no job/row/y") || !strings.Contains(errs, "restore a backup") {
		t.Errorf("an index that leads nowhere: %d %s", code, errs)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content[:len(content)/3], 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"check"}, {"export"}, {"backup", path + ".copy"}} {
		if _, errs, code := ferryState(t, append(args, "-state", path)...); code != exitUsage || !strings.Contains(errs, "is damaged or not a state file") {
			t.Errorf("%s of a cut file: %d %s", args[0], code, errs)
		}
	}
	if _, err := os.Stat(path + ".copy"); err == nil {
		t.Error("a copy of a damaged file was left")
	}
}

func TestStateUsage(t *testing.T) {
	t.Parallel()
	for args, says := range map[string]string{
		"":                              "what is \"\"?",
		"burn":                          "what is \"burn\"?",
		"backup -state x":               "the file to write to is missing",
		"export -kind secrets -state x": "--kind is one of audit, history, jobs",
		"export -since soon -state x":   "--since is a date",
		"check -state x y":              "what is \"y\"?",
		"check -state /nowhere/at/all":  "there is no state file",
	} {
		if _, errs, code := ferryState(t, strings.Fields(args)...); code != exitUsage || !strings.Contains(errs, says) {
			t.Errorf("%q: %d %s, want %q", args, code, errs, says)
		}
	}
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{"": {}, "24h": now.Add(-24 * time.Hour), "2026-01-31": time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC), "2026-01-31T12:00:00+02:00": time.Date(2026, 1, 31, 10, 0, 0, 0, time.UTC)} {
		if got, err := when(text, now); err != nil || !got.Equal(want) {
			t.Errorf("%q is %s, %v; want %s", text, got, err, want)
		}
	}
}

// TestReadBackGoesOn breaks off and runs again.
func TestReadBackGoesOn(t *testing.T) {
	t.Parallel()
	_, db := remembered(t)
	defer db.Close()
	git := func(n int, end error) func(func(deploy.Record) error) error {
		return func(fn func(deploy.Record) error) error {
			for i := range n {
				r := deploy.Record{Target: deploy.Target{Cluster: "c", App: deploy.App{Namespace: "n", Name: "a"}}, Version: "1", Job: fmt.Sprintf("g%d", i), Command: "promote", Commit: "c", At: time.Unix(int64(1000-i), 0)}
				if err := fn(r); err != nil {
					return err
				}
			}
			return end
		}
	}
	away := fault.New(fault.Unavailable, "GitHub does not answer", "")
	if added, known, err := readBack(t.Context(), db, git(2, away)); added != 2 || known != 0 || !errors.Is(err, away) {
		t.Errorf("broken off: %d %d %v", added, known, err)
	}
	if added, known, err := readBack(t.Context(), db, git(5, nil)); added != 3 || known != 2 || err != nil {
		t.Errorf("again: %d %d %v", added, known, err)
	}
	if r, err := storage.Check(t.Context(), db); err != nil || len(r.Problems) > 0 || r.Rows["history/row"] != 8 || r.Rows["audit/row"] != 5 {
		t.Errorf("%+v, %v", r, err)
	}
}
