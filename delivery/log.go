package delivery

import (
	"context"
	"strings"
	"time"

	"ferry/delivery/forge"
	"ferry/internal/deploy"
)

// trailerCommand says what was asked for, where a commit says so; else its first
// word does.
const trailerCommand = "Ferry-Command"

// Promotions calls fn with a record of each change that ferry made on the branch
// since then, the newest first, until it fails. They are as good as what the
// commits' trailers say, which anybody may write who can push: what became of a
// version on its cluster they do not tell.
func (d *Delivery) Promotions(ctx context.Context, since time.Time, fn func(deploy.Record) error) error {
	var failed error
	err := d.repo.Log(ctx, since, func(c forge.Logged) bool {
		for _, r := range promotions(c) {
			if failed = fn(r); failed != nil {
				return false
			}
		}
		return true
	})
	if err != nil {
		return err
	}
	return failed
}

// promotions reads the trailers of a commit.
func promotions(c forge.Logged) []deploy.Record {
	verb, _, _ := strings.Cut(c.Message, " ")
	if verb != "rollback" {
		verb = "promote" // also what a merge's or somebody's own subject begins with
	}
	var out []deploy.Record
	for _, b := range forge.Blocks(c.Message) {
		get := func(key string) string { return b[strings.ToLower(key)] }
		ns, name, ok := strings.Cut(get(TrailerApp), "/")
		by, _, _ := strings.Cut(get(TrailerRequester), " ")
		r := deploy.Record{
			Target:  deploy.Target{Cluster: deploy.Cluster(get(TrailerCluster)), App: deploy.App{Namespace: ns, Name: name}},
			Version: deploy.Version(get(TrailerVersion)), From: deploy.Version(get(TrailerFrom)),
			Job: get(TrailerJob), Command: verb, By: by, Commit: c.SHA, URL: c.URL, At: c.At,
			FromGit: true, Outcome: "unknown",
		}
		for _, one := range strings.Split(get(TrailerApprovers), ", ") {
			if id, _, _ := strings.Cut(one, " "); id != "" {
				r.Approvers = append(r.Approvers, id)
			}
		}
		_, r.Why, _ = strings.Cut(get(TrailerGlass), ": ")
		if command := get(trailerCommand); command != "" {
			r.Command, _, _ = strings.Cut(command, " ")
		}
		if ok && r.Job != "" && r.Version != "" && plain(string(r.Target.Cluster)) && plain(ns) && plain(name) {
			out = append(out, r)
		}
	}
	return out
}

// plain reports whether a name may be one of a cluster, a namespace or an app.
func plain(name string) bool {
	return name != "" && len(name) <= 253 && !strings.ContainsFunc(name, func(c rune) bool {
		return c != '-' && c != '.' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z')
	})
}
