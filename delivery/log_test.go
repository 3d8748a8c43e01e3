package delivery_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"ferry/delivery/forge"
	"ferry/internal/deploy"
)

// TestGitTellsWhatWasPromoted reads back what was committed, beside commits of
// people that look alike.
func TestGitTellsWhatWasPromoted(t *testing.T) {
	r := newRig(t, archive(t, "fleet.txtar"))
	for i, c := range []struct{ command, version string }{{"promote", "6.5.4"}, {"rollback", "6.5.3"}} {
		by := deploy.Authorship{Job: fmt.Sprintf("j%d", i), Command: c.command, Requester: "U1", Name: "Ada"}
		if _, _, err := r.Apply(t.Context(), want("podinfo/podinfo", c.version, "prod", "apps", false), fleet, by, nil); err != nil {
			t.Fatal(explain(err))
		}
	}
	for i, block := range []string{ // what people may push
		"Ferry-Job: x\nFerry-App: podinfo/../x\nFerry-Cluster: prod\nFerry-Version: 1",
		"Ferry-Job: x\nFerry-App: podinfo\nFerry-Cluster: prod\nFerry-Version: 1",
		"Ferry-Job: x\nFerry-App: a b/podinfo\nFerry-Cluster: prod\nFerry-Version: 1",
		"Ferry-Job: x\nFerry-App: a/b\nFerry-Cluster: prod/x\nFerry-Version: 1",
		"Ferry-Job: x\nFerry-App: a/b\nFerry-Cluster: prod",
	} {
		if _, err := r.repo.Commit("main", "looks alike\n\n"+block, map[string]string{"x.md": fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
	read := func(since time.Time) (out []deploy.Record) {
		t.Helper()
		if err := r.Promotions(t.Context(), since, func(r deploy.Record) error { out = append(out, r); return nil }); err != nil {
			t.Fatal(err)
		}
		return out
	}
	got := read(time.Time{})
	if len(got) != 2 {
		t.Fatalf("%+v", got)
	}
	for i, want := range []deploy.Record{
		{Command: "rollback", Version: "6.5.3", From: "6.5.4", Job: "j1"}, {Command: "promote", Version: "6.5.4", From: "6.5.3", Job: "j0"},
	} {
		g := got[i]
		if g.Command != want.Command || g.Version != want.Version || g.From != want.From || g.Job != want.Job || g.By != "U1" ||
			g.Target.String() != "prod/podinfo/podinfo" || !g.FromGit || g.Healthy || g.At.IsZero() || g.URL == "" {
			t.Errorf("%d: %+v", i, g)
		}
	}
	if found, ok, err := r.Find(t.Context(), "j1", time.Time{}); err != nil || !ok || got[0].Commit != found.SHA {
		t.Errorf("commit %s, %v", got[0].Commit, err)
	}
	if again := read(time.Time{}); fmt.Sprint(again) != fmt.Sprint(got) {
		t.Errorf("read again: %+v", again)
	}
	if late := read(time.Now().Add(time.Hour)); len(late) != 0 {
		t.Errorf("from tomorrow on: %+v", late)
	}
	broken := errors.New("disk full")
	if err := r.Promotions(t.Context(), time.Time{}, func(deploy.Record) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("an error of the reader: %v", err)
	}
}

func TestBlocksOfTrailers(t *testing.T) {
	block := func(job string) string {
		return "f.yaml:1: a becomes b\n\nFerry-Job: " + job + "\nFerry-App: n/" + job + "\n\n"
	}
	for message, jobs := range map[string]string{
		"promote a\n\n" + block("a"):                   "a=n/a",
		"promote 2 apps\n\n" + block("a") + block("b"): "a=n/a b=n/b",

		"squashed (#3)\n\n* promote a\n\n" + block("a") + "---------\n\nCo-authored-by: x <y>\n": "a=n/a",
		"one paragraph\n\nFerry-Job: a\nFerry-App: n/a\nFerry-Job: b\nFerry-App: n/b":            "a=n/a b=n/b",

		"fix Ferry-Job: a":               "",
		"talk\n\nIn prose\nFerry-Job: a": "",
		"none\n\nFerry-App: n/a":         "",
	} {
		var got []string
		for _, b := range forge.Blocks(message) {
			got = append(got, b["ferry-job"]+"="+b["ferry-app"])
		}
		if strings.Join(got, " ") != jobs {
			t.Errorf("%q: %v, want %s", message, got, jobs)
		}
	}
}
