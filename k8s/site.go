package k8s

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"ferry/internal/deploy"
	"ferry/internal/fault"
)

// pointed returns the scalar that a JSON pointer (RFC 6901) leads to.
func pointed(content any, pointer string) (value string, ok bool) {
	if pointer == "" || pointer[0] != '/' {
		return "", false
	}
	for token := range strings.SplitSeq(pointer[1:], "/") {
		token = strings.ReplaceAll(strings.ReplaceAll(token, "~1", "/"), "~0", "~")
		switch at := content.(type) {
		case map[string]any:
			if content, ok = at[token]; !ok {
				return "", false
			}
		case []any:
			n, err := strconv.Atoi(token)
			if err != nil || n < 0 || n >= len(at) {
				return "", false
			}
			content = at[n]
		default:
			return "", false
		}
	}
	switch v := content.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case bool:
		return strconv.FormatBool(v), true
	}
	return "", false
}

// imagePointer says whether a pointer leads to the image of the n-th container
// of a workload's template, which the cache holds.
func imagePointer(pointer string) (n int, ok bool) {
	rest, ok := strings.CutPrefix(pointer, "/spec/template/spec/containers/")
	if !ok {
		return 0, false
	}
	rest, ok = strings.CutSuffix(rest, "/image")
	if !ok {
		return 0, false
	}
	n, err := strconv.Atoi(rest)
	return n, err == nil && n >= 0
}

// resourceOf finds out how objects of a kind are addressed. The kinds that
// versions stand in are known, others are looked for in what the cluster serves.
func (c *client) resourceOf(ctx context.Context, kind string) (resource, error) {
	sources := gitRepositories().GroupVersion
	for _, r := range []resource{
		deployments(), statefulSets(), daemonSets(), configMaps(), secrets(), helmReleases(), kustomizations(), gitRepositories(),
		{sources, "OCIRepository", "ocirepositories"},
		{sources, "HelmRepository", "helmrepositories"},
		{sources, "HelmChart", "helmcharts"},
		{sources, "Bucket", "buckets"},
		{schema.GroupVersion{Group: "batch", Version: "v1"}, "CronJob", "cronjobs"},
	} {
		if r.kind == kind {
			return r, nil
		}
	}
	var groups metav1.APIGroupList
	if err := c.get(ctx, "/apis", nil, &groups); err != nil {
		return resource{}, fmt.Errorf("look for the kind %s: %w", kind, err)
	}
	for _, g := range groups.Groups {
		var served metav1.APIResourceList
		if c.once(ctx, "/apis/"+g.PreferredVersion.GroupVersion, nil, &served) != nil {
			continue // a group whose own server is gone hides no other
		}
		for _, r := range served.APIResources {
			if r.Kind == kind && !strings.Contains(r.Name, "/") {
				gv, err := schema.ParseGroupVersion(g.PreferredVersion.GroupVersion)
				return resource{gv, kind, r.Name}, err
			}
		}
	}
	return resource{}, fault.Newf(fault.NotFound, "the cluster serves no kind %s", kind)
}

// within reads a site's value from its object, from the YAML text in it if the
// value stands there.
func within(content any, s deploy.Site) (value string, ok bool) {
	value, ok = pointed(content, s.Path)
	if s.Inner == "" || !ok {
		return value, ok
	}
	data, err := yaml.YAMLToJSON([]byte(value))
	if err != nil {
		return "", false
	}
	dec := json.NewDecoder(strings.NewReader(string(data)))
	dec.UseNumber()
	var tree any
	if err := dec.Decode(&tree); err != nil {
		return "", false
	}
	return pointed(tree, s.Inner)
}

// siteFeed watches the one object that carries the version.
func (o *observer) siteFeed(ctx context.Context) error {
	r, err := o.client.resourceOf(ctx, o.site.Object.Kind)
	if err != nil {
		return err
	}
	keep := func(b *bare) {
		o.update(func() { o.live, o.liveKnown = b, true })
	}
	f := feed[bare, *bare]{
		client: o.client, resource: r, namespace: o.site.Object.Namespace, heard: func() {},
		query: url.Values{"fieldSelector": {"metadata.name=" + o.site.Object.Name}},
		put:   keep,
		drop:  func(key) { keep(nil) },
		replace: func(all []*bare) {
			if len(all) == 0 {
				keep(nil)
				return
			}
			keep(all[0])
		},
	}
	return f.run(ctx)
}

// cachedSite reports whether the cache holds the site's value: the image of a
// Deployment that is watched anyway.
func (o *observer) cachedSite() (container int, ok bool) {
	n, ok := imagePointer(o.site.Path)
	return n, ok && o.site.Object.Kind == "Deployment" && scope(o.options.Namespaces).has(o.site.Object.Namespace)
}

// siteValue is what stands at the site: in the records, or in the live object.
func (o *observer) siteValue(seen records) (string, bool) {
	n, cached := o.cachedSite()
	if !cached {
		if o.live == nil {
			return "", false
		}
		return within(o.live.Content, o.site)
	}
	for _, w := range seen.workloads {
		if w.ref() == o.site.Object && n < len(w.images) {
			return w.images[n].String(), true
		}
	}
	return "", false
}
