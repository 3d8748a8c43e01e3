// Command oracle judges `ferry inventory` on repositories, or says what the oracle finds there by itself. It fails if a
// claim is wrong, or if too few pins are proven.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"ferry/e2e/oracle"
)

// slowest is how long ferry may take for one repository.
const slowest = 20 * time.Minute

type options struct {
	repos, fixtures, ferry, only string
	pins                         bool
}

func main() {
	var o options
	flag.StringVar(&o.repos, "repos", "", "folder of checkouts named owner+name")
	flag.StringVar(&o.fixtures, "fixtures", "", "folder of invented repositories (txtar)")
	flag.StringVar(&o.ferry, "ferry", "", "the ferry to judge; without, the oracle says what it finds by itself")
	flag.StringVar(&o.only, "only", "", "judge only repositories whose name has one of these in it, separated by commas")
	flag.BoolVar(&o.pins, "pins", false, "judge pins too")
	flag.Parse()
	if err := run(&o); err != nil {
		fmt.Println(err) // standard error has kustomize's warnings, which few want to see
		os.Exit(1)
	}
}

func run(o *options) error {
	var tables oracle.Tables
	if o.fixtures != "" {
		if err := o.invented(&tables); err != nil {
			return err
		}
	}
	if o.repos != "" {
		found, missing := oracle.FindCheckouts(o.repos)
		if len(missing) > 0 {
			fmt.Printf("Not in %s: %s\n", o.repos, strings.Join(missing, ", "))
		}
		for _, c := range found {
			if !o.wanted(c.Repo) {
				continue
			}
			tree, err := oracle.Load(c.Path)
			if err != nil {
				return err
			}
			if err := o.judge(&tables, checkout{name: c.Repo, dir: c.Path, hint: c.Repo, tree: tree, roots: c.Roots}); err != nil {
				return err
			}
		}
	}
	return errors.Join(tables.Write(os.Stdout), tables.Verdict())
}

func (o *options) wanted(name string) bool {
	return slices.ContainsFunc(strings.Split(o.only, ","), func(part string) bool { return strings.Contains(name, part) })
}

// invented judges all fixtures as one repository.
func (o *options) invented(tables *oracle.Tables) error {
	fixtures, err := oracle.Fixtures(o.fixtures)
	if err != nil {
		return err
	}
	for _, f := range fixtures {
		if !o.wanted("fixture " + f.Name) {
			continue
		}
		dir, err := os.MkdirTemp("", "oracle-fixture")
		if err != nil {
			return err
		}
		if err = f.Write(dir); err == nil {
			err = o.judge(tables, checkout{name: "fixture " + f.Name, dir: dir, tree: f.Tree, roots: f.Roots, excuse: f.Excuse})
		}
		if err = errors.Join(err, os.RemoveAll(dir)); err != nil {
			return fmt.Errorf("fixture %s: %w", f.Name, err)
		}
	}
	return nil
}

// checkout is a repository to judge. hint is its owner/name, "" for an invented one; excuse is nil for none.
type checkout struct {
	name, dir, hint string
	tree            oracle.Tree
	roots           []string
	excuse          func([]oracle.Verdict) []oracle.Verdict
}

// judge adds one repository to the tables.
func (o *options) judge(tables *oracle.Tables, c checkout) error {
	start, name := time.Now(), c.name
	repo, err := oracle.Open(c.tree, c.roots, c.hint)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	defer repo.Close()
	for ref, err := range repo.Broken() {
		fmt.Printf("%s: %s does not build: %.200s\n", name, ref, strings.Join(strings.Fields(err.Error()), " "))
	}
	row := name
	if c.hint == "" {
		row = "fixtures" // one row for all; complaints name each
	}
	if o.ferry == "" {
		tables.Add(row, name, repo.Findings())
	} else {
		raw, err := o.inventory(c.dir, c.roots, o.pins)
		if usage(err) && o.pins {
			fmt.Println("this ferry shows no pins")
			o.pins = false
			raw, err = o.inventory(c.dir, c.roots, false)
		}
		if usage(err) {
			return err
		}
		if err != nil {
			fmt.Printf("%s: %v\n", name, err)
		}
		inv, err := oracle.ParseInventory(raw)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		verdicts := repo.Judge(inv)
		if c.excuse != nil {
			verdicts = c.excuse(verdicts)
		}
		tables.Add(row, name, verdicts)
	}
	for _, c := range tables.Complaints {
		fmt.Println(c)
	}
	tables.Complaints = nil
	fmt.Printf("%s: %d pairs, %s\n", name, len(repo.Apps()), time.Since(start).Round(time.Millisecond))
	return nil
}

// usage says whether there is no such ferry, or none that knows the command: that is no verdict on it.
func usage(err error) bool {
	var exit *exec.ExitError
	return err != nil && (!errors.As(err, &exit) || exit.ExitCode() == 2)
}

// inventory is what ferry says. If it fails, nothing was said.
func (o options) inventory(dir string, roots []string, pins bool) ([]byte, error) {
	args := []string{"inventory", "--repo", dir, "-o", "json"}
	for _, root := range roots {
		args = append(args, "--cluster", root)
	}
	if pins {
		args = append(args, "--pins")
	}
	ctx, cancel := context.WithTimeout(context.Background(), slowest)
	defer cancel()
	ferry, err := filepath.Abs(o.ferry)
	if err != nil {
		return nil, err
	}
	out, err := exec.CommandContext(ctx, ferry, args...).Output() // #nosec G204 -- the caller's own ferry
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = fmt.Errorf("%w: %.500s", err, exit.Stderr)
		}
		return []byte("{}"), fmt.Errorf("ferry inventory: %w", err)
	}
	return out, nil
}
