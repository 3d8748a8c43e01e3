// Package delivery turns a Change into a Plan, and a Plan into a Commit.
//
// The way of a change, each step in its own file:
//
//	look up   whether the version exists, and its digest                 (lookup.go, registry)
//	snapshot  the branch's head, its listing, the files somebody reads   (snapshot, forge)
//	render    what every cluster would apply from it                     (flux)
//	fields    where the app's version shows in what is rendered          (fields.go, values.go)
//	choose    which of them are meant                                    (choose.go)
//	locate    which scalar in which file moves it: candidates are tried  (locate.go)
//	edit      the bytes of that scalar, and no others                    (yamledit)
//	pin       or an override in the cluster's own files                  (pin.go, override.go)
//	heed      what image automation would write there again; suspend it  (automation.go, suspend.go)
//	prove     everything rendered again: only the target may differ      (proof.go)
//	commit    compare-and-swap on the head the plan was made on          (apply.go, batch.go)
//
// The engine does all but the last on any tree; Folder does it on a checkout,
// with an inventory of every app (inventory.go).
//
//	propose   or, in its place, a pull request of the same plan          (propose.go)
//
// Nothing is looked up by pattern. A place in Git is the version's place
// because changing it there, in memory, changed exactly the version that the
// cluster is to show; and the change is right because the rendering of
// everything else, on every cluster, stayed as it was. What cannot be rendered
// and may read an edited file is a reason to refuse, and so is a cluster of
// which nothing is known.
//
// A Plan is a value; nothing is written before Apply commits it. Plans are
// cheap to make again: renderings are kept with notes of what they read.
package delivery

import (
	"context"
	"fmt"
	"log/slog"
	"sync"

	"ferry/delivery/flux"
	"ferry/delivery/forge"
	"ferry/delivery/snapshot"
	"ferry/internal/deploy"
)

// Options say which repository is delivered to, and where clusters stand in it.
type Options struct {
	Repository forge.Options
	// URLs are further addresses under which clusters read the same repository.
	URLs []string
	// Paths are the folders that hold the Flux Kustomizations of a cluster, for
	// when the cluster cannot be asked; without one it is clusters/NAME or NAME.
	Paths map[deploy.Cluster]string
	// CacheBytes bounds the contents kept in memory; 0 is 64 MiB.
	CacheBytes int
	// Versions is asked whether a version exists before it is promoted; nil for
	// not at all. With RequireVersions what could not be asked is refused.
	Versions        Versions
	RequireVersions bool
	// WarnAutomated only warns of image automation that would undo a change, which
	// is refused otherwise.
	WarnAutomated bool
	// Fields says which version of an app is meant that has several; nil or
	// FieldAny for what delivery finds out.
	Fields func(deploy.App) deploy.FieldKind
	// Proposing are the clusters whose changes are proposed, whatever the rules of
	// the branch, and Proposals what their pull requests look like.
	Proposing []deploy.Cluster
	Proposals Proposals
	// Wording is what commits and pull requests say.
	Wording Wording
	// CommitEach makes a commit of each change, also of those that wait together.
	CommitEach bool
	// Renderer is shared by all of a process; nil makes one.
	Renderer *flux.Renderer
	// Log is nil for none.
	Log *slog.Logger
}

// Delivery delivers to one branch of one repository. It is safe for concurrent
// use.
type Delivery struct {
	engine
	o     Options
	repo  *forge.Repository
	blobs *snapshot.Blobs
	log   *slog.Logger
	// turn is held from reading the head to committing on it, by the one who
	// commits for all that wait: changes of one process do not race each other
	// for the branch.
	turn  chan struct{}
	ready *prepared // what is planned and not committed yet; the turn's

	known sync.Mutex // guards what follows
	trees []keptTree // the latest used first
	held  map[holdKey]deploy.Holding
	// relations are those of commits, busy what somebody is at work on.
	relations map[string]forge.Relation
	busy      map[string]chan struct{}
	waiting   []*intent // to be committed, in the order in which they came
	demand    demand    // what a refused commit told
}

type keptTree struct {
	sha  string
	tree *snapshot.Tree
}

const keepTrees = 8

// New checks the options. It sends nothing.
func New(o Options) (*Delivery, error) {
	repo, err := forge.New(o.Repository)
	if err != nil {
		return nil, err
	}
	d := &Delivery{
		o: o, repo: repo, blobs: snapshot.NewBlobs(repo, o.CacheBytes), log: o.Log,
		turn: make(chan struct{}, 1), held: map[holdKey]deploy.Holding{},
		relations: map[string]forge.Relation{}, busy: map[string]chan struct{}{},
	}
	d.flux, d.ours, d.paths, d.fields, d.require = o.Renderer, d.reads, o.Paths, o.Fields, o.RequireVersions
	d.warnAutomated = o.WarnAutomated
	if d.flux == nil {
		d.flux = flux.NewRenderer()
	}
	if d.log == nil {
		d.log = slog.New(slog.DiscardHandler)
	}
	return d, nil
}

// Check tries what a promotion needs of the repository, without writing.
func (d *Delivery) Check(ctx context.Context) []forge.Row { return d.repo.Check(ctx) }

// files returns the files of a commit.
func (d *Delivery) files(ctx context.Context, h forge.Head) (flux.Files, error) {
	d.known.Lock()
	for i, k := range d.trees {
		if k.sha == h.Tree {
			copy(d.trees[1:i+1], d.trees[:i])
			d.trees[0] = k
			d.known.Unlock()
			return flux.Files{Tree: k.tree, Blobs: d.blobs}, nil
		}
	}
	d.known.Unlock()
	entries, err := d.repo.Entries(ctx, h.Tree)
	if err != nil {
		return flux.Files{}, fmt.Errorf("read %s: %w", h.SHA, err)
	}
	if err := d.prefetch(ctx, entries); err != nil {
		return flux.Files{}, err
	}
	tree := snapshot.NewTree(h.SHA, entries)
	d.keepTree(h.Tree, tree)
	return flux.Files{Tree: tree, Blobs: d.blobs}, nil
}

func (d *Delivery) keepTree(sha string, tree *snapshot.Tree) {
	d.known.Lock()
	defer d.known.Unlock()
	d.trees = append([]keptTree{{sha, tree}}, d.trees...)
	d.trees = d.trees[:min(len(d.trees), keepTrees)]
}

// smallTree is up to how many manifests all are fetched at once: fewer requests
// than following what is read.
const smallTree = 300

func (d *Delivery) prefetch(ctx context.Context, entries []snapshot.Entry) error {
	var shas []string
	for _, e := range entries {
		if manifest(e.Path) {
			shas = append(shas, e.SHA)
		}
	}
	if len(shas) > smallTree {
		return nil
	}
	return d.blobs.Prefetch(ctx, shas)
}

// reads reports whether a source is this repository's branch.
func (d *Delivery) reads(s deploy.Source) bool {
	if s.Branch != d.repo.Branch() {
		return false
	}
	return d.sameRepository(s)
}

func (d *Delivery) sameRepository(s deploy.Source) bool {
	if flux.SameRepository(s.URL, "https://"+d.repo.WebHost()+"/"+d.repo.Full()) {
		return true
	}
	for _, u := range d.o.URLs {
		if flux.SameRepository(s.URL, u) {
			return true
		}
	}
	return false
}
