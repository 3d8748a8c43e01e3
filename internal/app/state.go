package app

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"ferry/internal/fault"
	"ferry/storage"
	"ferry/storage/bolt"
)

const stateUsage = `ferry state backup FILE                     copy the state to a new file
ferry state check                           look through all of it for damage
ferry state export [--kind KIND] [--since WHEN]
                                            print the audit trail, the history or
                                            the jobs, a line of JSON each
ferry state rebuild [--since WHEN]          read what ferry promoted from the
                                            branch into the history; ferry must
                                            not run

KIND is audit (as long as nothing is said), history or jobs. WHEN is a date
(2026-01-31), a time (2026-01-31T12:00:00Z) or how long ago (720h).

The state is that of the configuration (-config FILE), or of --state FILE. All
but rebuild work while ferry runs.
`

// state are the flags of `ferry state`.
type state struct {
	do, config, file, kind, to string
	since                      time.Time
}

// parseState reads the flags; ok is false if there is nothing to do.
func (p Process) parseState(args []string) (s state, code int, ok bool) {
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		s.do, args = args[0], args[1:]
	}
	since := ""
	flags := flag.NewFlagSet("ferry state", flag.ContinueOnError)
	flags.SetOutput(p.Err)
	flags.Usage = func() { fmt.Fprint(p.Err, stateUsage) }
	flags.StringVar(&s.config, "config", "", "")
	flags.StringVar(&s.file, "state", "", "")
	flags.StringVar(&s.kind, "kind", storage.KindAudit, "")
	flags.StringVar(&since, "since", "", "")
	if s.do == "backup" && len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		s.to, args = args[0], args[1:]
	}
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return s, exitOK, false
	case err != nil:
		return s, exitUsage, false
	}
	rest := flags.Args()
	if s.do == "backup" && s.to == "" && len(rest) > 0 {
		s.to, rest = rest[0], rest[1:]
	}
	var err error
	s.since, err = when(since, time.Now())
	wrong := ""
	switch {
	case !slices.Contains([]string{"backup", "check", "export", "rebuild"}, s.do):
		wrong = fmt.Sprintf("what is %q?", s.do)
	case len(rest) > 0:
		wrong = fmt.Sprintf("what is %q?", rest[0])
	case err != nil:
		wrong = err.Error()
	case s.do == "backup" && s.to == "":
		wrong = "the file to write to is missing"
	case !slices.Contains(storage.Kinds(), s.kind):
		wrong = fmt.Sprintf("--kind is one of %s, not %q", strings.Join(storage.Kinds(), ", "), s.kind)
	}
	if wrong != "" {
		fmt.Fprintf(p.Err, "ferry state: %s\n\n%s", wrong, stateUsage)
		return s, exitUsage, false
	}
	return s, exitOK, true
}

// when reads a date, a time, or how long ago something was.
func when(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if ago, err := time.ParseDuration(text); err == nil {
		return now.Add(-ago), nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("--since is a date, a time or how long ago, not %q", text)
}

// state does something with the state file.
func (p Process) state(ctx context.Context, args []string) int {
	s, code, ok := p.parseState(args)
	if !ok {
		return code
	}
	if s.file == "" || s.do == "rebuild" {
		c, ok := p.load(s.config)
		if !ok {
			return exitUsage
		}
		if s.do == "rebuild" {
			return p.rebuild(ctx, c, s.since)
		}
		s.file = c.State.File
	}
	var err error
	switch s.do {
	case "backup":
		err = bolt.Save(s.to, func(w io.Writer) error { return bolt.CopyOf(ctx, s.file, w) })
		if err == nil {
			fmt.Fprintf(p.Out, "%s is a copy of %s\n", s.to, s.file)
		}
	case "check":
		return p.checkState(ctx, s.file)
	case "export":
		err = reading(ctx, s.file, func(db *bolt.DB) error {
			return storage.Export(ctx, db, s.kind, s.since, func(row []byte) error {
				_, err := fmt.Fprintf(p.Out, "%s\n", row)
				return err
			})
		})
	}
	if err != nil {
		return p.refuse(err)
	}
	return exitOK
}

// checkState looks through a state file and tells what is in it.
func (p Process) checkState(ctx context.Context, file string) int {
	var problems []string
	var found *storage.Report
	err := reading(ctx, file, func(db *bolt.DB) (err error) {
		if problems = db.Verify(); len(problems) > 0 {
			return nil // rows of pages that make no sense make none either
		}
		found, err = storage.Check(ctx, db)
		return err
	})
	if err != nil {
		return p.refuse(err)
	}
	if found != nil {
		for _, kind := range slices.Sorted(maps.Keys(found.Rows)) {
			fmt.Fprintf(p.Out, "%8d  %s\n", found.Rows[kind], kind)
		}
		problems = found.Problems
		if found.More > 0 {
			problems = append(problems, fmt.Sprintf("and %d more", found.More))
		}
	}
	if len(problems) == 0 {
		fmt.Fprintf(p.Out, "%s is sound\n", file)
		return exitOK
	}
	for _, problem := range problems {
		fmt.Fprintln(p.Err, problem)
	}
	p.complain(fault.Newf(fault.Invalid, "%s is damaged", file).
		WithHelp("nothing was changed: restore a backup, or move it away to start with empty state;\n`ferry state rebuild` then reads the history from Git"))
	return exitFailed
}

// reading opens a state file for reading, or a copy of it while ferry holds it.
func reading(ctx context.Context, file string, fn func(*bolt.DB) error) (err error) {
	if bolt.Shared(ctx, file) {
		dir, terr := os.MkdirTemp("", "ferry-state-")
		if terr != nil {
			return fmt.Errorf("make a folder for a copy: %w", terr)
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
		held := file
		file = filepath.Join(dir, "copy.db")
		if err := bolt.Save(file, func(w io.Writer) error { return bolt.CopyOf(ctx, held, w) }); err != nil {
			return err
		}
	}
	db, err := bolt.OpenReadOnly(file)
	if err != nil {
		return err
	}
	return errors.Join(fn(db), db.Close())
}
