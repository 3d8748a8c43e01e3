package oracle

import (
	"bytes"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// remotes is what a view left out for standing elsewhere, and what hangs on it.
type remotes struct {
	beneath []string // folders whose objects a component from there changes
	orphans []Object // patches of what comes from there
}

// localOnly takes remote bases out of a kustomization: the oracle has no network, and they hold no version of ours. With
// them go the patches of which no local file speaks.
func (v *view) localOnly(name string, text []byte) ([]byte, error) {
	if !bytes.Contains(text, []byte("://")) && !bytes.Contains(text, []byte("github.com")) && !bytes.Contains(text, []byte("git@")) {
		return text, nil
	}
	var k map[string]any
	if err := yaml.Unmarshal(text, &k); err != nil {
		return nil, fmt.Errorf("read kustomization: %w", err)
	}
	var found bool
	for _, field := range []string{"resources", "bases", "components", "crds", "transformers", "generators", "configurations"} {
		list, ok := k[field].([]any)
		if !ok {
			continue
		}
		kept := slices.DeleteFunc(slices.Clone(list), func(item any) bool {
			s, ok := item.(string)
			return ok && remote(s)
		})
		if len(kept) == len(list) {
			continue
		}
		found = true
		k[field] = kept
		if field == "components" {
			v.gone.beneath = append(v.gone.beneath, path.Dir(name))
		}
	}
	if !found {
		return text, nil
	}
	v.dropOrphans(path.Dir(name), k)
	k["buildMetadata"] = []string{"originAnnotations"} // else nothing may be left, which is an error
	return yaml.Marshal(k)
}

// dropOrphans takes out the patches that name no target and whose object no file beneath the local resources names.
func (v *view) dropOrphans(dir string, k map[string]any) {
	var local []string
	for _, field := range []string{"resources", "bases"} {
		list, _ := k[field].([]any)
		for _, item := range list {
			local = append(local, clamp(path.Join(dir, fmt.Sprint(item))))
		}
	}
	patches, _ := k["patches"].([]any)
	if len(patches) == 0 {
		return
	}
	k["patches"] = slices.DeleteFunc(slices.Clone(patches), func(item any) bool {
		patch, _ := item.(map[string]any)
		if patch["target"] != nil {
			return false
		}
		raw := []byte(text(patch["patch"]))
		if file := text(patch["path"]); file != "" {
			raw, _ = v.raw(clamp(path.Join(dir, file)))
		}
		var o Object
		if yaml.Unmarshal(raw, &o) != nil || o.name() == "" || v.named(local, o.name()) {
			return false
		}
		v.gone.orphans = append(v.gone.orphans, o)
		return true
	})
}

// named says whether some file at or beneath paths has an object of a name.
func (v *view) named(paths []string, name string) bool {
	word := regexp.MustCompile(`name:\s*["']?` + regexp.QuoteMeta(name) + `["']?[\s,}]`)
	for file := range v.files {
		for _, p := range paths {
			if file != p && !strings.HasPrefix(file, p+"/") {
				continue
			}
			if raw, _ := v.raw(file); word.Match(append(slices.Clone(raw), '\n')) {
				return true
			}
		}
	}
	return false
}

// elsewhere says whether an app is not for an edit here to change: a patch is all there is of it, or a component from
// elsewhere has the last word.
func (repo *Repo) elsewhere(claim Claim, app *App) bool {
	c := repo.cluster(claim.Cluster)
	if c == nil {
		return false
	}
	if app != nil {
		n := c.nodes[c.from[app.key]]
		v := newView(repo.Tree, n.in.artifact, nil)
		return n.unit.gone != nil && v.named(n.unit.gone.beneath, app.Name)
	}
	for _, n := range c.nodes {
		if n.unit.gone != nil && slices.ContainsFunc(n.unit.gone.orphans, func(o Object) bool { return o.name() == claim.Name && o.kind() == claim.Kind }) {
			return true
		}
	}
	return false
}
