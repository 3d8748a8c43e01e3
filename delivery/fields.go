package delivery

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"ferry/delivery/flux"
	"ferry/delivery/yamledit"
	"ferry/internal/deploy"
	"ferry/internal/fault"
)

// field is a place in a rendered object that shows a version.
type field struct {
	kind    deploy.FieldKind
	object  deploy.Ref
	path    string // JSON pointer
	value   string // the whole scalar
	version string // its part that is a version
	// repository is the image's, where it is known.
	repository string
	// pairedDigest is a digest that stands beside a tag in a field of its own.
	pairedDigest string
}

// fieldsOf lists the fields of a change's object that may be meant, in order.
func fieldsOf(o *flux.Object, c deploy.Change) ([]field, error) {
	if o.Ref.Kind == "HelmRelease" {
		fields := releaseFields(o)
		if len(fields) == 0 {
			return nil, noReleaseField(o)
		}
		return fields, nil
	}
	if c.Field == deploy.FieldChart {
		return nil, fault.Newf(fault.Refused, "%s has no chart: its Kustomization applies it directly", c.Target.App.Name).
			WithHelp("leave out `chart`, or write `image`")
	}
	return workloadField(o, c)
}

// workloadField picks the container whose image is meant.
func workloadField(o *flux.Object, c deploy.Change) ([]field, error) {
	list, _ := at(o.Data, "/spec/template/spec/containers").([]any)
	want, names, pick := c.Container, []string(nil), -1
	if want == "" {
		want = c.Target.App.Name
	}
	for i, raw := range list {
		container, _ := raw.(map[string]any)
		name, _ := container["name"].(string)
		names = append(names, name)
		if name == want {
			pick = i
		}
	}
	if pick < 0 && len(list) == 1 && c.Container == "" {
		pick = 0
	}
	if pick < 0 {
		return nil, fault.Newf(fault.Ambiguous, "%s has the containers %s, and none is called %s", o.Ref, strings.Join(names, ", "), want).
			WithHelp("ferry promotes the container that is called like the app, or the only one")
	}
	p := fmt.Sprintf("/spec/template/spec/containers/%d/image", pick)
	value := text(at(o.Data, p))
	ref := parseReference(value)
	if ref.version() == "" {
		return nil, fault.Newf(fault.Refused, "the image `%s` of %s has no tag in Git", value, o.Ref).WithHelp("give it a tag in Git first")
	}
	return []field{{kind: deploy.FieldImage, object: o.Ref, path: p, value: value, version: ref.version(), repository: ref.repository}}, nil
}

// releaseFields lists a HelmRelease's chart version and the image versions in
// its values.
func releaseFields(o *flux.Object) []field {
	var out []field
	const chart = "/spec/chart/spec/version"
	if v := text(at(o.Data, chart)); v != "" {
		out = append(out, field{kind: deploy.FieldChart, object: o.Ref, path: chart, value: v, version: v})
	}
	for _, p := range []string{"/spec/values", "/spec/postRenderers"} {
		out = append(out, imageFields(o.Ref, p, at(o.Data, p))...)
	}
	return out
}

// imageFields finds what charts usually call an image's version.
func imageFields(ref deploy.Ref, p string, node any) []field {
	var out []field
	switch n := node.(type) {
	case []any:
		for i, item := range n {
			out = append(out, imageFields(ref, p+"/"+strconv.Itoa(i), item)...)
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(n)) {
			below := p + "/" + yamledit.EscapePointer(key)
			if f, ok := imageField(n, key); ok {
				f.kind, f.object, f.path = deploy.FieldImage, ref, below
				out = append(out, f)
			} else {
				out = append(out, imageFields(ref, below, n[key])...)
			}
		}
	}
	return out
}

