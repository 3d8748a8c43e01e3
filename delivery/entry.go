package delivery

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	yamlv3 "gopkg.in/yaml.v3"

	"ferry/delivery/flux"
	"ferry/delivery/snapshot"
	"ferry/internal/deploy"
	"ferry/internal/fault"
)

// resolve fills in what clusters declare that were not seen yet, from the
// repository. One that is not found there could read anything: that is refused.
func (d *Delivery) resolve(ctx context.Context, f flux.Files, declared []deploy.Declared) ([]deploy.Declared, error) {
	out := make([]deploy.Declared, 0, len(declared))
	for _, c := range declared {
		if !c.Known {
			ks, err := d.entry(ctx, f, c.Cluster)
			if err != nil {
				return nil, err
			}
			c.Kustomizations = ks
		}
		out = append(out, c)
	}
	return out, nil
}

// entry reads the Kustomizations below a cluster's folder.
func (d *Delivery) entry(ctx context.Context, f flux.Files, c deploy.Cluster) ([]deploy.Kustomization, error) {
	folders := []string{path.Join("clusters", string(c)), string(c)}
	if p, ok := d.o.Paths[c]; ok {
		folders = []string{strings.Trim(path.Clean("/"+p), "/")}
	}
	for _, folder := range folders {
		ks, err := entryIn(ctx, f, c, folder)
		if err != nil || len(ks) > 0 {
			return ks, err
		}
	}
	return nil, fault.Newf(fault.Refused, "ferry has not seen %s since it started, and finds no Kustomizations of it in `%s`", c, strings.Join(folders, "` or `")).
		WithHelp("what %s shares with others is not known: wait until it answers, or configure its folder in the repository", c)
}

func entryIn(ctx context.Context, f flux.Files, c deploy.Cluster, folder string) ([]deploy.Kustomization, error) {
	var files []snapshot.Entry
	var shas []string
	f.Tree.Files(folder, func(e snapshot.Entry) {
		if strings.HasSuffix(e.Path, ".yaml") || strings.HasSuffix(e.Path, ".yml") {
			files, shas = append(files, e), append(shas, e.SHA)
		}
	})
	if err := f.Blobs.Prefetch(ctx, shas); err != nil {
		return nil, err
	}
	var out []deploy.Kustomization
	sources := map[deploy.Ref]deploy.Source{}
	ignore := map[deploy.Ref]string{}
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
			ref := deploy.Ref{Kind: text(doc["kind"]), Namespace: text(meta["namespace"]), Name: text(meta["name"])}
			group, _, _ := strings.Cut(text(doc["apiVersion"]), "/")
			switch {
			case group == flux.Group && ref.Kind == "Kustomization":
				raw, err := json.Marshal(doc)
				if err != nil {
					return nil, fmt.Errorf("read %s in %s: %w", ref, e.Path, err)
				}
				out = append(out, deploy.Kustomization{Cluster: c, Ref: ref, Object: raw})
			case group == "source.toolkit.fluxcd.io" && ref.Kind == "GitRepository":
				sources[ref], _ = flux.SourceOf(doc)
				ignore[ref] = text(at(doc, "/spec/ignore"))
			}
		}
	}
	for i := range out {
		k, err := flux.ParseKustomization(out[i].Object)
		if err != nil {
			return nil, fault.Newf(fault.Refused, "%s of %s cannot be read from `%s`", out[i].Ref, c, folder).
				WithHelp("ferry has not seen %s since it started and knows only what the repository says: mend it, or wait until %s answers", c, c).Because(err)
		}
		out[i].SourceRef, out[i].Path = k.SourceRef, k.Spec.Path
		out[i].Source, out[i].SourceIgnore = sources[k.SourceRef], ignore[k.SourceRef]
		if k.Spec.PostBuild != nil && len(k.Spec.PostBuild.SubstituteFrom) > 0 {
			out[i].SubstituteErr = fmt.Sprintf("%s was not seen since ferry started", c)
		}
	}
	return out, nil
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
