package delivery

import (
	"context"
	"fmt"
	"strings"

	"ferry/delivery/flux"
	"ferry/delivery/forge"
	"ferry/internal/deploy"
	"ferry/internal/fault"
)

// holdKey is what an answer of Holding depends on.
type holdKey struct {
	commit, revision string
	cluster          deploy.Cluster
	site             deploy.Site
}

const keepHeld = 1024

// Holding says whether a revision, as Flux writes it ("main@sha1:…"), still has
// what a plan's commit brought. The commit itself, if ferry made it, costs no
// request; any other revision is compared and rendered once, and the answer kept.
func (d *Delivery) Holding(ctx context.Context, p deploy.Plan, c deploy.Commit, revision string, declared []deploy.Declared) (deploy.Holding, error) {
	sha := revisionSHA(revision)
	if sha == "" || c.SHA == "" {
		return deploy.NotYet, nil
	}
	if sha == c.SHA && !c.Merged {
		return deploy.Holds, nil
	}
	key := holdKey{c.SHA, sha, p.Change.Target.Cluster, p.Site}
	d.known.Lock()
	known, ok := d.held[key]
	d.known.Unlock()
	if ok {
		return known, nil
	}
	h, err := d.holding(ctx, p, c, sha, declared)
	if err != nil {
		return "", err
	}
	d.known.Lock()
	defer d.known.Unlock()
	if len(d.held) >= keepHeld {
		d.held = map[holdKey]deploy.Holding{}
	}
	d.held[key] = h
	return h, nil
}

func (d *Delivery) holding(ctx context.Context, p deploy.Plan, c deploy.Commit, sha string, declared []deploy.Declared) (deploy.Holding, error) {
	relation, err := d.relation(ctx, c.SHA, sha)
	if fault.Is(err, fault.NotFound) {
		return deploy.NotYet, nil // a commit that GitHub does not know is none of this branch
	}
	if err != nil {
		return "", err
	}
	if relation != forge.Ahead && relation != forge.Identical {
		return deploy.NotYet, nil
	}
	free, err := d.alone(ctx, sha+" "+string(p.Change.Target.Cluster))
	if err != nil {
		return "", err
	}
	defer free()
	head, err := d.repo.At(ctx, sha)
	if err != nil {
		return "", err
	}
	files, err := d.files(ctx, head)
	if err != nil {
		return "", err
	}
	var own []deploy.Declared
	for _, decl := range declared {
		if decl.Cluster == p.Change.Target.Cluster {
			own = append(own, decl)
		}
	}
	if own, err = d.resolve(ctx, files, own); err != nil {
		return "", err
	}
	world, err := d.flux.World(ctx, files, d.ours, own)
	if err != nil {
		return "", err
	}
	root := world.Find(p.Change.Target.Cluster, p.Change.Owner.Kustomization)
	if root != nil && root.Rendering != nil && root.Rendering.Err != nil {
		return "", fmt.Errorf("render %s at %s: %w", root.Ref, sha, root.Rendering.Err)
	}
	if siteIn(world, p) == p.Site.Value {
		return deploy.Holds, nil
	}
	return deploy.Replaced, nil
}

// siteIn reads what a plan's site shows in a world.
func siteIn(w *flux.World, p deploy.Plan) string {
	c := p.Change.Target.Cluster
	value := ""
	w.Each(c, func(o flux.Placed) {
		if o.Ref == p.Site.Object {
			value = text(at(o.Data(), p.Site.Path))
		}
	})
	if p.Site.Inner == "" || value == "" {
		return value
	}
	return innerValue(value, p.Site.Inner)
}

// revisionSHA reads the commit from "branch@sha1:SHA", "sha1:SHA" or the older
// "branch/SHA".
func revisionSHA(revision string) string {
	if i := strings.LastIndexAny(revision, ":/@"); i >= 0 {
		revision = revision[i+1:]
	}
	if len(revision) != 40 && len(revision) != 64 {
		return ""
	}
	if strings.Trim(strings.ToLower(revision), "0123456789abcdef") != "" {
		return ""
	}
	return strings.ToLower(revision)
}
