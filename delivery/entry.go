package delivery

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"strings"

	yamlv3 "gopkg.in/yaml.v3"

	"ferry/delivery/flux"
	"ferry/delivery/snapshot"
	"ferry/internal/deploy"
	"ferry/internal/fault"
)

// errNoFile is for a file that was listed and is not there.
type errNoFile string

func (e errNoFile) Error() string { return fmt.Sprintf("read %s: it is not in the tree", string(e)) }

// resolve fills in what clusters declare that were not seen yet, from the
// repository. One that is not found there could read anything: that is refused.
func (e *engine) resolve(ctx context.Context, f flux.Files, declared []deploy.Declared) ([]deploy.Declared, error) {
	out := make([]deploy.Declared, 0, len(declared))
	for _, c := range declared {
		if !c.Known {
			ks, err := e.entry(ctx, f, c.Cluster)
			if err != nil {
				return nil, err
			}
			c.Kustomizations = ks
		}
		c.Artifacts = e.artifactsOf(f, c)
		out = append(out, c)
	}
	return out, nil
}

// artifactsOf says which folders a cluster's sources hold that are no Git
// repositories: as configured; else, for a folder that nobody else can tell, the
// one next above the cluster's own in which the paths exist.
func (e *engine) artifactsOf(f flux.Files, c deploy.Declared) map[deploy.Ref]string {
	if !e.detect {
		return e.artifacts
	}
	out := maps.Clone(e.artifacts)
	for _, k := range c.Kustomizations {
		if k.SourceRef.Kind != "OCIRepository" || k.Source != (deploy.Source{}) {
			continue
		}
		for above := e.paths[c.Cluster]; ; above = path.Dir(above) {
			if above == "." {
				above = ""
			}
			dir := path.Join(above, path.Clean("/"+k.Path))
			if _, known := out[k.SourceRef]; !known && strings.Trim(path.Clean("/"+k.Path), "/") != "" && f.Tree.HasFolder(strings.Trim(dir, "/")) {
				if out == nil {
					out = map[deploy.Ref]string{}
				}
				out[k.SourceRef] = above
			}
			if above == "" {
				break
			}
		}
	}
	return out
}

// entry finds what a cluster's folder declares.
func (e *engine) entry(ctx context.Context, f flux.Files, c deploy.Cluster) ([]deploy.Kustomization, error) {
	folders := []string{path.Join("clusters", string(c)), string(c)}
	if p, ok := e.paths[c]; ok {
		folders = []string{strings.Trim(path.Clean("/"+p), "/")}
	}
	for _, folder := range folders {
		if !f.Tree.HasFolder(folder) {
			continue
		}
		ks, err := e.entryIn(ctx, f, c, folder)
		if err != nil || len(ks) > 0 {
			return ks, err
		}
	}
	return nil, e.unknown(c, folders)
}

// unknown refuses for a cluster of which neither it nor the repository tells what
// it applies.
func (e *engine) unknown(c deploy.Cluster, folders []string) error {
	where := "`" + strings.Join(folders, "` or `") + "`"
	if e.detect { // offline: there is nobody to wait for
		return fault.Newf(fault.Refused, "the repository declares no Kustomizations for %s in %s", c, where).
			WithHelp("name the folder that Flux was bootstrapped with on each cluster: what is shared with %s is not known otherwise", c).WithCode(Unreadable)
	}
	return fault.Newf(fault.Refused, "nothing can be changed safely: what %s applies is not known, and so not what it shares with others", c).
		WithHelp("it has not answered since ferry started, and %s of the repository has no Kustomizations of it\nwait until it answers, or name its folder in the configuration (`clusters.%s.path`); take it out there if it is gone", where, c).
		WithCode(Unreadable)
}

// entryIn renders a folder as a bootstrapped cluster would, and takes the
// Kustomizations in it. Where that does not render, its files are read one by
// one.
func (e *engine) entryIn(ctx context.Context, f flux.Files, c deploy.Cluster, folder string) ([]deploy.Kustomization, error) {
	root := flux.Kustomization{
		Ref:       deploy.Ref{Kind: "Kustomization", Namespace: fluxNamespace, Name: entryName},
		SourceRef: deploy.Ref{Kind: "GitRepository", Namespace: fluxNamespace, Name: fluxNamespace},
		Spec:      flux.Spec{Path: folder},
	}
	if _, err := e.flux.ReachOf(ctx, f, []flux.Kustomization{root}); err != nil {
		return nil, err
	}
	r, err := e.flux.Render(ctx, f, root)
	if err != nil {
		return nil, err
	}
	if r.Err != nil {
		return scan(ctx, f, c, folder)
	}
	found := &declarations{cluster: c}
	for _, o := range r.Objects {
		if err := found.take(o.Group, o.Ref, o.JSON); err != nil {
			return nil, err
		}
	}
	out, err := found.finish(folder)
	if err != nil {
		return nil, err
	}
	for _, k := range out {
		if strings.Trim(path.Clean("/"+k.Path), "/") == folder {
			return out, nil // the folder applies itself
		}
	}
	if len(r.Objects) > 0 {
		out = append(out, deploy.Kustomization{
			Cluster: c, Ref: root.Ref, SourceRef: root.SourceRef, Path: folder,
			Object: fmt.Appendf(nil, `{"kind":"Kustomization","metadata":{"name":%q,"namespace":%q},"spec":{"path":%q,"sourceRef":{"kind":"GitRepository","name":%q}}}`,
				entryName, fluxNamespace, folder, fluxNamespace),
		})
	}
	return out, nil
}

