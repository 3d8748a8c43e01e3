package oracle

import (
	"fmt"
	"path"
	"reflect"
	"regexp"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// source is how a cluster names this repository.
type source struct {
	hint          string // owner/name
	kustomization string // the Kustomization that applies the root, if it is in Git
	git           Object // the GitRepository that it takes it from, if it is in Git
}

// findSelf looks for the Kustomization that applies the root itself: its spec is the root's. It says whether that is
// news.
func (c *Cluster) findSelf(r *renderer, root string) bool {
	if c.self.kustomization == "" {
		for _, o := range c.objects {
			if !o.is(kustomizeGroup, "Kustomization") || clamp(o.str("spec", "path")) != root || o.str("spec", "path") == "" {
				continue
			}
			if kind := o.str("spec", "sourceRef", "kind"); kind == "ExternalArtifact" {
				continue
			}
			if ref := o.namespace() + "/" + o.name(); c.self.kustomization == "" || ref < c.self.kustomization {
				c.self.kustomization = ref
			}
		}
	}
	own, ok := c.lookup(kustomizeGroup + " Kustomization " + c.self.kustomization)
	if !ok {
		c.self.git, _ = c.lookup(sourceGroup + " GitRepository flux-system/flux-system")
		return c.ignoring(r, root, nil)
	}
	ns := own.str("spec", "sourceRef", "namespace")
	if ns == "" {
		ns = own.namespace()
	}
	c.self.git, _ = c.lookup(sourceGroup + " GitRepository " + ns + "/" + own.str("spec", "sourceRef", "name"))
	return c.ignoring(r, root, own)
}

// ignoring gives the root the spec of its own Kustomization and the artifact that its source's spec.ignore leaves.
func (c *Cluster) ignoring(r *renderer, root string, own Object) bool {
	if ignore, ok := c.self.git.get("spec", "ignore").(string); ok {
		c.whole = r.ignoring(ignore)
	}
	in := input{artifact: c.whole, dir: root, spec: map[string]any{}, id: new(string)}
	if own != nil {
		in.spec, _ = own["spec"].(map[string]any)
		in.vars = c.substitutions(own)
	}
	if !in.artifact.isDir(root) {
		in.artifact = r.plain()
	}
	if sameInput(c.nodes[""].in, in) {
		return false
	}
	c.nodes[""] = &node{in: in}
	return true
}

// plain is the artifact of a source without spec.ignore.
func (r *renderer) plain() *Artifact {
	if r.artifacts["tree"] == nil {
		r.artifacts["tree"] = r.tree.artifact("tree", nil)
	}
	return r.artifacts["tree"]
}

func (r *renderer) ignoring(ignore string) *Artifact {
	name := "tree ignoring " + ignore
	if r.artifacts[name] == nil {
		r.artifacts[name] = r.tree.artifact(name, &ignore)
	}
	return r.artifacts[name]
}

// subFolder is the artifact of a folder of the default one.
func (c *Cluster) subFolder(dir string) *Artifact {
	name := c.whole.name + "//" + dir
	if c.parts[name] == nil {
		c.parts[name] = c.whole.sub(dir)
	}
	return c.parts[name]
}

// artifactOf is what a Kustomization's sourceRef names, or why that is not this repository.
func (c *Cluster) artifactOf(o Object) (*Artifact, string) {
	kind, name := o.str("spec", "sourceRef", "kind"), o.str("spec", "sourceRef", "name")
	ns := o.str("spec", "sourceRef", "namespace")
	if ns == "" {
		ns = o.namespace()
	}
	switch kind {
	case "GitRepository":
		git, ok := c.lookup(sourceGroup + " GitRepository " + ns + "/" + name)
		if ok && !c.ours(git, name) {
			return nil, "another repository or branch: " + git.str("spec", "url")
		}
	case "ExternalArtifact":
		return c.external(name)
	default: // what pushes a folder of this repository is outside of the cluster, so it is not in Git
		if other, ok := c.lookup(sourceGroup + " " + kind + " " + ns + "/" + name); ok {
			return nil, "another artifact: " + other.str("spec", "url")
		}
	}
	return c.whole, ""
}

// ours says whether a GitRepository is this repository at this branch.
func (c *Cluster) ours(git Object, name string) bool {
	if c.self.git != nil {
		return plainURL(git.str("spec", "url")) == plainURL(c.self.git.str("spec", "url")) && sameRef(git, c.self.git)
	}
	if c.self.hint != "" && strings.Contains(plainURL(git.str("spec", "url")), strings.ToLower(c.self.hint)) {
		return true
	}
	return name == "flux-system"
}

func sameRef(a, b Object) bool {
	return reflect.DeepEqual(a.get("spec", "ref"), b.get("spec", "ref"))
}

var urlScheme = regexp.MustCompile(`^[a-z+]+://([^@/]*@)?`)

// plainURL leaves of a Git URL what names the repository.
func plainURL(url string) string {
	url = urlScheme.ReplaceAllString(strings.ToLower(url), "")
	url = strings.TrimPrefix(url, "git@")
	return strings.TrimSuffix(strings.TrimSuffix(strings.ReplaceAll(url, ":", "/"), "/"), ".git")
}

// external is the artifact that an ArtifactGenerator in Git makes.
func (c *Cluster) external(name string) (*Artifact, string) {
	for _, o := range c.objects {
		if o.kind() != "ArtifactGenerator" || o.group() != artifactGroup {
			continue
		}
		artifacts, _, _ := unstructured.NestedSlice(o, "spec", "artifacts")
		for _, item := range artifacts {
			if a, ok := item.(map[string]any); ok && a["name"] == name {
				return c.copied(o, a)
			}
		}
	}
	return nil, "no ArtifactGenerator in Git makes " + name
}

func (c *Cluster) copied(generator, spec Object) (*Artifact, string) {
	ours := map[string]bool{}
	sources, _, _ := unstructured.NestedSlice(generator, "spec", "sources")
	for _, item := range sources {
		s, _ := item.(map[string]any)
		git, found := c.lookup(sourceGroup + " " + text(s["kind"]) + " " + generator.namespace() + "/" + text(s["name"]))
		ours[text(s["alias"])] = !found || (text(s["kind"]) == "GitRepository" && c.ours(git, text(s["name"])))
	}
	files := map[string]string{}
	rules, _, _ := unstructured.NestedSlice(spec, "copy")
	for _, item := range rules {
		rule, _ := item.(map[string]any)
		alias, from, _ := strings.Cut(strings.TrimPrefix(text(rule["from"]), "@"), "/")
		_, to, _ := strings.Cut(text(rule["to"]), "/")
		if ours[alias] {
			c.copy(files, from, to)
		}
	}
	return c.cached("//"+fmt.Sprint(files), files), ""
}

// cached is the artifact of those files, the same one each time.
func (c *Cluster) cached(name string, files map[string]string) *Artifact {
	if c.parts[name] == nil {
		c.parts[name] = newArtifact(name, files)
	}
	return c.parts[name]
}

// copy follows one rule: a file, or everything below a folder (dir/**).
func (c *Cluster) copy(files map[string]string, from, to string) {
	dir, deep := strings.CutSuffix(from, "**")
	dir = strings.Trim(dir, "/")
	for name, origin := range c.whole.files {
		switch rest, below := strings.CutPrefix(name, dir+"/"); {
		case name == from && strings.HasSuffix(to, "/"):
			files[clamp(path.Join(to, path.Base(name)))] = origin
		case name == from:
			files[clamp(to)] = origin
		case deep && dir == "":
			files[clamp(path.Join(to, name))] = origin
		case below && deep:
			files[clamp(path.Join(to, rest))] = origin
		case below && dir == strings.Trim(from, "/"):
			files[clamp(path.Join(to, path.Base(dir), rest))] = origin
		}
	}
}
