package delivery

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
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
	group   string
	root    deploy.Ref // the Kustomization that renders the object
	path    string     // JSON pointer
	value   string     // the whole scalar
	version string     // its part that is a version
	// repository is the image's, where it is known.
	repository string
	// pairedDigest is a digest that stands beside a tag in a field of its own.
	pairedDigest string
	// container is the name of what has the image: a container, or the key above
	// it in a chart's values.
	container string
	// from is set for a value that a release takes from another object.
	from *valuesSource
	// ranged is true for a field of versions to choose from (semver).
	ranged bool
}

// valuesSource is how a release finds a value: the n-th entry of its valuesFrom,
// and the pointer within the YAML text at the field's path; none if the text is
// the value itself.
type valuesSource struct {
	release deploy.Ref
	index   int
	inner   string
}

const (
	helmGroup   = "helm.toolkit.fluxcd.io"
	sourceGroup = "source.toolkit.fluxcd.io"
)

func isRelease(o *flux.Object) bool { return o.Group == helmGroup && o.Ref.Kind == "HelmRelease" }

// podSpec is where objects of a kind hold the spec of their pods; "" for kinds
// that have none.
func podSpec(kind string) string {
	switch kind {
	case "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "Rollout":
		return "/spec/template/spec"
	case "CronJob":
		return "/spec/jobTemplate/spec/template/spec"
	case "Pod":
		return "/spec"
	}
	return ""
}

// fieldsOf lists the fields of an app that may hold its version, in order.
func fieldsOf(w *flux.World, o flux.Placed) []field {
	var out []field
	if isRelease(o.Object) {
		out = releaseFields(w, o)
	} else {
		out = workloadFields(o)
	}
	for i := range out {
		if out[i].object == (deploy.Ref{}) {
			out[i].object, out[i].group, out[i].root = o.Ref, o.Group, o.Root.Ref
		}
	}
	return out
}

// workloadFields lists the images of a workload: containers first, then what
// runs before them.
func workloadFields(o flux.Placed) []field {
	spec := podSpec(o.Ref.Kind)
	data := o.Data()
	var out []field
	for _, list := range []string{"containers", "initContainers"} {
		containers, _ := at(data, spec+"/"+list).([]any)
		for i, raw := range containers {
			c, _ := raw.(map[string]any)
			ref := parseReference(text(c["image"]))
			if ref.version() != "" {
				out = append(out, field{
					kind: deploy.FieldImage, path: fmt.Sprintf("%s/%s/%d/image", spec, list, i),
					value: text(c["image"]), version: ref.version(), repository: ref.repository, container: text(c["name"]),
				})
			}
		}
	}
	return out
}

// releaseFields lists a HelmRelease's chart version and the image versions in
// its values.
func releaseFields(w *flux.World, o flux.Placed) []field {
	data := o.Data()
	out := chartFields(w, o, data)
	layers := valueLayers(w, o, data)
	for i, l := range layers {
		for _, f := range l.fields {
			if !hidden(layers[i+1:], f.valuePath) {
				out = append(out, f.field)
			}
		}
	}
	return append(out, imageFields("/spec/postRenderers", at(data, "/spec/postRenderers"))...)
}

// chartFields finds where the version of a release's chart stands.
func chartFields(w *flux.World, o flux.Placed, data map[string]any) []field {
	if ref := chartSource(o, data); ref.Kind != "" {
		return chartRefField(w, o, ref)
	}
	switch text(at(data, "/spec/chart/spec/sourceRef/kind")) {
	case "GitRepository", "Bucket":
		return nil // the version is in the chart itself: Flux reads over this one
	}
	const chart = "/spec/chart/spec/version"
	if v := text(at(data, chart)); v != "" {
		return []field{{kind: deploy.FieldChart, path: chart, value: v, version: v, ranged: !exactChart(v)}}
	}
	return nil
}

// chartSource is what a release's chartRef names; zero without one.
func chartSource(o flux.Placed, data map[string]any) deploy.Ref {
	ref, ok := at(data, "/spec/chartRef").(map[string]any)
	if !ok {
		return deploy.Ref{}
	}
	return deploy.Ref{Kind: text(ref["kind"]), Name: text(ref["name"]), Namespace: cmp.Or(text(ref["namespace"]), o.Ref.Namespace)}
}