// imageField reads one key of a map as an image's version.
func imageField(m map[string]any, key string) (field, bool) {
	value := text(m[key])
	if value == "" {
		return field{}, false
	}
	digest := text(m["digest"])
	switch {
	case key == "tag" || strings.HasSuffix(key, "Tag") || strings.HasSuffix(key, "_tag") || strings.HasSuffix(key, "-tag"):
		f := field{value: value, version: value, pairedDigest: digest}
		f.repository = cmp.Or(text(m["repository"]), text(m["image"]), text(m["name"]))
		return f, true
	case key == "image" || strings.HasSuffix(key, "Image"):
		ref := parseReference(value)
		return field{value: value, version: ref.version(), repository: ref.repository}, ref.version() != ""
	case key == "digest" && text(m["tag"]) == "" && isDigest(value):
		return field{value: value, version: value, repository: cmp.Or(text(m["repository"]), text(m["image"]))}, true
	}
	return field{}, false
}

// noReleaseField says where the version of a HelmRelease without one comes from.
func noReleaseField(o *flux.Object) error {
	if ref, ok := at(o.Data, "/spec/chartRef").(map[string]any); ok {
		return fault.Newf(fault.Refused, "the chart of %s comes from %s %s, which ferry does not edit yet", o.Ref, text(ref["kind"]), text(ref["name"])).
			WithHelp("change the reference of that object in Git by hand")
	}
	if from, ok := at(o.Data, "/spec/valuesFrom").([]any); ok && len(from) > 0 {
		return fault.Newf(fault.Refused, "the values of %s come from other objects (valuesFrom), which ferry does not edit yet", o.Ref).
			WithHelp("change them in Git by hand")
	}
	return fault.Newf(fault.Refused, "Git holds no version for %s: neither a chart version nor an image tag", o.Ref).
		WithHelp("pin one in Git first; then ferry can promote it")
}

// choose picks the field that a change means. more are those that could be
// meant as well.
func choose(fields []field, c deploy.Change) (f field, more []field, err error) {
	kinds := map[deploy.FieldKind][]field{}
	for _, f := range fields {
		kinds[f.kind] = append(kinds[f.kind], f)
	}
	images := narrow(kinds[deploy.FieldImage], c)
	charts := kinds[deploy.FieldChart]
	switch {
	case c.Field == deploy.FieldChart && len(charts) == 0:
		return f, nil, fault.Newf(fault.Refused, "Git holds no chart version for %s", c.Target.App.Name).WithHelp("leave out `chart`, or write `image`")
	case c.Field == deploy.FieldImage && len(images) == 0:
		return f, nil, fault.Newf(fault.Refused, "Git holds no image tag for %s: its chart decides on the image", c.Target.App.Name).WithHelp("leave out `image`, or write `chart`")
	case c.Field == deploy.FieldChart:
		return charts[0], nil, nil
	case c.Field == deploy.FieldImage:
		return images[0], images[1:], nil
	case len(charts) == 1 && !exactChart(charts[0].version) && len(images) == 1:
		return images[0], nil, nil // Flux picks the chart; Git decides on the image alone
	}
	all := append(slices.Clone(charts), images...)
	return all[0], all[1:], nil
}

// narrow leaves the images that are the app's own, where that is certain: of
// the container that was named, or of a repository called like the app.
func narrow(images []field, c deploy.Change) []field {
	if len(images) < 2 {
		return images
	}
	keep := func(test func(field) bool) []field {
		var out []field
		for _, f := range images {
			if test(f) {
				out = append(out, f)
			}
		}
		return out
	}
	if c.Container != "" {
		if out := keep(func(f field) bool { return slices.Contains(strings.Split(f.path, "/"), c.Container) }); len(out) > 0 {
			return out
		}
	}
	if out := keep(func(f field) bool { return path.Base(f.repository) == c.Target.App.Name }); len(out) == 1 {
		return out
	}
	return images
}

// at follows a JSON pointer.
func at(node any, pointer string) any {
	for step := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		if strings.Contains(step, "~") {
			step = strings.NewReplacer("~1", "/", "~0", "~").Replace(step)
		}
		switch n := node.(type) {
		case map[string]any:
			node = n[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(n) {
				return nil
			}
			node = n[i]
		default:
			return nil
		}
	}
	return node
}

// text is a scalar as it is written; "" for what is none.
func text(v any) string {
	switch x := v.(type) {
	case string:
		return x
	case json.Number:
		return x.String()
	}
	return ""
}
