package seed

import (
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing/fstest"
)

// Fleet is a repository with the clusters that follow it.
type Fleet struct {
	Name       string
	Clusters   []string
	Namespaces []string // of the apps
	// Links are symbolic links that somebody pushes later, by path.
	Links map[string]string

	// Settings are lines of the configuration beside the usual ones. Unpublished: no
	// registry knows its images, so that none is asked.
	Settings    string
	Unpublished bool

	files         embed.FS
	made          func() map[string]string // in place of files, if set
	start         string                   // the folder of the repository as it is at first
	later, byHand string                   // folders, or ""
}

//go:embed all:refusals
var refusals embed.FS

// Fleets are what the playground can be opened with. The first is the demo; the
// apps of the second are such that ferry refuses to change them, each for another
// reason; the third are many, on clusters that get them one after the other.
func Fleets() []Fleet {
	return []Fleet{
		{Name: "demo", Clusters: []string{"prod", "stage", "dev"}, Namespaces: Namespaces(), files: fleet, start: "fleet"},
		{
			Name: "refusals", Clusters: []string{"prod", "stage"},
			Namespaces: []string{"podinfo", "backend", "shop", "mailer", "search", "checkout", "redis", "legacy", "billing", "gateway"},
			Links:      map[string]string{"apps/prod/search/deployment.yaml": "../../../../platform/search/deployment.yaml"},
			files:      refusals, start: "refusals/start", later: "refusals/later", byHand: "refusals/byhand",
		},
		{Name: "armada", Clusters: armadaClusters(), Namespaces: []string{"armada"}, Settings: armadaSettings, Unpublished: true, made: armada},
	}
}

// Find is the fleet of that name.
func Find(name string) (Fleet, error) {
	all := Fleets()
	names := make([]string, 0, len(all))
	for _, f := range all {
		if f.Name == name {
			return f, nil
		}
		names = append(names, f.Name)
	}
	return Fleet{}, fmt.Errorf("there is no fleet %q: %s", name, strings.Join(names, " or "))
}

// At is the repository as it is at first, its files naming it by another address:
// what clusters declare is then where it really is.
func (f Fleet) At(url string) (fs.FS, error) {
	files, err := f.below(f.start)
	if err != nil {
		return nil, err
	}
	out := fstest.MapFS{}
	for path, content := range files {
		out[path] = &fstest.MapFile{Data: []byte(strings.ReplaceAll(content, URL, url))}
	}
	return out, nil
}

// Later is what somebody pushes once the clusters run what is there at first:
// apps that run and can no longer be built are made that way.
func (f Fleet) Later() (map[string]string, error) {
	if f.later == "" {
		return map[string]string{}, nil
	}
	return f.below(f.later)
}

// ByHand are the manifests that somebody applied to a cluster past Git.
func (f Fleet) ByHand(cluster string) (manifests string, err error) {
	if f.byHand == "" || !slices.Contains(f.Clusters, cluster) {
		return "", nil
	}
	files, err := f.below(f.byHand)
	return files[cluster+".yaml"], err
}

// below are the files of a folder by their path in it.
func (f Fleet) below(folder string) (map[string]string, error) {
	if f.made != nil {
		return f.made(), nil
	}
	files := map[string]string{}
	err := fs.WalkDir(f.files, folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := f.files.ReadFile(path)
		files[strings.TrimPrefix(path, folder+"/")] = string(content)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the repository of the fleet %s: %w", f.Name, err)
	}
	return files, nil
}
