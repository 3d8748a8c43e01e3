package oracle

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
	kyaml "sigs.k8s.io/yaml"
)

// mechanism names how a site says a field's version, in the words of the contract.
func (repo *Repo) mechanism(app App, f Field, o Occurrence) string {
	content := utf8Text(repo.Tree[o.File])
	doc, keys := enclosing(content, o)
	kind, api := text(doc["kind"]), text(doc["apiVersion"])
	section := strings.Join(keys, "/")
	switch {
	case isLines(content) && strings.Contains(f.Object, " ConfigMap "):
		return "values-from"
	case isLines(content):
		return "substitute-from"
	case kind == "ResourceSet":
		return "resourceset"
	case kind == "Kustomization" && strings.HasPrefix(api, kustomizeGroup), isKustomization(path.Base(o.File)):
		switch {
		case strings.HasPrefix(section, "spec/postBuild/substitute/"):
			return "substitute"
		case strings.HasPrefix(section, "spec/images"), strings.HasPrefix(section, "images"):
			return "kustomize-image"
		case strings.Contains(section, "configMapGenerator"):
			return "substitute-from"
		}
		return repo.named(app, f, true)
	case kind == "ConfigMap" && doc["data"] != nil && app.key != f.Object && !strings.Contains(f.Object, " OCIRepository "):
		return "values-from"
	case kind == "ConfigMap":
		return "substitute-from"
	case kind == "" && strings.Contains(f.Object, " ConfigMap "):
		return "values-from"
	}
	return repo.named(app, f, kind == "" || repo.isPatch(o.File))
}

var keyValue = regexp.MustCompile(`^[\w.-]+=`)

// isLines says whether a file is what a generator takes KEY=value lines from.
func isLines(content []byte) bool {
	some := false
	for line := range strings.Lines(strings.TrimPrefix(string(content), "\ufeff")) {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		if some = true; !keyValue.MatchString(line) {
			return false
		}
	}
	return some
}

// named is the mechanism of a field that stands in a document of its own object, or in a patch of it.
func (repo *Repo) named(app App, f Field, patch bool) string {
	name := map[bool]map[string]string{
		false: {"chart": "chart-version", "image": "values-image"},
		true:  {"chart": "chart-version-patch", "image": "values-image-patch"},
	}[patch][f.Kind]
	switch {
	case strings.Contains(f.Object, " OCIRepository "):
		return "oci-ref"
	case strings.Contains(f.Object, " HelmChart "):
		return "helmchart"
	case strings.Contains(f.Object, " ConfigMap "):
		return "values-from"
	case app.Kind != "HelmRelease" && patch:
		return "workload-image-patch"
	case app.Kind != "HelmRelease":
		return "workload-image"
	}
	return name
}

// isPatch says whether some kustomization names the file as a patch.
func (repo *Repo) isPatch(file string) bool {
	for _, name := range repo.files() {
		if !isKustomization(name) {
			continue
		}
		var k struct {
			Patches               []struct{ Path string }
			JSONPatches           []struct{ Path string } `json:"patchesJson6902"`
			PatchesStrategicMerge []string
		}
		if kyaml.Unmarshal(repo.Tree[name], &k) != nil {
			continue
		}
		named := k.PatchesStrategicMerge
		for _, p := range slices.Concat(k.Patches, k.JSONPatches) {
			named = append(named, p.Path)
		}
		for _, p := range named {
			if path.Join(path.Dir(name), p) == file {
				return true
			}
		}
	}
	return false
}

// enclosing is the YAML document in which an occurrence stands, and the keys on its way.
func enclosing(content []byte, o Occurrence) (map[string]any, []string) {
	dec := yaml.NewDecoder(strings.NewReader(string(content)))
	var best yaml.Node
	for {
		var doc yaml.Node
		if dec.Decode(&doc) != nil || doc.Line > o.Line {
			break
		}
		best = doc
	}
	var value map[string]any
	if best.Decode(&value) != nil {
		return nil, nil
	}
	var keys []string
	var walk func(n *yaml.Node, at []string)
	walk = func(n *yaml.Node, at []string) {
		if n.Line > o.Line {
			return
		}
		switch n.Kind {
		case yaml.DocumentNode, yaml.SequenceNode:
			for _, c := range n.Content {
				walk(c, at)
			}
		case yaml.MappingNode:
			for i := 0; i+1 < len(n.Content); i += 2 {
				walk(n.Content[i+1], append(slices.Clone(at), n.Content[i].Value))
			}
		case yaml.ScalarNode:
			if strings.Contains(n.Value, o.text) {
				keys = at
			}
		}
	}
	walk(&best, nil)
	return value, keys
}
