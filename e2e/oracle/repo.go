package oracle

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
)

// Repo is a repository with all its clusters rendered. It is for one goroutine; Close it.
type Repo struct {
	Tree     Tree
	Clusters []*Cluster
	hint     string
	r        *renderer
	probes   map[string]*Moved // by file, offset and text
	made     int               // probes made
}

// Open renders the clusters of a tree. hint is its owner/name, "" if not known.
func Open(tree Tree, roots []string, hint string) (*Repo, error) {
	r, err := newRenderer(tree)
	if err != nil {
		return nil, err
	}
	repo := &Repo{Tree: tree, hint: hint, r: r, probes: map[string]*Moved{}}
	for _, root := range roots {
		if !r.plain().isDir(clamp(root)) {
			r.close()
			return nil, fmt.Errorf("cluster %s: no such folder", root)
		}
		repo.Clusters = append(repo.Clusters, r.cluster(root, hint, nil, nil))
	}
	return repo, nil
}

// Close removes what was left on disk.
func (repo *Repo) Close() { repo.r.close() }

func (repo *Repo) cluster(path string) *Cluster {
	for _, c := range repo.Clusters {
		if c.Path == path {
			return c
		}
	}
	return nil
}

// Apps are all apps on all clusters.
func (repo *Repo) Apps() []App {
	var out []App
	for _, c := range repo.Clusters {
		out = append(out, c.Apps()...)
	}
	return out
}

// Broken are the Kustomizations that do not build, with the reason.
func (repo *Repo) Broken() map[string]error {
	out := map[string]error{}
	for _, c := range repo.Clusters {
		for ref, n := range c.nodes {
			if n.unit.err != nil {
				out[c.Path+" "+ref] = n.unit.err
			}
		}
	}
	return out
}

// files are what any cluster reads, sorted.
func (repo *Repo) files() []string {
	all := map[string]bool{}
	for _, c := range repo.Clusters {
		maps.Copy(all, c.read())
	}
	return slices.Sorted(maps.Keys(all))
}

// sealed matches the seal that SOPS puts on a file: an edit anywhere in it breaks that, so nothing in it is a site.
var sealed = regexp.MustCompile(`(?m)^sops:[\s\S]*^[ \t]+"?mac"?: *"?ENC\[`)

// Moved is what a change moves: per cluster the objects, each with the pointers that differ.
type Moved struct {
	objects map[string]map[string][]string // cluster → object key → pointers
	apps    map[Pair]bool
	broken  string // a build that fails with the change: nothing is known
}

// moves renders with a change whatever reads the files in it.
func (repo *Repo) moves(change Change) *Moved {
	m := &Moved{objects: map[string]map[string][]string{}, apps: map[Pair]bool{}}
	memo := map[string]*unit{}
	for _, c := range repo.Clusters {
		after := repo.after(c, change, memo)
		if after == nil {
			continue
		}
		for ref, n := range after.nodes {
			if old := c.nodes[ref]; n.unit.err != nil && (old == nil || old.unit.err == nil) {
				m.broken = n.unit.err.Error()
			}
		}
		for _, key := range slices.Sorted(maps.Keys(union(c.objects, after.objects))) {
			a, b := c.objects[key], after.objects[key]
			paths := differences(map[string]any(a), map[string]any(b), "")
			if len(paths) == 0 {
				continue
			}
			if m.objects[c.Path] == nil {
				m.objects[c.Path] = map[string][]string{}
			}
			if b != nil || a.kind() == "ConfigMap" { // a generated one has a new name; anything else that goes says no other version
				m.objects[c.Path][key] = paths
			}
			for at, o := range map[*Cluster]Object{c: a, after: b} {
				if o == nil || o.is(kustomizeGroup, "Kustomization") {
					continue
				}
				for _, p := range at.dependents(key, o) {
					m.apps[p] = true
				}
			}
		}
	}
	return m
}

func union(a, b map[string]Object) map[string]Object {
	out := maps.Clone(a)
	maps.Copy(out, b)
	return out
}

// after is a cluster with a change, nil if the change is nothing to it.
func (repo *Repo) after(c *Cluster, change Change, memo map[string]*unit) *Cluster {
	changed := false
	for _, ref := range c.order {
		if n := c.nodes[ref]; n.unit != nil && repo.r.renderWith(n.in, change, memo) != n.unit {
			changed = true
		}
	}
	if !changed {
		return nil
	}
	if quick := repo.shallow(c, change, memo); quick != nil {
		return quick
	}
	return repo.r.cluster(c.Path, repo.hint, change, memo)
}

// shallow is the cluster after a change that leaves alone all that decides what is rendered; nil if it does not.
func (repo *Repo) shallow(c *Cluster, change Change, memo map[string]*unit) *Cluster {
	out := &Cluster{Path: c.Path, nodes: map[string]*node{}, order: c.order, parts: c.parts, self: c.self, whole: c.whole}
	for ref, n := range c.nodes {
		out.nodes[ref] = &node{ref: n.ref, target: n.target, in: n.in, unit: repo.r.renderWith(n.in, change, memo)}
	}
	out.collect()
	for key := range union(c.objects, out.objects) {
		a, b := c.objects[key], out.objects[key]
		kind := a.kind()
		if a == nil {
			kind = b.kind()
		}
		switch kind {
		case "Kustomization", "ConfigMap", "GitRepository", "ArtifactGenerator", "OCIRepository":
			if a == nil || b == nil || len(differences(map[string]any(a), map[string]any(b), "")) > 0 {
				if kind != "OCIRepository" || a == nil || b == nil {
					return nil
				}
			}
		}
	}
	return out
}
