package oracle

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// containers are the image versions of a workload: its namesake or first container before the others.
func (c *Cluster) containers(app App) []Field {
	base := "/spec/template/spec"
	if app.Kind == "CronJob" {
		base = "/spec/jobTemplate/spec/template/spec"
	}
	var out []Field
	var namesake int
	for _, list := range []string{"containers", "initContainers"} {
		items, _ := at(app.obj, base+"/"+list)
		containers, _ := items.([]any)
		for i, item := range containers {
			container, _ := item.(map[string]any)
			if version := imageVersion(text(container["image"])); version != "" {
				if list == "containers" && text(container["name"]) == app.Name {
					namesake = len(out)
				}
				out = append(out, Field{Kind: "image", Object: app.key, Path: base + "/" + list + "/" + strconv.Itoa(i) + "/image", Version: version, Container: text(container["name"])})
			}
		}
	}
	if namesake > 0 {
		out = slices.Insert(slices.Delete(slices.Clone(out), namesake, namesake+1), 0, out[namesake])
	}
	return out
}

// imageVersion is what follows the name of an image: tag, digest or both.
func imageVersion(image string) string {
	name, digest, _ := strings.Cut(image, "@")
	tag := ""
	if i := strings.LastIndex(name, ":"); i > strings.LastIndex(name, "/") {
		tag = name[i+1:]
	}
	switch {
	case tag != "" && digest != "":
		return tag + "@" + digest
	case tag != "":
		return tag
	}
	return digest
}

// tags are the image tags in Helm values, the shallowest first.
func tags(values map[string]any, path string) []Field {
	var out []Field
	var walk func(any, string, string)
	walk = func(value any, key, path string) {
		switch v := value.(type) {
		case map[string]any:
			if tag := text(v["tag"]); tag != "" && isScalar(v["tag"]) && (v["repository"] != nil || v["registry"] != nil || strings.Contains(strings.ToLower(key), "image")) {
				out = append(out, Field{Kind: "image", Path: path + "/tag", Version: tag})
			}
			for _, k := range slices.Sorted(maps.Keys(v)) {
				walk(v[k], k, path+pointer(k))
			}
		case []any:
			for i, item := range v {
				walk(item, key, path+"/"+strconv.Itoa(i))
			}
		case string:
			if version := imageVersion(v); strings.HasSuffix(strings.ToLower(key), "image") && version != "" && !strings.ContainsAny(v, " {") {
				out = append(out, Field{Kind: "image", Path: path, Version: version})
			}
		}
	}
	walk(values, "", path)
	slices.SortStableFunc(out, func(a, b Field) int { return cmp.Compare(rank(a.Path), rank(b.Path)) })
	return out
}

// rank is low for the image that is the app's own.
func rank(path string) int {
	depth := strings.Count(path, "/")
	if strings.Contains(path, "/initContainers/") || strings.Contains(path, "/sidecars/") {
		depth += 10
	}
	return depth
}

func isScalar(v any) bool {
	switch v.(type) {
	case map[string]any, []any, nil:
		return false
	}
	return true
}
