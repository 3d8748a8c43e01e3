package oracle

import (
	"maps"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// Pair is an app on a cluster. Its namespace is the one in which it runs: a release's target namespace, if it has one.
type Pair struct {
	Cluster   string `json:"cluster"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	id        string // tells apps of one name apart; claims have none
}

// plain is the pair as claims name it.
func (p Pair) plain() Pair {
	p.id = ""
	return p
}

// String returns "cluster namespace/name".
func (p Pair) String() string { return p.Cluster + " " + p.Namespace + "/" + p.Name }

// App is a pair with the object that makes it one.
type App struct {
	Pair
	Kind string
	key  string // of the object, with its kubeConfig
	obj  Object
}

var workloads = []string{"CronJob", "DaemonSet", "Deployment", "StatefulSet"}

// isApp says whether an object is an app: a HelmRelease, or a workload, but for Flux itself.
func isApp(o Object) bool {
	if o.is(helmGroup, "HelmRelease") {
		return true
	}
	if !slices.Contains(workloads, o.kind()) || (o.group() != "apps" && o.group() != "batch") {
		return false
	}
	labels, _ := o.get("metadata", "labels").(map[string]any)
	return labels["app.kubernetes.io/part-of"] != "flux"
}

// Apps are the cluster's apps, sorted.
func (c *Cluster) Apps() []App {
	var out []App
	for _, key := range slices.Sorted(maps.Keys(c.objects)) {
		if o := c.objects[key]; isApp(o) {
			out = append(out, App{c.pair(key, o), o.kind(), key, o})
		}
	}
	return out
}

func (c *Cluster) pair(key string, o Object) Pair {
	ns := o.namespace()
	if target := o.str("spec", "targetNamespace"); target != "" && o.kind() == "HelmRelease" {
		ns = target
	}
	return Pair{c.Path, ns, o.name(), key}
}

// dependents are the apps on a cluster that change when an object does: the app itself, the releases of a chart, of a
// source, and of values.
func (c *Cluster) dependents(key string, o Object) []Pair {
	if isApp(o) {
		return []Pair{c.pair(key, o)}
	}
	var out []Pair
	for _, app := range c.Apps() {
		if app.Kind == "HelmRelease" && refersTo(app.obj, o) {
			out = append(out, app.Pair)
		}
	}
	return out
}

// refersTo says whether a release takes its chart or its values from an object.
func refersTo(release, o Object) bool {
	named := func(ref map[string]any) bool {
		ns := text(ref["namespace"])
		if ns == "" {
			ns = release.namespace()
		}
		return text(ref["kind"]) == o.kind() && text(ref["name"]) == o.name() && ns == o.namespace()
	}
	switch o.kind() {
	case "OCIRepository", "HelmChart":
		ref, _ := release.get("spec", "chartRef").(map[string]any)
		return named(ref)
	case "GitRepository", "HelmRepository", "Bucket":
		ref, _ := release.get("spec", "chart", "spec", "sourceRef").(map[string]any)
		return named(ref)
	case "ConfigMap", "Secret":
		list, _ := release.get("spec", "valuesFrom").([]any)
		for _, item := range list {
			ref, _ := item.(map[string]any)
			if text(ref["kind"]) == o.kind() && text(ref["name"]) == o.name() && release.namespace() == o.namespace() {
				return true
			}
		}
	}
	return false
}

// Field is a place in a rendered object that says a version.
type Field struct {
	Kind    string // "chart" or "image"
	Object  string // key in the cluster
	Path    string // JSON pointer
	Version string
	Library bool // the chart says nothing about the app

	Container string // of a workload
}

// libraries are charts that hold any app: the app's version is its image.
var libraries = []string{"app-template", "application", "base-app", "common", "generic", "generic-app", "onechart", "raw", "universal-chart"}

// fields are the versions that an app shows on its cluster, the chart's first, then images, the main one first.
func (c *Cluster) fields(app App) []Field {
	if app.Kind != "HelmRelease" {
		return c.containers(app)
	}
	var out []Field
	if f, ok := c.chart(app); ok {
		out = append(out, f)
	}
	values, _ := app.obj.get("spec", "values").(map[string]any)
	for _, tag := range tags(values, "/spec/values") {
		tag.Object = app.key
		out = append(out, tag)
	}
	list, _ := app.obj.get("spec", "valuesFrom").([]any)
	for _, item := range list {
		ref, _ := item.(map[string]any)
		key, ok := c.objectKey(app, "", text(ref["kind"]), app.obj.namespace(), text(ref["name"]))
		if !ok || text(ref["kind"]) != "ConfigMap" {
			continue
		}
		entry := text(ref["valuesKey"])
		if entry == "" {
			entry = "values.yaml"
		}
		inner := map[string]any{}
		if yaml.Unmarshal([]byte(c.objects[key].str("data", entry)), &inner) != nil {
			continue
		}
		for _, tag := range tags(inner, "/data"+pointer(entry)) {
			tag.Object = key
			out = append(out, tag)
		}
	}
	return out
}

func (c *Cluster) objectKey(app App, group, kind, ns, name string) (string, bool) {
	target, _, _ := strings.Cut(app.key, "|")
	for _, t := range []string{target, ""} {
		key := t + "|" + group + " " + kind + " " + ns + "/" + name
		if _, ok := c.objects[key]; ok {
			return key, true
		}
	}
	return "", false
}

// chart is where the release's chart version shows.
func (c *Cluster) chart(app App) (Field, bool) {
	ref, _ := app.obj.get("spec", "chartRef").(map[string]any)
	if ref == nil {
		from, version := app.obj.str("spec", "chart", "spec", "sourceRef", "kind"), app.obj.get("spec", "chart", "spec", "version")
		if version == nil || version == "*" || from == "GitRepository" || from == "Bucket" {
			return Field{}, false
		}
		return Field{Kind: "chart", Object: app.key, Path: "/spec/chart/spec/version", Version: text(version), Library: library(app.obj.str("spec", "chart", "spec", "chart"))}, true
	}
	ns := text(ref["namespace"])
	if ns == "" {
		ns = app.obj.namespace()
	}
	key, ok := c.objectKey(app, sourceGroup, text(ref["kind"]), ns, text(ref["name"]))
	if !ok {
		return Field{}, false
	}
	o := c.objects[key]
	if o.kind() == "HelmChart" {
		return Field{Kind: "chart", Object: key, Path: "/spec/version", Version: text(o.get("spec", "version")), Library: library(o.str("spec", "chart"))}, o.get("spec", "version") != nil
	}
	for _, part := range []string{"semver", "tag", "digest"} { // a digest beside a tag counts for Flux, but is no version to people
		if v := o.get("spec", "ref", part); v != nil {
			return Field{Kind: "chart", Object: key, Path: "/spec/ref/" + part, Version: text(v), Library: library(o.str("spec", "url"))}, true
		}
	}
	return Field{}, false
}

func library(chart string) bool {
	return slices.Contains(libraries, chart[strings.LastIndex(chart, "/")+1:])
}
