package flux

import (
	"fmt"
	"slices"

	"github.com/Masterminds/semver/v3"
)

// Charts are the charts that can be had, by name.
type Charts map[string][]Chart

// Chart is one version of a chart: one workload, whose image is what the values
// image.repository and image.tag say, else Image at AppVersion.
type Chart struct {
	Name       string
	Version    string
	AppVersion string
	Image      string // repository
	Port       int32
	Library    bool // values stand under controllers.main.containers.main, as in app-template
}

// Digest stands for the digest of the chart's archive.
func (c Chart) Digest() string { return digest([]byte(c.Name + "-" + c.Version)) }

// Find is the newest version of a chart that meets the constraint: a version, a
// range, or empty for any.
func (c Charts) Find(name, wanted string) (Chart, error) {
	versions, ok := c[name]
	if !ok {
		return Chart{}, fmt.Errorf("no chart name found: '%s'", name)
	}
	if wanted == "" {
		wanted = "*"
	}
	constraint, err := semver.NewConstraint(wanted)
	if err != nil {
		return Chart{}, fmt.Errorf("invalid version '%s' of chart '%s': %w", wanted, name, err)
	}
	var best *semver.Version
	var found Chart
	for _, chart := range versions {
		v, err := semver.NewVersion(chart.Version)
		if err != nil || !constraint.Check(v) && chart.Version != wanted {
			continue
		}
		if best == nil || v.GreaterThan(best) {
			best, found = v, chart
		}
	}
	if best == nil {
		return Chart{}, fmt.Errorf("no '%s' chart with version matching '%s' found", name, wanted)
	}
	return found, nil
}

// Versions are the versions of a chart, the newest first.
func (c Charts) Versions(name string) []string {
	var versions []*semver.Version
	for _, chart := range c[name] {
		if v, err := semver.NewVersion(chart.Version); err == nil {
			versions = append(versions, v)
		}
	}
	slices.SortFunc(versions, func(a, b *semver.Version) int { return b.Compare(a) })
	names := make([]string, 0, len(versions))
	for _, v := range versions {
		names = append(names, v.Original())
	}
	return names
}

// Catalogue are the charts of the playground.
func Catalogue() Charts {
	charts := Charts{}
	add := func(name, image string, port int32, versions ...[2]string) {
		for _, v := range versions {
			charts[name] = append(charts[name], Chart{
				Name: name, Version: v[0], AppVersion: v[1], Image: image,
				Port: port, Library: name == "app-template",
			})
		}
	}
	same := func(versions ...string) [][2]string {
		pairs := make([][2]string, 0, len(versions))
		for _, v := range versions {
			pairs = append(pairs, [2]string{v, v})
		}
		return pairs
	}
	add("podinfo", "ghcr.io/stefanprodan/podinfo", 9898,
		same("6.4.1", "6.5.0", "6.5.2", "6.5.3", "6.5.4", "6.5.5", "6.6.0", "6.6.1", "6.6.2", "6.7.0")...)
	add("redis", "docker.io/bitnami/redis", 6379, [2]string{"17.0.0", "7.0.4"}, [2]string{"18.1.0", "7.2.1"},
		[2]string{"18.6.1", "7.2.3"}, [2]string{"19.0.1", "7.2.4"}, [2]string{"19.1.0", "7.2.4-broken"})
	add("ingress-nginx", "registry.k8s.io/ingress-nginx/controller", 80, [2]string{"4.9.1", "v1.9.6"},
		[2]string{"4.10.0", "v1.10.0"}, [2]string{"4.10.1", "v1.10.1"}, [2]string{"4.11.0", "v1.11.0"})
	add("cert-manager", "quay.io/jetstack/cert-manager-controller", 9402, same("v1.14.4", "v1.14.5", "v1.15.0")...)
	add("app-template", "ghcr.io/mendhak/http-https-echo", 8080, [2]string{"3.1.0", "30"}, [2]string{"3.2.1", "33"})
	return charts
}