// chartRefField is the reference of the object that a release takes its chart
// from. Of digest, semver and tag the first one that is set counts.
func chartRefField(w *flux.World, o flux.Placed, ref deploy.Ref) []field {
	source := w.Lookup(o.Root.Cluster, sourceGroup, ref)
	if source.Object == nil {
		return nil
	}
	f := field{kind: deploy.FieldChart, object: ref, group: sourceGroup, root: source.Root.Ref}
	data := source.Data()
	switch ref.Kind {
	case "HelmChart":
		if kind := text(at(data, "/spec/sourceRef/kind")); kind == "GitRepository" || kind == "Bucket" {
			return nil
		}
		f.path = "/spec/version"
		f.value = text(at(data, f.path))
		f.ranged = !exactChart(f.value)
	case "OCIRepository":
		tag, semver, digest := text(at(data, "/spec/ref/tag")), text(at(data, "/spec/ref/semver")), text(at(data, "/spec/ref/digest"))
		switch {
		case digest != "" && tag == "":
			f.path, f.value = "/spec/ref/digest", digest
		case semver != "" && digest == "":
			f.path, f.value, f.ranged = "/spec/ref/semver", semver, !exactChart(semver)
		default:
			f.path, f.value, f.pairedDigest = "/spec/ref/tag", tag, digest
		}
		f.repository = strings.TrimPrefix(text(at(data, "/spec/url")), "oci://")
	}
	f.version = f.value
	if f.value == "" {
		return nil
	}
	return []field{f}
}

// imageFields finds what charts usually call an image's version.
func imageFields(p string, node any) []field {
	var out []field
	switch n := node.(type) {
	case []any:
		for i, item := range n {
			out = append(out, imageFields(p+"/"+strconv.Itoa(i), item)...)
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(n)) {
			below := p + "/" + yamledit.EscapePointer(key)
			if f, ok := imageField(n, key); ok {
				f.kind, f.path, f.container = deploy.FieldImage, below, ownerOf(below)
				out = append(out, f)
			} else {
				out = append(out, imageFields(below, n[key])...)
			}
		}
	}
	return out
}

// ownerOf names what an image in a chart's values belongs to: the key above
// "image", such as the container.
func ownerOf(p string) string {
	steps := strings.Split(p, "/")
	for i := len(steps) - 2; i > 0; i-- {
		if s := steps[i]; s != "image" && s != "values" && s != "spec" {
			return s
		}
	}
	return ""
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
		if r := text(m["registry"]); r != "" && f.repository != "" {
			f.repository = r + "/" + f.repository
		}
		return f, true
	case key == "image" || strings.HasSuffix(key, "Image"):
		ref := parseReference(value)
		return field{value: value, version: ref.version(), repository: ref.repository}, ref.version() != ""
	case key == "digest" && text(m["tag"]) == "" && isDigest(value):
		return field{value: value, version: value, repository: cmp.Or(text(m["repository"]), text(m["image"]))}, true
	}
	return field{}, false
}

// noField says why an app has no version that could be changed.
func noField(w *flux.World, o flux.Placed) error {
	data := o.Data()
	ref := fmt.Sprint(o.Ref)
	if !isRelease(o.Object) {
		return fault.Newf(fault.Refused, "no image of %s has a tag in Git", ref).WithHelp("give it a tag in Git first").WithCode(NotInGit)
	}
	if source := chartSource(o, data); source.Kind != "" {
		if w.Lookup(o.Root.Cluster, sourceGroup, source).Object == nil {
			return fault.Newf(fault.Refused, "the chart of %s comes from %s, which Git does not declare on %s", ref, source, o.Root.Cluster).
				WithHelp("declare it in the repository; then ferry can promote it").WithCode(NotInGit)
		}
	}
	if from, ok := at(data, "/spec/valuesFrom").([]any); ok {
		for _, raw := range from {
			m, _ := raw.(map[string]any)
			if text(m["kind"]) == "Secret" {
				return fault.Newf(fault.Refused, "the values of %s come from the Secret %s, which ferry never opens", ref, text(m["name"])).
					WithHelp("move the version out of the Secret, into spec.values or a ConfigMap").WithCode(FromSecret)
			}
		}
	}
	return fault.Newf(fault.Refused, "Git holds no version for %s: neither a chart version nor an image tag", ref).
		WithHelp("pin one in Git first; then ferry can promote it").WithCode(NotInGit)
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
	case int:
		return strconv.Itoa(x)
	case float64:
		return strconv.FormatFloat(x, 'f', -1, 64)
	}
	return ""
}
