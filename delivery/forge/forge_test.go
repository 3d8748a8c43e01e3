package forge_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"testing"
	"testing/fstest"
	"time"

	"ferry/delivery/forge"
	"ferry/delivery/snapshot"
	"ferry/internal/fault"
	"ferry/playground/github"
)

func open(t *testing.T, files fstest.MapFS, treeLimit int, seen func(forge.Request)) (*forge.Repository, *github.Server) {
	t.Helper()
	s, err := github.New(github.Options{
		Dir: t.TempDir(), TreeLimit: treeLimit, TextLimit: 1000,
		Repositories: []github.Repository{{Owner: "acme", Name: "fleet", Seed: files}},
		Tokens:       map[string]github.Token{"secret": {Login: "ferry-bot", Access: github.WriteAccess}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	web := httptest.NewServer(s)
	t.Cleanup(web.Close)
	r, err := forge.New(forge.Options{
		Owner: "acme", Name: "fleet", Branch: "main", BaseURL: web.URL + "/api/v3/", OnRequest: seen,
		Token: func(context.Context) (string, error) { return "secret", nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	return r, s
}

// TestContents reads listings that come cut short, and contents that GraphQL
// does not give faithfully.
func TestContents(t *testing.T) {
	files := fstest.MapFS{
		"bin/raw":     {Data: []byte{0xff, 0xfe, 0, 1}, Mode: 0o755},
		"crlf.yaml":   {Data: []byte("\ufeffa: b\r\n")},
		"large.yaml":  {Data: make([]byte, 5000)},
		"empty.yaml":  {},
		"a/b/c/d.txt": {Data: []byte("deep")},
	}
	for i := range 30 {
		files[fmt.Sprintf("many/%d/f.yaml", i)] = &fstest.MapFile{Data: fmt.Appendf(nil, "n: %d\n", i)}
	}
	for _, limit := range []int{0, 40} {
		r, _ := open(t, files, limit, nil)
		head, err := r.Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		entries, err := r.Entries(t.Context(), head.Tree)
		if err != nil {
			t.Fatal(err)
		}
		if len(entries) != len(files) {
			t.Errorf("limit %d: %d entries of %d", limit, len(entries), len(files))
		}
		var shas []string
		for _, e := range entries {
			if want := snapshot.HashBlob(files[e.Path].Data); e.SHA != want {
				t.Errorf("%s has %s, want %s", e.Path, e.SHA, want)
			}
			shas = append(shas, e.SHA)
		}
		got, err := r.Blobs(t.Context(), shas)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if string(got[e.SHA]) != string(files[e.Path].Data) {
				t.Errorf("%s reads %q", e.Path, got[e.SHA])
			}
		}
	}
}

// TestLimits waits as long as GitHub says if that is short, and refuses at once
// if it is not.
func TestLimits(t *testing.T) {
	for name, limit := range map[string]func(time.Duration) github.Fault{"403": github.SecondaryLimit, "429": github.TooManyRequests} {
		t.Run(name, func(t *testing.T) {
			sent := 0
			r, s := open(t, fstest.MapFS{"a": {Data: []byte("a")}}, 0, func(forge.Request) { sent++ })
			s.Inject(limit(time.Second))
			start := time.Now()
			if _, err := r.Head(t.Context()); err != nil || sent != 2 || time.Since(start) < time.Second {
				t.Errorf("%v after %s and %d requests", err, time.Since(start), sent)
			}
			s.Inject(limit(time.Hour))
			if _, err := r.At(t.Context(), "main~0"); !fault.Is(err, fault.Unavailable) {
				t.Errorf("an hour: %v", err)
			}
			before := sent
			if _, err := r.Head(t.Context()); !fault.Is(err, fault.Unavailable) || sent != before {
				t.Errorf("while limited: %v, %d requests sent", err, sent-before)
			}
		})
	}
}

func TestHasTrailer(t *testing.T) {
	for message, want := range map[string]bool{
		"s\n\nbody\n\nFerry-Job: j1\nX: y":                           true,
		"s\n\nferry-job:  j1 \r\n":                                   true,
		"s\r\n\r\nbody\r\n\r\nFerry-Job: j1\r\nX: y":                 true,
		"s\n\nFerry-Job: j0\nX: y\n\nFerry-Job: j1\nX: y":            true, // a block per job
		"s\n\n* a\n\nFerry-Job: j1\n\n* b\n\nbody":                   true, // squashed
		"s\n\nFerry-Job: j1\n\n---------\n\nCo-authored-by: a <a@x>": true, // GitHub's own lines
		"s\n\nFerry-Job: j1\nCo-authored-by: a <a@x>\n\nmore":        true,
		"s\n\nFerry-Job: j12":                                        false,
		"Ferry-Job: j1":                                              false,
		"Ferry-Job: j1\n\nbody":                                      false,
		"s\n\nsee Ferry-Job: j1":                                     false,
		"s\n\nit said\nFerry-Job: j1\nin the log":                    false,
		"s\n\n> Ferry-Job: j1":                                       false,
		"s\n\n    Ferry-Job: j1":                                     false,
		"s\n\nFerry-Job: j1 (no)":                                    false,
		"s\n\nFerry-Jobs: j1\nNot-Ferry-Job: j1":                     false,
		"s\n\napps/x.yaml:3: 1 becomes 2\nFerry-Job: j1":             false,
	} {
		if got := forge.HasTrailer(message, "Ferry-Job", "j1"); got != want {
			t.Errorf("%q: %v", message, got)
		}
	}
}

// TestFindFarBack looks further than a thousand commits if the time says so.
func TestFindFarBack(t *testing.T) {
	w := newWorld(t)
	began := time.Now()
	if _, err := w.repo.Commit("main", "batch\n\nFerry-Job: j1\nX: y\n\nFerry-Job: j2\nX: z\n", map[string]string{"a": "1"}); err != nil {
		t.Fatal(err)
	}
	made := w.head("main")
	w.pile("main", 1100)
	r := w.forge()
	for _, job := range []string{"j1", "j2"} {
		if m, ok, err := r.Find(t.Context(), "Ferry-Job", job, began); err != nil || !ok || m.SHA != made {
			t.Errorf("%s: %+v, %v, %v", job, m, ok, err)
		}
	}
	if _, ok, err := r.Find(t.Context(), "Ferry-Job", "j1", time.Time{}); err != nil || ok {
		t.Errorf("without a time: %v, %v", ok, err)
	}
	if _, ok, err := r.Find(t.Context(), "Ferry-Job", "j3", began); err != nil || ok {
		t.Errorf("what is not there: %v, %v", ok, err)
	}
}
