package delivery

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"ferry/delivery/flux"
	"ferry/internal/deploy"
	"ferry/internal/fault"
)

// Status says whether an app's version can be changed alone.
type Status string

// The statuses.
const (
	IsIsolated  Status = "isolated"  // one field moves only this app on this cluster
	IsShared    Status = "shared"    // the field moves others too
	IsAmbiguous Status = "ambiguous" // several fields could be meant
	HasNone     Status = "none"      // nothing in Git that could be changed
)

// Item is one app on one cluster, as Git wants it.
type Item struct {
	Target deploy.Target
	Owner  deploy.Owner
	// Object is the HelmRelease or workload that Git declares.
	Object deploy.Ref
	// Chart and library say which of two versions is meant where both exist.
	Field     deploy.FieldKind
	Mechanism Mechanism
	Site      deploy.Site // where the version shows; Value is the present one
	Edit      deploy.Edit // where it stands in Git; Before is what is there
	Version   deploy.Version
	Status    Status
	// Shared lists what else the field moves: an app by the name and namespace in
	// which it runs, another object by its own.
	Shared []deploy.Affected
	// Pin is the override that would give a shared app a version of its own here,
	// if that was asked for; PinErr says why there is none.
	Pin    []deploy.Edit
	PinErr error
	// Automation are the image automations that look for the field.
	Automation []deploy.Automation
	// Why explains ambiguous and none, and what is special otherwise.
	Why string
	// Refusal is the error behind Why, if there is one.
	Refusal error
}

// apps lists the apps of a cluster: releases, and workloads that a Kustomization
// applies directly. Flux's own controllers are none.
func apps(w *flux.World, c deploy.Cluster) []Item {
	var out []Item
	seen := map[flux.ID]bool{}
	w.Each(c, func(o flux.Placed) {
		if seen[o.ID()] || !(isRelease(o.Object) || isApp(o)) {
			return
		}
		seen[o.ID()] = true
		out = append(out, itemOf(c, o))
	})
	slices.SortStableFunc(out, func(a, b Item) int {
		return cmp.Or(strings.Compare(a.Target.App.Namespace, b.Target.App.Namespace), strings.Compare(a.Target.App.Name, b.Target.App.Name))
	})
	return out
}

func itemOf(c deploy.Cluster, o flux.Placed) Item {
	i := Item{
		Target: deploy.Target{Cluster: c, App: deploy.App{Namespace: o.Ref.Namespace, Name: o.Ref.Name}},
		Owner:  deploy.Owner{Kustomization: deploy.Ref{Kind: "Kustomization", Namespace: o.Root.Ref.Namespace, Name: o.Root.Ref.Name}}, Object: o.Ref,
	}
	if !isRelease(o.Object) {
		i.Owner.Workloads = []deploy.Ref{o.Ref}
		return i
	}
	i.Owner.Release = o.Ref
	if ns := text(at(o.Data(), "/spec/targetNamespace")); ns != "" {
		i.Target.App.Namespace = ns
	}
	return i
}

func isApp(o flux.Placed) bool {
	if !slices.Contains([]string{"Deployment", "StatefulSet", "DaemonSet", "CronJob"}, o.Ref.Kind) || (o.Group != "apps" && o.Group != "batch") {
		return false
	}
	return text(at(o.Data(), "/metadata/labels/app.kubernetes.io~1part-of")) != "flux"
}

// inventory tells for every app of the clusters where its version stands and
// what else moves with it.
func (e *engine) inventory(ctx context.Context, w *flux.World, clusters []deploy.Cluster, pins bool) ([]Item, error) {
	var out []Item
	for _, c := range clusters {
		for _, item := range apps(w, c) {
			if err := e.examine(ctx, w, &item, pins); err != nil {
				return nil, err
			}
			out = append(out, item)
		}
	}
	return out, nil
}

// examine finds an item's version. The error is of reading the repository.
func (e *engine) examine(ctx context.Context, w *flux.World, item *Item, pins bool) error {
	c := deploy.Change{Target: item.Target, Owner: item.Owner}
	s, err := e.stage(ctx, w, c)
	if err == nil {
		err = e.site(ctx, s, item, pins)
	}
	if err == nil {
		return nil
	}
	f, ok := errors.AsType[*fault.Error](err)
	if !ok {
		return err
	}
	item.Status, item.Why, item.Refusal = HasNone, f.Says, err
	if f.Help != "" {
		item.Why += ": " + f.Help
	}
	if f.Kind == fault.Ambiguous {
		item.Status = IsAmbiguous
	}
	return nil
}

// site finds where an item's version stands and what it moves.
func (e *engine) site(ctx context.Context, s *scene, item *Item, pins bool) error {
	own, more, err := e.pick(s)
	if err != nil {
		return err
	}
	if len(more) > 0 {
		if own, err = e.prefer(ctx, s, own, more); err != nil {
			return err
		}
	}
	f := own[0]
	item.Field, item.Version = f.kind, deploy.Version(f.version)
	item.Site = deploy.Site{Field: f.kind, Object: f.object, Path: f.path, Value: f.value}
	if f.from != nil {
		item.Site.Inner = f.from.inner
	}
	found, err := e.locate(ctx, s, f, probeVersion(f))
	if err != nil {
		return err
	}
	at := found[0]
	item.Edit = deploy.Edit{File: at.file, Line: at.line, Column: at.column, Before: at.before}
	item.Mechanism = mechanism(s, f, at)
	if item.Automation, err = e.automationOf(ctx, s, at); err != nil {
		return err
	}
	all, err := e.prove(ctx, s, f, at.world, []string{at.file})
	if err != nil {
		return err
	}
	item.Status = IsIsolated
	for _, o := range all.others {
		item.Shared = append(item.Shared, running(s.world, o))
	}
	if len(all.others) > 0 {
		item.Status = IsShared
		if pins {
			item.Pin, item.PinErr = e.tryPin(ctx, s, f)
		}
	}
	if f.ranged {
		item.Why = "Git holds a range: Flux picks the version"
	}
	return nil
}

// running names a release by where it runs.
func running(w *flux.World, a deploy.Affected) deploy.Affected {
	if a.Object.Kind != "HelmRelease" {
		return a
	}
	if o := w.Lookup(a.Cluster, helmGroup, a.Object); o.Object != nil {
		a.Object.Namespace = itemOf(a.Cluster, o).Target.App.Namespace
	}
	return a
}

// tryPin finds the override that would move one field.
func (e *engine) tryPin(ctx context.Context, s *scene, f field) ([]deploy.Edit, error) {
	sites, err := e.pin(ctx, s, []aim{{f, probeVersion(f)}})
	var out []deploy.Edit
	for _, at := range sites {
		out = append(out, deploy.Edit{File: at.file, Line: at.line, Column: at.column, Before: at.before, After: at.after})
	}
	return out, err
}

// prefer picks one of several fields by what people usually mean: a tag that
// Flux's image automation knows, else the chart's version.
func (e *engine) prefer(ctx context.Context, s *scene, own, more []field) ([]field, error) {
	all := append(slices.Clone(own), more...)
	for _, f := range all {
		if f.kind != deploy.FieldImage {
			continue
		}
		if found, err := e.locate(ctx, s, f, probeVersion(f)); err == nil && strings.Contains(found[0].marker, "$imagepolicy") {
			return []field{f}, nil
		}
	}
	if own[0].kind == deploy.FieldChart {
		return own, nil
	}
	return nil, e.ambiguous(ctx, s, all)
}
