package flux

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"

	helmv2 "github.com/fluxcd/helm-controller/api/v2"

	"ferry/playground/cluster/apiserver"
)

// values are the merged values of a release, as helm-controller merges them:
// valuesFrom in order, then the object's own.
func (c *Controller) values(hr *helmv2.HelmRelease) (map[string]any, error) {
	merged := map[string]any{}
	for _, from := range hr.Spec.ValuesFrom {
		at := apiserver.Key{Namespace: hr.Namespace, Name: from.Name}
		text, found := "", false
		if from.Kind == "ConfigMap" {
			if m := c.maps.Get(at); m != nil {
				text, found = m.Data[from.GetValuesKey()], true
			}
		} else if s := c.secret.Get(at); s != nil {
			text, found = string(s.Data[from.GetValuesKey()]), true
		}
		if !found {
			if from.Optional {
				continue
			}
			return nil, fmt.Errorf("could not resolve %s chart values reference '%s' with key '%s': not found", from.Kind, at, from.GetValuesKey())
		}
		if from.TargetPath != "" {
			setPath(merged, strings.Split(from.TargetPath, "."), text)
			continue
		}
		var below map[string]any
		if err := unmarshalYAML(text, &below); err != nil {
			return nil, fmt.Errorf("unable to read values from key '%s' in %s '%s': %w", from.GetValuesKey(), from.Kind, at, err)
		}
		merged = merge(merged, below)
	}
	if hr.Spec.Values != nil {
		var own map[string]any
		if err := json.Unmarshal(hr.Spec.Values.Raw, &own); err != nil {
			return nil, fmt.Errorf("unable to read values: %w", err)
		}
		merged = merge(merged, own)
	}
	return merged, nil
}

func merge(under, over map[string]any) map[string]any {
	result := maps.Clone(under)
	for k, v := range over {
		below, isMap := result[k].(map[string]any)
		if above, ok := v.(map[string]any); ok && isMap {
			result[k] = merge(below, above)
		} else {
			result[k] = v
		}
	}
	return result
}

func setPath(m map[string]any, path []string, value any) {
	for _, p := range path[:len(path)-1] {
		below, ok := m[p].(map[string]any)
		if !ok {
			below = map[string]any{}
			m[p] = below
		}
		m = below
	}
	m[path[len(path)-1]] = value
}

// in is the map under a path of keys, or nil.
func in(m map[string]any, path ...string) map[string]any {
	for _, p := range path {
		m, _ = m[p].(map[string]any)
	}
	return m
}

// image is what the values make of the chart's image.
func (c Chart) image(values map[string]any) string {
	at := in(values, "image")
	if c.Library {
		at = in(values, "controllers", "main", "containers", "main", "image")
	} else if nested := in(values, "controller", "image"); nested != nil {
		at = nested
	}
	repository, tag := c.Image, c.AppVersion
	if v, ok := at["repository"].(string); ok && v != "" {
		repository = v
	}
	if v, ok := at["registry"].(string); ok && v != "" {
		if host, rest, found := strings.Cut(repository, "/"); found && strings.ContainsAny(host, ".:") {
			repository = rest
		}
		repository = v + "/" + repository
	}
	if v := at["tag"]; v != nil && v != "" {
		tag = fmt.Sprint(v)
	}
	image := repository + ":" + tag
	if v, ok := at["digest"].(string); ok && v != "" {
		image += "@" + v
	}
	return image
}

func (c Chart) replicas(values map[string]any) any {
	for _, at := range []map[string]any{in(values, "controllers", "main"), in(values, "controller"), values} {
		for _, name := range []string{"replicaCount", "replicas"} {
			if n, ok := at[name].(float64); ok {
				return n
			}
		}
	}
	return float64(1)
}

func (c Chart) fullName(release string, values map[string]any) string {
	if name, ok := values["fullnameOverride"].(string); ok && name != "" {
		return name
	}
	if c.Library || strings.Contains(release, c.Name) {
		return release
	}
	return release + "-" + c.Name
}

// render is the chart's one workload for a release, with the labels that Helm's
// charts and helm-controller give it.
func (c Chart) render(hr *helmv2.HelmRelease, values map[string]any) map[string]any {
	release, namespace := hr.GetReleaseName(), hr.GetReleaseNamespace()
	selector := map[string]any{"app.kubernetes.io/name": c.Name, "app.kubernetes.io/instance": release}
	labels := maps.Clone(selector)
	maps.Copy(labels, map[string]any{
		"app.kubernetes.io/managed-by":     "Helm",
		"app.kubernetes.io/version":        strings.ReplaceAll(c.AppVersion, "+", "_"),
		"helm.sh/chart":                    strings.ReplaceAll(c.Name+"-"+c.Version, "+", "_"),
		"helm.toolkit.fluxcd.io/name":      hr.Name,
		"helm.toolkit.fluxcd.io/namespace": hr.Namespace,
	})
	container := map[string]any{
		"name": c.Name, "image": c.image(values),
		"ports": []any{map[string]any{"name": "http", "containerPort": float64(c.Port), "protocol": "TCP"}},
	}
	return map[string]any{
		"apiVersion": "apps/v1", "kind": "Deployment",
		"metadata": map[string]any{
			"name": c.fullName(release, values), "namespace": namespace, "labels": labels,
			"annotations": map[string]any{"meta.helm.sh/release-name": release, "meta.helm.sh/release-namespace": namespace},
		},
		"spec": map[string]any{
			"replicas": c.replicas(values), "selector": map[string]any{"matchLabels": selector},
			"template": map[string]any{
				"metadata": map[string]any{"labels": selector},
				"spec":     map[string]any{"containers": []any{container}},
			},
		},
	}
}
