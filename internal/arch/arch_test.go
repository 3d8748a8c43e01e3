// Package arch holds no code, only the test that keeps the plan of the house:
// who may import whom, and the rules of style that can be seen in the source.
// It parses files instead of asking the go command, so that the test cache sees
// what it reads and a change is never missed.
package arch

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestHouse checks every Go file of the repository.
func TestHouse(t *testing.T) {
	const root = "../.."
	sources := map[string][]byte{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		switch name := d.Name(); {
		case d.IsDir() && path != root && (name[0] == '.' || name == "node_modules" || name == "testdata" || name == "bin"):
			return filepath.SkipDir
		case !strings.HasSuffix(name, ".go"):
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		sources[filepath.ToSlash(rel)] = text
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(sources) < 50 {
		t.Fatalf("only %d files were found: the walk is broken", len(sources))
	}
	for _, problem := range check(parse(t, sources)) {
		t.Error(problem)
	}
}

func parse(t *testing.T, sources map[string][]byte) []file {
	t.Helper()
	var files []file
	fset := token.NewFileSet()
	for path, text := range sources {
		tree, err := parser.ParseFile(fset, path, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Errorf("parse %s: %v", path, err)
			continue
		}
		files = append(files, file{path: path, tree: tree, fset: fset})
	}
	return files
}

// TestTheTestCanFail feeds the checker small houses, each with one fault or none.
func TestTheTestCanFail(t *testing.T) {
	const doc = "// Package x is x.\n"
	for _, c := range []struct {
		name    string
		sources map[string]string
		want    string // part of the one problem; "" for none
	}{
		{"a sound house", map[string]string{
			"main.go":               "// Command ferry.\npackage main\nimport (\"os\"; \"ferry/internal/app\")\nfunc main() { os.Exit(app.Main()) }",
			"internal/app/app.go":   doc + "package app\nimport (\"ferry/bot\"; \"ferry/k8s\"; \"ferry/internal/config\"; \"k8s.io/client-go/rest\")",
			"internal/chat/chat.go": doc + "package chat\nimport \"context\"",
			"internal/config/c.go":  doc + "package config\nimport (\"gopkg.in/yaml.v3\"; \"ferry/internal/near\")",
			"bot/bot.go":            doc + "package bot\nimport (\"ferry/internal/chat\"; \"ferry/bot/slack\"; \"github.com/slack-go/slack\")",
			"bot/slack/slack.go":    doc + "package slack\nimport \"ferry/bot/render\"",
			"bot/bot_test.go":       "package bot\nimport (\"ferry/storage/bolt\"; \"ferry/playground/slack\")",
			"k8s/k8stest/suite.go":  doc + "package k8stest\nimport (\"testing\"; \"ferry/playground/cluster\")",
			"playground/main.go":    doc + "package main\nimport (\"log\"; \"ferry/playground/slack\")\nfunc main() { log.Fatal() }",
			"e2e/e2e.go":            doc + "package e2e\nimport (\"ferry/bot\"; \"ferry/jobs\"; \"ferry/playground/github\")",
			"plugins/api/api.go":    doc + "package api\nimport \"google.golang.org/grpc\"",
			"jobs/poll_test.go":     "package jobs\nimport \"time\"\nfunc f() { for { if true { time.Sleep(1) } } }",
			"jobs/bubble_test.go":   "package jobs\nimport (\"time\"; \"testing/synctest\")\nfunc f() { time.Sleep(1) }",
			"jobs/a.go":             doc + "package jobs",
			"jobs/b.go":             "package jobs\nimport \"os\"\ntype exit struct{ Exit func() }\nfunc (x exit) init() { x.Exit(); os.Getenv(\"\") }",
		}, ""},
		{"a leaf with a third party", one("internal/chat/chat.go", doc+"package chat\nimport \"gopkg.in/yaml.v3\""), "the standard library alone"},
		{"a leaf with a leaf", one("internal/chat/chat.go", doc+"package chat\nimport \"ferry/internal/job\""), "the standard library alone"},
		{"a leaf's test with a room", one("internal/chat/chat_test.go", "package chat\nimport \"ferry/bot\""), "the standard library alone"},
		{"a room with its neighbour", one("jobs/jobs.go", doc+"package jobs\nimport \"ferry/k8s\""), "never each other"},
		{"a room with its neighbour's inside", one("jobs/jobs.go", doc+"package jobs\nimport \"ferry/storage/bolt\""), "never each other"},
		{"a sub-package with a neighbour", one("delivery/github/x.go", doc+"package github\nimport \"ferry/bot\""), "never each other"},
		{"a room's test with a neighbour", one("jobs/jobs_test.go", "package jobs\nimport \"ferry/dispatcher\""), "never each other"},
		{"a room with the playground", one("bot/bot.go", doc+"package bot\nimport \"ferry/playground/slack\""), "never each other"},
		{"a room with the configuration", one("bot/bot.go", doc+"package bot\nimport \"ferry/internal/config\""), "never each other"},
		{"a room with the wiring", one("bot/bot_test.go", "package bot\nimport \"ferry/internal/app\""), "never each other"},
		{"names that only begin alike", one("bot/bot.go", doc+"package bot\nimport \"ferry/bottle\""), "never each other"},
		{"the wiring with the playground", one("internal/app/app.go", doc+"package app\nimport \"ferry/playground/slack\""), "wires rooms"},
		{"main with a room", one("main.go", "// Command ferry.\npackage main\nimport \"ferry/bot\""), "flags and signals"},
		{"main with a third party", one("main.go", "// Command ferry.\npackage main\nimport \"k8s.io/client-go/rest\""), "flags and signals"},
		{"configuration with a room", one("internal/config/c.go", doc+"package config\nimport \"ferry/jobs\""), "internal/config"},
		{"configuration with a third party", one("internal/config/c.go", doc+"package config\nimport \"k8s.io/client-go/tools/clientcmd\""), "internal/config"},
		{"the playground with a room", one("playground/main.go", doc+"package main\nimport \"ferry/bot\""), "unmodified"},
		{"the plugin contract with anything of ours", one("plugins/api/api.go", doc+"package api\nimport \"ferry/internal/event\""), "stranger"},
		{"an unknown room", one("extras/x.go", doc+"package extras"), "no room of that name"},
		{"no package comment", one("jobs/jobs.go", "package jobs"), "has no package comment"},
		{"a directive is no comment", one("jobs/jobs.go", "//go:build linux\n\npackage jobs"), "has no package comment"},
		{"two package comments", map[string]string{"jobs/a.go": doc + "package jobs", "jobs/b.go": doc + "package jobs"}, "has 2 package comments"},
		{"init", one("jobs/jobs.go", doc+"package jobs\nfunc init() {}"), "init"},
		{"log.Fatal", one("jobs/jobs.go", doc+"package jobs\nimport \"log\"\nfunc f() { log.Fatalf(\"\") }"), "log.Fatalf"},
		{"os.Exit", one("jobs/jobs.go", doc+"package jobs\nimport \"os\"\nfunc f() { os.Exit(1) }"), "os.Exit"},
		{"renamed os.Exit", one("jobs/jobs.go", doc+"package jobs\nimport sys \"os\"\nfunc f() { defer sys.Exit(1) }"), "os.Exit"},
		{"a test that hopes", one("jobs/jobs_test.go", "package jobs\nimport \"time\"\nfunc f() { time.Sleep(1) }"), "luck"},
		{"a package for everything", one("jobs/util/util.go", doc+"package util"), "says nothing"},
		{"a folder for everything", one("bot/helpers/x.go", doc+"package x"), "says nothing"},
		{"a long file", one("jobs/jobs.go", doc+"package jobs\n"+strings.Repeat("\n", 450)), "lines"},
	} {
		t.Run(c.name, func(t *testing.T) {
			sources := map[string][]byte{}
			for path, text := range c.sources {
				sources[path] = []byte(text)
			}
			problems := check(parse(t, sources))
			switch {
			case c.want == "" && len(problems) > 0:
				t.Errorf("it complains: %q", problems)
			case c.want != "" && (len(problems) != 1 || !strings.Contains(problems[0], c.want)):
				t.Errorf("problems = %q, want one with %q", problems, c.want)
			}
		})
	}
}

func one(path, text string) map[string]string { return map[string]string{path: text} }

// TestRoomsExist keeps the list of rooms honest in the other direction.
func TestRoomsExist(t *testing.T) {
	for _, room := range append(leaves, "internal/config") {
		if _, err := os.Stat(filepath.Join("../..", filepath.FromSlash(room))); err != nil {
			t.Error(fmt.Errorf("the plan names a room that is not there: %w", err))
		}
	}
}
