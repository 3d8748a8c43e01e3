package k8s

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"

	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"ferry/internal/deploy"
)

// declared is what the cluster says to Flux, in order of namespace and name.
func (s *store) declared(cluster deploy.Cluster) deploy.Declared {
	s.mu.RLock()
	defer s.mu.RUnlock()
	d := deploy.Declared{Cluster: cluster, Known: s.sights[kustomizations().plural].listed && s.sights[gitRepositories().plural].listed}
	if !d.Known {
		return d
	}
	names := slices.SortedFunc(maps.Keys(s.kustomizations), func(a, b key) int {
		return cmp.Or(cmp.Compare(a.namespace, b.namespace), cmp.Compare(a.name, b.name))
	})
	for _, name := range names {
		r := s.kustomizations[name]
		k := deploy.Kustomization{Cluster: cluster, Ref: kustomizationRef(name), SourceRef: r.source, Path: r.path, Object: r.object}
		if r.source.Kind == sourcev1.GitRepositoryKind {
			if git := s.sources[key{r.source.Namespace, r.source.Name}]; git != nil {
				k.Source, k.SourceIgnore = git.source, git.ignore
			}
		}
		k.Substitutes = s.substituted(r)
		d.Kustomizations = append(d.Kustomizations, k)
	}
	return d
}

// substitute is a ConfigMap or Secret that variables come from, or why it is
// not known.
type substitute struct {
	values  map[string]string
	missing bool // it is certain that there is none
	problem string
}

// substituted lists what a Kustomization substitutes from.
func (s *store) substituted(d *declaration) []deploy.Substitute {
	var out []deploy.Substitute
	for _, from := range d.from {
		ref := deploy.Ref{Kind: from.Kind, Namespace: d.namespace, Name: from.Name}
		each := deploy.Substitute{Ref: ref}
		switch got := s.substitutes[ref]; {
		case got == nil:
			each.Problem = fmt.Sprintf("%s has not been read yet", ref)
		case got.missing:
			each.Missing = true
		case got.problem != "":
			each.Problem = fmt.Sprintf("%s cannot be read: %s", ref, got.problem)
		default:
			each.Values = got.values
		}
		out = append(out, each)
	}
	return out
}

// wanted are the objects that Kustomizations substitute from.
func (s *store) wanted() map[deploy.Ref]bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	all := map[deploy.Ref]bool{}
	for _, d := range s.kustomizations {
		for _, from := range d.from {
			all[deploy.Ref{Kind: from.Kind, Namespace: d.namespace, Name: from.Name}] = true
		}
	}
	return all
}

// substitutes keeps watches on just the objects that Kustomizations substitute
// from, until the session ends.
func (s *session) substitutes(ctx context.Context) error {
	changed, stop := s.store.listen()
	defer stop()
	watched := map[deploy.Ref]context.CancelFunc{}
	for {
		wanted := s.store.wanted()
		for ref, cancel := range watched {
			if !wanted[ref] {
				cancel()
				delete(watched, ref)
				s.store.change(func() { delete(s.store.substitutes, ref) })
			}
		}
		for ref := range wanted {
			if watched[ref] == nil {
				var each context.Context
				each, watched[ref] = context.WithCancel(ctx)
				s.group.Go(func() error { return s.substitute(each, ref) })
			}
		}
		select {
		case <-ctx.Done():
			for _, cancel := range watched {
				cancel()
			}
			return ctx.Err()
		case <-changed:
		}
	}
}

// substitute watches one object. Where that is forbidden it says so and is
// tried again with whatever else is missing.
func (s *session) substitute(ctx context.Context, ref deploy.Ref) error {
	kind := configMaps()
	if ref.Kind == "Secret" {
		kind = secrets()
	}
	keep := func(v *substitute) {
		if ctx.Err() == nil { // else it is not wanted any more
			s.store.change(func() { s.store.substitutes[ref] = v })
		}
	}
	f := feed[values, *values]{
		client: s.client, resource: kind, namespace: ref.Namespace, heard: s.touch,
		query: url.Values{"fieldSelector": {"metadata.name=" + ref.Name}},
		put:   func(o *values) { keep(newSubstitute(ref.Kind, o)) },
		drop:  func(key) { keep(&substitute{missing: true}) },
		replace: func(all []*values) {
			if len(all) == 0 {
				keep(&substitute{missing: true})
			}
			for _, o := range all {
				keep(newSubstitute(ref.Kind, o))
			}
		},
	}
	for {
		err := f.run(ctx)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // the object is not wanted any more, or the session ends
		}
		if !apierrors.IsForbidden(err) {
			return err
		}
		keep(&substitute{problem: "ferry may not read it"})
		if pause(ctx, s.options.Rediscover) != nil {
			return nil //nolint:nilerr // the end of ctx is no failure
		}
	}
}

func newSubstitute(kind string, o *values) *substitute {
	out := &substitute{values: map[string]string{}}
	if len(o.Data) == 0 {
		return out
	}
	var err error
	if kind == "Secret" {
		var encoded map[string][]byte
		err = json.Unmarshal(o.Data, &encoded)
		for name, value := range encoded {
			out.values[name] = string(value)
		}
	} else {
		err = json.Unmarshal(o.Data, &out.values)
	}
	if err != nil {
		return &substitute{problem: "its data cannot be decoded"}
	}
	return out
}
