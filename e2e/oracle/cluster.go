package oracle

import (
	"fmt"
	"maps"
	"path"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Groups of the APIs that the oracle knows.
const (
	kustomizeGroup = "kustomize.toolkit.fluxcd.io"
	sourceGroup    = "source.toolkit.fluxcd.io"
	helmGroup      = "helm.toolkit.fluxcd.io"
	artifactGroup  = "source.extensions.fluxcd.io"
	operatorGroup  = "fluxcd.controlplane.io"
)

// rounds is how often a cluster is gone through until nothing new is found.
const rounds = 12

// node is a Flux Kustomization of a cluster, with what came of it.
type node struct {
	ref    string // "namespace/name"; "" for the root
	target string // the kubeConfig through which it applies; "" for the cluster itself
	in     input
	unit   *unit
}

// Cluster is what a cluster's root leads to.
type Cluster struct {
	Path    string
	nodes   map[string]*node
	order   []string
	objects map[string]Object // by kubeConfig and object key
	from    map[string]string // the node that renders it
	foreign map[string]string // Kustomizations that are not followed, with the reason
	self    source
	whole   *Artifact            // what the cluster's own source makes of the tree
	parts   map[string]*Artifact // parts of it, by name
}

// render goes from a root to everything that this repository gives that cluster, until nothing new is found.
// hint is the repository's owner/name, if known.
func (r *renderer) cluster(root, hint string, change Change, memo map[string]*unit) *Cluster {
	c := &Cluster{Path: root, nodes: map[string]*node{}, foreign: map[string]string{}, whole: r.plain(), parts: r.artifacts}
	c.self.hint = hint
	dir := clamp(root)
	c.nodes[""] = &node{in: input{artifact: c.whole, dir: dir, spec: map[string]any{}, id: new(string)}}
	c.order = []string{""}
	for range rounds {
		for _, ref := range c.order {
			n := c.nodes[ref]
			n.unit = r.renderWith(n.in, change, memo)
		}
		c.collect()
		if !c.discover(r, dir) {
			break
		}
	}
	return c
}

// collect gathers the objects of all nodes. Of two nodes that render one object, the later one wins, as in a cluster.
func (c *Cluster) collect() {
	c.objects, c.from = map[string]Object{}, map[string]string{}
	for _, ref := range c.order {
		n := c.nodes[ref]
		if n.unit == nil {
			continue
		}
		for _, o := range n.unit.objects {
			key := n.target + "|" + o.key()
			c.objects[key], c.from[key] = o, ref
			if o.is(operatorGroup, "ResourceSet") {
				for _, made := range expand(o) {
					key := n.target + "|" + made.key()
					c.objects[key], c.from[key] = made, ref
				}
			}
		}
	}
}

// discover finds Kustomizations in what was rendered and says whether anything is to be rendered anew.
func (c *Cluster) discover(r *renderer, root string) bool {
	changed := c.findSelf(r, root)
	seen := map[string]bool{"": true}
	foreign := map[string]string{}
	order := []string{""}
	for _, key := range slices.Sorted(maps.Keys(c.objects)) {
		o := c.objects[key]
		if !o.is(kustomizeGroup, "Kustomization") {
			continue
		}
		ref := o.namespace() + "/" + o.name()
		if ref == c.self.kustomization || seen[ref] {
			continue
		}
		spec, _ := o["spec"].(map[string]any)
		in, why := c.input(o, spec)
		if why != "" {
			foreign[ref] = why
			continue
		}
		seen[ref] = true
		order = append(order, ref)
		target := c.nodes[c.from[key]].target
		if kube := o.str("spec", "kubeConfig", "secretRef", "name"); kube != "" {
			target = o.namespace() + "/" + kube
		}
		if old, ok := c.nodes[ref]; ok && sameInput(old.in, in) && old.target == target {
			continue
		}
		changed = true
		c.nodes[ref] = &node{ref: ref, target: target, in: in}
	}
	for ref := range c.nodes {
		if !seen[ref] {
			changed = true
			delete(c.nodes, ref)
		}
	}
	c.order, c.foreign = order, foreign
	return changed
}

// input is what a Kustomization's rendering takes, or why it is none of this repository's.
func (c *Cluster) input(o Object, spec map[string]any) (input, string) {
	a, why := c.artifactOf(o)
	if why != "" {
		return input{}, why
	}
	dir := clamp(o.str("spec", "path"))
	if !a.isDir(dir) {
		if a = c.nearestAbove(a, dir); a == nil {
			return input{}, fmt.Sprintf("%s: no such folder", dir)
		}
	}
	return input{artifact: a, dir: dir, spec: spec, vars: c.substitutions(o), id: new(string)}, ""
}

// nearestAbove is the artifact pushed from the folder above the cluster's root in which dir is a folder: an OCI artifact
// may hold a part of the repository, and nothing in Git says which.
func (c *Cluster) nearestAbove(a *Artifact, dir string) *Artifact {
	if a != c.whole {
		return nil
	}
	for at := parent(clamp(c.Path)); at != ""; at = parent(at) {
		if a.isDir(path.Join(at, dir)) {
			return c.subFolder(at)
		}
	}
	return nil
}

// substitutions are the variables that substituteFrom takes from ConfigMaps in Git.
func (c *Cluster) substitutions(o Object) map[string]string {
	refs, _, _ := unstructured.NestedSlice(o, "spec", "postBuild", "substituteFrom")
	vars := map[string]string{}
	for _, item := range refs {
		ref, ok := item.(map[string]any)
		if !ok || ref["kind"] != "ConfigMap" {
			continue
		}
		key := " ConfigMap " + o.namespace() + "/" + text(ref["name"])
		if cm, ok := c.lookup(key); ok {
			variables(vars, cm)
		}
	}
	return vars
}

// lookup finds an object of the cluster by its key, whichever kubeConfig it is applied through.
func (c *Cluster) lookup(key string) (Object, bool) {
	if o, ok := c.objects["|"+key]; ok {
		return o, true
	}
	for _, id := range slices.Sorted(maps.Keys(c.objects)) {
		if o := c.objects[id]; o.key() == key {
			return o, true
		}
	}
	return nil, false
}

// read are all files that the cluster's rendering reads.
func (c *Cluster) read() map[string]bool {
	out := map[string]bool{}
	for _, n := range c.nodes {
		maps.Copy(out, n.unit.read)
	}
	return out
}