const (
	fluxNamespace = "flux-system"
	// entryName is what a cluster's folder is called as a Kustomization where
	// none in Git applies it.
	entryName = "cluster-folder"
)

// declarations collects what a folder declares to Flux.
type declarations struct {
	cluster deploy.Cluster
	out     []deploy.Kustomization
	sources map[deploy.Ref]deploy.Source
	ignore  map[deploy.Ref]string
}

func (d *declarations) take(group string, ref deploy.Ref, object []byte) error {
	switch {
	case group == flux.Group && ref.Kind == "Kustomization":
		d.out = append(d.out, deploy.Kustomization{Cluster: d.cluster, Ref: ref, Object: object})
	case group == sourceGroup && ref.Kind == "GitRepository":
		var data map[string]any
		if err := json.Unmarshal(object, &data); err != nil {
			return fmt.Errorf("read %s: %w", ref, err)
		}
		if d.sources == nil {
			d.sources, d.ignore = map[deploy.Ref]deploy.Source{}, map[deploy.Ref]string{}
		}
		d.sources[ref], _ = flux.SourceOf(data)
		d.ignore[ref] = text(at(data, "/spec/ignore"))
	}
	return nil
}

func (d *declarations) finish(folder string) ([]deploy.Kustomization, error) {
	for i := range d.out {
		k, err := flux.ParseKustomization(d.out[i].Object)
		if err != nil {
			return nil, fault.Newf(fault.Refused, "%s of %s cannot be read from `%s`", d.out[i].Ref, d.cluster, folder).
				WithHelp("ferry has not seen %s since it started and knows only what the repository says: mend it, or wait until %s answers", d.cluster, d.cluster).Because(err)
		}
		d.out[i].SourceRef, d.out[i].Path = k.SourceRef, k.Spec.Path
		d.out[i].Source, d.out[i].SourceIgnore = d.sources[k.SourceRef], d.ignore[k.SourceRef]
	}
	return d.out, nil
}

// scan reads every file of a folder for what it declares.
func scan(ctx context.Context, f flux.Files, c deploy.Cluster, folder string) ([]deploy.Kustomization, error) {
	var files []snapshot.Entry
	var shas []string
	f.Tree.Files(folder, func(e snapshot.Entry) {
		if manifest(e.Path) {
			files, shas = append(files, e), append(shas, e.SHA)
		}
	})
	if err := f.Blobs.Prefetch(ctx, shas); err != nil {
		return nil, err
	}
	found := &declarations{cluster: c}
	for _, e := range files {
		data, err := f.Blobs.Get(ctx, e.SHA)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", e.Path, err)
		}
		docs, err := documents(data)
		if err != nil && bytes.Contains(data, []byte(flux.Group)) {
			return nil, fault.Newf(fault.Refused, "`%s` cannot be read, and may declare what %s applies", e.Path, c).
				WithHelp("ferry has not seen %s since it started and knows only what the repository says: mend the file, or wait until %s answers", c, c).Because(err)
		}
		for _, doc := range docs {
			meta, _ := doc["metadata"].(map[string]any)
			group, _, _ := strings.Cut(text(doc["apiVersion"]), "/")
			raw, err := json.Marshal(doc)
			if err != nil {
				continue // keys that are no strings: none of Flux's
			}
			if err := found.take(group, deploy.Ref{Kind: text(doc["kind"]), Namespace: text(meta["namespace"]), Name: text(meta["name"])}, raw); err != nil {
				return nil, err
			}
		}
	}
	return found.finish(folder)
}

// manifest reports whether a file is one that Flux would look at.
func manifest(file string) bool {
	return strings.HasSuffix(file, ".yaml") || strings.HasSuffix(file, ".yml")
}

// documents reads the maps of a YAML file; with an error, those before it.
func documents(data []byte) ([]map[string]any, error) {
	var out []map[string]any
	dec := yamlv3.NewDecoder(bytes.NewReader(data))
	for {
		doc := map[string]any{}
		err := dec.Decode(&doc)
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if _, wrongType := errors.AsType[*yamlv3.TypeError](err); wrongType {
			continue
		}
		if err != nil {
			return out, err
		}
		out = append(out, doc)
	}
}
